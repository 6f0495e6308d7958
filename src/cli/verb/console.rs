//! `switchback console`: all of stdin is one expression, its value is printed.

use crate::cli::exit::Exit;
use crate::cli::expression;
use crate::cli::failure::Failure;
use crate::cli::session::Session;

const AFTER_HELP: &str = "\
Examples:
  echo '1 + 2' | switchback console                   needs no project
  echo 'local.tags' | switchback console dev          the names of an environment's spec
  echo 'upper(\"a\")' | switchback console --json       the value as JSON

All of stdin is one expression. A value that only the world knows reads `(known after apply)`.";

/// Evaluate an expression of the spec language
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The environment whose names the expression may use
    #[arg(value_name = "ENV")]
    environment: Option<String>,
}

/// Runs the verb.
///
/// # Errors
/// When the expression, or the spec, has mistakes.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    if session.terminal.interactive {
        session.terminal.say("type an expression, and Ctrl-D at its end");
    }
    let text = session.terminal.read_all()?;
    let answer = expression::answer(session, arguments.environment.as_deref(), &text)?;
    match session.terminal.json {
        true => session.terminal.json(&answer.json),
        false => session.terminal.data(&format!("{}\n", answer.text)),
    }
    Ok(Exit::Done)
}
