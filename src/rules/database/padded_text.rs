//! `padded-text`: a new column pads its text with blanks. Pure.
//!
//! Invariant: text that is as long as it is needs no padding.

use crate::rules::finding::Level;
use crate::rules::reading::{ColumnMade, columns_made, says};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "padded-text",
    level: Level::Note,
    title: "`char(n)` pads every value with blanks",
    reason: "It takes more place than `text`, is compared in surprising ways, and saves nothing",
    check: Check::Statement(Sort::Habit, look),
    example: Example::Sql {
        before: "",
        bad: "create table events (id bigint primary key, code char(8))",
        good: "create table events (id bigint primary key, code text)",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let is_padded =
        |made: &ColumnMade<'_>| made.is_of(&["char", "character", "bpchar"]) && !says(made.type_name, "varying");
    let of = |made: ColumnMade<'_>| {
        let found = Found::that(format!("`{}` of `{}` is padded with blanks", made.name, made.table));
        found.help("make it `text`, with a check of its length where that matters")
    };
    columns_made(sight.statement).into_iter().filter(is_padded).map(of).collect()
}
