//! Who did what, when, and how it went: the records of a chain with what they refer to. Pure.
//!
//! Invariant: nothing is said that the records do not say; an actor is the one who held the lease.

use std::collections::BTreeMap;

use super::record::{Actor, Body, Record, Sequence, Settled};
use crate::address::Address;
use crate::step::{Action, ChangeSet, Operation, Step, StepId};

/// A record with what it refers to.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// The record.
    pub record: &'a Record,
    /// Who wrote it.
    pub actor: Option<&'a Actor>,
    /// The change set of the run that it speaks of.
    pub change_set: Option<&'a ChangeSet>,
    /// The run.
    pub run: Option<u64>,
    /// The step.
    pub step: Option<&'a Step>,
    /// How long after the step's intent it was written, in milliseconds.
    pub milliseconds: Option<i64>,
}

/// How a step of a run came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It had its effect.
    Done,
    /// It had its effect, and failed all the same.
    Stood,
    /// It had no effect.
    Failed,
    /// Nobody knows.
    Open,
}

/// A change of one thing by one step of one run.
#[derive(Clone, Copy, Debug)]
pub struct Change<'a> {
    /// The run.
    pub run: u64,
    /// What the run was for.
    pub operation: Operation,
    /// The step.
    pub step: &'a Step,
    /// How it came out.
    pub outcome: Outcome,
    /// The last record about it.
    pub record: &'a Record,
    /// Who wrote that.
    pub actor: Option<&'a Actor>,
}

/// All records with what they refer to.
pub fn entries(records: &[Record]) -> Vec<Entry<'_>> {
    let mut known = Known::default();
    let mut entries: Vec<Entry<'_>> = records.iter().map(|record| known.entry(record)).collect();
    // The first record founds the chain for whoever comes next.
    let first = entries.iter().find_map(|entry| entry.actor);
    entries.iter_mut().take_while(|entry| entry.actor.is_none()).for_each(|entry| entry.actor = first);
    entries
}

/// Every step that was ever begun for an address, newest first.
pub fn changes<'a>(records: &'a [Record], address: &Address) -> Vec<Change<'a>> {
    let mut found: BTreeMap<(u64, StepId), Change<'a>> = BTreeMap::new();
    for entry in entries(records) {
        let (Some(run), Some(step), Some(change_set)) = (entry.run, entry.step, entry.change_set) else {
            continue;
        };
        let Some(outcome) = outcome(&entry.record.body).filter(|_| is_about(step, address)) else {
            continue;
        };
        let operation = change_set.operation;
        let change = Change { run, operation, step, outcome, record: entry.record, actor: entry.actor };
        found.insert((run, step.id), change);
    }
    found.into_values().rev().collect()
}

/// Whether a step changes what has this address, or takes it to another one.
fn is_about(step: &Step, address: &Address) -> bool {
    step.address == *address || matches!(&step.action, Action::Move { from, .. } if from == address)
}

#[derive(Default)]
struct Known<'a> {
    leases: BTreeMap<Sequence, &'a Actor>,
    runs: BTreeMap<u64, (&'a ChangeSet, &'a Actor)>,
    intents: BTreeMap<(u64, StepId), &'a Record>,
}

impl<'a> Known<'a> {
    fn entry(&mut self, record: &'a Record) -> Entry<'a> {
        let (run, step) = about(&record.body);
        match &record.body {
            Body::Begun { run, actor, change_set, .. } => {
                self.runs.insert(*run, (change_set, actor));
            }
            Body::Resumed { run, actor } => {
                if let Some((_, last)) = self.runs.get_mut(run) {
                    *last = actor;
                }
            }
            Body::Leased { actor, .. } => {
                self.leases.insert(record.sequence, actor);
            }
            Body::Intent { run, step, .. } => {
                self.intents.insert((*run, *step), record);
            }
            Body::Founded { .. }
            | Body::Done { .. }
            | Body::Failed { .. }
            | Body::Stood { .. }
            | Body::Advanced { .. }
            | Body::Doubted { .. }
            | Body::Parked { .. }
            | Body::Ended { .. }
            | Body::Verified { .. }
            | Body::Renewed
            | Body::Released
            | Body::Unlocked { .. }
            | Body::Held { .. }
            | Body::Lifted { .. }
            | Body::Approved { .. }
            | Body::Rejected { .. }
            | Body::Admitted { .. }
            | Body::OfRelease { .. }
            | Body::Tested { .. }
            | Body::Checked { .. }
            | Body::Measured { .. }
            | Body::Bakes { .. }
            | Body::Receivers { .. }
            | Body::Told { .. }
            | Body::ApprovalWanted { .. } => {}
        }
        let of_run = run.and_then(|run| self.runs.get(&run));
        let of_lease = || record.lease.and_then(|lease| self.leases.get(&lease).copied());
        // Records of format 1 have no lease; there the actor is whoever began or resumed the run.
        let actor = own_actor(&record.body).or_else(of_lease).or_else(|| of_run.map(|(_, actor)| *actor));
        let change_set = of_run.map(|(change_set, _)| *change_set);
        let intent = run.zip(step).and_then(|key| self.intents.get(&key)).filter(|_| outcome(&record.body).is_some());
        Entry {
            record,
            actor,
            change_set,
            run,
            step: step.and_then(|step| change_set?.step(step)),
            milliseconds: intent.map(|intent| record.time.as_millisecond() - intent.time.as_millisecond()),
        }
    }
}

/// The run and the step that a record speaks of.
fn about(body: &Body) -> (Option<u64>, Option<StepId>) {
    match body {
        Body::Intent { run, step, .. }
        | Body::Done { run, step, .. }
        | Body::Failed { run, step, .. }
        | Body::Stood { run, step, .. }
        | Body::Advanced { run, step, .. }
        | Body::Doubted { run, step, .. } => (Some(*run), Some(*step)),
        Body::Begun { run, .. }
        | Body::Parked { run, .. }
        | Body::Resumed { run, .. }
        | Body::Ended { run, .. }
        | Body::Checked { run, .. }
        | Body::Measured { run, .. }
        | Body::Bakes { run, .. }
        | Body::Verified { run, .. } => (Some(*run), None),
        Body::Held { run, .. } => (*run, None),
        // The run comes next; its change set is not in the chain yet.
        Body::Admitted { .. }
        | Body::OfRelease { .. }
        | Body::Tested { .. }
        | Body::Receivers { .. }
        | Body::Told { .. }
        | Body::ApprovalWanted { .. }
        | Body::Founded { .. }
        | Body::Leased { .. }
        | Body::Renewed
        | Body::Released
        | Body::Unlocked { .. }
        | Body::Approved { .. }
        | Body::Rejected { .. }
        | Body::Lifted { .. } => (None, None),
    }
}

/// The actor that a record names itself.
fn own_actor(body: &Body) -> Option<&Actor> {
    match body {
        Body::Begun { actor, .. }
        | Body::Resumed { actor, .. }
        | Body::Leased { actor, .. }
        | Body::Approved { actor, .. }
        | Body::Rejected { actor, .. }
        | Body::Admitted { actor, .. }
        | Body::OfRelease { actor, .. }
        | Body::Tested { actor, .. }
        | Body::ApprovalWanted { actor, .. }
        | Body::Unlocked { actor, .. } => Some(actor),
        Body::Done { settled, .. } | Body::Failed { settled, .. } => match settled {
            Some(Settled::Person { actor, .. }) => Some(actor),
            Some(Settled::Asked) | None => None,
        },
        Body::Founded { .. }
        | Body::Intent { .. }
        | Body::Stood { .. }
        | Body::Advanced { .. }
        | Body::Doubted { .. }
        | Body::Parked { .. }
        | Body::Ended { .. }
        | Body::Verified { .. }
        | Body::Checked { .. }
        | Body::Measured { .. }
        | Body::Bakes { .. }
        | Body::Renewed
        | Body::Released
        | Body::Held { .. }
        | Body::Receivers { .. }
        | Body::Told { .. }
        | Body::Lifted { .. } => None,
    }
}

/// What a record says of how its step came out.
fn outcome(body: &Body) -> Option<Outcome> {
    match body {
        Body::Done { .. } => Some(Outcome::Done),
        Body::Stood { .. } => Some(Outcome::Stood),
        Body::Failed { .. } => Some(Outcome::Failed),
        Body::Intent { .. } | Body::Advanced { .. } | Body::Doubted { .. } => Some(Outcome::Open),
        Body::Founded { .. }
        | Body::Begun { .. }
        | Body::Parked { .. }
        | Body::Resumed { .. }
        | Body::Ended { .. }
        | Body::Verified { .. }
        | Body::Leased { .. }
        | Body::Renewed
        | Body::Released
        | Body::Unlocked { .. }
        | Body::Held { .. }
        | Body::Lifted { .. }
        | Body::Approved { .. }
        | Body::Rejected { .. }
        | Body::Admitted { .. }
        | Body::OfRelease { .. }
        | Body::Tested { .. }
        | Body::Checked { .. }
        | Body::Measured { .. }
        | Body::Bakes { .. }
        | Body::Receivers { .. }
        | Body::Told { .. }
        | Body::ApprovalWanted { .. } => None,
    }
}
