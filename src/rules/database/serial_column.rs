//! `serial-column`: a new column is a `serial`. Pure.
//!
//! Invariant: an identity column is the standard, and needs no rights of its own.

use crate::rules::finding::Level;
use crate::rules::reading::{ColumnMade, columns_made};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "serial-column",
    level: Level::Note,
    title: "`serial` instead of an identity column",
    reason: "Its sequence has rights and an owner of its own, a copy by `LIKE` shares it, and anybody can write past it",
    check: Check::Statement(Sort::Habit, look),
    example: Example::Sql {
        before: "",
        bad: "create table events (id bigserial primary key)",
        good: "create table events (id bigint generated always as identity primary key)",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let serial = ["serial", "serial4", "bigserial", "serial8", "smallserial", "serial2"];
    let made = columns_made(sight.statement).into_iter().filter(|made| made.is_of(&serial));
    let of = |made: ColumnMade<'_>| {
        let found = Found::that(format!("`{}` of `{}` is a `serial`", made.name, made.table));
        found.help("write `bigint generated always as identity`")
    };
    made.map(of).collect()
}
