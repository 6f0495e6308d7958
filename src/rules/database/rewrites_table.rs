//! `rewrites-table`: a table in use is written anew, by whatever statement. Pure.
//!
//! Invariant: it speaks only where no other rule has said what to do.

use crate::rules::finding::Level;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "rewrites-table",
    level: Level::Warning,
    title: "a statement writes a whole table anew while others wait",
    reason: "Every row and every index is written anew, twice the disk is needed for a while, and whoever uses the table waits until that is done",
    check: Check::Statement(Sort::Rest, look),
    example: Example::Sql {
        before: "",
        bad: "cluster orders using orders_state",
        good: "alter table orders cluster on orders_state",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let tables: Vec<&str> = sight.heavy().into_iter().filter(|name| sight.rewrites(name)).collect();
    let Some(first) = tables.first() else { return Vec::new() };
    let found = Found::that(format!("`{}` is written anew as a whole while others wait", tables.join("`, `")));
    vec![found.about(*first).help("make what is wanted beside it, fill it in batches, and swap the two in a moment")]
}
