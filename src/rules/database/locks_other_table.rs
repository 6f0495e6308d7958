//! `locks-other-table`: a statement locks a table that it does not name. Pure.
//!
//! Invariant: what is below a named table is not another one.

use crate::migration::catalog::RelationKind;
use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::remedy::bare;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "locks-other-table",
    level: Level::Warning,
    title: "a statement keeps users of a table waiting that it does not even name",
    reason: "The other side of a foreign key, or what a cascade reaches, is locked as well; who uses that table does not expect it",
    check: Check::Statement(Sort::Lock, look),
    example: Example::Sql {
        before: "alter table orders add constraint orders_customer foreign key (customer_id) references customers (id);",
        bad: "alter table orders drop constraint orders_customer",
        good: "alter table orders drop column note",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let (Some(seen), Some(catalog)) = (sight.seen, sight.catalog()) else { return Vec::new() };
    let said = |name: &str| sight.statement.tokens.iter().any(|token| token.text == bare(name).trim_matches('"'));
    let named: Vec<&str> = catalog.relations.keys().map(String::as_str).filter(|name| said(name)).collect();
    let family: Vec<&str> = named.iter().flat_map(|name| catalog.family(name)).collect();
    let is_table = |name: &str| {
        catalog.relation(name).is_some_and(|one| matches!(one.kind, RelationKind::Table | RelationKind::Partitioned))
    };
    let is_owner = |name: &str| {
        let of = |index: &&str| {
            catalog.relation(index).and_then(|one| one.index.as_ref()).is_some_and(|index| index.table == name)
        };
        named.iter().any(of)
            || named.iter().any(|part| catalog.relation(part).is_some_and(|one| one.parents.contains(name)))
    };
    let locks =
        seen.locks.iter().filter(|(_, mode)| **mode == LockMode::AccessExclusive).map(|(name, _)| name.as_str());
    let others: Vec<&str> = locks
        .filter(|name| is_table(name) && !family.contains(name) && !is_owner(name) && !sight.is_fresh(name))
        .collect();
    let Some(first) = others.first() else { return Vec::new() };
    let found = Found::that(format!("everybody who uses `{}` waits as well", others.join("`, `"))).about(*first);
    vec![
        found.help(
            "run it when both tables are quiet, as the only statement of its transaction, with a short lock timeout",
        ),
    ]
}
