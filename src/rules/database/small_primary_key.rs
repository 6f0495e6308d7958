//! `small-primary-key`: a primary key has a type that runs out. Pure.
//!
//! Invariant: eight bytes do not.

use crate::rules::finding::Level;
use crate::rules::reading::{ColumnMade, columns_made, says};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "small-primary-key",
    level: Level::Note,
    title: "a primary key of a type that runs out of numbers",
    reason: "After 2,147,483,647 rows every insert fails, and the way to `bigint` writes the whole table anew",
    check: Check::Statement(Sort::Habit, look),
    example: Example::Sql {
        before: "",
        bad: "create table events (id int primary key)",
        good: "create table events (id bigint primary key)",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    const SMALL: [&str; 10] =
        ["int", "integer", "int4", "smallint", "int2", "serial", "serial4", "smallserial", "serial2", "mediumint"];
    let made = columns_made(sight.statement).into_iter();
    let short = made.filter(|made| says(made.clauses, "primary") && made.is_of(&SMALL));
    let of = |made: ColumnMade<'_>| {
        let (name, type_name) = (&made.name, sight.text(made.type_name));
        Found::that(format!("`{name}`, the primary key of `{}`, is of type `{type_name}`", made.table))
            .help("make it a `bigint`")
    };
    short.map(of).collect()
}
