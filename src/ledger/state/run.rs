//! What is known of one run: its steps, and what was asked. Pure.
//!
//! Invariant: what stood stands until the world says otherwise, whatever a later try says.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Intent, Run, StepState};
use crate::digest::Digest;
use crate::ledger::record::{Actor, Body, Record, Sequence};
use crate::migration::position::Position;
use crate::step::{ChangeSet, Check, CheckResult, Step, StepId};
use crate::value::Object;
use crate::world::WorldError;

/// How a check of a run came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckState {
    /// That.
    pub result: CheckResult,
    /// What was seen.
    pub saw: String,
    /// When that was recorded.
    pub at: Timestamp,
    /// How often it was asked.
    pub tries: u32,
    /// How long that took, in milliseconds.
    pub milliseconds: u64,
}

/// What is known of something that is asked, beside how it came out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Watch {
    /// What was seen of it before the first effect.
    pub before: Option<Object>,
    /// Since when it is as it should be, while it has to stay so.
    pub holds_since: Option<Timestamp>,
    /// How often it has failed or was called off.
    pub failures: u32,
}

impl Run {
    /// One that has just begun: of it nothing is known yet.
    pub fn begun(
        at: (Sequence, Timestamp),
        number: u64,
        actor: Actor,
        change_set: Arc<ChangeSet>,
        source: Digest,
    ) -> Self {
        let (begun_at, begun) = at;
        Self {
            number,
            begun_at,
            begun,
            actor,
            lease: None,
            change_set,
            source,
            steps: BTreeMap::new(),
            checks: BTreeMap::new(),
            watches: BTreeMap::new(),
            parked: None,
            ended: None,
            verified: false,
            verified_at: None,
            taken_back: false,
        }
    }

    /// The steps whose effect is not known.
    pub fn open(&self) -> impl Iterator<Item = (&Step, &Intent)> {
        self.steps.iter().filter_map(|(id, state)| match state {
            StepState::Intended(intent) | StepState::Doubted(intent, _) => {
                Some((self.change_set.step(*id).expect("a recorded step is in its change set"), intent))
            }
            StepState::Done { .. } | StepState::Stood(..) | StepState::Failed { .. } => None,
        })
    }

    /// The steps whose effect stands although they failed.
    pub fn stood(&self) -> impl Iterator<Item = (&Step, &Intent)> {
        self.steps.iter().filter_map(|(id, state)| match state {
            StepState::Stood(intent, _) => {
                Some((self.change_set.step(*id).expect("a recorded step is in its change set"), intent))
            }
            StepState::Intended(_) | StepState::Doubted(..) | StepState::Done { .. } | StepState::Failed { .. } => None,
        })
    }

    /// Whether a step is done.
    pub fn is_done(&self, id: StepId) -> bool {
        matches!(self.steps.get(&id), Some(StepState::Done { .. }))
    }

    /// The checks that failed, and what was seen.
    pub fn failed_checks(&self) -> impl Iterator<Item = (&Check, &CheckState)> {
        self.change_set.checks.iter().filter_map(|check| {
            let state = self.checks.get(&check.address)?;
            (state.result == CheckResult::Failed).then_some((check, state))
        })
    }

    /// How many steps are done.
    pub fn done_count(&self) -> usize {
        self.steps.values().filter(|state| matches!(state, StepState::Done { .. })).count()
    }
}

impl Run {
    pub(super) fn resume(&mut self, lease: Option<Sequence>) {
        (self.parked, self.lease) = (None, lease);
        // What failed is asked again.
        self.checks.retain(|_, state| !matches!(state.result, CheckResult::Failed | CheckResult::CalledOff));
    }

    pub(super) fn checked(&mut self, record: &Record) {
        if let Body::Checked { check, result, saw, tries, milliseconds, .. } = &record.body {
            let (result, saw, at) = (*result, saw.clone(), record.time);
            let state = CheckState { result, saw, at, tries: *tries, milliseconds: *milliseconds };
            self.checks.insert(check.clone(), state);
            if matches!(result, CheckResult::Failed | CheckResult::CalledOff) {
                let watch = self.watches.entry(check.clone()).or_default();
                // It is asked from the beginning the next time.
                (watch.holds_since, watch.failures) = (None, watch.failures + 1);
            }
        }
        if let Body::Measured { check, facts, .. } = &record.body {
            self.watches.entry(check.clone()).or_default().before = Some(facts.clone());
        }
        if let Body::Bakes { check, .. } = &record.body {
            self.watches.entry(check.clone()).or_default().holds_since = Some(record.time);
        }
    }

    pub(super) fn intend(&mut self, step: StepId, mut intent: Intent) {
        if let Some(StepState::Stood(earlier, _) | StepState::Intended(earlier) | StepState::Doubted(earlier, _)) =
            self.steps.get(&step)
        {
            let stood = matches!(self.steps.get(&step), Some(StepState::Stood(..)));
            (intent.repairs, intent.position) = (stood || earlier.repairs, earlier.position.clone());
        }
        self.parked = None;
        self.steps.insert(step, StepState::Intended(intent));
    }

    /// It may be noted late: what is over is not opened again.
    pub(super) fn advance(&mut self, step: StepId, position: &Position) {
        if let Some(StepState::Intended(intent) | StepState::Doubted(intent, _)) = self.steps.get_mut(&step) {
            intent.position.clone_from(position);
        }
    }

    /// Nothing when the step is not open.
    pub(super) fn doubt(&mut self, step: StepId, error: &WorldError) -> Option<()> {
        let (StepState::Intended(intent) | StepState::Doubted(intent, _)) = self.steps.get(&step)? else {
            return None;
        };
        let doubted = StepState::Doubted(intent.clone(), error.clone());
        self.steps.insert(step, doubted);
        Some(())
    }

    pub(super) fn fail(&mut self, step: StepId, at: Timestamp, error: Option<WorldError>) {
        let failed = match self.steps.remove(&step) {
            // What an earlier try left stands as before.
            Some(StepState::Intended(intent) | StepState::Doubted(intent, _)) if intent.repairs => {
                StepState::Stood(intent, error.unwrap_or_else(still_not_good))
            }
            // The next try did not even begin.
            Some(StepState::Stood(intent, before)) => StepState::Stood(intent, error.unwrap_or(before)),
            Some(_) | None => StepState::Failed { at, error },
        };
        self.steps.insert(step, failed);
    }
}

fn still_not_good() -> WorldError {
    WorldError {
        tried: "bring what an earlier try left to what was planned".to_owned(),
        cause: "nothing happened".to_owned(),
        help: None,
        class: crate::world::ErrorClass::Refused,
    }
}
