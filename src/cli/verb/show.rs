//! `switchback show`: a saved plan, or what the newest run carries out, again.

use crate::cli::arguments::{Form, OfDatabase, Subject};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::showing::show;
use crate::cli::subject::Typed;
use crate::review::Review;

const AFTER_HELP: &str = "\
Examples:
  switchback show s.plan.json            the review of a saved plan
  switchback show s.plan.json --as md    as a comment for a pull request
  switchback show --plan plan.bin        a saved plan of any name
  switchback show staging                what the newest run of staging carried out

A saved plan is checked first: one that was altered is refused.";

/// Show a saved plan, or what the newest run carries out, again
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// The form of the review
    #[arg(long = "as", value_name = "FORM", value_enum)]
    form: Option<Form>,
    #[command(flatten)]
    of: OfDatabase,
}

/// Runs the verb.
///
/// # Errors
/// When there is no such plan, or it was altered.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    match Typed::read(session, &arguments.subject)? {
        Typed::Plan(file) => {
            let (change_set, grounds) = file.take();
            show(session, &change_set, &Review::proved(&change_set, &grounds), arguments.form, &arguments.of)?;
        }
        Typed::Environment(environment) => {
            let ledger = session.known_ledger(&environment)?;
            let run = ledger.state().runs.last().ok_or_else(|| {
                Failure::failed(format!("nothing was ever applied to {environment}"))
                    .help(format!("`{}` shows what would change", session.command(&format!("plan {environment}"))))
            })?;
            show(session, &run.change_set, &Review::of(&run.change_set), arguments.form, &arguments.of)?;
        }
    }
    Ok(Exit::Done)
}
