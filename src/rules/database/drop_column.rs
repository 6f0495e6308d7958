//! `drop-column`: a column of a table in use goes. Pure.
//!
//! Invariant: a migration that says `phase contract` has thought of it.

use crate::migration::said::Phase;
use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;
use crate::rules::twin::PAGE;

/// The rule.
pub const RULE: Rule = Rule {
    name: "drop-column",
    level: Level::Warning,
    title: "`DROP COLUMN` breaks programs that still name the column, and loses its values",
    reason: "A program of the release before reads and writes it until it is stopped; indexes, views and statistics on it go in silence",
    check: Check::Statement(Sort::Breaks, look),
    example: Example::Sql {
        before: "create index orders_note on orders (note);",
        bad: "alter table orders drop column note",
        good: "-- switchback: phase contract\nalter table orders drop column note",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    if sight.is_fresh(&table) || sight.migration.said.phase == Some(Phase::Contract) {
        return Vec::new();
    }
    let of = |action: &&[_]| {
        let fits = ["drop column if exists *", "drop column *"];
        let column = fits.iter().find_map(|pattern| fit(pattern, action))?.names.remove(0);
        let found = Found::that(format!("running programs may still use `{column}` of `{table}`")).about(table.clone());
        let gone: Vec<&str> = sight
            .catalog()
            .into_iter()
            .flat_map(|catalog| catalog.indexes(&table))
            .collect::<Vec<_>>()
            .into_iter()
            .filter(|(_, index)| index.columns.contains(&column))
            .map(|(name, _)| name)
            .collect();
        let here =
            if gone.is_empty() { String::new() } else { format!("With it goes the index `{}`", gone.join("`, `")) };
        Some(found.here(here).help(format!(
            "drop it one release after the last program has stopped to name it, and say `-- switchback: phase contract`: {PAGE}"
        )))
    };
    alteration.actions.iter().filter_map(of).collect()
}
