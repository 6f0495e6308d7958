//! `switchback up`: plan, apply and verify without questions, where the environment allows it.

use super::apply::{Wish, apply_spec};
use crate::cli::confirm::Consent;
use crate::cli::door;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::on_failure::OnFailure;
use crate::cli::session::Session;
use crate::cli::unproved::{Accepting, Rehearsing};

const AFTER_HELP: &str = "\
Examples:
  switchback up dev          make dev what its spec says, and verify it
  switchback up dev --json   the outcome for a script

Allowed unless the environment sets `after`, `protected` or `allow_up = false`. Migrations that
were not rehearsed, or whose way back fails, are refused (exit 9) unless their steps are named
with `--accept-unproved`.";

/// Plan, apply and verify without questions, where the environment allows it
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment
    #[arg(value_name = "ENV")]
    environment: String,
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
/// When the environment does not allow it, or nothing was begun.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    door::refuse_up(session, &arguments.environment)?;
    let resolved = session.resolve(&arguments.environment)?;
    let wish = Wish {
        verb: "up",
        consent: Consent::Given,
        on_failure: arguments.on_failure,
        rehearsing: arguments.rehearsing,
        accepting: &arguments.accepting,
    };
    let report = apply_spec(session, resolved, wish)?;
    session.terminal.show(&report);
    Ok(report.result)
}
