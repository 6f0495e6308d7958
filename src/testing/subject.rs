//! What a run of tests names: each name evaluated with the spec, or looked up in what the ledger recorded. Pure.
//!
//! Invariant: of an environment that stands, a thing and an output are what was recorded, whatever the spec says.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::expression::{Deferred, Expr, Node, Reference};
use crate::files::Files;
use crate::kind::Kinds;
use crate::ledger::Things;
use crate::observe::sight::{as_value, gather};
use crate::resolve::evaluate::{Scope, Surroundings, evaluate};
use crate::resolve::inputs::Inputs;
use crate::resolve::secrets::RevealedSecrets;
use crate::resolve::{self, desired::Desired};
use crate::spec::body::Attribute;
use crate::spec::test_file::{TestBlock, TestFile};
use crate::spec::{Output, Spec};
use crate::step::Check;
use crate::suggest::{did_you_mean, listed};
use crate::value::Value;

/// The resolver's words for an output that holds a secret and does not say so.
const SHOWS_A_SECRET: &str = "an output would show a secret";

/// What the names of outputs and checks that belong to a run of tests begin with; no identifier, so nobody has it.
const OURS: &str = "of a test: ";

/// How the value of an expression is had that waits for things and secrets.
pub type Later<'a> = dyn Fn(&Deferred, &RevealedSecrets) -> Result<Value, Diagnostics> + 'a;

/// An environment that stands.
pub struct Stands<'a> {
    /// What the ledger says is there.
    pub things: &'a Things,
    /// The values of what the spec does not know before an apply.
    pub later: &'a Later<'a>,
}

/// What resolving needs.
pub struct Ground<'a> {
    /// What is handed in.
    pub inputs: &'a Inputs,
    /// The table of kinds.
    pub kinds: &'a Kinds,
    /// The files that the spec was read with.
    pub files: &'a dyn Files,
    /// The project's folder.
    pub folder: &'a Path,
}

/// What the names of a run stand for.
#[derive(Default)]
pub struct Known {
    /// Names as they are written, and their values.
    values: Vec<(Expr, Value)>,
    /// What is asked of the world, by the name of its block.
    pub checks: Vec<(Arc<str>, Check)>,
    /// The secrets that the spec and its variables gave.
    pub secrets: RevealedSecrets,
}

impl Known {
    /// An expression with values in the place of its names.
    pub fn filled(&self, expr: &Expr) -> Expr {
        let filled = expr.rewrite::<std::convert::Infallible>(&mut |part| {
            let value = self.values.iter().find(|(name, _)| name == part).map(|(_, value)| value);
            Ok(value.map(|value| Expr { node: Node::Literal(value.clone()), span: part.span }))
        });
        filled.unwrap_or_else(|never| match never {})
    }
}

/// The values that a test gives to variables: those of its file, and those of the run over them.
///
/// # Errors
/// Where one is no plain value, or there is no such variable.
pub fn given(spec: &Spec, file: &TestFile, run: &TestBlock) -> Result<BTreeMap<String, Value>, Diagnostics> {
    let mut mistakes = Diagnostics::default();
    let mut values = BTreeMap::new();
    let root = spec.modules.first();
    for Attribute { name, name_span, expr } in file.variables.iter().chain(&run.variables) {
        let names = || root.into_iter().flat_map(|root| root.variables.keys()).map(|name| &**name);
        if !names().any(|known| known == &**name) {
            let others = listed(names());
            let otherwise = if others.is_empty() { "it has none".to_owned() } else { format!("it has {others}") };
            mistakes.push(
                Diagnostic::error("there is no such variable")
                    .at(*name_span)
                    .detail(format!("the spec of {} has no variable `{name}`", spec.environment))
                    .help(did_you_mean(name, names(), otherwise)),
            );
        }
        match evaluate(expr, &Nothing) {
            Ok(value) => drop(values.insert(name.to_string(), value)),
            Err(more) => mistakes.extend(more),
        }
    }
    if mistakes.has_errors() { Err(mistakes) } else { Ok(values) }
}

/// The names in a run, each once, as they are written: a name, or one output of a module.
fn names(run: &TestBlock) -> Vec<Expr> {
    fn look(expr: &Expr, found: &mut Vec<Expr>) {
        let is_name = match &expr.node {
            Node::Reference(Reference::Bound(_)) => false,
            Node::Reference(_) => true,
            Node::Attribute(source, _) => matches!(&source.node, Node::Reference(Reference::Module(_))),
            _ => false,
        };
        match is_name {
            true if found.contains(expr) => {}
            true => found.push(expr.clone()),
            false => expr.node.parts(&mut |part| look(part, found)),
        }
    }
    let mut found = Vec::new();
    for assert in &run.asserts {
        look(&assert.condition, &mut found);
        look(&assert.message, &mut found);
    }
    found
}

/// Evaluates what a run names; `stands` where it looks at an environment that stands.
///
/// # Errors
/// The mistakes of the spec with these values, and those of the names.
pub fn look(
    spec: &mut Spec,
    run: &TestBlock,
    stands: Option<&Stands<'_>>,
    ground: &Ground<'_>,
) -> Result<Known, Diagnostics> {
    let mut known = Known::default();
    let mut mistakes = Diagnostics::default();
    let mut open: Vec<(Expr, Arc<str>)> = Vec::new();
    for name in names(run) {
        let recorded = stands.and_then(|stands| recorded(stands.things, &name));
        match (recorded, output_named(&name)) {
            (Some(value), _) => known.values.push((name, value)),
            (None, Some(output)) => match (put_output(spec, &name, output), stands) {
                (_, Some(stands)) => mistakes.push(no_output(output, name.span, stands.things.outputs.keys())),
                (Some(ours), None) => open.push((name, ours)),
                (None, None) => {
                    let outputs = spec.modules.first().into_iter().flat_map(|root| root.outputs.keys());
                    let outputs: Vec<String> =
                        outputs.map(ToString::to_string).filter(|name| !name.starts_with(OURS)).collect();
                    mistakes.push(no_output(output, name.span, outputs.iter()));
                }
            },
            (None, None) => {
                let ours = put(
                    spec,
                    Output { span: name.span, value: name.clone(), sensitive: false, depends_on: Vec::new() },
                );
                open.push((name, ours));
            }
        }
    }
    if let Some(root) = spec.modules.first_mut() {
        for (name, verify) in &run.verifies {
            root.verifies.insert(format!("{OURS}{name}").into(), verify.clone());
        }
    }
    let resolved = resolved(spec, ground);
    let (mut desired, secrets) = match resolved {
        Ok(resolved) if !mistakes.has_errors() => resolved,
        Ok(_) => return Err(mistakes),
        Err(more) => {
            mistakes.extend(more);
            mistakes.sort();
            return Err(mistakes);
        }
    };
    for (name, ours) in open {
        match value(&mut desired, &ours, stands, &secrets) {
            Ok(value) => known.values.push((name, value)),
            Err(more) => mistakes.0.extend(more.0.into_iter().map(|one| Diagnostic { span: Some(name.span), ..one })),
        }
    }
    let checks = desired.checks.into_iter().filter_map(|check| {
        let name = check.address.name.strip_prefix(OURS)?.into();
        // A test waits for as long as it says.
        Some((name, Check { parks_after_milliseconds: None, ..check }))
    });
    known.checks = checks.collect();
    known.secrets = secrets;
    if mistakes.has_errors() { Err(mistakes) } else { Ok(known) }
}

/// The name of an output that is named.
fn output_named(name: &Expr) -> Option<&str> {
    match &name.node {
        Node::Reference(Reference::Block { word, name }) if &**word == "output" => Some(name),
        _ => None,
    }
}

/// What the ledger recorded under a name; nothing for what only a spec knows.
fn recorded(things: &Things, name: &Expr) -> Option<Value> {
    let Node::Reference(Reference::Block { word, name }) = &name.node else { return None };
    if &**word == "output" {
        return things.outputs.get(&**name).cloned();
    }
    let block = Address::root(word, name);
    let instances = things.resources.range(&block..).take_while(|(address, _)| address.block() == block);
    gather(instances.map(|(address, thing)| (address, Some(as_value(&thing.object)))))
}

/// Puts an output beside those of the spec, and gives its name there.
fn put(spec: &mut Spec, output: Output) -> Arc<str> {
    let Some(root) = spec.modules.first_mut() else { return OURS.into() };
    let ours: Arc<str> = format!("{OURS}{}", root.outputs.len()).into();
    root.outputs.insert(ours.clone(), output);
    ours
}

/// Puts an output of the spec there once more.
fn put_output(spec: &mut Spec, name: &Expr, output: &str) -> Option<Arc<str>> {
    let there = spec.modules.first()?.outputs.get(output)?.clone();
    let value = Expr { span: name.span, ..there.value };
    Some(put(spec, Output { value, ..there }))
}

fn no_output<'a>(output: &str, at: Span, known: impl Iterator<Item = &'a String> + Clone) -> Diagnostic {
    let names: Vec<&str> = known.map(String::as_str).collect();
    let otherwise = match names.is_empty() {
        true => "it has none".to_owned(),
        false => format!("it has {}", listed(names.iter().copied())),
    };
    Diagnostic::error("there is no such output")
        .at(at)
        .detail(format!("`{output}` is no output of the environment"))
        .help(did_you_mean(output, names.iter().copied(), otherwise))
}

/// Resolves the spec; an output of ours that holds a secret is marked as one that does.
fn resolved(spec: &mut Spec, ground: &Ground<'_>) -> Result<(Desired, RevealedSecrets), Diagnostics> {
    loop {
        let Ground { inputs, kinds, files, folder } = *ground;
        let (resolved, mistakes) = resolve::resolve(spec, inputs, kinds, files, folder);
        if let Some(resolved) = resolved.filter(|_| !mistakes.has_errors()) {
            return Ok((resolved.desired, resolved.secrets));
        }
        let shows = |span: Span| mistakes.0.iter().any(|one| one.summary == SHOWS_A_SECRET && one.span == Some(span));
        let mut marked = false;
        let outputs = spec.modules.first_mut().into_iter().flat_map(|root| root.outputs.iter_mut());
        for (_, output) in outputs.filter(|(name, _)| name.starts_with(OURS)) {
            if !output.sensitive && shows(output.value.span) {
                (output.sensitive, marked) = (true, true);
            }
        }
        if !marked {
            return Err(mistakes);
        }
    }
}

/// The value of an output of ours.
fn value(
    desired: &mut Desired,
    ours: &str,
    stands: Option<&Stands<'_>>,
    secrets: &RevealedSecrets,
) -> Result<Value, Diagnostics> {
    let output = desired.outputs.remove(ours);
    let output = output.ok_or_else(|| Diagnostic::error("an expression has no value"))?;
    match (stands, &output.deferred) {
        (Some(stands), Some(deferred)) if !output.value.is_known() => (stands.later)(deferred, secrets),
        _ => Ok(output.value),
    }
}

/// A scope in which nothing has a name.
struct Nothing;

impl Scope for Nothing {
    fn reference(&self, _: &Reference, span: Span) -> Result<Value, Diagnostic> {
        Err(Diagnostic::error("a name has no meaning here")
            .at(span)
            .detail("a test gives plain values")
            .help("write a plain value"))
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { files: None, folder: Path::new(""), home: None, planned_at: None, now: None }
    }
}
