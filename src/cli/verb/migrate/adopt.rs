//! `switchback migrate adopt`: the ledger takes over what another tool had applied.

use std::sync::Arc;

use super::standing::Status;
use super::telling::{DatabaseArguments, Subject};
use crate::cli::confirm::Consent;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::plan::mismatch::{Line, Standing};
use crate::review::words::counted;
use crate::step::Edit;

/// Record in the ledger what another tool had applied
#[derive(Debug, clap::Args)]
pub struct Arguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// List every mismatch between folder and history table; exit with 11 if there is one
    #[arg(long)]
    dry_run: bool,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
}

/// Runs the verb.
///
/// # Errors
/// When folder and history do not fit, or nothing was recorded.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let consent = if arguments.dry_run { Consent::Asked } else { Consent::of(arguments.auto_approve) };
    let mut subject = Subject::open(session, &arguments.database, consent)?;
    let lines = subject.lines();
    if arguments.dry_run {
        let layout = subject.history.layout.name();
        let status = Status::of(subject.address.to_string(), layout, lines);
        session.terminal.show(&status);
        return Ok(if status.mismatches == 0 { Exit::Done } else { Exit::Drift });
    }
    if let Some(failure) = mismatched(&lines, session, &arguments.database.environment) {
        return Err(failure);
    }
    let is_new = |line: &&Line| line.standing == Standing::Applied && !subject.known.contains_key(&line.number);
    let new: Vec<i64> = lines.iter().filter(is_new).map(|line| line.number).collect();
    let labels: Vec<String> = lines.iter().filter(is_new).map(|line| line.label.clone()).collect();
    let (Some(first), Some(last)) = (labels.first(), labels.last()) else {
        session.terminal.say("there is nothing that the ledger does not know already; nothing was done");
        return Ok(Exit::Done);
    };
    let count = counted(new.len(), "migration");
    let what = format!("takes over {count} that {} had applied, {first} to {last}", subject.history.layout);
    for version in new {
        let Some(migration) = subject.migration(version).cloned() else { continue };
        subject.known.insert(version, Arc::new(migration));
        subject.told.adopted.insert(version);
    }
    let question = format!("Take {count} of {} over?", subject.address);
    subject.tell(Edit::Adopt, vec![what], &question)
}

fn mismatched(lines: &[Line], session: &Session, environment: &str) -> Option<Failure> {
    let mistakes: Vec<_> = lines.iter().filter_map(|line| Some((line, line.mistake()?))).collect();
    if mistakes.is_empty() {
        return None;
    }
    let mut failure = Failure::failed("the folder does not fit the history of the database; nothing was done");
    for (line, (what, mend, verb)) in mistakes {
        let typed = session.command(&format!("migrate {verb} {environment} {} --reason WHY", line.version));
        failure = failure.cause(format!("{what}: {mend}; or `{typed}`"));
    }
    Some(failure)
}
