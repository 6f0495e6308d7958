//! `several-tables-locked`: one transaction takes the strongest lock on several tables. Pure.
//!
//! Invariant: one after the other, each is held for a moment.

use crate::migration::catalog::RelationKind;
use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::{Sight, apart};

/// The rule.
pub const RULE: Rule = Rule {
    name: "several-tables-locked",
    level: Level::Note,
    title: "one transaction locks several tables, one after the other",
    reason: "Whoever uses them in another order may end in a deadlock, and the first one is locked while the second is waited for",
    check: Check::Statement(Sort::Lock, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders add column rest int;\nalter table customers add column rest int",
        good: "-- switchback: transaction off\nalter table orders add column rest int;\nalter table customers add column rest int",
        claim: Claim::Same,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let (Some(seen), Some(catalog)) = (sight.seen, sight.catalog()) else { return Vec::new() };
    let is_table = |name: &str| {
        catalog.relation(name).is_some_and(|one| one.kind == RelationKind::Table && one.parents.is_empty())
    };
    let held: Vec<&str> =
        sight.held().into_iter().filter(|(_, mode)| mode.blocks_readers()).map(|(name, _)| name).collect();
    let strong = |(_, mode): &(&String, &LockMode)| mode.blocks_readers();
    let mut locks = seen.locks.iter().filter(strong).map(|(name, _)| name.as_str());
    let new = locks.find(|name| is_table(name) && !held.contains(name) && !sight.is_fresh(name));
    let (Some(new), Some(first)) = (new, held.first()) else { return Vec::new() };
    let all: Vec<String> = sight.script.statements.iter().map(|statement| statement.text.clone()).collect();
    let found = Found::that(format!("`{first}` stays locked while `{new}` is waited for")).about(new);
    vec![found.help("let each statement be committed by itself").rewrite(apart(&all))]
}
