//! One expression, evaluated for `console`: by itself, or with the names of an environment's spec.
//!
//! Invariant: a secret is named, never shown.

use std::path::Path;

use super::failure::Failure;
use super::session::Session;
use super::spec::{Missing, inputs};
use crate::diagnostic::{Diagnostic, Diagnostics, SourceId, Sources, Span};
use crate::expression::{Expr, Node, Reference};
use crate::resolve::console::{display, display_type};
use crate::resolve::evaluate::{Scope, Surroundings, evaluate};
use crate::spec::{Output, expression_from_text};
use crate::store::disk::DiskFiles;
use crate::value::Value;
use crate::{resolve, spec};

/// The name under which the expression stands beside the outputs of the spec; no identifier, so nobody has it.
const NAME: &str = "the expression";

/// An answer, for people and for programs.
pub struct Answer {
    /// As the language writes it.
    pub text: String,
    /// As JSON.
    pub json: serde_json::Value,
}

/// Evaluates all of a text as one expression.
///
/// # Errors
/// When the expression, or the spec, has mistakes.
pub fn answer(session: &Session, environment: Option<&str>, text: &str) -> Result<Answer, Failure> {
    match environment {
        Some(environment) => within(session, environment, text),
        None => alone(session, text),
    }
}

fn alone(session: &Session, text: &str) -> Result<Answer, Failure> {
    let mut sources = Sources::default();
    let text = &whole(text);
    let source = sources.add("stdin", text.as_str());
    let scope = Nameless { folder: &session.folder, now: session.world.clock.now() };
    let (expr, asked) = read(text, source).map_err(|mistakes| wrong(mistakes, &sources))?;
    let value = evaluate(&expr, &scope).map_err(|mistakes| wrong(mistakes, &sources))?;
    Ok(shown(&value, asked))
}

fn within(session: &Session, environment: &str, text: &str) -> Result<Answer, Failure> {
    let project = session.need_environment(environment)?;
    let inputs = inputs(session, &project, Missing::Assume)?;
    let (mut spec, mut diagnostics) = spec::load(&DiskFiles, &project, environment, &session.kinds);
    let text = &whole(text);
    let source = spec.sources.add("stdin", text.as_str());
    let (expr, asked) = read(text, source).map_err(|mistakes| wrong(mistakes, &spec.sources))?;
    let Some(root) = spec.modules.first_mut() else {
        return Err(Failure::mistakes(diagnostics, &spec.sources));
    };
    // The expression becomes one output more, so that it sees exactly what an output of the spec sees.
    let span = expr.span;
    let open = Output { span, value: expr, sensitive: false, depends_on: Vec::new() };
    root.outputs.insert(NAME.into(), open);
    let (mut resolved, mut more) = resolve::resolve(&spec, &inputs, &session.kinds, &DiskFiles, &project);
    if more.0.iter().any(|mistake| mistake.summary == SHOWS_A_SECRET && mistake.span == Some(span)) {
        let root = spec.modules.first_mut().expect("it was just there");
        root.outputs[NAME].sensitive = true;
        (resolved, more) = resolve::resolve(&spec, &inputs, &session.kinds, &DiskFiles, &project);
    }
    diagnostics.extend(more);
    let value = resolved.and_then(|mut resolved| resolved.desired.outputs.remove(NAME)).map(|output| output.value);
    match value {
        Some(value) if !diagnostics.has_errors() => Ok(shown(&value, asked)),
        _ => Err(wrong(diagnostics, &spec.sources)),
    }
}

/// The resolver's words for an output that holds a secret and does not say so.
const SHOWS_A_SECRET: &str = "an output would show a secret";

/// The text as one expression: where its lines only belong together inside parentheses, those are added.
fn whole(text: &str) -> String {
    let parses = |text: &str| expression_from_text(text, SourceId(0)).is_ok();
    let wrapped = format!("({text})");
    if !parses(text) && parses(&wrapped) { wrapped } else { text.to_owned() }
}

/// What is asked of an expression.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Value,
    Type,
}

/// The expression, or the one whose type is asked for by `type(…)`.
fn read(text: &str, source: SourceId) -> Result<(Expr, Asked), Diagnostics> {
    let expr = expression_from_text(text, source)?;
    match &expr.node {
        Node::Call(call) if &*call.function == "type" && call.arguments.len() == 1 => {
            Ok((call.arguments[0].clone(), Asked::Type))
        }
        _ => Ok((expr, Asked::Value)),
    }
}

fn shown(value: &Value, asked: Asked) -> Answer {
    match asked {
        Asked::Value => Answer { text: display(value), json: value.to_shown_json() },
        Asked::Type => {
            let text = display_type(&value.ty());
            Answer { json: text.clone().into(), text }
        }
    }
}

fn wrong(diagnostics: Diagnostics, sources: &Sources) -> Failure {
    let mut failure = Failure::mistakes(diagnostics, sources);
    failure.summary = "the expression has no value".to_owned();
    failure
}

/// A scope in which nothing has a name.
struct Nameless<'a> {
    folder: &'a Path,
    now: jiff::Timestamp,
}

impl Scope for Nameless<'_> {
    fn reference(&self, _reference: &Reference, span: Span) -> Result<Value, Diagnostic> {
        Err(Diagnostic::error("there are no names here")
            .at(span)
            .help("name an environment, as in `switchback console dev`, to use the names of its spec"))
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            files: Some(&DiskFiles),
            folder: self.folder,
            home: None,
            planned_at: Some(self.now),
            now: Some(self.now),
        }
    }
}
