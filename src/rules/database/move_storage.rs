//! `move-storage`: a table gets another place or another form on disk. Pure.
//!
//! Invariant: what stays where it is costs nothing.

use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "move-storage",
    level: Level::Warning,
    title: "another tablespace or access method copies the whole table",
    reason: "Every row and index is copied while everybody waits, and all of it is sent to the replicas",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "create access method heap2 type table handler heap_tableam_handler;",
        bad: "alter table orders set access method heap2",
        good: "alter table orders set (fillfactor = 90)",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    let moves = |action: &&&[_]| fit("set tablespace", action).is_some() || fit("set access method", action).is_some();
    let Some(action) = alteration.actions.iter().find(moves).filter(|_| sight.is_heavy(&table)) else {
        return Vec::new();
    };
    let found = Found::that(format!("`{table}` is copied as a whole to `{}`", sight.text(action))).about(table);
    vec![found.help("make a new table there, fill it in batches, and let the two change their names")]
}
