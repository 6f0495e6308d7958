//! `switchback completions`: for the shells that clap knows.

use clap_complete::Shell;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;

const AFTER_HELP: &str = "\
Examples:
  switchback completions bash > /etc/bash_completion.d/switchback
  switchback completions zsh > \"${fpath[1]}/_switchback\"
  switchback completions fish > ~/.config/fish/completions/switchback.fish";

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
/// Never.
pub fn run(arguments: &Arguments, session: &Session, mut command: clap::Command) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "switchback", &mut script);
    session.terminal.data(&String::from_utf8_lossy(&script));
    Ok(Exit::Done)
}
