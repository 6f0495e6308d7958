//! `add-column-volatile-default`: a column is added whose default differs from row to row. Pure.
//!
//! Invariant: a default that is the same for all rows costs nothing.

use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::{column_added, says};
use crate::rules::remedy::{fill, not_null};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "add-column-volatile-default",
    level: Level::Warning,
    title: "a new column with a volatile default writes the whole table anew",
    reason: "Each row needs a value of its own, so all of them are written, with every index, while everybody waits",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders add column code uuid default gen_random_uuid()",
        good: "alter table orders add column made timestamptz default now()",
        claim: Claim::Work(LockMode::RowExclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    if !sight.rewrites(&table) || !sight.is_heavy(&table) {
        return Vec::new();
    }
    let of = |(place, action): (usize, &&[_])| {
        let made = column_added(&alteration.written, action)?;
        let default = made.clause("default")?;
        let (name, written) = (&made.name, &alteration.written);
        let (type_name, default) = (sight.text(made.type_name), sight.text(default));
        let found = Found::that(format!("each row of `{table}` is written anew for its own `{default}` in `{name}`"));
        let found = found
            .about(table.clone())
            .help("add the column empty, set its default for new rows, and fill the old ones in batches");
        let others = ["check", "unique", "primary", "references", "constraint", "collate"];
        if others.iter().any(|word| says(made.clauses, word)) {
            return Some(found);
        }
        let mut steps = vec![
            format!("alter table {written} add column {name} {type_name}"),
            format!("alter table {written} alter column {name} set default {default}"),
            fill(written, name),
        ];
        if made.not_null() {
            steps.extend(not_null(written, name));
        }
        Some(found.rewrite(sight.instead(&alteration, place, &steps)))
    };
    alteration.actions.iter().enumerate().filter_map(of).collect()
}
