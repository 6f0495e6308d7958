//! What `--last` means: the newest apply that is still in force. Pure.
//!
//! Invariant: a failure that was taken back on its own does not make the good run before it the last one, so that
//! whoever types a rollback without having heard of it harms nothing.

use crate::ledger::{Run, RunResult, State};
use crate::step::Operation;

/// What `--last` takes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// This run, by going to the state right after that one.
    To {
        /// The run that is taken back.
        run: u64,
        /// The run whose state is wanted; 0 is before the first.
        to: u64,
    },
    /// What had failed was taken back already.
    Automatic {
        /// By this run.
        back: u64,
        /// Where a person who wants to go back further has to go.
        further: u64,
    },
    /// Nothing is in force.
    Nothing,
}

/// Finds out what `--last` takes back.
pub fn last(state: &State) -> Last {
    let newest = state.runs.iter().rev().find(|run| has_effect(run));
    if let Some((newest, to)) = newest.and_then(|run| Some((run, rollback_to(run)?)))
        && (newest.ended.is_none() || !newest.change_set.owed.is_empty() && !state.owed.is_empty())
    {
        return Last::To { run: newest.number, to };
    }
    let Some(run) = state.newest_in_force() else {
        return Last::Nothing;
    };
    let to = before(state, run.number);
    match newest.filter(|newest| followed_a_failure(state, newest)) {
        Some(newest) => Last::Automatic { back: newest.number, further: to },
        None => Last::To { run: run.number, to },
    }
}

/// Whether a rollback followed the failure by itself: it was begun under the very lease of the run that was given up
/// half-way. Whoever types a rollback takes a lease for it.
fn followed_a_failure(state: &State, newest: &Run) -> bool {
    let Some(to) = rollback_to(newest) else {
        return false;
    };
    let is_change = |run: &&Run| rollback_to(run).is_none() && has_effect(run);
    let mut between = state.runs.iter().filter(|run| run.number > to && run.number < newest.number).filter(is_change);
    between.next_back().is_some_and(|run| {
        run.lease.is_some() && run.lease == newest.lease && matches!(run.ended, Some((RunResult::TakenBack, _)))
    })
}

/// A run that ended without effect changed nothing; the state before is that of the run before it.
fn before(state: &State, number: u64) -> u64 {
    let earlier = state.runs.iter().rev().filter(|run| run.number < number);
    earlier.filter(|run| has_effect(run)).map(|run| run.number).next().unwrap_or(0)
}

fn has_effect(run: &Run) -> bool {
    !matches!(run.ended, Some((RunResult::WithoutEffect, _)))
}

fn rollback_to(run: &Run) -> Option<u64> {
    match run.change_set.operation {
        Operation::Rollback { to } => Some(to),
        Operation::Apply | Operation::Destroy | Operation::Edit(_) => None,
    }
}
