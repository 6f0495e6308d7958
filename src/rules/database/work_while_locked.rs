//! `work-while-locked`: rows are written or read in bulk while an earlier statement of the transaction keeps a table locked. Pure.
//!
//! Invariant: what is committed apart keeps nobody waiting.

use crate::rules::finding::Level;
use crate::rules::reading::{fit, says};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::{Sight, apart};

/// The rule.
pub const RULE: Rule = Rule {
    name: "work-while-locked",
    level: Level::Warning,
    title: "work on rows behind a lock that is still held",
    reason: "The lock of an earlier statement is held until the end of the transaction: whoever waits for it waits for this work, too",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders add column rest int;\nupdate orders set rest = total where rest is null",
        good: "-- switchback: transaction off\nalter table orders add column rest int;\nupdate orders set rest = total where rest is null",
        claim: Claim::Same,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let writes = ["update", "delete", "insert"].iter().any(|word| sight.statement.starts_with(&[word]));
    let works = sight.seen.is_some_and(|seen| !seen.scans.is_empty() || !seen.builds.is_empty());
    let is_about = |name: &str| sight.works_on(name) || sight.lock(name).is_some();
    let is_row = sight.statement.starts_with(&["insert"]) && says(&sight.statement.tokens, "values");
    let validates = sight
        .alteration()
        .is_some_and(|one| one.actions.iter().any(|action| fit("validate constraint", action).is_some()));
    if !(writes || works) || is_row || validates || (!writes && !sight.heavy().is_empty()) {
        return Vec::new();
    }
    let touched = sight.seen.is_some_and(|seen| seen.locks.keys().any(|name| !sight.is_fresh(name)));
    let mut held = sight.held();
    held.sort_by_key(|(name, _)| !is_about(name));
    let (Some((table, mode)), true) = (held.first(), touched) else { return Vec::new() };
    let found = Found::that(format!("`{table}` stays locked (`{}`) until this work is done", mode.sql_name()));
    // What comes behind rows that were written may rest on all of them: others write meanwhile once each is committed.
    let is_last = sight.script.statements.last().is_some_and(|last| last.line == sight.statement.line);
    if writes && !is_last {
        let help = "put the work into a migration of its own, before what rests on it, and let a trigger look after the rows \
                    that are written meanwhile";
        return vec![found.about(*table).help(help)];
    }
    let all: Vec<String> = sight.script.statements.iter().map(|statement| statement.text.clone()).collect();
    vec![
        found
            .about(*table)
            .help("put the work into a migration of its own, or let each statement be committed by itself")
            .rewrite(apart(&all)),
    ]
}
