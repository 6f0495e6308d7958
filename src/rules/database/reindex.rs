//! `reindex`: an index in use is built anew while writers wait. Pure.
//!
//! Invariant: a concurrent build keeps nobody waiting.

use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::{behind, in_brackets, says};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::{Sight, apart};

/// The rule.
pub const RULE: Rule = Rule {
    name: "reindex",
    level: Level::Warning,
    title: "`REINDEX` keeps writers waiting, and whoever reads by the index",
    reason: "The table is read and sorted under a lock for which writers wait; the index itself is locked for readers as well",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "reindex index orders_state",
        good: "-- switchback: transaction off\nreindex index concurrently orders_state",
        claim: Claim::Work(LockMode::ShareUpdateExclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let tokens = &sight.statement.tokens;
    if !sight.statement.starts_with(&["reindex"]) || says(tokens, "concurrently") {
        return Vec::new();
    }
    let Some(table) = sight.seen.and_then(|seen| seen.builds.keys().find(|table| !sight.is_fresh(table))) else {
        return Vec::new();
    };
    let is_sort = |word: &&&str| says(tokens, word);
    let Some(sort) = ["index", "table", "schema", "database"].iter().find(is_sort) else { return Vec::new() };
    let rest = behind(tokens, &[sort]).unwrap_or_default();
    let options = in_brackets(tokens).map(|inside| format!(" ({})", sight.text(inside))).unwrap_or_default();
    let steps = [format!("reindex{options} {sort} concurrently {}", sight.text(rest))];
    let found = Found::that(format!("writers of `{table}` wait until its index is built anew")).about(table.clone());
    vec![found.help("build it anew concurrently, outside of a transaction").rewrite(apart(&steps))]
}
