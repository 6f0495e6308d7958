//! `history --export`: every record as a line of JSON, with what it refers to. Read-only.
//!
//! Invariant: the key that seals secrets is in no line.

use std::path::Path;

use serde::Serialize;
use serde_json::Value;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::whole_file;
use crate::digest::Digest;
use crate::ledger::audit::{self, Entry};
use crate::ledger::{Actor, Body};
use crate::step::{Action, Step, StepId};
use crate::value::Object;

/// The version of the form of the lines.
const FORMAT: u32 = 1;

/// One line. What the record itself says is in `body`; everything else is what it refers to.
#[derive(Serialize)]
struct Line<'a> {
    export: u32,
    environment: &'a str,
    sequence: u64,
    digest: Digest,
    time: jiff::Timestamp,
    record: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    actor: Option<&'a Actor>,
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<StepId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    action: Option<&'static str>,
    /// The text of a migration.
    #[serde(skip_serializing_if = "Option::is_none")]
    sql: Option<&'a str>,
    #[serde(flatten)]
    facts: Facts,
    /// The operations that were sent, as the world's API calls them.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    calls: &'a [String],
    body: Value,
}

/// How an effect went.
#[derive(Default, Serialize)]
struct Facts {
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    lock_wait_ms: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statements: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<i64>,
}

/// Writes every record of an environment to a file, or to stdout for `-`.
///
/// # Errors
/// When the ledger cannot be read, or the file cannot be written.
pub fn write(session: &Session, environment: &str, file: &Path) -> Result<Exit, Failure> {
    let ledger = session.known_ledger(environment)?;
    let records = session.wait(ledger.store().read(0))?;
    let mut text = String::new();
    for entry in audit::entries(&records) {
        let line = Line::of(&entry, environment);
        text += &serde_json::to_string(&line).expect("records hold only sealed, serialisable data");
        text.push('\n');
    }
    if file == Path::new("-") {
        session.terminal.data(&text);
        return Ok(Exit::Done);
    }
    let path = session.path(file);
    whole_file::write(&path, text.as_bytes()).map_err(|error| {
        Failure::failed(format!("the records cannot be written to {}: {error}", path.display()))
            .help("see that the folder is there and may be written, and that the disk has room")
    })?;
    session.terminal.say(&format!("{} records of {environment} are in {}", records.len(), path.display()));
    Ok(Exit::Done)
}

impl<'a> Line<'a> {
    fn of(entry: &Entry<'a>, environment: &'a str) -> Self {
        let record = entry.record;
        let mut body = serde_json::to_value(&record.body).expect("records hold only sealed, serialisable data");
        let mut name = Value::Null;
        if let Some(fields) = body.as_object_mut() {
            // Whoever has it can try out guesses of secrets that are sealed.
            fields.remove("seal_key");
            name = fields.remove("record").unwrap_or_default();
        }
        Self {
            export: FORMAT,
            environment,
            sequence: record.sequence,
            digest: record.digest(),
            time: record.time,
            record: name,
            actor: entry.actor,
            run: entry.run,
            step: entry.step.map(|step| step.id),
            address: entry.step.map(|step| step.address.to_string()),
            action: entry.step.map(|step| step.action.verb()),
            sql: entry.step.and_then(sql),
            facts: facts(entry),
            calls: calls(&record.body),
            body,
        }
    }
}

fn sql(step: &Step) -> Option<&str> {
    match &step.action {
        Action::Migrate { direction, migration, .. } => migration.text(*direction),
        Action::Purge { migration, .. } => migration.kept.as_ref().map(|kept| kept.purge.as_str()),
        Action::Create { .. }
        | Action::Update { .. }
        | Action::Revise { .. }
        | Action::Return { .. }
        | Action::Retire { .. }
        | Action::Delete { .. }
        | Action::Forget { .. }
        | Action::Remember { .. }
        | Action::Import { .. }
        | Action::TakeUp { .. }
        | Action::Move { .. } => None,
    }
}

fn facts(entry: &Entry<'_>) -> Facts {
    let outcome = match &entry.record.body {
        Body::Done { outcome, .. } | Body::Stood { outcome, .. } => Some(outcome),
        Body::Failed { .. } | Body::Advanced { .. } | Body::Doubted { .. } => None,
        Body::Founded { .. }
        | Body::Begun { .. }
        | Body::Intent { .. }
        | Body::Parked { .. }
        | Body::Resumed { .. }
        | Body::Ended { .. }
        | Body::Verified { .. }
        | Body::Leased { .. }
        | Body::Renewed
        | Body::Released
        | Body::Unlocked { .. }
        | Body::Held { .. }
        | Body::Lifted { .. }
        | Body::Approved { .. }
        | Body::Rejected { .. }
        | Body::Admitted { .. }
        | Body::OfRelease { .. }
        | Body::Tested { .. }
        | Body::Checked { .. }
        | Body::Measured { .. }
        | Body::Bakes { .. }
        | Body::Receivers { .. }
        | Body::Told { .. }
        | Body::ApprovalWanted { .. } => return Facts::default(),
    };
    let is_migration = entry.step.is_some_and(|step| sql(step).is_some());
    let told = outcome.filter(|_| is_migration);
    let number = |name: &str| told.and_then(|facts: &Object| facts.get(name)).and_then(crate::value::Value::as_i64);
    Facts {
        duration_ms: number("duration_ms").or(entry.milliseconds),
        lock_wait_ms: number("lock_wait_ms"),
        statements: number("statements"),
        rows: number("rows"),
    }
}

fn calls(body: &Body) -> &[String] {
    match body {
        Body::Done { calls, .. } | Body::Failed { calls, .. } | Body::Stood { calls, .. } => calls,
        Body::Founded { .. }
        | Body::Begun { .. }
        | Body::Intent { .. }
        | Body::Advanced { .. }
        | Body::Doubted { .. }
        | Body::Parked { .. }
        | Body::Resumed { .. }
        | Body::Ended { .. }
        | Body::Verified { .. }
        | Body::Leased { .. }
        | Body::Renewed
        | Body::Released
        | Body::Unlocked { .. }
        | Body::Held { .. }
        | Body::Lifted { .. }
        | Body::Approved { .. }
        | Body::Rejected { .. }
        | Body::Admitted { .. }
        | Body::OfRelease { .. }
        | Body::Tested { .. }
        | Body::Checked { .. }
        | Body::Measured { .. }
        | Body::Bakes { .. }
        | Body::Receivers { .. }
        | Body::Told { .. }
        | Body::ApprovalWanted { .. } => &[],
    }
}
