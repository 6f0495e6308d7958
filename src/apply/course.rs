//! How far a run is, in memory: what is ready, in flight, done. Pure.
//!
//! Invariant: a step becomes ready when everything it waits for is done, and once only.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::outcome::{Failure, Outcome};
use super::prepare::{Outcomes, Work};
use crate::address::Address;
use crate::ledger::{Body, Ledger, Run, StepState};
use crate::migration::position::Position;
use crate::step::{Action, ChangeSet, Step, StepId, When};
use crate::value::{Object, SealKey};
use crate::world::{Connection, ErrorClass, Fence, WorldError};

/// A step's effect that may begin once its intent is durable.
pub(super) type Launch = (StepId, Connection, Work);

/// How far a step in flight has got.
pub(super) type Advance = (StepId, Position);

/// The state of one run, in memory.
pub(super) struct Course<'c> {
    pub(super) number: u64,
    pub(super) change_set: &'c ChangeSet,
    pub(super) environment: &'c str,
    pub(super) fence: Fence,
    pub(super) chain: String,
    pub(super) seal_key: Option<SealKey>,
    pub(super) outcomes: Outcomes,
    pub(super) waiting: BTreeMap<StepId, usize>,
    pub(super) followers: BTreeMap<StepId, Vec<StepId>>,
    pub(super) ready: BTreeSet<StepId>,
    pub(super) done: BTreeSet<StepId>,
    pub(super) failures: BTreeMap<StepId, Failure>,
    pub(super) doubts: BTreeMap<StepId, Failure>,
    /// Steps whose effect stands although they failed.
    pub(super) stood: BTreeSet<StepId>,
    /// The contract phase, while it waits for what is asked before it; nothing once it may begin.
    pub(super) gated: Option<BTreeSet<StepId>>,
    /// What was asked and is not as it should be, or was not asked to its end.
    pub(super) unpassed: Vec<Address>,
    /// Why the run waits, if it does.
    pub(super) parked: Option<String>,
    /// Why it will wait when there is nothing else to do.
    waits: Option<String>,
    /// Steps on this side of the point of no return that are not done.
    pub(super) open_before_point: usize,
    pub(super) in_flight: usize,
    /// Steps whose effect has begun and whose answer has not come.
    pub(super) flying: BTreeSet<StepId>,
    pub(super) busy: BTreeSet<Address>,
    /// Records for the next batch, and the effects that may begin once it is durable.
    pub(super) records: Vec<Body>,
    pub(super) launches: VecDeque<Launch>,
    /// A batch that the storage did not take yet: it is tried again as it is.
    pub(super) unwritten: Option<Batch>,
    /// Effects whose intents are durable.
    pub(super) cleared: VecDeque<Launch>,
    /// Whether the lease was found to be over: then nothing more starts.
    pub(super) fenced: bool,
    /// By which steps in flight tell how far they have got.
    pub(super) advancing: (UnboundedSender<Advance>, UnboundedReceiver<Advance>),
    /// How far they have got, where that is not recorded yet.
    advanced: BTreeMap<StepId, Position>,
    /// When that was recorded last, by the uptime.
    noted: Option<Duration>,
}

/// How often it is recorded how far a step has got, where nothing else is to be recorded: the world knows it as well.
const NOTED_EVERY: Duration = Duration::from_secs(1);

/// Records that are written together, and what may begin then.
pub(super) struct Batch {
    pub(super) time: jiff::Timestamp,
    pub(super) bodies: Vec<Body>,
    pub(super) launches: VecDeque<Launch>,
    pub(super) tries: u32,
    /// When it was tried first, by the uptime.
    pub(super) since: Duration,
}

impl<'c> Course<'c> {
    pub(super) fn of(run: &Run, change_set: &'c ChangeSet, ledger: &Ledger, fence: Fence) -> Self {
        let done: BTreeSet<StepId> =
            change_set.steps.iter().map(|step| step.id).filter(|id| run.is_done(*id)).collect();
        let mut course = Self {
            number: run.number,
            change_set,
            environment: &change_set.environment,
            fence,
            chain: ledger.state().chain.as_ref().map(|chain| chain.id.clone()).unwrap_or_default(),
            seal_key: ledger.state().seal_key().cloned(),
            outcomes: Outcomes::of(&ledger.state().things),
            waiting: BTreeMap::new(),
            followers: BTreeMap::new(),
            ready: BTreeSet::new(),
            done,
            failures: BTreeMap::new(),
            doubts: BTreeMap::new(),
            stood: run.stood().map(|(step, _)| step.id).collect(),
            gated: gated(run, change_set),
            unpassed: Vec::new(),
            parked: None,
            waits: None,
            open_before_point: 0,
            in_flight: 0,
            flying: BTreeSet::new(),
            busy: BTreeSet::new(),
            records: Vec::new(),
            launches: VecDeque::new(),
            unwritten: None,
            cleared: VecDeque::new(),
            fenced: false,
            advancing: unbounded_channel(),
            advanced: BTreeMap::new(),
            noted: None,
        };
        for (id, state) in &run.steps {
            match state {
                StepState::Doubted(_, error) => {
                    course.doubts.insert(*id, Failure { step: *id, error: error.clone(), stale: false });
                }
                // It goes on in the world, or could not be asked about: it must not be begun beside itself.
                StepState::Intended(_) => {
                    let failure = course.left(*id);
                    course.doubts.insert(*id, failure);
                }
                // What stands is brought to what was planned: it is tried once more.
                StepState::Stood(..) | StepState::Done { .. } | StepState::Failed { .. } => {}
            }
        }
        course.wire();
        course
    }

    fn wire(&mut self) {
        if let Some(point) = self.change_set.point_of_no_return {
            self.open_before_point = point.0 as usize - 1 - self.done.range(..point).count();
        }
        for step in &self.change_set.steps {
            if self.done.contains(&step.id) {
                if !matches!(step.action, Action::Move { .. } | Action::Import { .. } | Action::TakeUp { .. }) {
                    self.outcomes.mark_changed(&step.address);
                }
                continue;
            }
            if self.doubts.contains_key(&step.id) {
                continue;
            }
            if self.stood.contains(&step.id) {
                self.outcomes.mark_changed(&step.address);
            }
            let open: Vec<StepId> = step.after.iter().copied().filter(|before| !self.done.contains(before)).collect();
            for before in &open {
                self.followers.entry(*before).or_default().push(step.id);
            }
            match open.len() {
                0 => {
                    self.ready.insert(step.id);
                }
                count => {
                    self.waiting.insert(step.id, count);
                }
            }
        }
    }

    /// A step goes on in the world, or cannot be asked about for now: it is not begun again. The run waits for it; what
    /// goes on does not keep the rest from being done meanwhile.
    pub(super) fn wait_for(&mut self, failure: Failure) {
        self.ready.remove(&failure.step);
        self.waiting.remove(&failure.step);
        let why = format!("{}: {}", self.step(failure.step).title(), failure.error.cause);
        let reason = match failure.error.class {
            ErrorClass::Pending => &mut self.waits,
            _ => &mut self.parked,
        };
        reason.get_or_insert(why);
        self.doubts.insert(failure.step, failure);
    }

    pub(super) fn step(&self, id: StepId) -> &'c Step {
        self.change_set.step(id).expect("the course has the change set's own ids")
    }

    /// The next step that may start: the first ready one; beyond the point of no return only when everything
    /// before it is done.
    pub(super) fn next(&mut self) -> Option<StepId> {
        let is_gated = |id: &StepId| self.gated.as_ref().is_some_and(|gated| gated.contains(id));
        let free =
            |id: &&StepId| !is_gated(id) && !self.busy.contains(&self.change_set.step(**id).expect("own ids").address);
        let id = *self.ready.iter().find(free)?;
        if let Some(point) = self.change_set.point_of_no_return
            && id >= point
            && self.open_before_point > 0
        {
            return None;
        }
        self.ready.remove(&id);
        Some(id)
    }

    /// Whether only the contract phase is left, and it waits for what is asked before it.
    pub(super) fn is_at_gate(&self) -> bool {
        let is_past = |step: &Step, gated: &BTreeSet<StepId>| self.done.contains(&step.id) || gated.contains(&step.id);
        self.gated.as_ref().is_some_and(|gated| self.change_set.steps.iter().all(|step| is_past(step, gated)))
    }

    /// Whether every step is done.
    pub(super) fn is_all_done(&self) -> bool {
        self.done.len() == self.change_set.steps.len()
    }

    pub(super) fn leave(&mut self, id: StepId) {
        self.in_flight -= 1;
        let step = self.step(id);
        self.busy.remove(&step.address);
    }

    pub(super) fn finish(&mut self, step: &Step, object: &Object) {
        match &step.action {
            Action::Create { .. } | Action::Update { .. } | Action::Revise { .. } => {
                self.outcomes.insert(step.address.clone(), object);
            }
            Action::Return { after, .. } => self.outcomes.insert(step.address.clone(), after),
            Action::Delete { .. } | Action::Forget { .. } => self.outcomes.remove(&step.address),
            Action::Import { .. } => self.outcomes.take_up(step.address.clone(), object),
            Action::TakeUp { .. } if step.action.kind().is_some() => {
                self.outcomes.take_up(step.address.clone(), object);
            }
            Action::Move { from, .. } => self.outcomes.rename(from, &step.address),
            Action::Retire { .. }
            | Action::Remember { .. }
            | Action::TakeUp { .. }
            | Action::Migrate { .. }
            | Action::Purge { .. } => {}
        }
        self.done.insert(step.id);
        if self.change_set.point_of_no_return.is_some_and(|point| step.id < point) {
            self.open_before_point -= 1;
        }
        for follower in self.followers.remove(&step.id).unwrap_or_default() {
            let waiting = self.waiting.get_mut(&follower).expect("a follower waits");
            *waiting -= 1;
            if *waiting == 0 {
                self.waiting.remove(&follower);
                self.ready.insert(follower);
            }
        }
    }

    /// A step in flight has got so far.
    pub(super) fn advance(&mut self, id: StepId, position: Position) {
        self.advanced.insert(id, position);
    }

    /// Puts what is known of steps in flight among the records, if it is time or others go with it.
    pub(super) fn note_advances(&mut self, uptime: Duration) {
        while let Ok((id, position)) = self.advancing.1.try_recv() {
            self.advance(id, position);
        }
        self.advanced.retain(|id, _| self.flying.contains(id));
        let is_time = self.noted.is_none_or(|noted| uptime.saturating_sub(noted) >= NOTED_EVERY);
        if self.advanced.is_empty() || (self.records.is_empty() && !is_time) {
            return;
        }
        let run = self.number;
        let advances = std::mem::take(&mut self.advanced).into_iter();
        self.records.splice(0..0, advances.map(|(step, position)| Body::Advanced { run, step, position }));
        self.noted = Some(uptime);
    }

    /// A step that was not waited for.
    fn left(&self, step: StepId) -> Failure {
        let title = self.step(step).title();
        let error = WorldError {
            tried: format!("{} {title}", self.step(step).action.verb()),
            cause: "its answer was not waited for".to_owned(),
            help: Some("`resume` or `rollback` asks the world what became of it".to_owned()),
            class: ErrorClass::Transient,
        };
        Failure { step, error, stale: false }
    }

    /// Whether nothing at all has changed in the world, for all that is known.
    pub(super) fn is_without_effect(&self) -> bool {
        self.done.is_empty() && self.doubts.is_empty() && self.stood.is_empty() && self.flying.is_empty()
    }

    pub(super) fn outcome(&self, stopped: bool) -> Outcome {
        let steps = self.change_set.steps.iter().map(|step| step.id);
        let begun =
            |id: &StepId| self.done.contains(id) || self.failures.contains_key(id) || self.doubts.contains_key(id);
        Outcome {
            run: self.number,
            done: steps.clone().filter(|id| self.done.contains(id)).collect(),
            failed: self.failures.values().cloned().collect(),
            doubted: self.doubts.values().cloned().chain(self.flying.iter().map(|id| self.left(*id))).collect(),
            skipped: steps.filter(|id| !begun(id)).collect(),
            unpassed: self.unpassed.clone(),
            parked: self.parked.as_ref().or(self.waits.as_ref()).cloned(),
            stopped,
        }
    }
}

/// What waits until what is asked before the contract phase has passed; nothing where nothing is asked, or that phase
/// has begun.
fn gated(run: &Run, change_set: &ChangeSet) -> Option<BTreeSet<StepId>> {
    change_set.checks_at(When::Between).next()?;
    let gated = change_set.contract_phase();
    let has_begun = |id: &StepId| run.steps.get(id).is_some_and(|state| !matches!(state, StepState::Failed { .. }));
    (!gated.iter().any(has_begun)).then_some(gated)
}
