//! `primary-key-over-nullable`: a primary key takes an index over whose columns may be null. Pure.
//!
//! Invariant: columns that are `NOT NULL` already cost nothing.

use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::remedy::{bare, not_null, nullable};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "primary-key-over-nullable",
    level: Level::Warning,
    title: "a primary key that takes an index over still reads the table for columns that may be null",
    reason: "`USING INDEX` saves building the index, but each column that may be null is read under a lock for which everybody waits",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "create table events (id bigint, what text); insert into events select n, 'x' from generate_series(1, 1000) as n; create unique index events_id on events (id);",
        bad: "alter table events add constraint events_id primary key using index events_id",
        good: "alter table events add constraint events_id_is_set check (id is not null) not valid",
        claim: Claim::Work(LockMode::ShareUpdateExclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    if !sight.is_heavy(&table) {
        return Vec::new();
    }
    let of = |(place, action): (usize, &&[_])| {
        let found = fit("add constraint * primary key using index *", action);
        let index = found.or_else(|| fit("add primary key using index *", action))?.names.pop()?;
        let catalog = sight.catalog()?;
        let index = catalog.indexes(&table).find(|(name, _)| bare(name) == bare(&index))?.1;
        let columns = nullable(sight, &table, &index.keys);
        let what = columns.join("`, `");
        let message = format!("`{table}` is read as a whole to see that `{what}` has no null");
        let mut steps: Vec<String> = columns.iter().flat_map(|column| not_null(&alteration.written, column)).collect();
        steps.push(format!("alter table {} {}", alteration.written, sight.text(action)));
        let found =
            Found::that(message).about(table.clone()).help("declare its columns `NOT NULL` by a validated check first");
        Some(found.rewrite(sight.instead(&alteration, place, &steps)))
    };
    alteration.actions.iter().enumerate().filter_map(of).collect()
}
