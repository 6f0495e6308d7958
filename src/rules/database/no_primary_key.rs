//! `no-primary-key`: a table is made without a primary key. Pure.
//!
//! Invariant: partitions, copies and temporary tables are not meant.

use crate::rules::finding::Level;
use crate::rules::reading::{alteration, behind, says, table_made};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "no-primary-key",
    level: Level::Note,
    title: "a table without a primary key",
    reason: "Its rows cannot be told apart: logical replication cannot follow changes, and work on it cannot be cut into batches",
    check: Check::Statement(Sort::Habit, look),
    example: Example::Sql {
        before: "",
        bad: "create table events (what text)",
        good: "create table events (id bigint primary key, what text)",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(made) = table_made(sight.statement) else { return Vec::new() };
    let Some(elements) = made.elements else { return Vec::new() };
    let later = sight.script.statements[sight.number..].iter().filter_map(alteration).any(|one| {
        one.written == made.name && one.actions.iter().any(|action| behind(action, &["primary", "key"]).is_some())
    });
    let has = behind(elements, &["primary", "key"]).is_some()
        || says(elements, "like")
        || says(&sight.statement.tokens, "inherits");
    let found = Found::that(format!("`{}` has no primary key", made.name));
    if has || later {
        Vec::new()
    } else {
        vec![found.help("give it one: `id bigint generated always as identity primary key`")]
    }
}
