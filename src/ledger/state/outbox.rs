//! What is to be told: it follows from the records that are there, and is gone when a record says that it was told. Pure.
//!
//! Invariant: whoever folds the same records owes the same notices, with the same ids and bodies.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::{Run, State};
use crate::ledger::record::{Actor, Body, Record, RunResult, Sequence};
use crate::notice::receiver::{Delivery, Receiver};
use crate::notice::{Counts, Notice, Place, Topic};
use crate::step::{ChangeSet, CheckResult, Operation, Step, StepId};
use crate::world::{ErrorClass, WorldError};

/// What is owed to whom.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outbox {
    /// Who is told, as the newest run that was begun from a spec says.
    pub receivers: Vec<Receiver>,
    owed: Vec<Owed>,
    /// The id of the newest notice of each topic: what happens again without anything new is not told again.
    newest: BTreeMap<Topic, String>,
    /// Where the present try of the newest run began.
    tried: Sequence,
}

/// A notice that not everybody has who wants it.
#[derive(Clone, Debug, PartialEq)]
struct Owed {
    notice: Notice,
    to: BTreeSet<String>,
}

impl Outbox {
    /// What is owed to a receiver, oldest first.
    pub fn owed_to<'a>(&'a self, receiver: &'a Receiver) -> impl Iterator<Item = &'a Notice> {
        self.owed.iter().filter(|owed| owed.to.contains(&receiver.name)).map(|owed| &owed.notice)
    }

    /// How many messages are owed.
    pub fn owed_count(&self) -> usize {
        self.owed.iter().map(|owed| owed.to.len()).sum()
    }

    /// What has to be said of a run that its runner leaves half-way without a word; the record by which it gives the
    /// lease back says the same.
    pub fn left_by_its_runner(&self, state: &State, at: Timestamp) -> Option<Notice> {
        let run = state.unfinished().filter(|run| run.parked.is_none())?;
        let notice = self.failure(state, run, at, "was stopped half-way")?;
        (!self.receivers.is_empty() && !self.is_newest(&notice)).then_some(notice)
    }

    /// Whether this was the newest thing to be told of its topic.
    pub fn is_newest(&self, notice: &Notice) -> bool {
        self.newest.get(&notice.topic) == Some(&notice.id)
    }

    /// The same as [`Outbox::closing`], before the run has begun.
    pub fn about_to_begin(state: &State, change_set: &ChangeSet, actor: &Actor, at: Timestamp) -> Option<Notice> {
        let number = state.runs.last().map_or(1, |run| run.number + 1);
        let source = crate::digest::Digest::of_bytes(b"");
        let run = Run::begun((0, at), number, actor.clone(), Arc::new(change_set.clone()), source);
        Self::closing(state, &run)
    }

    /// What has to be said when a run begins that cannot be taken back as a whole.
    pub fn closing(state: &State, run: &Run) -> Option<Notice> {
        let change_set = &run.change_set;
        if matches!(change_set.operation, Operation::Rollback { .. } | Operation::Edit(_)) {
            return None;
        }
        let lost: Vec<&Step> = change_set.irreversible().collect();
        let first = lost.first()?;
        let summary = format!(
            "run {} has {} of {} steps that cannot be taken back; from step {} on the way back is closed for them",
            run.number,
            lost.len(),
            change_set.steps.len(),
            change_set.point_of_no_return.unwrap_or(first.id),
        );
        let details = lost.iter().map(|step| format!("step {} {}: {}", step.id, step.title(), step.inverse.class()));
        let mut notice = of_run(state, run, Topic::WayBackClosing, run.begun, &run.number, summary)?;
        notice.details = details.collect();
        Some(notice)
    }

    pub(super) fn take(&mut self, record: &Record, state: &State) {
        match &record.body {
            Body::Receivers { receivers } => {
                self.receivers.clone_from(receivers);
                self.forget_those_who_left();
            }
            Body::Told { deliveries } => self.told(deliveries),
            Body::ApprovalWanted { actor, change_set, missing, release } => {
                let Some(place) = place(state) else { return };
                let mut notice = wanted(place, record.time, (change_set, missing));
                (notice.actor, notice.release) = (Some(actor.name.clone()), release.clone());
                self.owe(notice);
            }
            // Nothing below can be owed to nobody.
            _ if self.receivers.is_empty() => self.note_try(record),
            body => {
                self.note_try(record);
                if let Some(run) = state.runs.last() {
                    self.of_the_newest(record, body, state, run);
                }
            }
        }
    }

    fn note_try(&mut self, record: &Record) {
        if matches!(record.body, Body::Begun { .. } | Body::Resumed { .. }) {
            self.tried = record.sequence;
        }
    }

    fn of_the_newest(&mut self, record: &Record, body: &Body, state: &State, run: &Run) {
        match body {
            Body::Begun { .. } => self.owe_if(Self::closing(state, run)),
            Body::Parked { reason, .. } => {
                let summary = format!("run {} waits", run.number);
                let key = (run.number, reason);
                let notice = of_run(state, run, Topic::Parked, record.time, &key, summary);
                self.owe_if(notice.map(|notice| and_next(notice, "resume")));
            }
            // It waits for credentials, or for what goes on in the world: that is told by its own record.
            Body::Failed { error: Some(error), .. } | Body::Doubted { error, .. } if is_wait(error) => {}
            Body::Failed { step, error: Some(_), .. } => self.step_failed(record, state, run, *step, "failed"),
            Body::Stood { step, .. } => self.step_failed(record, state, run, *step, "failed, and what it made stands"),
            Body::Doubted { step, .. } => self.step_failed(record, state, run, *step, "is in doubt"),
            // What is asked after a way back decides nothing.
            Body::Checked { check, result: CheckResult::Failed, .. }
                if !matches!(run.change_set.operation, Operation::Rollback { .. }) =>
            {
                self.failed(state, run, record.time, format!("{check} failed"));
            }
            Body::Leased { over: Some(_), .. } => self.left(record, state, "lost its runner"),
            Body::Released => self.left(record, state, "was stopped half-way"),
            Body::Ended { result: RunResult::Complete, .. } => self.owe_if(done(state, run, record.time)),
            Body::Verified { .. } => self.verified(run.number),
            Body::Failed { error: None, .. }
            | Body::Checked { .. }
            | Body::Measured { .. }
            | Body::Bakes { .. }
            | Body::Ended { result: RunResult::TakenBack | RunResult::WithoutEffect, .. }
            | Body::Leased { over: None, .. }
            | Body::Founded { .. }
            | Body::Intent { .. }
            | Body::Done { .. }
            | Body::Advanced { .. }
            | Body::Resumed { .. }
            | Body::Renewed
            | Body::Unlocked { .. }
            | Body::Held { .. }
            | Body::Lifted { .. }
            | Body::Approved { .. }
            | Body::Rejected { .. }
            | Body::Admitted { .. }
            | Body::OfRelease { .. }
            | Body::Tested { .. }
            | Body::Receivers { .. }
            | Body::Told { .. }
            | Body::ApprovalWanted { .. } => {}
        }
    }

    fn owe_if(&mut self, notice: Option<Notice>) {
        if let Some(notice) = notice {
            self.owe(notice);
        }
    }

    fn owe(&mut self, notice: Notice) {
        if self.newest.insert(notice.topic, notice.id.clone()).as_ref() == Some(&notice.id) {
            return;
        }
        let to: BTreeSet<String> =
            self.receivers.iter().filter(|one| one.hears(notice.topic)).map(|one| one.name.clone()).collect();
        if !to.is_empty() {
            self.owed.push(Owed { notice, to });
        }
    }

    fn told(&mut self, deliveries: &[Delivery]) {
        for delivery in deliveries {
            match self.owed.iter_mut().find(|owed| owed.notice.id == delivery.id) {
                Some(owed) => drop(owed.to.remove(&delivery.to)),
                // It was told ahead of the record that it would follow from.
                None => drop(self.newest.insert(Topic::Failed, delivery.id.clone())),
            }
        }
        self.owed.retain(|owed| !owed.to.is_empty());
    }

    fn forget_those_who_left(&mut self) {
        let names: BTreeSet<&str> = self.receivers.iter().map(|receiver| &*receiver.name).collect();
        for owed in &mut self.owed {
            owed.to.retain(|name| names.contains(&**name));
        }
        self.owed.retain(|owed| !owed.to.is_empty());
    }

    fn step_failed(&mut self, record: &Record, state: &State, run: &Run, id: StepId, how: &str) {
        let title = run.change_set.step(id).map(Step::title).unwrap_or_default();
        self.failed(state, run, record.time, format!("step {id} {title} {how}"));
    }

    /// One notice for all that fails in one try of a run.
    fn failed(&mut self, state: &State, run: &Run, at: Timestamp, line: String) {
        let Some(mut notice) = self.failure(state, run, at, "failed") else { return };
        match self.owed.iter_mut().find(|owed| owed.notice.id == notice.id) {
            Some(owed) => {
                if !owed.notice.details.contains(&line) {
                    owed.notice.details.push(line);
                }
                owed.notice.steps = Some(counts(run));
            }
            None => {
                notice.details.push(line);
                self.owe(notice);
            }
        }
    }

    fn left(&mut self, record: &Record, state: &State, how: &str) {
        let left = state.unfinished().filter(|run| run.parked.is_none());
        let notice = left.and_then(|run| self.failure(state, run, record.time, how));
        self.owe_if(notice);
    }

    fn failure(&self, state: &State, run: &Run, at: Timestamp, how: &str) -> Option<Notice> {
        let of = match run.change_set.operation {
            Operation::Rollback { .. } => "the way back, ",
            Operation::Apply | Operation::Destroy | Operation::Edit(_) => "",
        };
        let summary = format!("{of}run {} {how}", run.number);
        of_run(state, run, Topic::Failed, at, &(run.number, self.tried), summary)
    }

    fn verified(&mut self, run: u64) {
        for owed in self.owed.iter_mut().filter(|owed| owed.notice.run == Some(run)) {
            if matches!(owed.notice.topic, Topic::Applied | Topic::RolledBack) {
                owed.notice.verified = Some(true);
            }
        }
    }
}

/// Whether a run parks for this.
fn is_wait(error: &WorldError) -> bool {
    matches!(error.class, ErrorClass::Expired | ErrorClass::Pending)
}

/// That a run is whole.
fn done(state: &State, run: &Run, at: Timestamp) -> Option<Notice> {
    let number = run.number;
    let (topic, summary) = match run.change_set.operation {
        Operation::Apply => (Topic::Applied, format!("run {number} is applied")),
        Operation::Destroy => (Topic::Applied, format!("run {number} has removed everything")),
        Operation::Rollback { to: 0 } => (Topic::RolledBack, format!("run {number} went back to before the first run")),
        Operation::Rollback { to } => (Topic::RolledBack, format!("run {number} went back to right after run {to}")),
        Operation::Edit(_) => return None,
    };
    let mut notice = of_run(state, run, topic, at, &number, summary)?;
    notice.verified = Some(false);
    if !run.change_set.owed.is_empty() {
        notice.details =
            run.change_set.owed.iter().map(|address| format!("{address} could not be reached and is owed")).collect();
    }
    Some(notice)
}

/// Where the chain's notices come from.
pub fn place(state: &State) -> Option<Place<'_>> {
    let chain = state.chain.as_ref()?;
    Some(Place { chain: &chain.id, project: &chain.project, environment: &chain.environment })
}

/// That signatures are missing: the same for the same change set and the same signatures.
pub fn wanted(
    place: Place<'_>,
    at: Timestamp,
    (change_set, missing): (&crate::digest::Digest, &Vec<String>),
) -> Notice {
    let summary = format!("a change of {} waits for signatures", place.environment);
    let mut notice = Notice::new(Topic::ApprovalWanted, at, place, &(change_set, missing), summary);
    (notice.change_set, notice.details) = (Some(*change_set), missing.clone());
    notice.next = format!("switchback approvals {}", place.environment);
    notice
}

fn of_run<K: serde::Serialize>(
    state: &State,
    run: &Run,
    topic: Topic,
    at: Timestamp,
    key: &K,
    summary: String,
) -> Option<Notice> {
    let mut notice = Notice::new(topic, at, place(state)?, key, summary);
    notice.run = Some(run.number);
    notice.release = run.change_set.release.as_ref().map(|carried| carried.id.short());
    notice.actor = Some(run.actor.name.clone());
    notice.steps = Some(counts(run));
    Some(notice)
}

fn and_next(mut notice: Notice, verb: &str) -> Notice {
    notice.next = format!("switchback {verb} {}", notice.environment);
    notice
}

fn counts(run: &Run) -> Counts {
    let done = run.done_count();
    let failed = run.steps.len() - done;
    Counts { all: run.change_set.steps.len(), done, failed }
}
