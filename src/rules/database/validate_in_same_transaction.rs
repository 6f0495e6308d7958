//! `validate-in-same-transaction`: a constraint is validated in the transaction that added it. Pure.
//!
//! Invariant: apart from it, it keeps nobody waiting.

use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::{Sight, apart};

/// The rule.
pub const RULE: Rule = Rule {
    name: "validate-in-same-transaction",
    level: Level::Warning,
    title: "`VALIDATE` behind `NOT VALID` in one transaction keeps everybody waiting all the same",
    reason: "The lock of the first statement is held until the end of the transaction, so that reading the table under a weak lock saves nothing",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders add constraint total_is check (total >= 0) not valid;\nalter table orders validate constraint total_is",
        good: "-- switchback: transaction off\nalter table orders add constraint total_is check (total >= 0) not valid;\nalter table orders validate constraint total_is",
        claim: Claim::Work(LockMode::ShareUpdateExclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    let validates = alteration.actions.iter().find_map(|action| fit("validate constraint *", action));
    let held = sight.held().into_iter().find(|(name, _)| *name == table);
    let (Some(validates), Some((_, mode))) = (validates, held) else { return Vec::new() };
    let name = &validates.names[0];
    let found = Found::that(format!("`{table}` is read for `{name}` while the lock of an earlier statement is held"));
    let all: Vec<String> = sight.script.statements.iter().map(|statement| statement.text.clone()).collect();
    let found = found.about(table).here(format!("It is held in mode `{}`", mode.sql_name()));
    vec![found.help("let each statement be committed by itself").rewrite(apart(&all))]
}
