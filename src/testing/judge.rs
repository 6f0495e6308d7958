//! Whether an assertion holds, and what is said where it does not. Pure.
//!
//! Invariant: what is secret is named, never shown.

use std::path::Path;

use super::subject::Known;
use crate::address::Address;
use crate::diagnostic::{Diagnostic, Diagnostics, Severity, Sources, Span};
use crate::expression::{Expr, Node, Reference};
use crate::files::Files;
use crate::resolve::evaluate::{Scope, Surroundings, evaluate};
use crate::spec::Spec;
use crate::spec::test_file::{Assertion, LooksAt, Refusable, TestBlock};
use crate::value::{Data, Value};

/// The longest value that is shown, in characters.
const LONGEST: usize = 200;

/// How something came out.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// It holds.
    Holds,
    /// It does not.
    Fails(Diagnostic),
    /// It cannot be told.
    Untold(Diagnostics),
}

/// Where assertions are judged.
pub struct Bench<'a> {
    /// What their names stand for.
    pub known: &'a Known,
    /// The texts, secrets masked.
    pub sources: &'a Sources,
    /// Files for functions that read some.
    pub files: &'a dyn Files,
    /// The folder that they are relative to.
    pub folder: &'a Path,
    /// Now.
    pub now: jiff::Timestamp,
    /// What the run looks at.
    pub looks_at: LooksAt,
}

impl Scope for Bench<'_> {
    fn reference(&self, _: &Reference, span: Span) -> Result<Value, Diagnostic> {
        Err(Diagnostic::error("a name has no meaning here").at(span).help("name something of the spec"))
    }

    fn surroundings(&self) -> Surroundings<'_> {
        let now = Some(self.now);
        Surroundings { files: Some(self.files), folder: self.folder, home: None, planned_at: now, now }
    }
}

impl Bench<'_> {
    /// Judges one.
    pub fn judge(&self, assertion: &Assertion) -> Found {
        let condition = &assertion.condition;
        let value = match evaluate(&self.known.filled(condition), self) {
            Ok(value) => value.reveal(),
            Err(mistakes) => return Found::Untold(mistakes),
        };
        if !value.is_known() || value.holds_sealed() {
            return Found::Untold(self.untold(&value, condition.span).into());
        }
        match value.as_bool() {
            Some(true) => Found::Holds,
            Some(false) => Found::Fails(self.fails(assertion)),
            None => Found::Untold(
                Diagnostic::error("a condition is neither true nor false")
                    .at(condition.span)
                    .detail(format!("it gives a value of type `{}`", value.ty()))
                    .help("compare it with something, as in `… == 3`")
                    .into(),
            ),
        }
    }

    fn untold(&self, value: &Value, at: Span) -> Diagnostic {
        let (why, help) = match (self.looks_at, value.data()) {
            (LooksAt::Plan, Data::Unknown(unknown)) => {
                let waits: Vec<String> = unknown.waits_for.iter().map(Address::to_string).collect();
                let of = if waits.is_empty() { String::new() } else { format!(": it comes from {}", waits.join(", ")) };
                (
                    format!("it is known only after an apply{of}"),
                    "ask it of an environment that stands, with `command = verify`, or give the variable a value",
                )
            }
            (LooksAt::Plan | LooksAt::World, _) => (
                "it depends on a secret, which the ledger does not keep, or on what is not there".to_owned(),
                "assert something that is open",
            ),
        };
        Diagnostic::error("a condition cannot be told").at(at).detail(why).help(help)
    }

    fn fails(&self, assertion: &Assertion) -> Diagnostic {
        let said = evaluate(&self.known.filled(&assertion.message), self);
        let mut detail = match &said {
            Ok(value) if value.is_sensitive() || value.holds_sealed() => "its message holds a secret".to_owned(),
            Ok(value) => value.as_str().map_or_else(|| "its message is no text".to_owned(), str::to_owned),
            Err(_) => "its message cannot be told".to_owned(),
        };
        let mut shown: Vec<String> = Vec::new();
        self.chains(&assertion.condition, &mut |chain| {
            let Some(line) = self.shown(chain).filter(|line| !shown.contains(line)) else { return };
            shown.push(line);
        });
        for line in shown {
            detail += &format!("\n{line}");
        }
        Diagnostic::error("an assertion does not hold").at(assertion.condition.span).detail(detail)
    }

    /// Calls `look` with every name, as long as it is written: `aws_ecs_service.web.desired_count`.
    fn chains(&self, expr: &Expr, look: &mut dyn FnMut(&Expr)) {
        match is_chain(expr) {
            true => look(expr),
            false => expr.node.parts(&mut |part| self.chains(part, look)),
        }
    }

    /// What a name stands for, in one line.
    fn shown(&self, chain: &Expr) -> Option<String> {
        let value = evaluate(&self.known.filled(chain), self).ok()?;
        let text = &self.sources.file(chain.span.source).text;
        let written = text.get(chain.span.start as usize..chain.span.end as usize)?;
        let value = match value.is_sensitive() || value.holds_sealed() {
            true => "(sensitive value)".to_owned(),
            false => value.to_shown_json().to_string(),
        };
        let value = match value.chars().count() > LONGEST {
            true => value.chars().take(LONGEST).chain(['…']).collect(),
            false => value,
        };
        Some(format!("{} is {value}", written.split_whitespace().collect::<Vec<_>>().join(" ")))
    }
}

fn is_chain(expr: &Expr) -> bool {
    match &expr.node {
        Node::Reference(reference) => !matches!(reference, Reference::Bound(_)),
        Node::Attribute(source, _) => is_chain(source),
        Node::Index(source, key) => is_chain(source) && matches!(key.node, Node::Literal(_)),
        _ => false,
    }
}

/// Whether a spec refuses just what a run expects it to refuse.
pub fn refused(spec: &Spec, run: &TestBlock, mistakes: &Diagnostics) -> Found {
    let root = spec.modules.first();
    let declared = |what: &Refusable| match what {
        Refusable::Variable(name) => root?.variables.get(name).map(|variable| variable.span),
        Refusable::Input(module, name) => {
            let call = root?.calls.get(module)?;
            call.inputs.iter().find(|input| input.name == *name).map(|input| input.expr.span)
        }
    };
    let mut untold = Diagnostics::default();
    for (what, span) in run.refused.iter().filter(|(what, _)| declared(what).is_none()) {
        let detail = format!("the spec of {} gives no value to `{what}`", spec.environment);
        let mistake = Diagnostic::error("there is no such variable").at(*span).detail(detail);
        untold.push(mistake.help("name one of its variables, or an input of a module that it calls"));
    }
    let expected: Vec<Span> = run.refused.iter().filter_map(|(what, _)| declared(what)).collect();
    let others = mistakes.0.iter().filter(|one| !one.span.is_some_and(|span| expected.contains(&span)));
    let errors = others.filter(|one| one.severity == Severity::Error);
    untold.0.extend(errors.cloned());
    if untold.has_errors() {
        return Found::Untold(untold);
    }
    let is_refused = |what: &Refusable| mistakes.0.iter().any(|one| one.span.is_some() && one.span == declared(what));
    match run.refused.iter().find(|(what, _)| !is_refused(what)) {
        None => Found::Holds,
        Some((what, span)) => Found::Fails(
            Diagnostic::error("a value was not refused")
                .at(*span)
                .detail(format!("the spec takes the value that this run gives to `{what}`")),
        ),
    }
}
