//! `set-not-null`: a column of a table in use is declared `NOT NULL`. Pure.
//!
//! Invariant: what a validated check proves is not said again.

use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::remedy::not_null;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "set-not-null",
    level: Level::Warning,
    title: "`SET NOT NULL` reads the whole table while everybody waits",
    reason: "Every row is read under a lock for which readers and writers wait; a check that was validated before proves the same",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders alter column total set not null",
        good: "alter table orders add constraint orders_total_is_set check (total is not null) not valid",
        claim: Claim::Work(LockMode::ShareUpdateExclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    if sight.heavy_below(&table).is_empty() {
        return Vec::new();
    }
    let of = |(place, action): (usize, &&[_])| {
        let column = fit("alter [column] * set not null", action)?.names.remove(0);
        let found = Found::that(format!("`{table}` is read as a whole to see that `{column}` has no null"));
        let steps = not_null(&alteration.written, &column);
        Some(
            found
                .about(table.clone())
                .help("prove it by a check that is validated apart, and then declare it")
                .rewrite(sight.instead(&alteration, place, &steps)),
        )
    };
    alteration.actions.iter().enumerate().filter_map(of).collect()
}
