//! What an apply tells while it runs, and at its end. Pure data.
//!
//! Invariant: every step of the change set is in exactly one list of the outcome.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use super::prepare::Sight;
use crate::address::Address;
use crate::ledger::StoreError;
use crate::resolve::evaluate::evaluate_deferred;
use crate::step::{ChangeSet, Check, CheckResult, PlannedOutput, Step, StepId};
use crate::value::{SealKey, Value};
use crate::world::WorldError;

/// What happened to a step, as it happens.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// Its intent is recorded, its effect begins.
    Started(&'a Step),
    /// It says what it waits for.
    Progress(&'a Step, &'a str),
    /// It is done, after so many milliseconds.
    Done(&'a Step, i64),
    /// It had no effect.
    Failed(&'a Step, &'a WorldError),
    /// Nobody knows whether it had an effect.
    Doubted(&'a Step, &'a WorldError),
    /// The world was asked: it had been done, or not.
    Settled(&'a Step, bool),
    /// A check is being asked.
    Checking(&'a Check),
    /// It is not as it should be yet; what was seen.
    CheckWaits(&'a Check, &'a str),
    /// How it came out, and what was seen.
    Checked(&'a Check, CheckResult, &'a str),
}

/// Hears what happens.
pub trait Listener: Send + Sync {
    /// One event; must be quick.
    fn event(&self, event: Event<'_>);
}

/// A listener that does not listen.
pub struct Silent;

impl Listener for Silent {
    fn event(&self, _event: Event<'_>) {}
}

/// Asks a run to stop: first politely (no new step starts), then at once (steps in flight are left open and
/// are settled on resume).
#[derive(Clone, Debug, Default)]
pub struct StopSignal(Arc<(AtomicU8, tokio::sync::Notify)>);

impl StopSignal {
    /// One request more.
    pub fn raise(&self) {
        self.0.0.fetch_add(1, Ordering::SeqCst);
        self.0.1.notify_waiters();
        self.0.1.notify_one();
    }

    /// No new step shall start.
    pub fn is_raised(&self) -> bool {
        self.0.0.load(Ordering::SeqCst) > 0
    }

    /// Steps in flight shall not be waited for.
    pub fn is_urgent(&self) -> bool {
        self.0.0.load(Ordering::SeqCst) > 1
    }

    /// Waits for the next request.
    pub async fn changed(&self) {
        self.0.1.notified().await;
    }
}

/// How often a step is tried again that failed for the moment: throttling, a lost connection, a serialization
/// failure, a lock that was not to be had.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retries {
    /// How many times it is tried in all, at least once.
    pub tries: u32,
    /// The pause after the first try; doubled after each.
    pub first_pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self { tries: 5, first_pause: Duration::from_millis(500), longest_pause: Duration::from_secs(8) }
    }
}

impl Retries {
    /// Nothing is tried again.
    pub fn none() -> Self {
        Self { tries: 1, first_pause: Duration::ZERO, longest_pause: Duration::ZERO }
    }

    /// The pause after so many tries; nothing when there were enough.
    pub(super) fn pause(&self, tries: u32) -> Option<Duration> {
        let doubled = self.first_pause.saturating_mul(1 << tries.saturating_sub(1).min(16));
        (tries < self.tries).then(|| doubled.min(self.longest_pause))
    }

    /// The pause after so many tries to write an outcome, which is tried for as long as the lease lasts; nothing where
    /// nothing is tried again.
    pub(super) fn patience(&self, tries: u32) -> Option<Duration> {
        let most = self.tries.saturating_sub(1);
        self.pause(tries.min(most)).filter(|_| most > 0)
    }
}

/// A step that did not get done, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The step.
    pub step: StepId,
    /// Why.
    pub error: WorldError,
    /// Whether an object that it rests on had moved since the plan.
    pub stale: bool,
}

/// How an apply ended. The lists are in the order of the plan.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// The number of the run.
    pub run: u64,
    /// Steps that are done, those of an earlier try among them.
    pub done: Vec<StepId>,
    /// Steps that had no effect.
    pub failed: Vec<Failure>,
    /// Steps that may have had an effect.
    pub doubted: Vec<Failure>,
    /// Steps that were not begun.
    pub skipped: Vec<StepId>,
    /// What was asked and is not as it should be, or was not asked to its end.
    pub unpassed: Vec<Address>,
    /// Why the run waits, if it is parked.
    pub parked: Option<String>,
    /// Whether it was asked to stop.
    pub stopped: bool,
}

impl Outcome {
    /// Whether every step is done, and everything asked is as it should be.
    pub fn is_complete(&self) -> bool {
        self.failed.is_empty() && self.doubted.is_empty() && self.skipped.is_empty() && self.unpassed.is_empty()
    }
}

/// Why an apply could not go on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApplyError {
    /// Something that the plan rests on has moved; nothing was done.
    #[error("the plan is stale: {0}")]
    Stale(String),
    /// The ledger belongs to another chain, or an unfinished run stands in the way; nothing was done.
    #[error("{0}")]
    Refused(String),
    /// The world could not be asked; nothing was done.
    #[error("{0}")]
    World(WorldError),
    /// The ledger could not be written or read. What was under way is settled on resume.
    #[error("{0}")]
    Ledger(#[from] StoreError),
}

/// The outputs after a complete run, sealed. One whose expression fails is left out; the run itself is whole.
pub(super) fn outputs(
    change_set: &ChangeSet,
    sight: &Sight<'_>,
    seal_key: Option<&SealKey>,
) -> BTreeMap<String, Value> {
    let value = |output: &PlannedOutput| match &output.deferred {
        None => Some(output.value.clone()),
        Some(deferred) => {
            let value = evaluate_deferred(deferred, sight).ok()?;
            let value = if output.value.is_sensitive() { value.sensitive() } else { value };
            Some(value.seal(seal_key))
        }
    };
    change_set.outputs.iter().filter_map(|(name, output)| Some((name.clone(), value(output)?))).collect()
}
