//! `policy` blocks: what the house asks of every change. Pure.
//!
//! Invariant: a policy names nothing but `plan`, so that it can be asked wherever there is a change set, also without a spec.

use super::body::Block;
use super::settings::{Plain, Shape};
use super::{PolicyBlock, RuleLevel};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::{Expr, Node, Reference};
use crate::suggest::did_you_mean;

/// The levels as they are written.
const LEVELS: [(&str, RuleLevel); 3] =
    [("note", RuleLevel::Note), ("warning", RuleLevel::Warning), ("error", RuleLevel::Error)];

/// What `plan` has.
pub const PLAN: [&str; 9] =
    ["project", "environment", "operation", "actor", "at", "steps", "findings", "losses", "outputs"];

/// Reads a block that has one label.
pub(super) fn policy(block: &Block, diagnostics: &mut Diagnostics) -> Option<PolicyBlock> {
    let shape = Shape {
        what: "a `policy` block",
        attributes: &["condition", "message", "level", "when", "environments"],
        blocks: &[],
        required: &["condition", "message"],
    };
    shape.check(block, diagnostics);
    let (name, span) = block.labels.first()?.clone();
    let condition = block.body.expr("condition")?.clone();
    let message = block.body.expr("message")?.clone();
    let when = block.body.expr("when").cloned();
    for expr in [Some(&condition), Some(&message), when.as_ref()].into_iter().flatten() {
        names(expr, diagnostics);
    }
    let mut plain = Plain { body: &block.body, diagnostics };
    let environments = plain.texts("environments").unwrap_or_default();
    let level = match plain.text("level") {
        None => RuleLevel::Error,
        Some(said) => level(&said, block, diagnostics)?,
    };
    Some(PolicyBlock { name, span, condition, message, level, when, environments })
}

fn level(said: &str, block: &Block, diagnostics: &mut Diagnostics) -> Option<RuleLevel> {
    let found = LEVELS.iter().find(|(word, _)| *word == said).map(|(_, level)| *level);
    if found.is_none() {
        let words = LEVELS.iter().map(|(word, _)| *word);
        diagnostics.push(
            Diagnostic::error("there is no such level of a policy")
                .at(block.body.expr("level").map(|expr| expr.span))
                .detail(format!("`level` is `{said}`"))
                .help(did_you_mean(said, words, "write `note`, `warning` or `error`")),
        );
    }
    found
}

/// Whether an expression names nothing but what there is of `plan`.
fn names(expr: &Expr, diagnostics: &mut Diagnostics) {
    if let Node::Reference(reference) = &expr.node {
        let mistake = match reference {
            Reference::Bound(_) => None,
            Reference::Block { word, name } if &**word == "plan" && PLAN.contains(&&**name) => None,
            Reference::Block { word, name } if &**word == "plan" => Some((
                format!("`plan.{name}` does not exist"),
                did_you_mean(name, PLAN, "`docs/policies.md` lists what there is"),
            )),
            _ => Some((
                "a policy is about a change, and names something else".to_owned(),
                "name `plan` and what it has: `docs/policies.md`".to_owned(),
            )),
        };
        if let Some((detail, help)) = mistake {
            diagnostics
                .push(Diagnostic::error("there is no such name in a policy").at(expr.span).detail(detail).help(help));
        }
    }
    expr.node.parts(&mut |part| names(part, diagnostics));
}
