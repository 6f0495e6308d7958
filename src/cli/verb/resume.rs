//! `switchback resume`: goes on with a run that did not end.

use crate::cli::carry::{self, Aim, Hold, Intention, Work};
use crate::cli::confirm::{Consent, confirm};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::on_failure::{OnFailure, after_failure};
use crate::cli::report::Report;
use crate::cli::session::Session;
use crate::cli::spec::{self, Brought};
use crate::step::Operation;

const AFTER_HELP: &str = "\
Examples:
  switchback resume prod                  settle what is in doubt, then do the rest
  switchback resume prod --auto-approve   without the question
  switchback resume prod --on-failure=rollback
                                          if a step fails again, take back what was done

The run's change set lies in the ledger: no plan file and no checkout is needed, except for
secrets that are literals of the spec. The other way out is `switchback rollback ENV --last`.";

/// Go on with a run that did not end
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
    /// What to do when a step fails
    #[arg(long, value_name = "WHAT", value_enum, default_value_t)]
    on_failure: OnFailure,
}

/// Runs the verb.
///
/// # Errors
/// When nothing was begun.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let environment = &arguments.environment;
    let consent = Consent::of(arguments.auto_approve);
    session.known_ledger(environment)?;
    let mut hold = Hold::open(session, Intention { environment, project: None, verb: "resume" }, consent)?;
    let state = hold.ledger.state();
    let digest = state.runs.last().and_then(|run| run.change_set.spec_digest);
    let brought = Brought::of(state.runs.last().map(|run| &*run.change_set), state);
    let resolved = spec::checkout(session, environment, digest, brought);
    let secrets = spec::secrets(session, state, None)?;
    let aim = match &resolved {
        Some(resolved) => Aim::Spec(resolved),
        None => Aim::Ledger(&*secrets),
    };
    let report = match state.unfinished() {
        Some(run) => {
            let left = run.change_set.steps.len() - run.done_count();
            let question = format!("Go on with run {} of {environment} ({left} steps left)?", run.number);
            confirm(&session.terminal, consent, &question)
                .map_err(|failure| typed_again(session, environment, failure))?;
            let report = carry::carry_out(session, &mut hold, Work::Resume, &aim)?;
            after_failure(session, &mut hold, report, &aim, arguments.on_failure)
        }
        None => match hold.ledger.state().runs.last() {
            Some(run) if !run.verified && run.done_count() > 0 => carry::verify_again(session, &mut hold, &aim)?,
            _ => {
                session.terminal.say("there is no unfinished run");
                Report::nothing(environment, Operation::Apply, state)
            }
        },
    };
    if resolved.is_none() && digest.is_some() && session.project().is_some() && report.verified == Some(true) {
        session.terminal.say(&format!(
            "verified against the ledger alone: this checkout, or the values of variables, are not those of the run; \
             for a release, type `{}` with the same variables",
            session.command(&format!("apply {environment}"))
        ));
    }
    session.terminal.show(&report);
    Ok(report.result)
}

/// There is no plan to save here: the run is in the ledger.
fn typed_again(session: &Session, environment: &str, mut failure: Failure) -> Failure {
    if !failure.help.is_empty() {
        failure.help = vec![format!(
            "without the question:  {}",
            session.command(&format!("resume {environment} --auto-approve"))
        )];
    }
    failure
}
