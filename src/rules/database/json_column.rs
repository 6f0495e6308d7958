//! `json-column`: a new column is of type `json`. Pure.
//!
//! Invariant: `jsonb` can be compared and indexed.

use crate::rules::finding::Level;
use crate::rules::reading::{ColumnMade, columns_made};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "json-column",
    level: Level::Note,
    title: "`json` cannot be compared: `SELECT DISTINCT` and `GROUP BY` fail on it",
    reason: "A query that compares whole rows breaks as soon as the column is there; it cannot be indexed either",
    check: Check::Statement(Sort::Habit, look),
    example: Example::Sql {
        before: "",
        bad: "create table events (id bigint primary key, what json)",
        good: "create table events (id bigint primary key, what jsonb)",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let of = |made: ColumnMade<'_>| {
        let found = Found::that(format!("`{}` of `{}` is of type `json`", made.name, made.table));
        found.help("make it `jsonb`, unless the very text has to come back")
    };
    columns_made(sight.statement).into_iter().filter(|made| made.is_of(&["json"])).map(of).collect()
}
