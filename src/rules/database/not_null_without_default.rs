//! `not-null-without-default`: a column that may not be null is added without a value for the rows there are. Pure.
//!
//! Invariant: a default, or an empty table, is enough.

use crate::rules::finding::Level;
use crate::rules::reading::{column_added, says};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "not-null-without-default",
    level: Level::Error,
    title: "a new `NOT NULL` column without a default fails as soon as there is a row",
    reason: "No row that is there has a value for it, so that the statement is refused by any table with rows; and programs that do not know the column cannot write any more",
    check: Check::Statement(Sort::Fails, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders add column rest int not null",
        good: "alter table orders add column rest int not null default 0",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    let rows = sight.rows(&table);
    if sight.is_fresh(&table) || rows == Some(0) {
        return Vec::new();
    }
    let of = |action: &&[_]| {
        let made = column_added(&alteration.written, action)?;
        let has_value = ["default", "generated", "primary"].iter().any(|word| says(made.clauses, word));
        let is_serial = made.is_of(&["serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"]);
        if !made.not_null() || has_value || is_serial {
            return None;
        }
        let found =
            Found::that(format!("`{table}` has rows that have no value for `{}`", made.name)).about(table.clone());
        let found =
            found.help("give it a default; or add it empty, fill it, and declare it `NOT NULL` by a validated check");
        // How many rows there are is known of the target only.
        Some(if rows.is_some() { found } else { found.level(Level::Warning) })
    };
    alteration.actions.iter().filter_map(of).collect()
}
