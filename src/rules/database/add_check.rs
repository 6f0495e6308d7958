//! `add-check`: a check is added to a table in use. Pure.
//!
//! Invariant: one that is `NOT VALID` is not meant.

use crate::migration::observation::LockMode;
use crate::migration::statements::Token;
use crate::rules::finding::Level;
use crate::rules::reading::{behind, fit};
use crate::rules::remedy::given_name;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "add-check",
    level: Level::Warning,
    title: "`ADD CHECK` reads the whole table while everybody waits",
    reason: "Every row is checked under a lock for which readers and writers wait; `NOT VALID` takes it for a moment only, and `VALIDATE` lets both go on",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders add check (total >= 0)",
        good: "alter table orders add check (total >= 0) not valid",
        claim: Claim::Work(LockMode::ShareUpdateExclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    if sight.heavy_below(&table).is_empty() {
        return Vec::new();
    }
    let of = |(place, action): (usize, &&[Token])| {
        let named = fit("add constraint * check", action);
        let bare = fit("add check", action);
        let rest = named.as_ref().or(bare.as_ref())?.rest;
        if behind(rest, &["not", "valid"]).is_some() {
            return None;
        }
        let name = match &named {
            Some(named) => named.names[0].clone(),
            None => given_name(sight, &table, &columns_of(sight, &table, rest), "check"),
        };
        let written = &alteration.written;
        let steps = [
            format!("alter table {written} add constraint {name} check {} not valid", sight.text(rest)),
            format!("alter table {written} validate constraint {name}"),
        ];
        let found = Found::that(format!("`{table}` is read as a whole to check `{name}`")).about(table.clone());
        Some(found.help("add it `NOT VALID`, and validate it apart").rewrite(sight.instead(&alteration, place, &steps)))
    };
    alteration.actions.iter().enumerate().filter_map(of).collect()
}

/// The column that an expression names, if it is a single one: then it is part of the name that the server gives.
fn columns_of(sight: &Sight<'_>, table: &str, expression: &[Token]) -> Vec<String> {
    let Some(relation) = sight.relation(table) else { return Vec::new() };
    let is_named = |column: &&String| expression.iter().any(|token| token.text == **column);
    let mut named = relation.columns.keys().filter(is_named);
    match (named.next(), named.next()) {
        (Some(column), None) => vec![column.clone()],
        _ => Vec::new(),
    }
}
