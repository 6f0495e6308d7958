//! `rule` blocks: how heavy a rule weighs. Pure.
//!
//! Invariant: whether there is such a rule is for the rules to say.

use super::body::Block;
use super::settings::{Plain, Shape};
use super::{RuleBlock, RuleLevel};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::suggest::did_you_mean;

/// The levels as they are written.
const LEVELS: [(&str, RuleLevel); 4] =
    [("off", RuleLevel::Off), ("note", RuleLevel::Note), ("warning", RuleLevel::Warning), ("error", RuleLevel::Error)];

/// Reads a block that has one label.
pub(super) fn rule(block: &Block, diagnostics: &mut Diagnostics) -> Option<RuleBlock> {
    let shape = Shape { what: "a `rule` block", attributes: &["level"], blocks: &[], required: &["level"] };
    shape.check(block, diagnostics);
    let (name, span) = block.labels.first()?.clone();
    let said = Plain { body: &block.body, diagnostics }.text("level")?;
    if let Some((_, level)) = LEVELS.iter().find(|(word, _)| *word == said) {
        return Some(RuleBlock { name, span, level: *level });
    }
    let words = LEVELS.iter().map(|(word, _)| *word);
    diagnostics.push(
        Diagnostic::error("there is no such level of a rule")
            .at(block.body.expr("level").map(|expr| expr.span))
            .detail(format!("`level` is `{said}`"))
            .help(did_you_mean(&said, words, "write `off`, `note`, `warning` or `error`")),
    );
    None
}
