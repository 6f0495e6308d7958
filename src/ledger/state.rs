//! State is a fold of the records: what is there, what was run, what is unfinished. Pure.
//!
//! Invariant: folding a chain costs time in proportion to its records, and two folds of one chain are equal.

pub mod outbox;
mod run;
mod things;

use outbox::Outbox;
pub use run::{CheckState, Watch};
pub use things::{aside, rename_needs};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

pub use super::contradiction::FoldError;
use super::record::{Actor, Body, Life, Record, RunResult, Sequence};
use super::releases::Releases;
use super::signatures::{Recorded, Signatures};
use crate::address::Address;
use crate::digest::Digest;
use crate::expression::Deferred;
use crate::migration::position::{Partial, Position};
use crate::migration::range::SchemaNeeds;
use crate::migration::told::Told;
use crate::migration::{Keeping, Migration};
use crate::release::tested::Tested;
use crate::step::{Action, Adoption, Beside, Birth, ChangeSet, Operation, StepId};
use crate::value::{Object, SealKey, Value};
use crate::world::{Binding, Parity, WorldError};

/// What a chain says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The chain's own facts, absent before its first record.
    pub chain: Option<Chain>,
    /// What is there.
    pub things: Things,
    /// Every run, oldest first.
    pub runs: Vec<Run>,
    /// The newest verification.
    pub verified: Option<Verification>,
    /// The lease, if somebody holds it or did not give it back.
    pub lease: Option<Lease>,
    /// Specs that automation must not apply again.
    pub holds: BTreeMap<Digest, Hold>,
    /// What a way back left as it was because it could not be reached, until a later step touches it or everything
    /// is verified.
    pub owed: BTreeMap<Address, Owed>,
    /// Who may sign, who did, and who refused.
    pub signatures: Signatures,
    /// What is known of releases.
    pub releases: Releases,
    /// What tests found, oldest first.
    pub tested: Vec<Recorded<Tested>>,
    /// Who is told what happens, and what they were not told yet.
    pub outbox: Outbox,
    /// How many records said more than who holds the lease and who is told.
    pub changes: u64,
}

/// What a way back owes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Owed {
    /// The run that left it out.
    pub run: u64,
    /// Since when.
    pub since: Timestamp,
}

/// A lease as recorded. Whether it is over is told by the store's clock alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The sequence of its `Leased` record.
    pub number: Sequence,
    /// Who holds it.
    pub actor: Actor,
    /// What for.
    pub purpose: String,
    /// Since when, by the holder's clock.
    pub since: Timestamp,
    /// The newest record that the holder wrote.
    pub renewed: Sequence,
    /// How long it holds after that.
    pub length: Duration,
    /// What tells whether the holder is alive.
    pub life: Option<Life>,
}

/// What must not be redone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hold {
    /// The run that was taken back, if it was by a rollback.
    pub run: Option<u64>,
    /// Since when.
    pub since: Timestamp,
    /// Why.
    pub reason: String,
}

/// The things of an environment: everything that a later run can change.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Things {
    /// Resources by address.
    pub resources: BTreeMap<Address, ResourceState>,
    /// Databases by address.
    pub databases: BTreeMap<Address, DatabaseState>,
    /// The outputs after the last complete run, sealed.
    pub outputs: BTreeMap<String, Value>,
    /// What was recorded under an address last, where nothing is recorded now: a way back takes it up again.
    pub gone: BTreeMap<Address, Gone>,
    /// What was forgotten under an address and imported there later, by the birth that the import gave it.
    pub known_before: BTreeMap<Birth, ResourceState>,
}

/// What the ledger no longer has.
#[derive(Clone, Debug, PartialEq)]
pub enum Gone {
    /// A resource that was removed from the world.
    Deleted(ResourceState),
    /// A resource that was struck from the ledger only.
    Forgotten(ResourceState),
    /// A database that was struck from the ledger.
    Database(DatabaseState),
    /// A database whose last migration was taken down: nothing of ours is in it.
    Emptied(DatabaseState),
}

/// The first record of a chain.
#[derive(Clone, Debug, PartialEq)]
pub struct Chain {
    /// Its random name.
    pub id: String,
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// The key that seals secrets.
    pub seal_key: SealKey,
}

/// A resource as recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct ResourceState {
    /// Its kind.
    pub kind: String,
    /// Where it is.
    pub binding: Binding,
    /// The thing as it was after the last change of ours, sealed.
    pub object: Object,
    /// Earlier things under this address that are still there (revisions, deposed objects), oldest first.
    pub earlier: Vec<Object>,
    /// What it needs.
    pub needs: BTreeSet<Address>,
    /// The schema versions that it works with.
    pub needs_schema: SchemaNeeds,
    /// Earlier revisions that may still run.
    pub beside: Vec<Beside>,
    /// The run that changed it last.
    pub run: u64,
    /// What was there before us, if it was imported.
    pub adopted: Option<Box<Adoption>>,
    /// When the ledger first knew it.
    pub born: Birth,
    /// What its secret attributes were made of when it was changed last: references, never values.
    pub made_of: BTreeMap<String, Deferred>,
}

/// A database's schema as recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct DatabaseState {
    /// Where it is.
    pub binding: Binding,
    /// Applied migrations by version.
    pub applied: BTreeMap<i64, Arc<Migration>>,
    /// What it needs.
    pub needs: BTreeSet<Address>,
    /// Longest wait for one lock, in milliseconds.
    pub lock_timeout_milliseconds: u64,
    /// What is kept of what its migrations took away, by version.
    pub kept: BTreeMap<i64, Keeping>,
    /// Migrations that were taken back, and whose things are set aside until they are run again.
    pub aside: BTreeMap<i64, Arc<Migration>>,
    /// The applied versions that a way back has left, because what runs since works with them: they are not in the
    /// folder of what runs, and belong there again with the next release that knows them.
    pub ahead: BTreeSet<i64>,
    /// A migration that was left in the middle: neither applied nor absent.
    pub partial: Option<Box<Partial>>,
    /// When the ledger first knew it.
    pub born: Birth,
    /// What people told of its history.
    pub told: Told,
}

/// A run: one change set being carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its number, from one.
    pub number: u64,
    /// The sequence of its `Begun` record.
    pub begun_at: Sequence,
    /// When it began.
    pub begun: Timestamp,
    /// Who began it.
    pub actor: Actor,
    /// The lease that it was carried out under last.
    pub lease: Option<Sequence>,
    /// What it carries out.
    pub change_set: Arc<ChangeSet>,
    /// Digest of the plan file or of spec, modules, migrations and variables.
    pub source: Digest,
    /// Every step that was at least intended.
    pub steps: BTreeMap<StepId, StepState>,
    /// How what was asked came out, as far as it was, by address.
    pub checks: BTreeMap<Address, CheckState>,
    /// What else is known of what is asked, by address.
    pub watches: BTreeMap<Address, Watch>,
    /// Why it waits, if it does.
    pub parked: Option<String>,
    /// How and when it ended.
    pub ended: Option<(RunResult, Timestamp)>,
    /// Whether planning again was empty.
    pub verified: bool,
    /// When that was so first.
    pub verified_at: Option<Timestamp>,
    /// Whether a later rollback took it back.
    pub taken_back: bool,
}

/// How far a step got.
#[derive(Clone, Debug, PartialEq)]
pub enum StepState {
    /// Intended; whether it had its effect is not known.
    Intended(Intent),
    /// In doubt: it was asked, and neither before nor after was found.
    Doubted(Intent, WorldError),
    /// It had its effect.
    Done {
        /// When it began.
        since: Timestamp,
        /// When it was done.
        until: Timestamp,
    },
    /// It had its effect and failed: what it made stands, and is not good.
    Stood(Intent, WorldError),
    /// It had no effect.
    Failed {
        /// When.
        at: Timestamp,
        /// Why, if anything went wrong.
        error: Option<WorldError>,
    },
}

/// What is known of an effect that was about to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Intent {
    /// The idempotency token.
    pub token: String,
    /// When it was intended.
    pub since: Timestamp,
    /// What was there right before, where it was not what the plan says.
    pub before: Option<Object>,
    /// What it was to be, where the plan did not know it all.
    pub after: Option<Object>,
    /// The binding with its settings known, where the plan did not know them all.
    pub binding: Option<Binding>,
    /// Whether an earlier try left something that stands, which this one brings to what was planned.
    pub repairs: bool,
    /// How far it is known to have got.
    pub position: Position,
}

/// A verification.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verification {
    /// The run.
    pub run: u64,
    /// When.
    pub at: Timestamp,
    /// The spec, if it was one.
    pub spec_digest: Option<Digest>,
    /// What the databases were like, as far as they said.
    pub databases: BTreeMap<Address, Parity>,
}

impl State {
    /// The run that has not ended, if there is one; it is the newest.
    pub fn unfinished(&self) -> Option<&Run> {
        self.runs.last().filter(|run| run.ended.is_none())
    }

    /// The newest run that changed something, is no rollback, and was not taken back.
    pub fn newest_in_force(&self) -> Option<&Run> {
        self.runs.iter().rev().find(|run| {
            !run.taken_back
                && !matches!(run.change_set.operation, Operation::Rollback { .. })
                && (run.done_count() > 0 || run.ended.is_none())
                && !matches!(run.ended, Some((RunResult::TakenBack | RunResult::WithoutEffect, _)))
        })
    }

    /// The key that seals secrets, once there is a chain.
    pub fn seal_key(&self) -> Option<&SealKey> {
        self.chain.as_ref().map(|chain| &chain.seal_key)
    }

    /// Whether these would contradict the chain: they speak of the outcome of a step that is not open. Costs nothing
    /// in proportion to the chain.
    pub fn refuses(&self, bodies: &[Body]) -> Option<FoldError> {
        let newest = self.runs.last();
        bodies.iter().enumerate().find_map(|(at, body)| {
            let (Body::Done { run, step, .. } | Body::Stood { run, step, .. } | Body::Doubted { run, step, .. }) = body
            else {
                return None;
            };
            let is_intended = |body: &Body| matches!(body, Body::Intent { run: other, step: intended, .. } if (other, intended) == (run, step));
            let known = newest.filter(|newest| newest.number == *run).and_then(|newest| newest.steps.get(step));
            let fits = match known {
                Some(StepState::Intended(_) | StepState::Doubted(..)) => true,
                Some(StepState::Stood(..)) => !matches!(body, Body::Doubted { .. }),
                Some(StepState::Done { .. } | StepState::Failed { .. }) | None => false,
            };
            let refused = FoldError::NoSuchStep { sequence: 0, run: *run, step: *step };
            (!fits && !bodies[..at].iter().any(is_intended)).then_some(refused)
        })
    }

    /// Takes one more record into account.
    ///
    /// # Errors
    /// When the record does not fit what came before.
    pub fn fold(&mut self, record: &Record) -> Result<(), FoldError> {
        self.check_lease(record)?;
        self.changes += u64::from(!record.body.is_about_the_lease() && !record.body.is_about_telling());
        self.take(record)?;
        let mut outbox = std::mem::take(&mut self.outbox);
        outbox.take(record, self);
        self.outbox = outbox;
        Ok(())
    }

    /// What the record says, but for what people are told of it.
    fn take(&mut self, record: &Record) -> Result<(), FoldError> {
        match &record.body {
            Body::Founded { chain, project, environment, seal_key } => {
                self.chain = Some(Chain {
                    id: chain.clone(),
                    project: project.clone(),
                    environment: environment.clone(),
                    seal_key: seal_key.clone(),
                });
            }
            Body::Begun { run, actor, change_set, source } => self.begin(record, *run, actor, change_set, *source),
            Body::Intent { run, step, token, before, after, binding } => {
                let intent = Intent {
                    token: token.clone(),
                    since: record.time,
                    before: before.clone(),
                    after: after.clone(),
                    binding: binding.clone(),
                    repairs: false,
                    position: Position::default(),
                };
                self.run(record.sequence, *run)?.intend(*step, intent);
            }
            Body::Done { run, step, outcome, .. } => self.done(record, *run, *step, outcome, None)?,
            Body::Stood { run, step, outcome, error, .. } => self.done(record, *run, *step, outcome, Some(error))?,
            Body::Failed { run, step, error, .. } => {
                self.run(record.sequence, *run)?.fail(*step, record.time, error.clone());
            }
            Body::Advanced { run, step, position } => self.run(record.sequence, *run)?.advance(*step, position),
            Body::Doubted { run, step, error } => {
                let sequence = record.sequence;
                let is_open = self.run(sequence, *run)?.doubt(*step, error);
                is_open.ok_or(FoldError::NoSuchStep { sequence, run: *run, step: *step })?;
            }
            Body::Parked { run, reason } => self.run(record.sequence, *run)?.parked = Some(reason.clone()),
            Body::Resumed { run, .. } => self.run(record.sequence, *run)?.resume(record.lease),
            Body::Ended { run, result, outputs } => self.end(record, *run, *result, outputs)?,
            Body::Verified { run, spec_digest, databases } => {
                self.run(record.sequence, *run)?.verify(record.time);
                let (at, databases) = (record.time, databases.clone());
                self.verify(Verification { run: *run, at, spec_digest: *spec_digest, databases });
            }
            Body::Leased { .. } => self.lease = leased(record),
            Body::Renewed => {}
            Body::Released | Body::Unlocked { .. } => self.lease = None,
            Body::Held { spec_digest, run, reason } => {
                let hold = Hold { run: *run, since: record.time, reason: reason.clone() };
                self.holds.insert(*spec_digest, hold);
            }
            Body::Lifted { spec_digest, .. } => {
                self.holds.remove(spec_digest);
            }
            Body::Checked { run, .. } | Body::Measured { run, .. } | Body::Bakes { run, .. } => {
                self.asked(record, *run)?;
            }
            Body::Approved { .. } | Body::Rejected { .. } | Body::Admitted { .. } => self.signatures.take(record),
            Body::OfRelease { actor, event } => self.releases.take(record, actor, event),
            Body::Tested { actor, tested } => self.tested.push(Recorded::of(record, actor, &**tested)),
            Body::Receivers { .. } | Body::Told { .. } | Body::ApprovalWanted { .. } => {}
        }
        Ok(())
    }

    fn asked(&mut self, record: &Record, run: u64) -> Result<(), FoldError> {
        self.run(record.sequence, run)?.checked(record);
        Ok(())
    }

    /// Everything is as it should be.
    fn verify(&mut self, verification: Verification) {
        self.verified = Some(verification);
        self.owed.clear();
    }

    /// Only the holder of the lease writes, while somebody holds it.
    fn check_lease(&mut self, record: &Record) -> Result<(), FoldError> {
        let held = self.lease.as_ref().map(|lease| lease.number);
        let fits = match &record.body {
            Body::Leased { over, .. } => *over == held,
            Body::Unlocked { .. } => true,
            Body::Renewed | Body::Released => held.is_some() && record.lease == held,
            _ => record.lease == held,
        };
        if !fits {
            return Err(FoldError::NotTheHolder { sequence: record.sequence, under: record.lease, held });
        }
        if let Some(lease) = self.lease.as_mut().filter(|lease| record.lease == Some(lease.number)) {
            lease.renewed = record.sequence;
        }
        Ok(())
    }

    fn begin(&mut self, record: &Record, number: u64, actor: &Actor, change_set: &ChangeSet, source: Digest) {
        let at = (record.sequence, record.time);
        let run = Run::begun(at, number, actor.clone(), Arc::new(change_set.clone()), source);
        self.runs.push(Run { lease: record.lease, ..run });
    }

    fn run(&mut self, sequence: Sequence, number: u64) -> Result<&mut Run, FoldError> {
        // Only the newest run can be spoken of, so this is no search.
        self.runs.last_mut().filter(|run| run.number == number).ok_or(FoldError::NoSuchRun { sequence, run: number })
    }

    fn end(
        &mut self,
        record: &Record,
        number: u64,
        result: RunResult,
        outputs: &BTreeMap<String, Value>,
    ) -> Result<(), FoldError> {
        let run = self.run(record.sequence, number)?;
        run.ended = Some((result, record.time));
        let change_set = Arc::clone(&run.change_set);
        let operation = change_set.operation;
        if result == RunResult::Complete {
            self.signatures.apply(&change_set);
            if operation != Operation::Apply {
                // It was planned over everything, and what it could not reach it names itself.
                self.owed.clear();
            }
            let owed = Owed { run: number, since: record.time };
            self.owed.extend(change_set.owed.iter().map(|address| (address.clone(), owed)));
            self.things.outputs.clone_from(outputs);
            if let Operation::Rollback { to } = operation {
                for earlier in self.runs.iter_mut().filter(|run| run.number > to && run.number < number) {
                    earlier.taken_back = true;
                }
            }
        }
        Ok(())
    }

    /// A step had its effect; with an error it failed all the same.
    fn done(
        &mut self,
        record: &Record,
        number: u64,
        id: StepId,
        outcome: &Object,
        error: Option<&WorldError>,
    ) -> Result<(), FoldError> {
        let sequence = record.sequence;
        let run = self.run(sequence, number)?;
        let refuse = FoldError::NoSuchStep { sequence, run: number, step: id };
        let (mut intent, is_first) = match run.steps.get(&id) {
            Some(StepState::Intended(intent) | StepState::Doubted(intent, _)) => (intent.clone(), !intent.repairs),
            Some(StepState::Stood(intent, _)) => (intent.clone(), false),
            Some(StepState::Done { .. } | StepState::Failed { .. }) | None => return Err(refuse),
        };
        intent.position = Position::of_facts(outcome).unwrap_or(intent.position);
        let (binding, position) = (intent.binding.clone(), intent.position.clone());
        let state = match error {
            None => StepState::Done { since: intent.since, until: record.time },
            Some(error) => StepState::Stood(intent, error.clone()),
        };
        run.steps.insert(id, state);
        let change_set = Arc::clone(&run.change_set);
        let step = change_set.step(id).ok_or(refuse)?;
        self.owed.remove(&step.address);
        if error.is_some() && matches!(step.action, Action::Migrate { .. }) {
            self.things.leave(number, step, binding, &position);
            return Ok(());
        }
        let replaced = self.things.running(&step.address).filter(|_| is_first);
        match (is_first, self.things.resources.get_mut(&step.address)) {
            // What stood already is only better known now.
            (false, Some(resource)) => resource.object = outcome.clone(),
            _ => self.things.take((number, record.time), step, binding, outcome),
        }
        self.things.note_beside(step, replaced, error);
        if let (Action::Create { .. } | Action::Revise { .. }, Some(origin)) =
            (&step.action, change_set.origins.get(&step.address))
        {
            self.things.known_as(&step.address, origin);
        }
        Ok(())
    }
}

/// The lease that a record says is taken.
fn leased(record: &Record) -> Option<Lease> {
    let Body::Leased { actor, purpose, milliseconds, life, .. } = &record.body else { return None };
    Some(Lease {
        number: record.sequence,
        actor: actor.clone(),
        purpose: purpose.clone(),
        since: record.time,
        renewed: record.sequence,
        length: Duration::from_millis(*milliseconds),
        life: life.clone(),
    })
}
