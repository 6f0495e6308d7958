//! `lock-wait-too-long`: a migration may wait long for a lock. Pure.
//!
//! Invariant: a wait that is short and repeated lets others pass.

use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::says;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "lock-wait-too-long",
    level: Level::Warning,
    title: "a long wait for a lock is an outage of its own",
    reason: "Whoever comes later waits behind the one who waits, even to read; a short wait that is tried again lets them pass",
    check: Check::Statement(Sort::Lock, look),
    example: Example::Sql {
        before: "",
        bad: "-- switchback: lock timeout 60s\nalter table orders add column rest int",
        good: "-- switchback: lock timeout 2s\nalter table orders add column rest int",
        claim: Claim::Nothing,
    },
};

/// A longer wait than that is noticed by whoever uses the table.
const LONGEST_MILLISECONDS: u64 = 10_000;

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let waits = |mode: &LockMode| mode.blocks_writers();
    let mut locks = sight.seen.into_iter().flat_map(|seen| &seen.locks);
    let table = locks.find(|(name, mode)| waits(mode) && !sight.is_fresh(name)).map(|(name, _)| name);
    let is_first = !sight.before().any(|(_, seen)| seen.is_some_and(|seen| seen.locks.values().any(waits)));
    let set =
        sight.before().any(|(statement, _)| statement.starts_with(&["set"]) && says(&statement.tokens, "lock_timeout"));
    let long = sight.migration.said.lock_timeout_milliseconds.filter(|wait| *wait > LONGEST_MILLISECONDS);
    match (table, long) {
        (Some(table), Some(wait)) if is_first && !set => {
            let found =
                Found::that(format!("for up to {} s whoever comes to use `{table}` waits behind this", wait / 1000));
            vec![found.about(table).help("write `-- switchback: lock timeout 2s`: the runner tries again by itself")]
        }
        _ => Vec::new(),
    }
}
