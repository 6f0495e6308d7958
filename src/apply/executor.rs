//! Runs the steps: a bounded number at once, each between its intent and its outcome. Writes.
//!
//! Invariant: one loop owns the ledger; all records that are ready are one batch, and no effect begins before
//! its intent is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use jiff::Timestamp;

use super::acting::{Telling, Tried};
use super::course::Course;
use super::outcome::{ApplyError, Event, Failure, Listener, Outcome, Retries, StopSignal};
use super::prepare::{Ground, Outcomes, Ready, Refusal, Sight, intent, token, work};
use super::settle::{self, Towards};
use super::writing;
use crate::digest::Digest;
use crate::kind::Kinds;
use crate::ledger::lease::{Project, founding};
use crate::ledger::state::Intent;
use crate::ledger::{Actor, Body, Ledger, Run, RunResult, Settled};
use crate::observe::mark_like;
use crate::secret::Secrets;
use crate::step::{Action, ChangeSet, Operation, Step, StepId, When};
use crate::value::Object;
use crate::value::seal::seal_object;
use crate::world::{ErrorClass, Settlement, World, WorldError};

/// Carries out change sets.
pub struct Executor<'a> {
    /// The world.
    pub world: &'a World,
    /// The table of kinds.
    pub kinds: &'a Kinds,
    /// Where secrets come from.
    pub secrets: &'a dyn Secrets,
    /// Who hears of it.
    pub listener: &'a dyn Listener,
    /// How many steps run at once, at least one.
    pub concurrency: usize,
    /// By which it is asked to stop.
    pub stop: StopSignal,
    /// How often a step is tried again that failed for the moment.
    pub retries: Retries,
}

/// What a future of the loop brings back.
enum Arrival {
    Looked(StepId, Box<Ready>, Result<Option<Object>, Refusal>),
    Acted(StepId, Timestamp, Result<Object, WorldError>, Vec<String>),
    /// Nobody heard what became of it, so the world was asked at once.
    Asked(StepId, WorldError, Result<Settlement, WorldError>, Vec<String>),
}

type Flights<'f> = FuturesUnordered<BoxFuture<'f, Arrival>>;

impl Executor<'_> {
    /// Begins a run of this change set and carries it out.
    ///
    /// # Errors
    /// When something that it rests on has moved, an unfinished run stands in the way, or the ledger fails.
    pub async fn apply(
        &self,
        ledger: &mut Ledger,
        change_set: ChangeSet,
        source: Digest,
        actor: Actor,
    ) -> Result<Outcome, ApplyError> {
        self.refuse_foreign(ledger, &change_set)?;
        self.refuse_without_secrets(ledger, &change_set)
            .map_err(|error| ApplyError::Refused(format!("{error}; nothing was done")))?;
        self.refuse_stale(ledger, &change_set).await?;
        let mut bodies = Vec::new();
        if ledger.state().chain.is_none() {
            let (project, environment) = (change_set.project.clone(), change_set.environment.clone());
            bodies.push(founding(&Project { project, environment }));
        }
        if let Some(run) = ledger.state().unfinished() {
            bodies.push(give_up(run, &change_set)?);
        }
        let run = ledger.state().runs.last().map_or(1, |run| run.number + 1);
        bodies.push(Body::Begun { run, actor, change_set: Box::new(change_set), source });
        ledger.append(self.world.clock.now(), bodies).await?;
        self.go(ledger, Vec::new()).await
    }

    /// Settles and goes on with the unfinished run.
    ///
    /// # Errors
    /// When there is none, or the ledger fails.
    pub async fn resume(&self, ledger: &mut Ledger, actor: Actor) -> Result<Outcome, ApplyError> {
        let unfinished = ledger.state().unfinished().map(|run| (run.number, Arc::clone(&run.change_set)));
        let Some((run, change_set)) = unfinished else {
            return Err(ApplyError::Refused("there is no unfinished run to resume".to_owned()));
        };
        self.refuse_without_secrets(ledger, &change_set).map_err(ApplyError::World)?;
        ledger.append(self.world.clock.now(), vec![Body::Resumed { run, actor }]).await?;
        let mut open = self.settle_towards(Towards::End, ledger).await?;
        open.retain(|failure| settle::parks(&failure.error));
        self.go(ledger, open).await
    }

    /// Asks the world about every step of the unfinished run whose outcome is not known, and records the
    /// answers, so that it can be taken back. Gives the steps that stay in doubt.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn settle(&self, ledger: &mut Ledger) -> Result<Vec<Failure>, ApplyError> {
        self.settle_towards(Towards::Start, ledger).await
    }

    async fn settle_towards(&self, goal: Towards, ledger: &mut Ledger) -> Result<Vec<Failure>, ApplyError> {
        let Some(run) = ledger.state().unfinished() else {
            return Ok(Vec::new());
        };
        let (number, change_set) = (run.number, Arc::clone(&run.change_set));
        let of = |(step, intent): (&Step, &Intent)| (step.clone(), intent.clone());
        let open: Vec<(Step, Intent)> = run.open().map(of).collect();
        let stood: BTreeSet<StepId> = run.stood().map(|(step, _)| step.id).collect();
        let asked: Vec<(Step, Intent)> = open.into_iter().chain(run.stood().map(of)).collect();
        let seal_key = ledger.state().seal_key().cloned();
        let mut doubts = Vec::new();
        for (step, intent) in asked {
            let outcomes = Outcomes::of(&ledger.state().things);
            let fence = ledger.fence().await;
            let place = (change_set.environment.as_str(), &fence);
            let answer = settle::ask_for_good(self, seal_key.as_ref(), place, &outcomes, (&step, &intent)).await;
            let (run, id) = (number, step.id);
            let body = match answer.and_then(|answer| goal.read(&step, answer)) {
                Ok(Settlement::Done(object)) => {
                    self.listener.event(Event::Settled(&step, true));
                    let outcome = seal_object(&object, seal_key.as_ref());
                    Body::Done { run, step: id, outcome, settled: Some(Settled::Asked), calls: Vec::new() }
                }
                Ok(Settlement::Stands(object, why) | Settlement::GoesOn(object, why)) => {
                    let error = not_good(&step, why);
                    self.listener.event(Event::Failed(&step, &error));
                    let outcome = seal_object(&object, seal_key.as_ref());
                    Body::Stood { run, step: id, outcome, error, calls: Vec::new() }
                }
                Ok(Settlement::NotDone) if stood.contains(&id) => continue,
                Ok(Settlement::NotDone) => {
                    self.listener.event(Event::Settled(&step, false));
                    Body::Failed { run, step: id, error: None, settled: Some(Settled::Asked), calls: Vec::new() }
                }
                // It goes on, or cannot be asked for now: whoever waits for it parks, and asks again.
                Err(error) if settle::parks(&error) => {
                    doubts.push(Failure { step: id, error, stale: false });
                    continue;
                }
                // What stood stands until the world says otherwise.
                Ok(Settlement::Doubt(_)) | Err(_) if stood.contains(&id) => continue,
                Ok(Settlement::Doubt(now)) => self.doubt(run, &step, doubtful(&step, &now), &mut doubts),
                Err(error) => self.doubt(run, &step, error, &mut doubts),
            };
            ledger.append(self.world.clock.now(), vec![body]).await?;
        }
        Ok(doubts)
    }

    fn doubt(&self, run: u64, step: &Step, error: WorldError, doubts: &mut Vec<Failure>) -> Body {
        self.listener.event(Event::Doubted(step, &error));
        doubts.push(Failure { step: step.id, error: error.clone(), stale: false });
        Body::Doubted { run, step: step.id, error }
    }

    fn refuse_foreign(&self, ledger: &Ledger, change_set: &ChangeSet) -> Result<(), ApplyError> {
        let chain = ledger.state().chain.as_ref();
        match (&change_set.chain, chain) {
            (Some(planned), Some(chain)) if *planned == chain.id => {}
            (None, None) => {}
            // A lease begins a chain, too; nothing was done in it.
            (None, Some(_)) if ledger.state().runs.is_empty() => {}
            (None, Some(_)) => {
                return Err(ApplyError::Stale("it was planned before the ledger was begun; plan again".to_owned()));
            }
            (Some(_), _) => {
                return Err(ApplyError::Stale(format!("it was planned against another ledger than {}", ledger.url())));
            }
        }
        match chain {
            Some(chain) if chain.environment != change_set.environment => Err(ApplyError::Refused(format!(
                "this change set is for {}, the ledger is that of {}",
                change_set.environment, chain.environment
            ))),
            _ => Ok(()),
        }
    }

    /// Before anything is recorded, all that the steps rest on is looked at once.
    async fn refuse_stale(&self, ledger: &Ledger, change_set: &ChangeSet) -> Result<(), ApplyError> {
        let mut outcomes = Outcomes::of(&ledger.state().things);
        for step in &change_set.steps {
            if let Action::Move { from, .. } = &step.action {
                outcomes.rename(from, &step.address);
            }
        }
        let seal_key = ledger.state().seal_key();
        let ground = Ground { world: self.world, kinds: self.kinds };
        let sight = Sight { outcomes: &outcomes, secrets: self.secrets, seal_key, now: self.world.clock.now() };
        let (mut first, mut looks) = (BTreeSet::new(), Vec::new());
        for step in &change_set.steps {
            // A way back goes as far as it can; what an apply lacks is said while nothing is done.
            if change_set.operation == Operation::Apply {
                ground.secrets(step, &sight).map_err(|refusal| match refusal.stale {
                    true => ApplyError::Stale(refusal.error.to_string()),
                    false => ApplyError::Refused(format!("{}; nothing was done", refusal.error)),
                })?;
            }
            // Only the first step of an address finds what was planned; the others find what it left.
            let is_move = matches!(step.action, Action::Move { .. });
            let is_first = !is_move && first.insert(&step.address);
            let of_step = ground.looks(step, &sight, is_first).map_err(|refusal| ApplyError::World(refusal.error))?;
            looks.extend(of_step.into_iter().map(|look| (step, look)));
        }
        match ground.look_at_all(&looks, seal_key).await {
            Ok(()) => Ok(()),
            Err(refusal) if refusal.stale => Err(ApplyError::Stale(refusal.error.cause)),
            Err(refusal) => Err(ApplyError::World(refusal.error)),
        }
    }

    /// Carries out what is not done yet of the newest run; these steps go on in the world.
    async fn go(&self, ledger: &mut Ledger, going: Vec<Failure>) -> Result<Outcome, ApplyError> {
        let run = ledger.state().unfinished().expect("a run was begun or is being resumed");
        let change_set = Arc::clone(&run.change_set);
        let mut course = Course::of(run, &change_set, ledger, ledger.fence().await);
        going.into_iter().for_each(|failure| course.wait_for(failure));
        let result = self.pass_through(ledger, &mut course).await;
        let outcome = course.outcome(self.stop.is_raised());
        result?;
        self.end(ledger, &course, &outcome).await?;
        if outcome.is_complete() {
            self.tell(ledger).await?;
        }
        Ok(outcome)
    }

    /// The steps, and what is asked before, between and after them.
    async fn pass_through(&self, ledger: &mut Ledger, course: &mut Course<'_>) -> Result<(), ApplyError> {
        if course.is_without_effect() {
            if !self.ask_all(When::Before, ledger, course).await? {
                return Ok(());
            }
            self.measure(ledger, course).await?;
        }
        self.fly(ledger, course).await?;
        if course.is_at_gate() {
            if !self.ask_all(When::Between, ledger, course).await? {
                return Ok(());
            }
            course.gated = None;
            self.fly(ledger, course).await?;
        }
        if course.is_all_done() {
            self.ask_all(When::After, ledger, course).await?;
        }
        Ok(())
    }

    async fn fly(&self, ledger: &mut Ledger, course: &mut Course<'_>) -> Result<(), ApplyError> {
        let mut flights: Flights<'_> = FuturesUnordered::new();
        let mut broken: Option<ApplyError> = None;
        loop {
            if broken.is_none() {
                self.start(course, &mut flights);
            }
            // Everything that has arrived by now goes into one batch.
            while let Some(Some(arrival)) = flights.next().now_or_never() {
                self.land(course, arrival);
                if broken.is_none() {
                    self.start(course, &mut flights);
                }
            }
            let pause = match writing::write(ledger, course, &*self.world.clock, self.retries).await {
                Ok(pause) => pause.filter(|_| broken.is_none()),
                Err(error) => {
                    broken.get_or_insert(error);
                    None
                }
            };
            if broken.is_some() {
                writing::give_up(course);
            }
            self.launch(course, &mut flights);
            if flights.is_empty() && pause.is_none() {
                break;
            }
            tokio::select! {
                arrival = flights.next(), if !flights.is_empty() => if let Some(arrival) = arrival {
                    self.land(course, arrival);
                },
                Some((id, position)) = course.advancing.1.recv() => course.advance(id, position),
                () = async { tokio::time::sleep(pause.unwrap_or_default()).await }, if pause.is_some() => {}
                () = self.stop.changed() => if self.stop.is_urgent() {
                    break;
                },
            }
        }
        broken.map_or(Ok(()), Err)
    }

    /// Begins the last looks of as many ready steps as may run at once.
    fn start<'f>(&'f self, course: &mut Course<'_>, flights: &mut Flights<'f>) {
        let halts = course.fenced || course.unwritten.is_some() || self.stop.is_raised();
        while course.in_flight < self.concurrency.max(1) && !halts && course.parked.is_none() {
            let Some(id) = course.next() else {
                return;
            };
            let step = course.step(id).clone();
            let now = self.world.clock.now();
            let sight =
                Sight { outcomes: &course.outcomes, secrets: self.secrets, seal_key: course.seal_key.as_ref(), now };
            let ground = Ground { world: self.world, kinds: self.kinds };
            let token = token(&course.chain, course.number, &step);
            match ground.ready(&step, token, &sight) {
                Err(refusal) => self.refused(course, id, refusal),
                Ok(mut ready) => {
                    if course.stood.contains(&id) {
                        ready.stands = course.outcomes.recorded(&step.address).cloned();
                    }
                    course.in_flight += 1;
                    course.busy.insert(step.address.clone());
                    let key = course.seal_key.clone();
                    let looking = async move {
                        let found = ground.look(&step, &ready.looks, key.as_ref()).await;
                        ground.learn(&step, &mut ready).await;
                        Arrival::Looked(id, Box::new(ready), found)
                    };
                    flights.push(looking.boxed());
                }
            }
        }
    }

    fn refused(&self, course: &mut Course<'_>, id: StepId, refusal: Refusal) {
        self.listener.event(Event::Failed(course.step(id), &refusal.error));
        if settle::parks(&refusal.error) {
            course.parked = Some(refusal.error.cause.clone());
        }
        course.records.push(Body::Failed {
            run: course.number,
            step: id,
            error: Some(refusal.error.clone()),
            settled: None,
            calls: Vec::new(),
        });
        course.failures.insert(id, Failure { step: id, error: refusal.error, stale: refusal.stale });
    }

    fn land(&self, course: &mut Course<'_>, arrival: Arrival) {
        match arrival {
            Arrival::Looked(id, ready, Ok(before)) => {
                let step = course.step(id).clone();
                let (key, now) = (course.seal_key.as_ref(), self.world.clock.now());
                let Intent { token, before: seen, after, binding, .. } =
                    intent(&step, &ready, before.as_ref(), now, key);
                course.records.push(Body::Intent { run: course.number, step: id, token, before: seen, after, binding });
                let work = work((course.environment, &course.fence), &step, &ready, before);
                course.launches.push_back((id, ready.connection, work));
            }
            Arrival::Looked(id, _, Err(refusal)) => {
                course.leave(id);
                self.refused(course, id, refusal);
            }
            Arrival::Acted(id, since, result, calls) => {
                course.flying.remove(&id);
                course.leave(id);
                self.acted(course, id, since, result, calls);
            }
            Arrival::Asked(id, error, answer, calls) => {
                course.flying.remove(&id);
                course.leave(id);
                self.asked(course, id, error, answer, calls);
            }
        }
    }

    fn acted(
        &self,
        course: &mut Course<'_>,
        id: StepId,
        since: Timestamp,
        result: Result<Object, WorldError>,
        calls: Vec<String>,
    ) {
        let run = course.number;
        let step = course.step(id).clone();
        match result {
            Ok(object) => {
                let milliseconds = self.world.clock.now().as_millisecond() - since.as_millisecond();
                self.listener.event(Event::Done(&step, milliseconds));
                let object = match (step.action.kind(), step.action.after()) {
                    (Some(kind), Some(like)) => mark_like(self.kinds, kind, object, like),
                    _ => object,
                };
                let outcome = seal_object(&object, course.seal_key.as_ref());
                course.records.push(Body::Done { run, step: id, outcome, settled: None, calls });
                course.finish(&step, &object);
            }
            Err(error) => self.failed(course, id, error, None, calls),
        }
    }

    /// An effect that failed without a trace, or of which the world says that it did not happen.
    fn failed(
        &self,
        course: &mut Course<'_>,
        id: StepId,
        error: WorldError,
        settled: Option<Settled>,
        calls: Vec<String>,
    ) {
        if settle::parks(&error) {
            course.parked = Some(error.cause.clone());
        }
        course.fenced |= error.class == ErrorClass::Fenced;
        self.listener.event(Event::Failed(course.step(id), &error));
        course.records.push(Body::Failed { run: course.number, step: id, error: Some(error.clone()), settled, calls });
        course.failures.insert(id, Failure { step: id, error, stale: false });
    }

    /// What the world says of an effect of which nobody heard what became of it.
    fn asked(
        &self,
        course: &mut Course<'_>,
        id: StepId,
        error: WorldError,
        answer: Result<Settlement, WorldError>,
        calls: Vec<String>,
    ) {
        let (run, step) = (course.number, course.step(id));
        match answer.and_then(|answer| Towards::End.read(step, answer)) {
            Ok(Settlement::Done(object)) => {
                self.listener.event(Event::Settled(step, true));
                let outcome = seal_object(&object, course.seal_key.as_ref());
                course.records.push(Body::Done { run, step: id, outcome, settled: Some(Settled::Asked), calls });
                course.finish(step, &object);
            }
            Ok(Settlement::Stands(object, _) | Settlement::GoesOn(object, _)) => {
                self.listener.event(Event::Failed(step, &error));
                let outcome = seal_object(&object, course.seal_key.as_ref());
                course.records.push(Body::Stood { run, step: id, outcome, error: error.clone(), calls });
                course.stood.insert(id);
                course.failures.insert(id, Failure { step: id, error, stale: false });
            }
            Ok(Settlement::NotDone) => self.failed(course, id, error, Some(Settled::Asked), calls),
            // It stays intended: whoever resumes asks again.
            Err(asked) if settle::parks(&asked) => {
                self.listener.event(Event::Progress(step, &asked.cause));
                course.wait_for(Failure { step: id, error: asked, stale: false });
            }
            Ok(Settlement::Doubt(_)) | Err(_) => {
                self.listener.event(Event::Doubted(step, &error));
                course.records.push(Body::Doubted { run, step: id, error: error.clone() });
                course.doubts.insert(id, Failure { step: id, error, stale: false });
            }
        }
    }

    /// Begins the effects whose intents are durable.
    fn launch<'f>(&'f self, course: &mut Course<'_>, flights: &mut Flights<'f>) {
        while let Some((id, connection, work)) = course.cleared.pop_front() {
            let step = course.step(id).clone();
            self.listener.event(Event::Started(&step));
            course.flying.insert(id);
            let since = self.world.clock.now();
            let advanced = course.advancing.0.clone();
            let acting = async move {
                let calls = Mutex::default();
                let telling = Telling { listener: self.listener, step: &step, calls, advanced, stop: &self.stop };
                let end = self.try_patiently(&telling, &connection, &work).await;
                let calls = telling.calls.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
                match end {
                    Tried::Over(result) => Arrival::Acted(id, since, result, calls),
                    Tried::Unheard(error, answer) => Arrival::Asked(id, error, answer, calls),
                }
            };
            flights.push(acting.boxed());
        }
    }

    /// Ends the run, if it is over.
    async fn end(&self, ledger: &mut Ledger, course: &Course<'_>, outcome: &Outcome) -> Result<(), ApplyError> {
        let run = course.number;
        let now = self.world.clock.now();
        let bodies = if outcome.is_complete() {
            let sight =
                Sight { outcomes: &course.outcomes, secrets: self.secrets, seal_key: course.seal_key.as_ref(), now };
            let outputs = super::outcome::outputs(course.change_set, &sight, course.seal_key.as_ref());
            let ended = Body::Ended { run, result: RunResult::Complete, outputs };
            std::iter::once(ended).chain(ledger.state().holds_of_rollback(run)).collect()
        } else if let Some(reason) = &outcome.parked {
            vec![Body::Parked { run, reason: reason.clone() }]
        } else if course.is_without_effect() && !ledger.state().took_over(run) {
            vec![Body::Ended { run, result: RunResult::WithoutEffect, outputs: BTreeMap::new() }]
        } else {
            return Ok(());
        };
        ledger.append(now, bodies).await?;
        Ok(())
    }
}

/// Only a rollback may follow an unfinished run, and only when nothing about that is in doubt.
fn give_up(run: &Run, change_set: &ChangeSet) -> Result<Body, ApplyError> {
    if !matches!(change_set.operation, Operation::Rollback { .. }) {
        return Err(ApplyError::Refused(format!("run {} is unfinished; `resume` or `rollback` it first", run.number)));
    }
    if run.open().next().is_some() {
        return Err(ApplyError::Refused(format!("steps of run {} are in doubt; settle them first", run.number)));
    }
    Ok(Body::Ended { run: run.number, result: RunResult::TakenBack, outputs: BTreeMap::new() })
}

fn not_good(step: &Step, why: String) -> WorldError {
    WorldError {
        tried: format!("{} {}", step.action.verb(), step.title()),
        cause: why,
        help: Some("roll back, or mend the cause and plan again after a rollback".to_owned()),
        class: ErrorClass::Refused,
    }
}

fn doubtful(step: &Step, now: &str) -> WorldError {
    WorldError {
        tried: format!("ask what became of {} {}", step.action.verb(), step.title()),
        cause: format!("it is neither as before nor as planned: {now}"),
        help: Some("look at it yourself, and put it into one of the two states; then resume or roll back".to_owned()),
        class: ErrorClass::Refused,
    }
}
