//! `switchback migrate baseline`: everything up to a version counts as applied.

use std::sync::Arc;

use super::telling::{DatabaseArguments, Subject};
use crate::cli::confirm::Consent;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::migration::Migration;
use crate::review::words::counted;
use crate::step::Edit;

/// Record in the ledger that everything up to a version counts as applied
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// The newest version that counts as applied
    #[arg(value_name = "VERSION")]
    version: String,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
}

/// Runs the verb.
///
/// # Errors
/// When there is no such version, or nothing was recorded.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let mut subject = Subject::open(session, &arguments.database, Consent::of(arguments.auto_approve))?;
    let last = subject.number(&arguments.version)?;
    let is_new =
        |one: &&Migration| one.version <= last && !one.is_repeatable() && !subject.known.contains_key(&one.version);
    let new: Vec<Migration> = subject.desired().migrations.iter().filter(is_new).cloned().collect();
    if new.is_empty() {
        session.terminal.say("all of these count as applied already; nothing was done");
        return Ok(Exit::Done);
    }
    let count = counted(new.len(), "migration");
    let what = format!("{count} up to {} count as applied; none of them is run", arguments.version);
    for migration in new {
        let version = migration.version;
        let has_row = subject.history.rows.iter().any(|row| row.version == version);
        match has_row || subject.history.counts(version) {
            true => subject.told.adopted.insert(version),
            false => subject.told.baselined.insert(version),
        };
        subject.known.insert(version, Arc::new(migration));
    }
    let question = format!("Count {count} of {} as applied?", subject.address);
    subject.tell(Edit::Baseline, vec![what], &question)
}
