//! What follows when a step of a run fails, or what is asked of it: it stays half-way, or is taken back at once.
//!
//! Invariant: nothing is taken back on its own while anything is in doubt, or where that would lose something.

use std::collections::BTreeSet;

use clap::ValueEnum;

use super::carry::{self, Aim, Hold, Work};
use super::checks::CheckReport;
use super::exit::Exit;
use super::gate::{self, Asking};
use super::planning::{self, Proofs};
use super::report::Report;
use super::session::Session;
use crate::digest::Digest;
use crate::rehearse::Effort;
use crate::review::Loss;
use crate::review::words::harmless;
use crate::rollback::Depth;
use crate::step::{OnFailedCheck, Operation};

/// What to do when a step or a check fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OnFailure {
    /// Leave what was done
    #[default]
    Stop,
    /// Take back what was done
    Rollback,
}

/// Takes back what a run did that failed, if that was asked for. A run that a person stopped, that waits, that lost
/// its lease or is in doubt is left as it is, and so is a rollback.
pub fn after_failure(
    session: &Session,
    hold: &mut Hold<'_>,
    mut report: Report,
    aim: &Aim<'_>,
    on_failure: OnFailure,
) -> Report {
    let is_rollback = matches!(report.operation, Operation::Rollback { .. });
    let says_rollback = |check: &CheckReport| check.on_failure == OnFailedCheck::Rollback;
    let failed_check = report.checks.iter().find(|check| check.has_failed());
    let has_failed = !report.failed.is_empty() || failed_check.is_some();
    let goes_back = on_failure == OnFailure::Rollback || failed_check.is_some_and(says_rollback);
    let failed = report.result == Exit::Unfinished && has_failed && !is_rollback;
    let (true, Some(run), true) = (goes_back, report.run, failed) else {
        return report;
    };
    session.terminal.say(&match failed_check {
        Some(check) => format!("{} failed in run {run}; taking back what it did", check.check),
        None => format!("run {run} failed; taking back what it did"),
    });
    let nothing = BTreeSet::new();
    let proofs = Proofs::From(Effort::Known);
    let back =
        hold.wait(planning::back(session, &hold.ledger, (run - 1, Depth::AsNeeded), &nothing, aim.secrets(), proofs));
    let (back, grounds) = match back {
        Ok(back) => (back.change_set, back.grounds),
        Err(failure) => {
            session.terminal.talk(&failure.text());
            session.terminal.say("the way back could not be planned, so what was done is left as it is");
            return report;
        }
    };
    let losses: Vec<Loss> = back.irreversible().map(Loss::of).collect();
    if !losses.is_empty() {
        session.terminal.say("this cannot be taken back without a loss, so it is left as it is:");
        for loss in losses {
            session.terminal.say(&format!("  step {} {}: {}, {}", loss.step, loss.title, loss.class, loss.why));
        }
        return report;
    }
    let author = Some(&*session.actor.name);
    let asking = Asking { change_set: &back, grounds: &grounds, author, file: None, break_glass: None };
    let pass = match gate::pass(session, hold.ledger.state(), asking) {
        Ok(pass) => pass,
        Err(failure) => {
            session.terminal.talk(&failure.text());
            return report;
        }
    };
    let digest = back.digest();
    let known: BTreeSet<Digest> = hold.ledger.state().holds.keys().copied().collect();
    match carry::carry_out(session, hold, Work::Begin(Box::new(back), digest, pass), &Aim::Ledger(aim.secrets())) {
        Ok(taken) if taken.result == Exit::Done => {
            report.next.clear();
            // How the state is that is back.
            report.checks.extend(taken.checks.into_iter().filter(CheckReport::is_told));
            tell_holds(session, hold, &known);
            report.verified = taken.verified;
            report.ledger = taken.ledger;
            report.end_with(Exit::TakenBack);
            report
        }
        Ok(taken) => taken,
        Err(failure) => {
            session.terminal.talk(&failure.text());
            report
        }
    }
}

/// What automation must not do again since the holds were those that are known, and how to let it.
pub fn tell_holds(session: &Session, hold: &Hold<'_>, known: &BTreeSet<Digest>) {
    let state = hold.ledger.state();
    for (spec, held) in state.holds.iter().filter(|(spec, _)| !known.contains(spec)) {
        let environment = state.runs.last().map(|run| run.change_set.environment.clone()).unwrap_or_default();
        let lift = session.command(&format!("hold {environment} lift {} --reason WHY", spec.short()));
        session.terminal.say(&format!("the spec {} is held: {}", spec.short(), harmless(&held.reason)));
        session.terminal.say(&format!("something newer goes through; to lift the hold: {lift}"));
    }
}
