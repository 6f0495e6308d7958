//! `timestamp-by-session`: a time with and one without its zone are converted by the zone of whatever session runs it. Pure.
//!
//! Invariant: where the text says the zone, nothing is guessed.

use crate::migration::statements::Statement;
use crate::rules::finding::Level;
use crate::rules::reading::{behind, fit, says};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "timestamp-by-session",
    level: Level::Warning,
    title: "`timestamp` and `timestamptz` are converted by the time zone of the session",
    reason: "The same migration gives other values under another `TimeZone`, and writes the whole table anew wherever that is not UTC",
    check: Check::Statement(Sort::Fails, look),
    example: Example::Sql {
        before: "set timezone = 'Europe/Berlin';",
        bad: "alter table customers alter column born type timestamptz",
        good: "set local timezone = 'UTC'; alter table customers alter column born type timestamptz",
        claim: Claim::Quick,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    let said = |statement: &Statement| {
        statement.starts_with(&["set"]) && (says(&statement.tokens, "timezone") || says(&statement.tokens, "zone"))
    };
    if sight.is_fresh(&table) || sight.before().any(|(statement, _)| said(statement)) {
        return Vec::new();
    }
    let of = |action: &&[_]| {
        let found = fit("alter [column] * type", action).or_else(|| fit("alter [column] * set data type", action))?;
        let column = &found.names[0];
        let old = &sight.relation(&table)?.columns.get(column.as_str())?.type_name;
        let has_zone = says(found.rest, "timestamptz") || behind(found.rest, &["with", "time", "zone"]).is_some();
        let is_time = has_zone || says(found.rest, "timestamp");
        let changes = match old.as_str() {
            "timestamp without time zone" => has_zone,
            "timestamp with time zone" => is_time && !has_zone,
            _ => false,
        };
        if !changes || says(found.rest, "using") {
            return None;
        }
        let found =
            Found::that(format!("the values of `{column}` in `{table}` are read in the time zone of the session"));
        let rewrite = format!("set local timezone = 'UTC';\n{};\n", sight.statement.text);
        let found = found.about(table.clone()).help("say in which zone the values are; in UTC nothing is written anew");
        Some(if sight.transaction { found.rewrite(rewrite) } else { found })
    };
    alteration.actions.iter().filter_map(of).collect()
}
