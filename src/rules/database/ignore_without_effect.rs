//! `ignore-without-effect`: a comment silences nothing. Pure.
//!
//! Invariant: it is said by whoever applies the rules, and cannot be silenced itself.

use crate::rules::finding::Level;
use crate::rules::rule::{Check, Claim, Example, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    name: "ignore-without-effect",
    level: Level::Warning,
    title: "a comment silences a rule that finds nothing there",
    reason: "What is ignored without need hides what the rule finds one day",
    check: Check::Comments,
    example: Example::Sql {
        before: "",
        bad: "-- switchback: ignore drop-column: nobody reads it\nalter table orders alter column note set default 'x'",
        good: "-- switchback: ignore drop-column: nobody reads it\nalter table orders drop column note",
        claim: Claim::Nothing,
    },
};
