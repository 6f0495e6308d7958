//! `explicit-lock`: a migration locks a table by itself. Pure.
//!
//! Invariant: a weak lock keeps nobody waiting.

use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "explicit-lock",
    level: Level::Warning,
    title: "`LOCK TABLE` keeps others waiting until the end of the transaction",
    reason: "The lock is held for all that follows, and two programs that lock in another order wait for each other",
    check: Check::Statement(Sort::Lock, look),
    example: Example::Sql {
        before: "",
        bad: "lock table orders in exclusive mode",
        good: "lock table orders in share update exclusive mode",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    if !sight.statement.starts_with(&["lock"]) {
        return Vec::new();
    }
    let Some(seen) = sight.seen else { return Vec::new() };
    let locks = seen.locks.iter().filter(|(name, mode)| mode.blocks_writers() && !sight.is_fresh(name));
    let of = |(name, mode): (&String, &LockMode)| {
        let found = Found::that(format!("`{name}` is locked (`{}`) until the end of the transaction", mode.sql_name()));
        found.about(name.clone()).help("leave it to the statement that needs it, or lock in a weaker mode")
    };
    locks.take(1).map(of).collect()
}
