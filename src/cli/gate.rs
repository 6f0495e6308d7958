//! The gate before an apply, as the verbs need it: what is missing and what to type, or leave to begin. An edge.
//!
//! Invariant: a run begins only with a [`Pass`], and only this module gives one.

use super::exit::Exit;
use super::failure::Failure;
use super::session::{Session, quoted};
use crate::approval::class::{Class, Part};
use crate::approval::record::{Admission, BrokenGlass};
use crate::gate::demand::{self, Case, Demand};
use crate::gate::judge::{self, Verdict};
use crate::ledger::State;
use crate::review::Loss;
use crate::review::grounds::Grounds;
use crate::review::signing::Signing;
use crate::risk::budget::Exceeded;
use crate::step::{ChangeSet, Operation};

/// Leave to begin a run.
#[derive(Debug)]
pub struct Pass {
    admission: Option<Admission>,
}

impl Pass {
    /// What let the run in, where it needed anything.
    pub fn admission(&self) -> Option<&Admission> {
        self.admission.as_ref()
    }

    /// Leave for a change of the ledger alone: the world stays as it is, and the next plan shows what follows.
    ///
    /// # Panics
    /// When it is another change, which is a bug.
    pub fn of_edit(change_set: &ChangeSet) -> Self {
        assert!(matches!(change_set.operation, Operation::Edit(_)), "only a change of the ledger alone needs no leave");
        Self { admission: None }
    }
}

/// What wants to pass.
#[derive(Clone, Copy)]
pub struct Asking<'a> {
    /// The change set.
    pub change_set: &'a ChangeSet,
    /// What is known of it besides.
    pub grounds: &'a Grounds,
    /// Who made the plan, as far as that is known.
    pub author: Option<&'a str>,
    /// The saved plan, as it was typed; nothing where the plan is only at hand.
    pub file: Option<&'a str>,
    /// Why the glass is broken, if it is.
    pub break_glass: Option<&'a str>,
}

/// What the review says about signatures.
pub fn signing(session: &Session, state: &State, asking: Asking<'_>) -> Signing {
    verdict(session, state, asking).signing
}

fn verdict(session: &Session, state: &State, asking: Asking<'_>) -> Verdict {
    let demands = demands(asking.grounds);
    let case = case(session, state, asking, &demands);
    let mut verdict = judge::judge(case, asking.author, session.world.clock.now());
    if !verdict.signing.is_complete() {
        verdict.signing.line = Some(line(session, asking));
    }
    verdict
}

/// What is judged.
pub fn case<'a>(session: &'a Session, state: &'a State, asking: Asking<'a>, demands: &'a [Demand]) -> Case<'a> {
    let Asking { change_set, grounds, .. } = asking;
    Case { change_set, grounds, state, kinds: &session.kinds, demands }
}

/// The signatures that what is known of a change set asks for, beside the rules of who may sign: those of budgets.
pub fn demands(grounds: &Grounds) -> Vec<Demand> {
    let of_budget = |one: &Exceeded| {
        let class = Class::of(one.class_needed()?)?;
        Some(Demand { class, part: Part::Database, why: format!("step {}: {}", one.step, one.words()) })
    };
    grounds.risks.exceeded().filter_map(of_budget).collect()
}

/// What to type to sign it.
fn line(session: &Session, asking: Asking<'_>) -> String {
    let environment = &asking.change_set.environment;
    if let Some(file) = asking.file {
        return session.command(&format!("approve {}", quoted(file)));
    }
    let save = |words: &str| {
        format!("{} && {}", session.command(words), session.command(&format!("approve {environment}.plan.json")))
    };
    match asking.change_set.operation {
        Operation::Apply | Operation::Edit(_) => session.command(&format!("approve {environment}")),
        Operation::Destroy => save(&format!("destroy {environment} --out {environment}.plan.json")),
        Operation::Rollback { to } => {
            let schema = if asking.change_set.with_schema { " --with-schema" } else { "" };
            let losses: Vec<String> = asking.change_set.irreversible().map(|step| step.id.to_string()).collect();
            let losses = if losses.is_empty() { String::new() } else { format!(" --accept-loss {}", losses.join(" ")) };
            save(&format!("rollback {environment} --to {to}{schema}{losses} --out {environment}.plan.json"))
        }
    }
}

/// Lets a change set pass, or says what is missing.
///
/// # Errors
/// When a signature is missing, or somebody refuses.
pub fn pass(session: &Session, state: &State, asking: Asking<'_>) -> Result<Pass, Failure> {
    let verdict = verdict(session, state, asking);
    let Verdict { signing, signed } = &verdict;
    let change_set = asking.change_set.digest();
    if signing.is_complete() {
        if asking.break_glass.is_some() {
            session.terminal.say("no signature is missing, so no glass is broken");
        }
        let admission = Admission { change_set, signed: signed.clone(), broken: None };
        return Ok(Pass { admission: (!signing.needed.is_empty()).then_some(admission) });
    }
    if let Some(reason) = asking.break_glass {
        let broken = Some(break_glass(session, state, asking, reason)?);
        return Ok(Pass { admission: Some(Admission { change_set, signed: signed.clone(), broken }) });
    }
    Err(missing(session, state, asking, signing))
}

/// That it may go on without signatures, because somebody who may says so.
///
/// # Errors
/// When they may not, or not for this.
fn break_glass(session: &Session, state: &State, asking: Asking<'_>, reason: &str) -> Result<BrokenGlass, Failure> {
    let refused =
        |why: &str| Failure::new(Exit::Unconfirmed, format!("the glass is not broken: {why}; nothing was done"));
    let case = case(session, state, asking, &[]);
    if demand::destroys(case) {
        return Err(refused("what counts as destroying an environment needs its signatures")
            .help(format!("save it and have it signed: {}", line(session, asking))));
    }
    if reason.trim().is_empty() {
        return Err(refused("`--break-glass` takes a reason, which is recorded"));
    }
    let actor = &session.actor.name;
    let rules = demand::rules(state, asking.change_set).map(|(rules, _)| rules);
    let Some((rules, by)) = rules.and_then(|rules| Some((rules, rules.person(actor)?))) else {
        return Err(refused(&format!("`{actor}` is no approver by the rules as last applied")));
    };
    if !rules.break_glass.contains(by) {
        let listed: Vec<&str> = rules.break_glass.iter().map(String::as_str).collect();
        let listed = if listed.is_empty() { "nobody".to_owned() } else { listed.join(", ") };
        return Err(refused(&format!("{by} is not among those who may (`break_glass`): {listed}")));
    }
    let lost = asking.change_set.irreversible().map(Loss::of);
    let lost = lost.map(|loss| format!("step {} {}: {}, {}", loss.step, loss.title, loss.class, loss.why)).collect();
    Ok(BrokenGlass { by: by.to_owned(), reason: reason.to_owned(), lost })
}

fn missing(session: &Session, state: &State, asking: Asking<'_>, signing: &Signing) -> Failure {
    let summary = match signing.refused.is_empty() {
        true => "signatures are missing; nothing was done",
        false => "it was rejected; nothing was done",
    };
    let mut failure = Failure::new(Exit::Unconfirmed, summary);
    failure.causes = signing.lines().into_iter().filter(|(is_open, _)| *is_open).map(|(_, line)| line).collect();
    if !signing.rules.is_empty() {
        failure.causes.push(signing.rules.clone());
    }
    if let Some(line) = &signing.line {
        failure = failure.help(format!("to sign it: {line}"));
    }
    let case = case(session, state, asking, &[]);
    let is_back = matches!(asking.change_set.operation, Operation::Rollback { .. });
    let may = demand::rules(state, asking.change_set).is_some_and(|(rules, _)| !rules.break_glass.is_empty());
    if is_back && may && !demand::destroys(case) && asking.file.is_none() {
        failure =
            failure.help("in an emergency, those whom `break_glass` lists type the same with `--break-glass WHY`");
    }
    failure
}

/// Refuses to go on with an unfinished run that was not let in, or that was rejected since.
///
/// # Errors
/// Why.
pub fn refuse_unfinished(session: &Session, state: &State) -> Result<(), Failure> {
    let Some(run) = state.unfinished() else { return Ok(()) };
    let grounds = Grounds::default();
    let case = Case { change_set: &run.change_set, grounds: &grounds, state, kinds: &session.kinds, demands: &[] };
    judge::judge_unfinished(case, run, session.world.clock.now()).map_err(|causes| {
        let environment = &run.change_set.environment;
        let mut failure =
            Failure::new(Exit::Unconfirmed, format!("run {} must not go on; nothing was done", run.number));
        failure.causes = causes;
        failure.help(format!("take it back: {}", session.command(&format!("rollback {environment} --last"))))
    })
}
