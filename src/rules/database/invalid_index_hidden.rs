//! `invalid-index-hidden`: a concurrent build passes over an index that is there and of no use. Pure.
//!
//! Invariant: without `IF NOT EXISTS` the server says that it is there.

use crate::rules::finding::Level;
use crate::rules::reading::index_made;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::{Sight, apart};

/// The rule.
pub const RULE: Rule = Rule {
    name: "invalid-index-hidden",
    level: Level::Warning,
    title: "`CREATE INDEX CONCURRENTLY IF NOT EXISTS` passes over an invalid index",
    reason: "A build that was cut short leaves an index that is invalid, and is used by nobody; the next run finds the name taken, does nothing, and succeeds",
    check: Check::Statement(Sort::Fails, look),
    example: Example::Sql {
        before: "",
        bad: "-- switchback: transaction off\ncreate index concurrently if not exists orders_total on orders (total)",
        good: "-- switchback: transaction off\ncreate index concurrently orders_total on orders (total)",
        claim: Claim::Same,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(made) = index_made(sight.statement).filter(|made| made.concurrently && made.if_not_exists) else {
        return Vec::new();
    };
    let Some(name) = made.name else { return Vec::new() };
    let table = sight.name(&made.table);
    let schema = table.rsplit_once('.').map_or("public", |(schema, _)| schema);
    let whole = format!("{schema}.{name}");
    let is_invalid = sight.relation(&whole).and_then(|one| one.index.as_ref()).is_some_and(|index| !index.valid);
    let unique = if made.unique { "unique " } else { "" };
    let steps = [
        format!("drop index concurrently if exists {whole}"),
        format!("create {unique}index concurrently {name} on {} {}", made.table, made.rest),
    ];
    let found = Found::that(match is_invalid {
        true => format!("`{whole}` is there and invalid, and would stay so"),
        false => format!("an invalid `{whole}` of an earlier try would be passed over"),
    });
    let found = found
        .help("drop what an earlier try may have left, and build it without `IF NOT EXISTS`")
        .rewrite(apart(&steps));
    vec![if is_invalid { found.level(Level::Error) } else { found }]
}
