//! `switchback destroy`: removes everything of an environment.

use std::path::PathBuf;

use crate::cli::arguments::OfDatabase;
use crate::cli::carry::{self, Aim, Hold, Intention, Work};
use crate::cli::confirm::{Consent, confirm};
use crate::cli::door;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::gate::{self, Asking};
use crate::cli::plan_file::PlanFile;
use crate::cli::planning::{self, Proofs, Proved};
use crate::cli::promotion;
use crate::cli::refused;
use crate::cli::report::Report;
use crate::cli::session::{Resolved, Session};
use crate::cli::showing::{show, talk_review};
use crate::cli::wanting;
use crate::ledger::Ledger;
use crate::rehearse::Effort;
use crate::review::Review;
use crate::step::{ChangeSet, Operation};

const AFTER_HELP: &str = "\
Examples:
  switchback destroy dev                        show what goes, ask, remove it
  switchback destroy dev --auto-approve         without the question
  switchback destroy dev --out gone.plan.json   only save it

Removes what the ledger records, in the order of what needs what. Refused while a resource sets
`prevent_destroy`.";

/// Remove everything of an environment
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// Only save it as a plan
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
}

/// Runs the verb.
///
/// # Errors
/// When something must not be destroyed, or nothing was begun.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let environment = &arguments.environment;
    let consent = Consent::of(arguments.auto_approve && arguments.out.is_none());
    let resolved = session.resolve(environment)?;
    let mut hold = Hold::open(session, Intention { environment, project: None, verb: "destroy" }, consent)?;
    door::refuse_destroy(&resolved.desired.environment, hold.ledger.state())?;
    let unfinished = hold.ledger.state().unfinished();
    if let Some(run) = unfinished.filter(|run| run.change_set.operation != Operation::Destroy) {
        return Err(carry::unfinished(session, environment, run.number));
    }
    let aim = Aim::Ledger(&*resolved.secrets);
    if hold.ledger.state().unfinished().is_some() {
        confirm(&session.terminal, consent, &format!("Destroying {environment} is unfinished. Finish it?"))?;
        let report = carry::carry_out(session, &mut hold, Work::Resume, &aim)?;
        session.terminal.show(&report);
        return Ok(report.result);
    }
    let proofs = Proofs::From(Effort::Known);
    let Proved { change_set, grounds, .. } = hold.wait(plan(session, &hold.ledger, &resolved, proofs))?;
    let review = Review::proved(&change_set, &grounds);
    if let Some(out) = &arguments.out {
        show(session, &change_set, &review, None, &OfDatabase::default())?;
        PlanFile::new(change_set, grounds).by(&session.actor).pinned(&session.root()).write(&session.path(out))?;
        session.terminal.say(&format!(
            "saved as {0}; type next: {1}",
            out.display(),
            session.command(&format!("apply {}", out.display()))
        ));
        return Ok(Exit::Done);
    }
    if change_set.steps.is_empty() {
        session.terminal.show(&Report::nothing(environment, Operation::Destroy, hold.ledger.state()));
        return Ok(Exit::Done);
    }
    talk_review(session, &review);
    refused::refuse(&change_set, &grounds.findings)?;
    promotion::refuse(session, hold.ledger.state(), &change_set, &grounds)?;
    let author = Some(&*session.actor.name);
    let asking = Asking { change_set: &change_set, grounds: &grounds, author, file: None, break_glass: None };
    let pass = gate::pass(session, hold.ledger.state(), asking)
        .inspect_err(|_| wanting::approval_wanted(session, &mut hold, asking, Some(&resolved.receivers)))?;
    confirm(&session.terminal, consent, &format!("Destroy all of {environment}?"))?;
    let digest = change_set.digest();
    let report = carry::carry_out(session, &mut hold, Work::Begin(Box::new(change_set), digest, pass), &aim)?;
    session.terminal.show(&report);
    Ok(report.result)
}

/// The way to nothing, unless something must not be destroyed.
///
/// # Errors
/// When a resource sets `prevent_destroy`, or the world cannot be read.
pub async fn plan(
    session: &Session,
    ledger: &Ledger,
    resolved: &Resolved,
    proofs: Proofs<'_>,
) -> Result<Proved<ChangeSet>, Failure> {
    let kept: Vec<String> = ledger
        .state()
        .things
        .resources
        .keys()
        .filter(|address| {
            resolved.desired.resources.get(address).is_some_and(|resource| resource.lifecycle.prevent_destroy)
        })
        .map(ToString::to_string)
        .collect();
    if !kept.is_empty() {
        let mut failure = Failure::new(Exit::Spec, "the spec says that these must not be destroyed; nothing was done");
        failure.causes = kept;
        return Err(failure.help("remove `prevent_destroy` from their `lifecycle` first, if they shall go"));
    }
    planning::destroy(session, ledger, &*resolved.secrets, proofs).await
}
