//! `add-exclusion`: an exclusion constraint is built while everybody waits. Pure.
//!
//! Invariant: there is no lighter form; what is said is how long it takes.

use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "add-exclusion",
    level: Level::Warning,
    title: "`ADD EXCLUDE` builds its index while everybody waits",
    reason: "The index is built under a lock for which readers and writers wait, and no server can take one over that was built before",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "create table spans (a int, b int4range);",
        bad: "alter table spans add constraint spans_apart exclude using gist (b with &&)",
        good: "create table rooms (a int, b int4range, exclude using gist (b with &&))",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    let adds =
        |action: &&[_]| fit("add constraint * exclude", action).is_some() || fit("add exclude", action).is_some();
    if !sight.is_heavy(&table) || !alteration.actions.iter().any(adds) {
        return Vec::new();
    }
    let found = Found::that(format!("an index is built while everybody who uses `{table}` waits")).about(table);
    vec![found.help("make a new table with the constraint, fill it in batches, and let the two change their names")]
}
