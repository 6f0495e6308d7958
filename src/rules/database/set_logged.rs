//! `set-logged`: a table becomes logged or unlogged. Pure.
//!
//! Invariant: what is there must be written either way.

use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "set-logged",
    level: Level::Warning,
    title: "`SET LOGGED` and `SET UNLOGGED` write the whole table anew",
    reason: "Every row and index is written anew while everybody waits; what is unlogged is empty after a crash, and no replica has it",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders set unlogged",
        good: "create unlogged table orders_staging (id bigint, total int)",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    let sets = |action: &&&[_]| fit("set logged", action).is_some() || fit("set unlogged", action).is_some();
    let Some(action) = alteration.actions.iter().find(sets).filter(|_| sight.is_heavy(&table)) else {
        return Vec::new();
    };
    let found = Found::that(format!("`{table}` is written anew as a whole to `{}`", sight.text(action))).about(table);
    vec![found.help("make a new table of the wanted sort, fill it in batches, and let the two change their names")]
}
