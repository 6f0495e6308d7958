//! `switchback migrate skip`: a version is never run.

use super::telling::{DatabaseArguments, Subject};
use crate::cli::confirm::Consent;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::plan::mismatch::Standing;
use crate::step::Edit;

/// Record in the ledger that a version is never run
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// The version
    #[arg(value_name = "VERSION")]
    version: String,
    /// Why
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
}

/// Runs the verb.
///
/// # Errors
/// When it ran already, or nothing was recorded.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let mut subject = Subject::open(session, &arguments.database, Consent::of(arguments.auto_approve))?;
    let version = subject.number(&arguments.version)?;
    let lines = subject.lines();
    let line = lines.iter().find(|line| line.number == version);
    let label = line.map_or_else(|| format!("version {}", arguments.version), |line| line.label.clone());
    let is_open =
        line.is_some_and(|line| matches!(line.standing, Standing::Pending | Standing::Late { .. } | Standing::Missing));
    if !is_open {
        let word = if subject.told.skipped.contains_key(&version) { "is left out" } else { "was applied" };
        return Err(Failure::failed(format!("{label} {word} already; nothing was done")));
    }
    subject.told.skipped.insert(version, arguments.reason.clone());
    let what = format!("{label} is never run: {}", arguments.reason);
    let question = format!("Never run {label}?");
    subject.tell(Edit::Skip, vec![what], &question)
}
