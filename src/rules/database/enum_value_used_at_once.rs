//! `enum-value-used-at-once`: a new value of an enum is used in the transaction that adds it. Pure.
//!
//! Invariant: what is committed before can be used.

use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::{Sight, apart};

/// The rule.
pub const RULE: Rule = Rule {
    name: "enum-value-used-at-once",
    level: Level::Error,
    title: "a value that is added to an enum cannot be used before it is committed",
    reason: "The server refuses it: until the transaction that adds the value has ended nobody may use it, not even that transaction",
    check: Check::Statement(Sort::Fails, look),
    example: Example::Sql {
        before: "create type mood as enum ('sad'); create table days (day int, mood mood);",
        bad: "alter type mood add value 'glad';\ninsert into days values (1, 'glad')",
        good: "-- switchback: transaction off\nalter type mood add value 'glad';\ninsert into days values (1, 'glad')",
        claim: Claim::Works,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    if !sight.transaction {
        return Vec::new();
    }
    let before = &sight.script.statements[..sight.number - 1];
    let is_made = |name: &str| {
        before.iter().any(|one| fit("create type *", &one.tokens).is_some_and(|found| found.names[0] == name))
    };
    let added = before.iter().filter_map(|statement| {
        let found = fit("alter type * add value if not exists", &statement.tokens)
            .or_else(|| fit("alter type * add value", &statement.tokens))?;
        let label = found.rest.first()?;
        (!is_made(&found.names[0])).then(|| (found.names[0].clone(), label.text.clone()))
    });
    let is_used = |label: &str| sight.statement.tokens.iter().any(|token| token.text == label);
    let used = added.into_iter().find(|(_, label)| is_used(label) && !sight.statement.starts_with(&["alter", "type"]));
    let Some((name, label)) = used else { return Vec::new() };
    let all: Vec<String> = sight.script.statements.iter().map(|statement| statement.text.clone()).collect();
    let found = Found::that(format!("{label} of `{name}` is used before it is committed"));
    vec![found.help("commit the new value first, by a migration of its own").rewrite(apart(&all))]
}
