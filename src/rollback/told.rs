//! What is asked after a way back: what was asked of the state that comes back. Pure.
//!
//! Invariant: nothing follows from it, it is quick, and it has no effect of its own.

use crate::kind::Kinds;
use crate::ledger::{RunResult, State, Things};
use crate::step::{Check, OnFailedCheck, Operation, When};

/// How long each may take at most, in milliseconds.
const WITHIN_MILLISECONDS: u64 = 20_000;

/// The checks of the state right after a run, as they are asked when it is back.
pub(super) fn told(state: &State, to: u64, then: &Things, kinds: &Kinds) -> Vec<Check> {
    let is_there = |check: &&Check| {
        check.needs.iter().all(|need| then.resources.contains_key(need) || then.databases.contains_key(need))
    };
    let has_no_effect = |check: &&Check| kinds.check(&check.kind).is_some_and(|kind| !kind.once);
    let told = |check: &Check| {
        let compares = kinds.check(&check.kind).and_then(|kind| kind.compares);
        let mut settings = check.settings.clone();
        settings.retain(|name, _| Some(name.as_str()) != compares);
        Check {
            on_failure: OnFailedCheck::Tell,
            within_milliseconds: check.within_milliseconds.min(WITHIN_MILLISECONDS),
            holds_for_milliseconds: 0,
            parks_after_milliseconds: None,
            settings,
            ..check.clone()
        }
    };
    let asked = asked_after(state, to).iter().filter(|check| check.when == When::After);
    asked.filter(is_there).filter(has_no_effect).map(told).collect()
}

/// What was asked of the state that a run left.
fn asked_after(state: &State, to: u64) -> &[Check] {
    let Some(run) = state.runs.iter().rev().find(|run| run.number <= to) else { return &[] };
    let is_complete = matches!(run.ended, Some((RunResult::Complete, _)));
    match run.change_set.operation {
        Operation::Apply if is_complete => &run.change_set.checks,
        Operation::Destroy if is_complete => &[],
        Operation::Rollback { to } if is_complete => asked_after(state, to),
        Operation::Apply | Operation::Destroy | Operation::Rollback { .. } | Operation::Edit(_) => {
            asked_after(state, run.number - 1)
        }
    }
}
