//! `ignore-without-reason`: a comment wants to silence a rule and does not say why. Pure.
//!
//! Invariant: it is said by whoever applies the rules, and cannot be silenced itself; the rule is not silenced.

use crate::rules::finding::Level;
use crate::rules::rule::{Check, Claim, Example, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    name: "ignore-without-reason",
    level: Level::Warning,
    title: "a comment is to silence a rule, and gives no reason",
    reason: "Whoever signs has to know why a rule does not count here; without a reason it still counts",
    check: Check::Comments,
    example: Example::Sql {
        before: "",
        bad: "-- switchback: ignore drop-column\nalter table orders drop column note",
        good: "-- switchback: ignore drop-column: no program has read it since June\nalter table orders drop column note",
        claim: Claim::Nothing,
    },
};
