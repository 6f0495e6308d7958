//! `switchback migrate rebless`: the altered text of an applied migration is accepted, or that of its way back.

use std::sync::Arc;

use super::telling::{DatabaseArguments, Subject};
use crate::cli::confirm::Consent;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::migration::Migration;
use crate::plan::mismatch::Standing;
use crate::step::Edit;

/// Record in the ledger that the altered text of an applied migration, or of its way back, is accepted
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// The version whose file was altered
    #[arg(value_name = "VERSION")]
    version: String,
    /// Why that is right
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
}

/// Runs the verb.
///
/// # Errors
/// When it is not altered, or nothing was recorded.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let mut subject = Subject::open(session, &arguments.database, Consent::of(arguments.auto_approve))?;
    let version = subject.number(&arguments.version)?;
    let lines = subject.lines();
    let altered = lines
        .iter()
        .find(|line| line.number == version && matches!(line.standing, Standing::Altered | Standing::Renamed { .. }));
    let is_mended = |known: &Migration| {
        subject
            .migration(version)
            .is_some_and(|migration| migration.down.is_some() && !migration.derived && migration.down != known.down)
    };
    let mended = lines
        .iter()
        .find(|line| line.number == version && subject.known.get(&version).is_some_and(|known| is_mended(known)));
    let (Some(line), Some(migration)) = (altered.or(mended), subject.migration(version)) else {
        return Err(Failure::failed(format!("version {} is not altered; nothing was done", arguments.version)).help(
            format!(
                "`{}` shows what does not fit",
                session.command(&format!("migrate adopt {} --dry-run", arguments.database.environment))
            ),
        ));
    };
    let row = subject.history.rows.iter().find(|row| row.version == version);
    let blessed = row.and_then(|row| row.checksum.clone()).filter(|_| altered.is_some());
    let migration = Migration { blessed, ..migration.clone() };
    let subject_of = if altered.is_some() { line.label.clone() } else { format!("the way back of {}", line.label) };
    let what = format!("{subject_of} is accepted as it is now: {}", arguments.reason);
    if subject.known.insert(version, Arc::new(migration)).is_none() {
        subject.told.adopted.insert(version);
    }
    subject.told.blessed.insert(version, arguments.reason.clone());
    let question = format!("Accept {subject_of} as it is now?");
    subject.tell(Edit::Rebless, vec![what], &question)
}
