//! The evaluator: expressions × a scope → values. Pure.
//!
//! Invariant: every input ends in a value or in diagnostics, never in a panic.

mod access;
mod branch;
mod call;
mod close;
mod deferred;
mod each;
mod operator;
mod scope;
mod secret_call;

use std::sync::Arc;

pub use close::close;
pub use deferred::evaluate_deferred;
pub use scope::{ClosingScope, Lookup, Scope};

use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::expression::{Expr, Node, Reference};
pub use crate::resolve::functions::Surroundings;
use crate::value::{Type, Value};

/// How deep expressions may lie in each other; the parser allows less, closing may add some.
const DEEPEST: u32 = 600;

/// Evaluates an expression.
///
/// # Errors
/// All mistakes in it, each with its place.
pub fn evaluate(expr: &Expr, scope: &dyn Scope) -> Result<Value, Diagnostics> {
    let mut evaluator =
        Evaluator { scope, bound: Vec::new(), mistakes: Vec::new(), undeclared: Vec::new(), depth: 0, quiet: false };
    let outcome = evaluator.value(expr);
    if evaluator.undeclared.is_empty()
        && let Ok(value) = outcome
    {
        return Ok(value);
    }
    evaluator.undeclared.extend(evaluator.mistakes);
    for mistake in &mut evaluator.undeclared {
        mistake.span = mistake.span.filter(|span| span.source != Expr::NOWHERE.source);
    }
    let mut mistakes = Diagnostics(evaluator.undeclared);
    mistakes.sort();
    Err(mistakes)
}

/// A mistake was found and is among the evaluator's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Failed;

type Outcome = Result<Value, Failed>;

struct Evaluator<'a> {
    scope: &'a dyn Scope,
    /// What `for`s and splats bind, innermost last.
    bound: Vec<(Arc<str>, Value)>,
    mistakes: Vec<Diagnostic>,
    /// Names and functions that do not exist: mistakes wherever they stand, even in a branch that is not taken.
    undeclared: Vec<Diagnostic>,
    depth: u32,
    /// Nobody will see the mistakes: a branch that is not taken, an argument of `try`.
    quiet: bool,
}

impl Evaluator<'_> {
    fn value(&mut self, expr: &Expr) -> Outcome {
        if self.depth >= DEEPEST {
            return self.fail(expr.span, |diagnostic| {
                diagnostic.detail("this expression is nested too deep").help("give inner parts a name with `locals`")
            });
        }
        self.depth += 1;
        let outcome = self.node(expr);
        self.depth -= 1;
        outcome
    }

    fn node(&mut self, expr: &Expr) -> Outcome {
        match &expr.node {
            Node::Literal(value) => Ok(value.clone()),
            Node::Template(parts) => self.template(parts),
            Node::Join(inner) => self.join(inner),
            Node::Tuple(items) => Ok(Value::tuple(self.all(items)?)),
            Node::Object(pairs) => self.object(pairs),
            Node::Reference(reference) => self.reference(reference, expr.span),
            Node::Attribute(inner, name) => self.attribute(inner, name, expr.span),
            Node::Index(inner, key) => self.index(inner, key),
            Node::Splat(source, each) => self.splat(source, each),
            Node::Unary(operator, operand) => self.unary(*operator, operand),
            Node::Binary(operator, left, right) => self.binary(*operator, left, right, expr.span),
            Node::Conditional(condition, yes, no) => self.conditional(condition, yes, no, expr.span),
            Node::Call(call) => self.call(call, expr.span),
            Node::For(each) => self.each(each),
        }
    }

    fn reference(&mut self, reference: &Reference, span: Span) -> Outcome {
        if let Reference::Bound(name) = reference {
            let found = self.bound.iter().rev().find(|(bound, _)| bound == name).map(|(_, value)| value.clone());
            return match found {
                Some(value) => Ok(value),
                None => self.fail(span, |diagnostic| {
                    diagnostic
                        .detail(format!("`{name}` is not given to this template"))
                        .help("add it to the variables that the template is called with")
                }),
            };
        }
        self.scope.reference(reference, span).map_err(|mistake| self.undeclared(mistake))
    }

    /// The values of all, or all mistakes.
    fn all(&mut self, exprs: &[Expr]) -> Result<Vec<Value>, Failed> {
        let mut values = Vec::with_capacity(exprs.len());
        let mut failed = false;
        for expr in exprs {
            match self.value(expr) {
                Ok(value) => values.push(value),
                Err(Failed) => failed = true,
            }
        }
        if failed { Err(Failed) } else { Ok(values) }
    }

    fn report(&mut self, mistake: Diagnostic) -> Failed {
        let place = mistake.span.filter(|span| *span != Expr::NOWHERE);
        self.mistakes.push(Diagnostic { span: place, ..mistake });
        Failed
    }

    fn undeclared(&mut self, mistake: Diagnostic) -> Failed {
        let place = mistake.span.filter(|span| span.source != Expr::NOWHERE.source);
        self.undeclared.push(Diagnostic { span: place, ..mistake });
        Failed
    }

    fn fail<T>(&mut self, span: Span, word: impl FnOnce(Diagnostic) -> Diagnostic) -> Result<T, Failed> {
        // Words cost more than the evaluation itself; nobody reads these.
        let mistake = Diagnostic::error("an expression has no value");
        let mistake = if self.quiet { mistake } else { word(mistake).at(span) };
        Err(self.report(mistake))
    }

    /// Evaluates something whose mistakes are nobody's: nothing when there are any.
    fn attempt<T>(&mut self, evaluate: impl FnOnce(&mut Self) -> Result<T, Failed>) -> Option<T> {
        let (mistakes, quiet, bound, depth) = (self.mistakes.len(), self.quiet, self.bound.len(), self.depth);
        self.quiet = true;
        let outcome = evaluate(self).ok();
        self.quiet = quiet;
        self.mistakes.truncate(mistakes);
        self.bound.truncate(bound);
        self.depth = depth;
        outcome
    }

    /// A value as a type, or a mistake that says what is needed here.
    fn convert(&mut self, value: &Value, ty: &Type, what: &str, span: Span) -> Outcome {
        match value.convert(ty) {
            Ok(value) => Ok(value),
            Err(error) => self.fail(span, |diagnostic| {
                let known = value.as_str().is_some() && !value.is_sensitive();
                let shown = if known { format!(" (it is {value})") } else { String::new() };
                diagnostic.detail(format!("{what}: {error}{shown}")).help(format!("give it a value of type {ty}"))
            }),
        }
    }
}

#[cfg(test)]
mod tests;
