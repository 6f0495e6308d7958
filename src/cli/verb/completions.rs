//! `switchback completions`: for the shells that clap knows.

use clap_complete::Shell;

use crate::cli::completing;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;

const AFTER_HELP: &str = "\
Examples:
  switchback completions bash > /etc/bash_completion.d/switchback
  switchback completions zsh > \"${fpath[1]}/_switchback\"
  switchback completions fish > ~/.config/fish/completions/switchback.fish

The shell then asks this program: for verbs, flags, and the environments of the project that one
stands in (or that `-C` names).";

/// Print the completions for a shell
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

/// Runs the verb.
///
/// # Errors
/// When the shell is not known.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let script = completing::script(arguments.shell)
        .map_err(|error| Failure::failed(format!("the completions cannot be written: {error}")))?;
    session.terminal.data(&script);
    Ok(Exit::Done)
}
