//! `history --address`: which run, commit and person last changed a thing, and who did before. Read-only.

use serde::Serialize;

use crate::address::Address;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::ledger::audit::{self, Change, Outcome};
use crate::review::text::{Paint, Role};
use crate::review::words::harmless;
use crate::step::{Edit, Operation};

/// How many digits of a commit are shown to people.
const COMMIT_DIGITS: usize = 12;

#[derive(Serialize)]
struct Changes {
    environment: String,
    address: String,
    /// Newest first.
    changes: Vec<ChangeView>,
}

#[derive(Serialize)]
struct ChangeView {
    run: u64,
    operation: Operation,
    step: u32,
    action: &'static str,
    title: String,
    outcome: &'static str,
    /// Whether the thing is another one since.
    changed: bool,
    time: String,
    /// The sequence of the record that says so.
    record: u64,
    by: Option<String>,
    host: Option<String>,
    tool: Option<String>,
    commit: Option<String>,
}

/// Shows every change of a thing, newest first.
///
/// # Errors
/// When the ledger cannot be read, or nobody knows the environment.
pub fn show(session: &Session, environment: &str, address: &Address) -> Result<Exit, Failure> {
    let ledger = session.known_ledger(environment)?;
    let records = session.wait(ledger.store().read(0))?;
    let changes: Vec<ChangeView> = audit::changes(&records, address).iter().map(ChangeView::of).collect();
    if changes.is_empty() {
        return Err(Failure::failed(format!("no run of {environment} ever changed {address}"))
            .help(format!("{} lists every run", session.command(&format!("history {environment}")))));
    }
    session.terminal.show(&Changes { environment: environment.to_owned(), address: address.to_string(), changes });
    Ok(Exit::Done)
}

impl ChangeView {
    fn of(change: &Change<'_>) -> Self {
        let actor = change.actor;
        Self {
            run: change.run,
            operation: change.operation,
            step: change.step.id.0,
            action: change.step.action.verb(),
            title: change.step.title(),
            outcome: match change.outcome {
                Outcome::Done => "done",
                Outcome::Stood => "failed, and what it made stands",
                Outcome::Failed => "failed without effect",
                Outcome::Open => "in doubt",
            },
            changed: matches!(change.outcome, Outcome::Done | Outcome::Stood),
            time: change.record.time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            record: change.record.sequence,
            by: actor.map(|actor| actor.name.clone()),
            host: actor.map(|actor| actor.host.clone()),
            tool: actor.map(|actor| actor.tool.clone()),
            commit: actor.and_then(|actor| actor.commit.clone()),
        }
    }

    fn who(&self) -> String {
        let name = self.by.as_deref().unwrap_or("somebody");
        let host = self.host.as_deref().map(|host| format!(" on {host}")).unwrap_or_default();
        let commit = match &self.commit {
            Some(commit) => format!(", commit {}", &commit[..commit.len().min(COMMIT_DIGITS)]),
            None => ", no commit known".to_owned(),
        };
        harmless(&format!("{name}{host}{commit}"))
    }
}

impl View for Changes {
    fn text(&self, paint: &dyn Paint) -> String {
        let mut text = match self.changes.iter().find(|change| change.changed) {
            Some(last) => format!(
                "{} was last changed by run {} ({}), {}, by {}\n",
                self.address,
                last.run,
                operation(last.operation),
                last.time,
                last.who()
            ),
            None => format!("{} was never changed\n", self.address),
        };
        text += &format!("{}\n", paint.paint(Role::Heading, " run  when                  what was done"));
        for change in &self.changes {
            text += &format!(
                "{:>4}  {}  {} {}: {}; {}; by {}\n",
                change.run,
                change.time,
                change.action,
                harmless(&change.title),
                change.outcome,
                operation(change.operation),
                change.who()
            );
        }
        text
    }
}

/// What a run was for, in words.
pub fn operation(operation: Operation) -> String {
    match operation {
        Operation::Apply => "apply".to_owned(),
        Operation::Destroy => "destroy".to_owned(),
        Operation::Edit(Edit::Import) => "import".to_owned(),
        Operation::Edit(Edit::Move) => "state mv".to_owned(),
        Operation::Edit(Edit::Remove) => "state rm".to_owned(),
        Operation::Edit(Edit::Adopt) => "migrate adopt".to_owned(),
        Operation::Edit(Edit::Baseline) => "migrate baseline".to_owned(),
        Operation::Edit(Edit::Rebless) => "migrate rebless".to_owned(),
        Operation::Edit(Edit::Skip) => "migrate skip".to_owned(),
        Operation::Rollback { to } => format!("rollback to {to}"),
    }
}
