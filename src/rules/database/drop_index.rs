//! `drop-index`: an index of a table in use is dropped under the strongest lock. Pure.
//!
//! Invariant: an index of a constraint or of a partitioned table cannot be dropped otherwise.

use crate::migration::catalog::RelationKind;
use crate::migration::cursor::split;
use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::{fit, says};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::{Sight, apart};

/// The rule.
pub const RULE: Rule = Rule {
    name: "drop-index",
    level: Level::Warning,
    title: "`DROP INDEX` waits for, and keeps waiting, everybody who uses the table",
    reason: "It takes the strongest lock on the whole table; while it waits for whoever reads just now, all who come later wait behind it",
    check: Check::Statement(Sort::Lock, look),
    example: Example::Sql {
        before: "",
        bad: "drop index orders_state",
        good: "-- switchback: transaction off\ndrop index concurrently orders_state",
        claim: Claim::Lock("public.orders", LockMode::ShareUpdateExclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let tokens = &sight.statement.tokens;
    let Some(found) = fit("drop index if exists", tokens).or_else(|| fit("drop index", tokens)) else {
        return Vec::new();
    };
    if says(tokens, "concurrently") {
        return Vec::new();
    }
    let exists = if says(tokens, "exists") { " if exists" } else { "" };
    let names: Vec<String> =
        split(found.rest).into_iter().filter_map(|part| Some(fit("*", part)?.names.remove(0))).collect();
    let table_of = |name: &String| {
        let relation = sight.relation(&sight.name(name))?;
        let index =
            relation.index.as_ref().filter(|_| relation.kind == RelationKind::Index && relation.parents.is_empty())?;
        (!sight.is_fresh(&index.table)).then(|| index.table.clone())
    };
    let tables: Vec<String> = names.iter().filter_map(table_of).collect();
    let Some(table) = tables.first() else { return Vec::new() };
    let found = Found::that(format!("everybody who uses `{table}` waits for the drop of `{}`", names.join("`, `")));
    let found = found.about(table.clone()).help("drop it concurrently, outside of a transaction");
    let steps: Vec<String> = names.iter().map(|name| format!("drop index concurrently{exists} {name}")).collect();
    vec![found.rewrite(apart(&steps))]
}
