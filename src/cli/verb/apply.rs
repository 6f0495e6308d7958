//! `switchback apply`: carries out a change set.

use crate::cli::aged;
use crate::cli::arguments::Subject;
use crate::cli::budget;
use crate::cli::carry::{self, Aim, Hold, Intention, Work};
use crate::cli::confirm::{Consent, confirm};
use crate::cli::door;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::gate::{self, Asking, Pass};
use crate::cli::images;
use crate::cli::on_failure::{OnFailure, after_failure};
use crate::cli::plan_file::PlanFile;
use crate::cli::planning::{self, Proofs, Proved};
use crate::cli::policies;
use crate::cli::promotion;
use crate::cli::refused;
use crate::cli::releasing;
use crate::cli::report::Report;
use crate::cli::session::{Resolved, Session};
use crate::cli::showing::talk_review;
use crate::cli::spec::{self, Brought};
use crate::cli::subject::Typed;
use crate::cli::unproved::{self, Accepting, Rehearsing};
use crate::cli::wanting;
use crate::digest::Digest;
use crate::ledger::{Run, RunResult};
use crate::plan::Options;
use crate::review::Review;
use crate::review::grounds::Grounds;
use crate::rollback::Depth;
use crate::secret::Secrets;
use crate::step::{ChangeSet, Operation};

const AFTER_HELP: &str = "\
Examples:
  switchback apply dev                    plan, show the review, ask, carry out, verify
  switchback apply dev --auto-approve     without the question, as in a CI
  switchback apply s.plan.json            exactly what was saved; never asks, and refuses if
                                          what it rests on has moved
  switchback apply dev --on-failure=rollback
                                          if a step or a check fails, take it back (exit 12)
  switchback apply dev --accept-unproved 3
                                          run step 3 although it could not be rehearsed

If an earlier run of the environment is unfinished, it is finished first when it is the same
one, and otherwise the apply is refused. Ctrl-C stops cleanly: steps under way finish and are
recorded; `switchback resume ENV` goes on. Migrations that were not rehearsed, or whose
way back fails, are refused (exit 9) unless their steps are named, and so is what has to be
signed and is not (`approve`).";

/// Carry out a change set
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
    /// What to do when a step fails
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    on_failure: OnFailure,
    #[command(flatten)]
    rehearsing: Rehearsing,
    #[command(flatten)]
    accepting: Accepting,
}

/// Runs the verb.
///
/// # Errors
/// When nothing was begun.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let report = match Typed::read(session, &arguments.subject)? {
        Typed::Plan(file) => apply_file(session, *file, arguments)?,
        Typed::Environment(environment) => {
            let consent = Consent::of(arguments.auto_approve);
            let resolved = session.resolve(&environment)?;
            let wish = Wish {
                verb: "apply",
                consent,
                on_failure: arguments.on_failure,
                rehearsing: arguments.rehearsing,
                accepting: &arguments.accepting,
            };
            apply_spec(session, resolved, wish)?
        }
    };
    session.terminal.show(&report);
    Ok(report.result)
}

/// How a spec is to be applied.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// The verb that was typed.
    pub verb: &'static str,
    /// Whether it is asked for a confirmation.
    pub consent: Consent,
    /// What to do when a step fails.
    pub on_failure: OnFailure,
    /// Whether migrations are rehearsed.
    pub rehearsing: Rehearsing,
    /// What may run unproved.
    pub accepting: &'a Accepting,
}

/// Plans the spec and carries that out, after finishing what it had begun earlier.
///
/// # Errors
/// When nothing was begun.
pub fn apply_spec(session: &Session, resolved: Resolved, wish: Wish<'_>) -> Result<Report, Failure> {
    let Wish { verb, consent, on_failure, rehearsing, accepting } = wish;
    door::refuse_branch(session, &resolved.desired.environment)?;
    let environment = resolved.desired.environment.name.clone();
    let environment = environment.as_str();
    let project = resolved.desired.project.clone();
    let mut hold = Hold::open(session, Intention { environment, project: Some(&project), verb: "apply" }, consent)?;
    let resolved = &images::pin(session, hold.ledger.state(), resolved)?;
    let source = resolved.desired.spec_digest;
    let aim = Aim::Spec(resolved);
    carry::refuse_held(session, hold.ledger.state(), environment, source)?;
    let mut finished = None;
    if let Some(run) = hold.ledger.state().unfinished() {
        if !is_same(run, source) {
            return Err(carry::unfinished(session, environment, run.number));
        }
        let question = format!("Run {} of {environment} is the same and unfinished. Finish it?", run.number);
        confirm(&session.terminal, consent, &question)?;
        let report = carry::carry_out(session, &mut hold, Work::Resume, &aim)?;
        if report.result != Exit::Done {
            return Ok(after_failure(session, &mut hold, report, &aim, on_failure));
        }
        finished = Some(report);
    }
    let (options, proofs) = (Options::default(), Proofs::From(rehearsing.effort()));
    let proved = hold.wait(planning::plan(session, &hold.ledger, resolved, &options, proofs))?;
    let Proved { change_set, grounds, .. } = proved;
    let stands = outputs_stand(&change_set, &hold) && all_else_stands(&change_set, &hold);
    if change_set.steps.is_empty() && stands {
        return match finished {
            Some(report) => Ok(report),
            None => nothing(session, &mut hold, &aim, &change_set),
        };
    }
    talk_review(session, &Review::proved(&change_set, &grounds));
    if change_set.steps.is_empty() && !checks_stand(&change_set, &hold) {
        session.terminal.say("what is asked has changed, so it is asked of what is there");
    }
    refused::refuse(&change_set, &grounds.findings)?;
    unproved::refuse(session, accepting, &change_set, &grounds.evidence, &unproved::typed(verb, environment))?;
    budget::refuse(&change_set, &grounds)?;
    promotion::refuse(session, hold.ledger.state(), &change_set, &grounds)?;
    let author = Some(&*session.actor.name);
    let pass = let_pass(session, &mut hold, (&change_set, &grounds), (author, None, Some(resolved)))?;
    confirm(&session.terminal, consent, &format!("Apply this to {environment}?")).map_err(|failure| {
        match (verb, failure.help.is_empty()) {
            ("apply", false) => {
                let plan = session.command(&format!("plan {environment} --out {environment}.plan.json"));
                failure.help(format!("or save it, and `apply` what was saved:  {plan}"))
            }
            _ => failure,
        }
    })?;
    deposit(session, &mut hold, &change_set, &grounds)?;
    let report = carry::carry_out(session, &mut hold, Work::Begin(Box::new(change_set), source, pass), &aim)?;
    Ok(after_failure(session, &mut hold, report, &aim, on_failure))
}

/// Whether a run was begun from the same spec (or a plan saved of it).
fn is_same(run: &Run, source: Digest) -> bool {
    let from_spec = run.change_set.operation == Operation::Apply && run.change_set.spec_digest == Some(source);
    run.source == source || from_spec
}

/// Outputs may change although no step is to be taken; then a run of no steps records them.
pub(super) fn outputs_stand(change_set: &ChangeSet, hold: &Hold<'_>) -> bool {
    let recorded = &hold.ledger.state().things.outputs;
    hold.ledger.state().runs.is_empty()
        || (change_set.outputs.len() == recorded.len()
            && change_set.outputs.iter().all(|(name, output)| recorded.get(name) == Some(&output.value)))
}

/// Who may sign may change although no step is to be taken; then a run of no steps records that.
fn rules_stand(change_set: &ChangeSet, hold: &Hold<'_>) -> bool {
    let state = hold.ledger.state();
    let applied = state.signatures.rules.as_ref();
    // Where rules count, so does what protects them.
    let is_as_it_was = applied.is_none() || state.standing() == change_set.standing;
    applied == change_set.approval_rules.as_deref() && is_as_it_was
}

/// A release may be another one although no step is to be taken; then a run of no steps records that.
fn release_stands(change_set: &ChangeSet, hold: &Hold<'_>) -> bool {
    let brought = change_set.release.as_ref().map(|carried| carried.id);
    brought.is_none() || brought == hold.ledger.state().release_in_force()
}

/// The gates may be others although no step is to be taken; then a run of no steps records that.
fn gates_stand(change_set: &ChangeSet, hold: &Hold<'_>) -> bool {
    *hold.ledger.state().gates() == change_set.gates
}

/// What tags stand for may be known of others although no step is to be taken; then a run of no steps records that.
fn images_stand(change_set: &ChangeSet, hold: &Hold<'_>) -> bool {
    let in_force = hold.ledger.state().apply_in_force();
    let recorded = in_force.is_some_and(|run| run.change_set.images.pinned == change_set.images.pinned);
    recorded || change_set.images.pinned.is_empty()
}

/// Puts the release that a change set brings into the ledger, before its run begins.
fn deposit(session: &Session, hold: &mut Hold<'_>, change_set: &ChangeSet, grounds: &Grounds) -> Result<(), Failure> {
    let source = change_set.release.as_ref().and_then(|carried| carried.from.as_ref());
    match (&grounds.promotion, source) {
        (Some(promotion), Some(source)) => releasing::deposit(session, hold, &promotion.parcel, &source.environment),
        (_, None) | (None, Some(_)) => Ok(()),
    }
}

/// What is asked may change although no step is to be taken; then a run of no steps asks it.
fn checks_stand(change_set: &ChangeSet, hold: &Hold<'_>) -> bool {
    let is_whole = |run: &&Run| matches!(run.ended, Some((RunResult::Complete, _)));
    let newest = hold.ledger.state().runs.iter().rev().find(is_whole);
    newest.map_or(change_set.checks.is_empty(), |run| run.change_set.asks_as(change_set))
}

/// What is recorded beside things and outputs is as it was.
fn all_else_stands(change_set: &ChangeSet, hold: &Hold<'_>) -> bool {
    rules_stand(change_set, hold)
        && images_stand(change_set, hold)
        && gates_stand(change_set, hold)
        && checks_stand(change_set, hold)
        && release_stands(change_set, hold)
}

/// There is nothing to do, which is a verification, too.
fn nothing(session: &Session, hold: &mut Hold<'_>, aim: &Aim<'_>, change_set: &ChangeSet) -> Result<Report, Failure> {
    hold.note_receivers(aim)?;
    let state = hold.ledger.state();
    let mut report = Report::nothing(&change_set.environment, change_set.operation, state);
    report.note(&hold.ledger);
    let verified = state.verified.as_ref();
    let newest = state.runs.last().map(|run| run.number);
    if newest.is_some()
        && verified.is_none_or(|seen| Some(seen.run) != newest || seen.spec_digest != change_set.spec_digest)
    {
        let again = carry::verify_again(session, hold, aim)?;
        report.verified = again.verified;
        report.ledger = again.ledger;
    }
    Ok(report)
}

/// Carries out a saved change set.
fn apply_file(session: &Session, file: PlanFile, arguments: &Arguments) -> Result<Report, Failure> {
    let digest = file.digest;
    let author = file.author.as_ref().map(|author| author.name.clone());
    let pins = file.aged.clone();
    let (change_set, grounds) = file.take();
    let environment = change_set.environment.clone();
    let resolved = checkout_of(session, &change_set, &grounds)?;
    let project = change_set.project.clone();
    let intention = Intention { environment: &environment, project: Some(&project), verb: "apply" };
    let mut hold = Hold::open(session, intention, Consent::Given)?;
    let without_spec = spec::secrets(session, hold.ledger.state(), Some(&change_set))?;
    let aim = match &resolved {
        Some(resolved) => Aim::Spec(resolved),
        None => Aim::Ledger(&*without_spec),
    };
    let subject = &arguments.subject;
    let typed = subject.plan.as_ref().map(|path| path.display().to_string()).or(subject.environment.clone());
    let typed = typed.unwrap_or_default();
    let unfinished = hold.ledger.state().unfinished().map(|run| (run.number, run.change_set.digest()));
    let is_unfinished = unfinished.as_ref().is_some_and(|(_, known)| *known == digest);
    if let Some(report) = applied_already(session, &mut hold, &digest, &aim)? {
        return Ok(report);
    }
    aged::refuse_changed(&pins, &session.root())?;
    if let Some(spec) = change_set.spec_digest {
        carry::refuse_held(session, hold.ledger.state(), &environment, spec)?;
    }
    let from = (author.as_deref(), Some(&*typed), resolved.as_ref());
    let work = match (unfinished, change_set.operation) {
        _ if is_unfinished => Work::Resume,
        (Some((run, _)), Operation::Apply | Operation::Destroy) => {
            return Err(carry::unfinished(session, &environment, run));
        }
        (_, Operation::Rollback { to }) => {
            let again = Proved {
                change_set: &change_set,
                grounds: grounds.clone(),
                databases: std::collections::BTreeMap::new(),
            };
            judge_again(session, &mut hold, &again, to, aim.secrets())?;
            let pass = let_pass(session, &mut hold, (&change_set, &grounds), from)?;
            Work::Begin(Box::new(change_set), digest, pass)
        }
        _ if change_set.steps.is_empty() && all_else_stands(&change_set, &hold) => {
            return Ok(Report::nothing(&environment, change_set.operation, hold.ledger.state()));
        }
        _ => {
            // What was signed is what was found when it was planned; who asks and when may differ by now.
            let mut now = grounds.clone();
            policies::ask(session, policies::at_hand(session, &environment), &change_set, &mut now);
            refused::refuse(&change_set, &now.findings)?;
            let words = unproved::typed("apply", &typed);
            unproved::refuse(session, &arguments.accepting, &change_set, &grounds.evidence, &words)?;
            budget::refuse(&change_set, &grounds)?;
            promotion::refuse(session, hold.ledger.state(), &change_set, &grounds)?;
            let pass = let_pass(session, &mut hold, (&change_set, &grounds), from)?;
            deposit(session, &mut hold, &change_set, &grounds)?;
            Work::Begin(Box::new(change_set), digest, pass)
        }
    };
    let report = carry::carry_out(session, &mut hold, work, &aim)?;
    Ok(after_failure(session, &mut hold, report, &aim, arguments.on_failure))
}

/// Leave to begin; that signatures are missing is told.
fn let_pass(
    session: &Session,
    hold: &mut Hold<'_>,
    (change_set, grounds): (&ChangeSet, &Grounds),
    (author, file, resolved): (Option<&str>, Option<&str>, Option<&Resolved>),
) -> Result<Pass, Failure> {
    let asking = Asking { change_set, grounds, author, file, break_glass: None };
    let receivers = resolved.map(|resolved| &*resolved.receivers);
    gate::pass(session, hold.ledger.state(), asking)
        .inspect_err(|_| wanting::approval_wanted(session, hold, asking, receivers))
}

/// A saved plan that was carried out already has nothing left to do, as long as nothing was changed since.
///
/// # Errors
/// When something was.
fn applied_already(
    session: &Session,
    hold: &mut Hold<'_>,
    digest: &Digest,
    aim: &Aim<'_>,
) -> Result<Option<Report>, Failure> {
    let state = hold.ledger.state();
    let had_effect = |run: &&Run| !matches!(run.ended, Some((RunResult::WithoutEffect, _)));
    let Some(earlier) = state.runs.iter().rev().filter(had_effect).find(|run| run.source == *digest) else {
        return Ok(None);
    };
    let (number, environment) = (earlier.number, earlier.change_set.environment.clone());
    if earlier.ended.is_none() {
        return Ok(None);
    }
    let newest = state.runs.iter().rev().find(had_effect).map_or(number, |run| run.number);
    if newest != number {
        let summary = format!("the plan is stale: it was applied already, as run {number}; nothing was done");
        return Err(Failure::new(Exit::Stale, summary)
            .cause(format!("run {newest} has changed {environment} since"))
            .help("plan again"));
    }
    session.terminal.say(&format!("already applied as run {number}, and nothing was changed since"));
    Ok(Some(match earlier.verified || earlier.done_count() == 0 {
        true => Report::nothing(&environment, earlier.change_set.operation, state),
        false => carry::verify_again(session, hold, aim)?,
    }))
}

/// A way back is judged when it is planned, and once more when it is carried out: rows may have been written since.
///
/// # Errors
/// When it would be another one now.
fn judge_again(
    session: &Session,
    hold: &mut Hold<'_>,
    saved: &Proved<&ChangeSet>,
    to: u64,
    secrets: &dyn Secrets,
) -> Result<(), Failure> {
    carry::settle(session, hold, secrets)?;
    let (proofs, saved) = (Proofs::Given(&saved.grounds.evidence), saved.change_set);
    let depth = if saved.with_schema { Depth::WithSchema } else { Depth::AsNeeded };
    let again = hold.wait(planning::back(session, &hold.ledger, (to, depth), &saved.owed, secrets, proofs))?;
    let again = again.change_set;
    if again.steps == saved.steps {
        return Ok(());
    }
    let mut failure =
        Failure::new(Exit::Stale, "the plan is stale: the way back is another one by now; nothing was done");
    let differing = again.steps.iter().find(|step| saved.step(step.id) != Some(step));
    if let Some(step) = differing {
        let class = step.inverse.class();
        failure =
            failure.cause(format!("now step {} is to {} {} ({class})", step.id, step.action.verb(), step.title()));
    }
    let schema = if saved.with_schema { " --with-schema" } else { "" };
    let words = format!("rollback {} --to {to}{schema} --out FILE", saved.environment);
    Err(failure.help(format!("save it anew: {}", session.command(&words))))
}

/// The spec, if the checkout is the one that the plan was made from: for literal secrets, and to verify against.
fn checkout_of(session: &Session, change_set: &ChangeSet, grounds: &Grounds) -> Result<Option<Resolved>, Failure> {
    let images = Some(&change_set.images);
    let without = Brought { images, ..Brought::default() };
    let (Some(_), Some(carried)) = (session.project(), change_set.release.as_deref()) else {
        return Ok(spec::checkout(session, &change_set.environment, change_set.spec_digest, without));
    };
    let parcel = match &grounds.promotion {
        Some(promotion) => Some(promotion.parcel.clone()),
        None => session.ledger(&change_set.environment)?.state().releases.parcel(carried.id),
    };
    let brought = Brought { carried: Some(carried), parcel, images };
    Ok(spec::checkout(session, &change_set.environment, change_set.spec_digest, brought))
}
