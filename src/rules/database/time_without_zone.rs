//! `time-without-zone`: a new column holds times without their zone. Pure.
//!
//! Invariant: a time with its zone is the same moment everywhere.

use crate::rules::finding::Level;
use crate::rules::reading::{ColumnMade, behind, columns_made};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "time-without-zone",
    level: Level::Note,
    title: "`timestamp` without a time zone is another moment for each reader",
    reason: "What it means depends on the time zone of whoever wrote it, which is kept nowhere",
    check: Check::Statement(Sort::Habit, look),
    example: Example::Sql {
        before: "",
        bad: "create table events (id bigint primary key, at timestamp)",
        good: "create table events (id bigint primary key, at timestamptz)",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let is_bare =
        |made: &ColumnMade<'_>| made.is_of(&["timestamp"]) && behind(made.type_name, &["with", "time"]).is_none();
    let of = |made: ColumnMade<'_>| {
        let found = Found::that(format!("`{}` of `{}` has no time zone", made.name, made.table));
        found.help("make it a `timestamptz`")
    };
    columns_made(sight.statement).into_iter().filter(is_bare).map(of).collect()
}
