//! `drop-table`: a table in use goes. Pure.
//!
//! Invariant: a migration that says `phase contract` has thought of it.

use crate::migration::cursor::split;
use crate::migration::said::Phase;
use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;
use crate::rules::twin::PAGE;

/// The rule.
pub const RULE: Rule = Rule {
    name: "drop-table",
    level: Level::Warning,
    title: "`DROP TABLE` breaks programs that still use the table, and loses its rows",
    reason: "A program of the release before uses it until it is stopped; the rows are lost unless they are kept",
    check: Check::Statement(Sort::Breaks, look),
    example: Example::Sql {
        before: "",
        bad: "drop table orders",
        good: "-- switchback: phase contract\ndrop table orders",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let tokens = &sight.statement.tokens;
    let Some(found) = fit("drop table if exists", tokens).or_else(|| fit("drop table", tokens)) else {
        return Vec::new();
    };
    if sight.migration.said.phase == Some(Phase::Contract) {
        return Vec::new();
    }
    let of = |part: &[_]| {
        let table = sight.name(&fit("*", part)?.names[0]);
        let is_there = sight.catalog().is_none_or(|catalog| catalog.relation(&table).is_some());
        let found = Found::that(format!("programs that run may still use `{table}`")).about(table.clone());
        let help = format!(
            "drop it one release after the last program has stopped to use it, and say `-- switchback: phase contract` ({PAGE}); \
             `-- switchback: keep 14d` keeps its rows for a while"
        );
        (is_there && !sight.is_fresh(&table)).then(|| found.help(help))
    };
    split(found.rest).into_iter().filter_map(of).collect()
}
