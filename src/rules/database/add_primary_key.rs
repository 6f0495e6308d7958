//! `add-primary-key`: a primary key is built, or has to be proved, while everybody waits. Pure.
//!
//! Invariant: what is proved and built before is only taken over.

use crate::migration::catalog::RelationKind;
use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::{columns, fit, in_brackets};
use crate::rules::remedy::{given_name, not_null, nullable};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "add-primary-key",
    level: Level::Warning,
    title: "`ADD PRIMARY KEY` builds its index while everybody waits",
    reason: "The index is built, and each column that may be null is read, under a lock for which readers and writers wait",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "create table events (id bigint, what text); insert into events select n, 'x' from generate_series(1, 1000) as n;",
        bad: "alter table events add primary key (id)",
        good: "-- switchback: transaction off\ncreate unique index concurrently events_pkey on events (id)",
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
        let named = fit("add constraint * primary key", action);
        let rest = named.clone().or_else(|| fit("add primary key", action))?.rest;
        let inside = in_brackets(rest).filter(|_| fit("using index", rest).is_none())?;
        let key = columns(rest);
        let name = match named {
            Some(mut named) => named.names.remove(0),
            None => given_name(sight, &table, &[], "pkey"),
        };
        let found = Found::that(format!("the primary key of `{table}` is built while everybody who uses it waits"));
        let found = found.about(table.clone());
        let found = found.help("let its columns have no null, build its index concurrently, and take that over");
        let written = &alteration.written;
        let mut steps =
            nullable(sight, &table, &key).iter().flat_map(|column| not_null(written, column)).collect::<Vec<_>>();
        steps.push(format!("create unique index concurrently {name} on {written} ({})", sight.text(inside)));
        steps.push(format!("alter table {written} add constraint {name} primary key using index {name}"));
        let is_plain = rest.len() == inside.len() + 2;
        let is_table = sight.relation(&table).is_some_and(|found| found.kind == RelationKind::Table);
        Some(if is_plain && is_table { found.rewrite(sight.instead(&alteration, place, &steps)) } else { found })
    };
    alteration.actions.iter().enumerate().filter_map(of).collect()
}
