//! `add-unique`: a unique constraint builds its index while everybody waits. Pure.
//!
//! Invariant: one that takes an index over is not meant.

use crate::migration::catalog::RelationKind;
use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::{columns, fit, in_brackets};
use crate::rules::remedy::given_name;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "add-unique",
    level: Level::Warning,
    title: "`ADD UNIQUE` builds its index while everybody waits",
    reason: "The index is built under a lock for which readers and writers wait; built concurrently before, it is only taken over",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "alter table customers add constraint customers_email_key unique (email)",
        good: "-- switchback: transaction off\ncreate unique index concurrently customers_email_key on customers (email);\nalter table customers add constraint customers_email_key unique using index customers_email_key",
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
        let named = fit("add constraint * unique", action);
        let rest = named.clone().or_else(|| fit("add unique", action))?.rest;
        let inside = in_brackets(rest)?;
        let name = match named {
            Some(mut named) => named.names.remove(0),
            None => given_name(sight, &table, &columns(rest), "key"),
        };
        let found = Found::that(format!("the index of `{name}` is built while everybody who uses `{table}` waits"));
        let found =
            found.about(table.clone()).help("build the index concurrently, and let the constraint take it over");
        let written = &alteration.written;
        let steps = [
            format!("create unique index concurrently {name} on {written} ({})", sight.text(inside)),
            format!("alter table {written} add constraint {name} unique using index {name}"),
        ];
        // What else may stand there belongs partly to the index and partly to the constraint.
        let is_plain = rest.len() == inside.len() + 2;
        let is_table = sight.relation(&table).is_none_or(|found| found.kind == RelationKind::Table);
        Some(if is_plain && is_table { found.rewrite(sight.instead(&alteration, place, &steps)) } else { found })
    };
    alteration.actions.iter().enumerate().filter_map(of).collect()
}
