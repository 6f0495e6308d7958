//! `empty-migration`: the text of a migration has no statement. Pure.
//!
//! Invariant: it is said of a migration that is to run, by whoever applies the rules.

use crate::rules::finding::Level;
use crate::rules::rule::{Check, Claim, Example, Rule};

/// The rule.
pub const RULE: Rule = Rule {
    name: "empty-migration",
    level: Level::Warning,
    title: "the file has no statement yet",
    reason: "It changes nothing, and counts as applied afterwards: what is written into it later is refused as altered",
    check: Check::Whole,
    example: Example::Sql {
        before: "",
        bad: "-- What changes.",
        good: "-- What changes.\nalter table orders alter column note set default 'x'",
        claim: Claim::Nothing,
    },
};
