//! Carrying out a change set as the verbs need it: under the lease, with progress, verified at the end.
//!
//! Invariant: what was planned before the lease was held is carried out only if nobody wrote in between.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::confirm::Consent;
use super::exit::Exit;
use super::failure::Failure;
use super::gate::{self, Pass};
use super::patience::Patience;
use super::planning::{self, Proofs};
use super::progress::Reporter;
use super::report::{Cause, Ending, Report, shown_time};
use super::session::{Resolved, Session, quoted};
use super::stop;
use super::telling;
use super::trace::{Both, Trace};
use crate::address::Address;
use crate::apply::{ApplyError, Executor, Outcome, Retries, StopSignal};
use crate::digest::Digest;
use crate::ledger::{Body, LeaseTerms, Ledger, Project, State, StepState, StoreError};
use crate::notice::receiver::Delivery;
use crate::rollback::Depth;
use crate::secret::Secrets;
use crate::step::{ChangeSet, Operation, Step};
use crate::verify::{self, Verdict};
use crate::world::ErrorClass;

/// How many steps run at once.
const CONCURRENCY: usize = 10;

/// What a ledger is held for.
#[derive(Clone, Copy, Debug)]
pub struct Intention<'a> {
    /// The environment.
    pub environment: &'a str,
    /// The project, where the chain is begun if it is not there yet.
    pub project: Option<&'a str>,
    /// The verb, for those who have to wait meanwhile.
    pub verb: &'a str,
}

/// A ledger that will be written, and its lease as soon as it is needed. The lease is given back at the end.
pub struct Hold<'a> {
    /// The ledger.
    pub ledger: Ledger,
    session: &'a Session,
    project: Option<Project>,
    terms: LeaseTerms,
    leased: bool,
    /// What was told ahead of the record that it follows from.
    ahead: BTreeSet<Delivery>,
}

/// What is to be carried out.
pub enum Work {
    /// A new run of this change set, made from a source with this digest, and the leave to begin it.
    Begin(Box<ChangeSet>, Digest, Pass),
    /// The unfinished run.
    Resume,
}

/// What planning again is held against.
pub enum Aim<'a> {
    /// The spec.
    Spec(&'a Resolved),
    /// What the ledger says.
    Ledger(&'a dyn Secrets),
}

impl Aim<'_> {
    /// Where secrets come from.
    pub fn secrets(&self) -> &dyn Secrets {
        match self {
            Self::Spec(resolved) => &*resolved.secrets,
            Self::Ledger(secrets) => *secrets,
        }
    }
}

impl<'a> Hold<'a> {
    /// Opens the ledger. Where nobody will be asked, the lease is taken first, so that waiting for another run
    /// comes before planning; else only when the answer is there.
    ///
    /// # Errors
    /// When the ledger cannot be read, or another run holds it.
    pub fn open(session: &'a Session, intention: Intention<'_>, consent: Consent) -> Result<Self, Failure> {
        let Intention { environment, project, verb } = intention;
        let store = session.store(environment)?;
        let terms = session.lease_terms(&format!("{verb} {environment}"))?;
        let ledger = session.wait(Ledger::open(store))?;
        let named = |project: &str| Project { project: project.to_owned(), environment: environment.to_owned() };
        let chain = ledger.state().chain.as_ref().map(|chain| chain.project.clone());
        let project = chain.as_deref().or(project).map(named);
        let mut hold = Self { ledger, session, project, terms, leased: false, ahead: BTreeSet::new() };
        if consent == Consent::Given && hold.project.is_some() {
            hold.take()?;
        }
        Ok(hold)
    }

    /// Takes the lease, if it is not held yet.
    ///
    /// # Errors
    /// When another run holds it, or has written since the ledger was read.
    pub fn secure(&mut self) -> Result<(), Failure> {
        if self.leased {
            return Ok(());
        }
        let known = self.ledger.state().changes;
        self.take()?;
        match self.ledger.state().changes == known {
            true => Ok(()),
            false => Err(Failure::new(Exit::Stale, "another run has changed the environment since it was planned")
                .help("nothing was done; type the same again")),
        }
    }

    fn take(&mut self) -> Result<(), Failure> {
        let Some(project) = self.project.clone() else {
            return Err(Failure::failed("nothing was ever applied here, so there is nothing to hold"));
        };
        let session = self.session;
        session.wait(lease(session, &mut self.ledger, &self.terms, &project))?;
        self.leased = true;
        Ok(())
    }

    /// Records who is told, as the spec says, where there is one.
    ///
    /// # Errors
    /// When the ledger cannot be written.
    pub fn note_receivers(&mut self, aim: &Aim<'_>) -> Result<(), Failure> {
        match aim {
            Aim::Spec(resolved) if self.leased => {
                let noted = telling::note_receivers(self.session, &mut self.ledger, &resolved.receivers);
                Ok(self.session.wait(noted)?)
            }
            Aim::Spec(_) | Aim::Ledger(_) => Ok(()),
        }
    }

    /// Waits for a stage, and renews the lease meanwhile.
    pub fn wait<T>(&self, stage: impl Future<Output = T>) -> T {
        let keeper = self.ledger.keeper();
        self.session.wait(beside(keeper, stage))
    }
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if self.leased {
            let keeper = self.ledger.keeper();
            self.session.wait(beside(keeper, telling::deliver(self.session, &mut self.ledger, &self.ahead)));
            let now = self.session.world.clock.now();
            if let Err(error) = self.session.wait(self.ledger.release(now)) {
                tracing::warn!(%error, "the lease could not be given back; it runs out by itself");
            }
        }
    }
}

/// Does the work, and renews the lease meanwhile.
async fn beside<T>(keeper: impl Future<Output = ()>, work: impl Future<Output = T>) -> T {
    tokio::select! {
        biased;
        done = work => done,
        () = keeper => unreachable!("a keeper never ends by itself"),
    }
}

async fn lease(session: &Session, ledger: &mut Ledger, terms: &LeaseTerms, project: &Project) -> Result<(), Failure> {
    let begun = Instant::now();
    let mut patience = Patience::new(session.globals.lock_timeout, std::process::id());
    let mut told = false;
    loop {
        match ledger.take_lease(terms, project).await {
            Ok(()) => return Ok(()),
            Err(error @ StoreError::Leased { .. }) => {
                let Some(pause) = patience.pause(begun.elapsed()) else { return Err(error.into()) };
                if !told {
                    session.terminal.say(&format!("waiting: {error}"));
                    told = true;
                }
                tokio::time::sleep(pause).await;
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// Carries out, verifies, and reports.
///
/// # Errors
/// When nothing was begun. What was begun ends in a report, whatever became of it.
pub fn carry_out(session: &Session, hold: &mut Hold<'_>, work: Work, aim: &Aim<'_>) -> Result<Report, Failure> {
    hold.secure()?;
    hold.note_receivers(aim)?;
    admit(session, hold, &work)?;
    if let Work::Begin(change_set, ..) = &work {
        let told = hold.wait(telling::ahead(session, hold.ledger.state(), change_set));
        hold.ahead.extend(told);
    }
    let keeper = hold.ledger.keeper();
    session.wait(beside(keeper, async {
        let begun_before = hold.ledger.state().runs.len();
        let (stop, _listening) = stop::listen(&session.terminal);
        let resumed = matches!(work, Work::Resume);
        let result = run(session, &mut hold.ledger, work, aim, stop).await;
        let began = resumed || hold.ledger.state().runs.len() > begun_before;
        let ending = match (result, began) {
            (Err(error), false) => return Err(refused(session, &hold.ledger, error)),
            (Err(error), true) => broken(session, &hold.ledger, error),
            (Ok(outcome), _) => ending(&outcome),
        };
        let mut report = report(session, &hold.ledger, &ending);
        if report.result == Exit::Done {
            verify(session, &mut hold.ledger, aim, &mut report).await;
        }
        report.note(&hold.ledger);
        Ok(report)
    }))
}

/// Says in the ledger what lets a run in; an unfinished one is judged again.
///
/// # Errors
/// When it must not go on, or the ledger cannot be written.
fn admit(session: &Session, hold: &mut Hold<'_>, work: &Work) -> Result<(), Failure> {
    let state = hold.ledger.state();
    match work {
        Work::Resume => gate::refuse_unfinished(session, state),
        Work::Begin(_, _, pass) => {
            let Some(admission) = pass.admission().cloned().map(Box::new) else { return Ok(()) };
            let run = state.runs.last().map_or(1, |run| run.number + 1);
            let body = Body::Admitted { run, actor: session.actor.clone(), admission };
            Ok(session.wait(hold.ledger.append(session.world.clock.now(), vec![body]))?)
        }
    }
}

async fn run(
    session: &Session,
    ledger: &mut Ledger,
    work: Work,
    aim: &Aim<'_>,
    stop: StopSignal,
) -> Result<Outcome, ApplyError> {
    let next = ledger.state().runs.last().map_or(1, |run| run.number + 1);
    let (total, trace) = match &work {
        Work::Begin(change_set, ..) => {
            (change_set.steps.len(), Trace::begin(session, ledger.state(), next, change_set))
        }
        Work::Resume => ledger.state().unfinished().map_or((0, None), |run| {
            (run.change_set.steps.len(), Trace::begin(session, ledger.state(), run.number, &run.change_set))
        }),
    };
    let reporter = Reporter::new(&session.terminal, &session.world.clock, total);
    let executor = Executor {
        world: &session.world,
        kinds: &session.kinds,
        secrets: aim.secrets(),
        listener: &Both(&reporter, trace.as_ref()),
        concurrency: CONCURRENCY,
        stop,
        retries: Retries::default(),
    };
    let actor = session.actor.clone();
    let result = match work {
        Work::Begin(change_set, source, _) => executor.apply(ledger, *change_set, source, actor).await,
        Work::Resume => executor.resume(ledger, actor).await,
    };
    if let Some(trace) = trace {
        trace.send(session, result.is_ok()).await;
    }
    result
}

/// Asks the world about every step of the unfinished run whose outcome nobody heard.
///
/// # Errors
/// When a step stays in doubt, or the ledger cannot be written.
pub fn settle(session: &Session, hold: &mut Hold<'_>, secrets: &dyn Secrets) -> Result<(), Failure> {
    let Some(run) = hold.ledger.state().unfinished().filter(|run| run.open().next().is_some()) else {
        return Ok(());
    };
    let total = run.change_set.steps.len();
    hold.secure()?;
    let keeper = hold.ledger.keeper();
    session.wait(beside(keeper, async {
        let reporter = Reporter::new(&session.terminal, &session.world.clock, total);
        let executor = Executor {
            world: &session.world,
            kinds: &session.kinds,
            secrets,
            listener: &reporter,
            concurrency: 1,
            stop: StopSignal::default(),
            retries: Retries::default(),
        };
        let doubts = executor.settle(&mut hold.ledger).await.map_err(|error| refused(session, &hold.ledger, error))?;
        if doubts.is_empty() {
            return Ok(());
        }
        let run = hold.ledger.state().unfinished().expect("only an unfinished run is settled");
        let titles = doubts.iter().map(|doubt| {
            let title = run.change_set.step(doubt.step).map(crate::step::Step::title).unwrap_or_default();
            (title, &doubt.error)
        });
        let environment = &run.change_set.environment;
        if doubts.iter().all(|doubt| doubt.error.class == ErrorClass::Pending) {
            let mut failure = Failure::world("steps go on in the world; nothing was taken back yet", titles);
            failure.exit = Exit::Parked;
            return Err(failure.help("type the same again when they have come to their end"));
        }
        let mut failure = Failure::world("steps stay in doubt: the world says neither done nor not done", titles);
        failure.exit = Exit::Doubt;
        let status = session.command(&format!("status {environment}"));
        let addresses = doubts.iter().filter_map(|doubt| run.change_set.step(doubt.step)).map(|step| &step.address);
        let settle = addresses.map(|address| settle_command(session, environment, address)).next().unwrap_or_default();
        Err(failure
            .help(format!("look at them:  {status}"))
            .help(format!("if the world cannot be asked, a person's word does: {settle}")))
    }))
}

/// How a person's word is typed.
pub fn settle_command(session: &Session, environment: &str, address: &Address) -> String {
    let address = quoted(&address.to_string());
    session.command(&format!("settle {environment} {address} --as done|not-done --reason WHY"))
}

/// What only the run knew.
fn ending(outcome: &Outcome) -> Ending {
    let stale = !outcome.failed.is_empty() && outcome.failed.iter().all(|failure| failure.stale);
    let pending = outcome.doubted.iter().filter(|doubt| doubt.error.class == ErrorClass::Pending);
    Ending {
        cause: if stale { Cause::Stale } else { Cause::Steps },
        under_way: pending.map(|doubt| doubt.step).collect(),
    }
}

/// The ledger could not be written while the run was under way: what is told next comes from what it holds.
fn broken(session: &Session, ledger: &Ledger, error: ApplyError) -> Ending {
    let cause = match &error {
        ApplyError::Ledger(StoreError::Lost { by, .. }) => Cause::Lost(by.clone()),
        ApplyError::Ledger(StoreError::Leased { holder, .. }) => Cause::Lost(holder.clone()),
        ApplyError::Ledger(_) | ApplyError::Stale(_) | ApplyError::Refused(_) | ApplyError::World(_) => Cause::Steps,
    };
    session.terminal.talk(&refused(session, ledger, error).text());
    Ending { cause, ..Ending::default() }
}

fn refused(session: &Session, ledger: &Ledger, error: ApplyError) -> Failure {
    match error {
        ApplyError::Stale(moved) => {
            Failure::new(Exit::Stale, "the plan is stale; nothing was done").cause(moved).help("plan again")
        }
        ApplyError::Refused(why) => match ledger.state().unfinished() {
            Some(run) => unfinished(session, &run.change_set.environment, run.number),
            None => Failure::failed(why),
        },
        ApplyError::World(error) => {
            let mut failure =
                Failure::failed("the world could not be asked; nothing was done").cause(error.to_string());
            failure.help.extend(error.help);
            if error.class == ErrorClass::Expired {
                failure.exit = Exit::Parked;
            }
            failure
        }
        ApplyError::Ledger(error) => error.into(),
    }
}

/// An earlier run stands in the way.
pub fn unfinished(session: &Session, environment: &str, run: u64) -> Failure {
    Failure::new(
        Exit::Unfinished,
        format!("run {run} of {environment} is unfinished, and this is not the same one; nothing was done"),
    )
    .help(format!("finish it:     {}", session.command(&format!("resume {environment}"))))
    .help(format!("or go back:    {}", session.command(&format!("rollback {environment} --last"))))
}

fn report(session: &Session, ledger: &Ledger, ending: &Ending) -> Report {
    let run = ledger.state().runs.last().expect("a run was begun");
    let mut report = Report::of(run, ledger.state(), ending);
    let environment = &run.change_set.environment;
    let command = |text: &str| session.command(&format!("{text} {environment}"));
    let two_ways = || vec![command("resume"), format!("{} --last", command("rollback"))];
    let next = match report.result {
        Exit::Unfinished if run.ended.is_some() => owed_command(session, ledger.state()).into_iter().collect(),
        Exit::Unfinished => two_ways(),
        Exit::Doubt => {
            let doubted = |step: &&Step| matches!(run.steps.get(&step.id), Some(StepState::Doubted(..)));
            let steps = run.change_set.steps.iter().filter(doubted);
            two_ways()
                .into_iter()
                .chain(steps.map(|step| settle_command(session, environment, &step.address)))
                .collect()
        }
        Exit::Parked => vec![command("resume")],
        Exit::Stale => vec![command("plan")],
        Exit::Leased => vec![command("status")],
        // The ledger could not be written: nothing was done, but the run stands in it as begun.
        Exit::Failed if run.ended.is_none() => two_ways(),
        _ => Vec::new(),
    };
    report.next = next;
    report
}

/// What to type when what is owed can be reached again.
pub fn owed_command(session: &Session, state: &State) -> Option<String> {
    let newest = state.owed.values().map(|owed| owed.run).max()?;
    let run = state.runs.iter().rev().find(|run| run.number == newest)?;
    match run.change_set.operation {
        Operation::Rollback { to } => {
            let schema = if run.change_set.with_schema { " --with-schema" } else { "" };
            Some(session.command(&format!("rollback {} --to {to}{schema}", run.change_set.environment)))
        }
        Operation::Apply | Operation::Destroy | Operation::Edit(_) => None,
    }
}

/// Refuses a spec that is held.
///
/// # Errors
/// When it is.
pub fn refuse_held(session: &Session, state: &State, environment: &str, spec: Digest) -> Result<(), Failure> {
    let Some(hold) = state.holds.get(&spec) else {
        return Ok(());
    };
    let since = shown_time(hold.since);
    let release = state.release_held(&spec, hold).map(|release| format!(", {release}")).unwrap_or_default();
    let summary = format!("this spec ({}{release}) is held in {environment}; nothing was done", spec.short());
    let lift = session.command(&format!("hold {environment} lift {} --reason WHY", spec.short()));
    Err(Failure::new(Exit::Held, summary)
        .cause(format!("held since {since}: {}", hold.reason))
        .help("apply something newer: whatever is not this very spec goes through")
        .help(format!("or lift the hold:  {lift}")))
}

/// Records that everything is as it should be again, owed things among it: this plan is empty.
///
/// # Errors
/// When the lease is held by another, or the ledger cannot be written.
pub fn nothing_is_owed(session: &Session, hold: &mut Hold<'_>, empty: &ChangeSet) -> Result<(), Failure> {
    hold.secure()?;
    let keeper = hold.ledger.keeper();
    let now = session.world.clock.now();
    session.wait(beside(keeper, verify::verify(&mut hold.ledger, empty, BTreeMap::new(), now)))?;
    Ok(())
}

/// Plans again and records that it was empty.
async fn verify(session: &Session, ledger: &mut Ledger, aim: &Aim<'_>, report: &mut Report) {
    let again = match aim {
        Aim::Ledger(_) if !ledger.state().owed.is_empty() => return still_owed(session, ledger, report),
        Aim::Spec(resolved) => {
            let options = crate::plan::Options::default();
            planning::plan(session, ledger, resolved, &options, Proofs::Unasked).await
        }
        Aim::Ledger(secrets) => {
            let newest = ledger.state().runs.last().map_or(0, |run| run.number);
            planning::back(session, ledger, (newest, Depth::AsNeeded), &BTreeSet::new(), *secrets, Proofs::Unasked)
                .await
        }
    };
    let verdict = match again {
        Ok(again) => verify::verify(ledger, &again.change_set, again.databases, session.world.clock.now())
            .await
            .map_err(Failure::from),
        Err(failure) => Err(failure),
    };
    let environment = report.environment.clone();
    // What is only recorded otherwise has not changed the world: how that is, is told, and no failure.
    let only_recorded = matches!(report.operation, crate::step::Operation::Edit(_));
    match verdict {
        Ok(Verdict::Verified) => report.verified = Some(true),
        Ok(Verdict::Differs(titles)) => {
            report.verified = Some(false);
            report.unverified =
                titles.into_iter().map(|title| format!("planning again would still change {title}")).collect();
            report.next = vec![session.command(&format!("plan {environment}"))];
            if !only_recorded {
                report.end_with(Exit::Drift);
            }
        }
        // The run did what it was to do; that the rest of the environment is as the spec says is not recorded.
        Ok(Verdict::Elsewhere(titles)) => {
            report.verified = Some(false);
            report.unverified =
                titles.into_iter().map(|title| format!("what this run did not touch differs: {title}")).collect();
            report.next = vec![session.command(&format!("plan {environment}"))];
        }
        Err(failure) => {
            report.verified = Some(false);
            let mistakes = failure.diagnostics.iter().map(|one| match &one.detail {
                Some(detail) => format!("{}: {detail}", one.summary),
                None => one.summary.clone(),
            });
            report.unverified =
                std::iter::once(&failure.summary).chain(&failure.causes).cloned().chain(mistakes).collect();
            if !only_recorded {
                report.next = vec![session.command(&format!("resume {environment}"))];
                report.end_with(if failure.exit == Exit::Leased { Exit::Leased } else { Exit::Unfinished });
            }
        }
    }
}

/// What is owed was not looked at, so the environment is not whole.
fn still_owed(session: &Session, ledger: &Ledger, report: &mut Report) {
    report.owed = ledger.state().owed.keys().map(ToString::to_string).collect();
    report.verified = Some(false);
    report.unverified = vec!["what is owed has not been taken back yet".to_owned()];
    report.next = owed_command(session, ledger.state()).into_iter().collect();
    report.end_with(Exit::Unfinished);
}

/// Verifies the newest run once more, for when it could not be done right after it.
///
/// # Errors
/// When the lease is held by another.
pub fn verify_again(session: &Session, hold: &mut Hold<'_>, aim: &Aim<'_>) -> Result<Report, Failure> {
    hold.secure()?;
    let keeper = hold.ledger.keeper();
    session.wait(beside(keeper, async {
        let mut report = report(session, &hold.ledger, &Ending::default());
        verify(session, &mut hold.ledger, aim, &mut report).await;
        report.note(&hold.ledger);
        Ok(report)
    }))
}
