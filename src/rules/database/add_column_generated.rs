//! `add-column-generated`: a column is added whose values are computed and stored. Pure.
//!
//! Invariant: a virtual one costs nothing.

use crate::rules::finding::Level;
use crate::rules::reading::{ColumnMade, column_added, says};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "add-column-generated",
    level: Level::Warning,
    title: "a new stored generated column writes the whole table anew",
    reason: "The value of each row is computed and written, with every index, while everybody waits",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders add column twice int generated always as (total * 2) stored",
        good: "create view orders_twice as select id, total * 2 as twice from orders",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    if !sight.rewrites(&table) || !sight.is_heavy(&table) {
        return Vec::new();
    }
    let made = alteration.actions.iter().filter_map(|action| column_added(&alteration.written, action));
    let stored = made.filter(|made| says(made.clauses, "stored"));
    let of = |made: ColumnMade<'_>| {
        let found =
            Found::that(format!("each row of `{table}` is written anew for what is computed in `{}`", made.name));
        let help = "compute it in a view, or by a trigger into a plain column that is filled in batches; from version 18 on, a \
                    `VIRTUAL` one costs nothing";
        found.about(table.clone()).help(help)
    };
    stored.map(of).collect()
}
