//! `whole-table-write`: all rows of a table in use are written by one statement. Pure.
//!
//! Invariant: in batches each is short.

use crate::migration::catalog::ConstraintKind;
use crate::rules::finding::Level;
use crate::rules::reading::{fit, says};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "whole-table-write",
    level: Level::Warning,
    title: "one statement writes every row of a table",
    reason: "Each row is locked until the end of it, the log and the table grow by all of it, and replicas fall behind",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "update orders set note = 'y'",
        good: "update orders set note = 'y' where id < 100",
        claim: Claim::Same,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let tokens = &sight.statement.tokens;
    let found = fit("update [only] *", tokens).or_else(|| fit("delete from [only] *", tokens));
    let Some(found) = found.filter(|_| !says(tokens, "where") && sight.migration.said.backfill.is_none()) else {
        return Vec::new();
    };
    let (written, table) = (&found.names[0], sight.name(&found.names[0]));
    if sight.is_fresh(&table) {
        return Vec::new();
    }
    let told = Found::that(format!("every row of `{table}` is written by one statement")).about(table.clone());
    let told = told.help("write them in batches, each committed by itself");
    let key = sight
        .relation(&table)
        .and_then(|one| one.constraints.values().find(|one| one.kind == ConstraintKind::PrimaryKey));
    let mut columns = key.into_iter().flat_map(|key| &key.columns);
    let is_alone = sight.script.statements.len() == 1;
    vec![match (columns.next(), columns.next()) {
        (Some(key), None) if is_alone => {
            let text = &sight.statement.text;
            told.rewrite(format!("-- switchback: backfill {written} by {key} batch 1000 pause 50ms\n{text};\n"))
        }
        _ => told,
    }]
}
