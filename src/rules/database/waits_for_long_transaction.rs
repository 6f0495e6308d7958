//! `waits-for-long-transaction`: somebody has a transaction open for long on the target, and a lock would wait for it. Pure.
//!
//! Invariant: it is said once, of the first statement that would wait.

use crate::migration::observation::LockMode;
use crate::migration::observation::Observation;
use crate::rules::finding::Level;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "waits-for-long-transaction",
    level: Level::Warning,
    title: "a transaction that is open on the target makes every lock wait",
    reason: "Whoever wants a strong lock waits for it, and all who come later wait behind; a concurrent build waits for it in any case",
    check: Check::Statement(Sort::Lock, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders add column rest int",
        good: "select 1",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(longest) = sight.target.and_then(|target| target.long.first()) else { return Vec::new() };
    let waits = |seen: &Observation| {
        let strong = |(name, mode): (&String, &LockMode)| *mode == LockMode::AccessExclusive && !sight.is_fresh(name);
        seen.outside || seen.locks.iter().any(strong)
    };
    let is_first = !sight.before().any(|(_, seen)| seen.is_some_and(waits));
    if !is_first || !sight.seen.is_some_and(waits) {
        return Vec::new();
    }
    let message = format!(
        "process {} has a transaction open for {:.0} s, and this may wait for it",
        longest.process, longest.seconds
    );
    let here = format!("It is of user {}, application `{}`: `{}`", longest.user, longest.application, longest.query);
    let help = format!("wait for its end, or end it: `select pg_terminate_backend({})`", longest.process);
    vec![Found::that(message).here(here).help(help)]
}
