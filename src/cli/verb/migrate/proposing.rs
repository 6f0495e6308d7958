//! What `switchback migrate new --from-schema` writes and shows: the migration between two schemas.
//!
//! Invariant: what is not right is in the file as a comment, on the terminal, and in the exit code.

use std::path::Path;
use std::sync::Arc;

use serde::Serialize;

use super::place::{Talk, connection, read, world};
use super::rehearsal::ServerArguments;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::migration::Migration;
use crate::observe::no_provider;
use crate::review::text::{Paint, Role};
use crate::review::words::harmless;
use crate::world::{Proposal, ProposalJob, SchemaSource, Trial};

/// How many lines of a difference stand in a file.
const LINES: usize = 40;

/// What was proposed, and where it stands.
#[derive(Serialize)]
pub struct Proposed {
    /// The layout.
    pub layout: &'static str,
    /// The files; none where there is nothing to do.
    pub files: Vec<String>,
    /// What it ends with.
    pub result: Exit,
    /// What was proposed, and what came of trying it.
    pub proposal: Proposal,
}

/// The two texts of the files.
pub struct Texts {
    /// The way there.
    pub up: String,
    /// The way back.
    pub down: String,
}

/// Has it proposed.
///
/// # Errors
/// When one of the schemas cannot be read or made.
pub fn propose(
    session: &Session,
    (typed, url): (&str, Option<&str>),
    there: Vec<Migration>,
    server: &ServerArguments,
) -> Result<Proposal, Failure> {
    let rehearsals = session.world.rehearsals.as_ref().ok_or_else(|| world(&no_provider("postgres")))?;
    let is_url = typed.starts_with("postgres://") || typed.starts_with("postgresql://");
    let wanted = match is_url {
        true => SchemaSource::Database(connection(typed)?.1),
        false => SchemaSource::Text { name: typed.to_owned(), sql: read(session, Path::new(typed))? },
    };
    let present = match url {
        Some(url) => SchemaSource::Database(connection(url)?.1),
        None => SchemaSource::Migrations(there.into_iter().map(Arc::new).collect()),
    };
    let settings = server.settings(session, url.or(is_url.then_some(typed)))?;
    let job = ProposalJob { settings, present, wanted };
    session.wait(rehearsals.propose(&job, &Talk(session))).map_err(|error| world(&error))
}

/// What it ends with: both ways lead to what they should, or not.
pub fn result(proposal: &Proposal) -> Exit {
    let is_right = |trial: &Trial| matches!(trial, Trial::Right { .. });
    match is_right(&proposal.forth) && is_right(&proposal.back) {
        true => Exit::Done,
        false => Exit::Failed,
    }
}

/// The texts of the files.
pub fn texts(proposal: &Proposal, wanted: &str) -> Texts {
    let from = if wanted.contains("://") { "the schema of a database" } else { wanted };
    let head =
        format!("-- Proposed from {from}, and tried on PostgreSQL {}. Read it before it runs.\n", proposal.server);
    let comments = |lines: Vec<String>| -> String {
        let lines = lines.iter().flat_map(|line| line.lines().map(str::to_owned).collect::<Vec<_>>());
        lines.map(|line| format!("-- {line}\n")).collect()
    };
    let mut up = told(&proposal.forth, "it leads to the wanted schema");
    up.extend(proposal.unsaid.iter().map(|line| format!("not proposed: {line}")));
    let back = told(&proposal.back, "it restores what was");
    Texts {
        up: format!("{head}{}\n{}", comments(up), proposal.up),
        down: format!("-- Takes it back.\n{}\n{}", comments(back), proposal.down),
    }
}

/// What came of one way, line by line.
fn told(trial: &Trial, right: &str) -> Vec<String> {
    match trial {
        Trial::Right { orders } if orders.is_empty() => vec![format!("Tried: {right}.")],
        Trial::Right { orders } => {
            let head = format!("Tried: {right}, but for the order of columns, which PostgreSQL cannot change:");
            [head].into_iter().chain(orders.iter().map(|line| format!("  {line}"))).collect()
        }
        Trial::Otherwise { difference } => {
            let head = "Tried, and NOT RIGHT yet. What it leads to differs:".to_owned();
            [head].into_iter().chain(difference.iter().take(LINES).map(|line| format!("  {line}"))).collect()
        }
        Trial::Fails { error } => vec![format!("Tried, and it FAILS: {error}")],
    }
}

impl View for Proposed {
    fn text(&self, paint: &dyn Paint) -> String {
        let proposal = &self.proposal;
        let mut text: String = proposal.remarks.iter().map(|line| format!("note: {}\n", harmless(line))).collect();
        if proposal.is_same {
            return text + "nothing to do: the schemas are the same\n";
        }
        let role = |trial: &Trial| match trial {
            Trial::Right { orders } if orders.is_empty() => Role::Faint,
            Trial::Right { .. } => Role::Warning,
            Trial::Otherwise { .. } | Trial::Fails { .. } => Role::Danger,
        };
        let mut say = |head: &str, trial: &Trial, right: &str| {
            for (place, line) in told(trial, right).iter().enumerate() {
                let line = if place == 0 { format!("{head}: {line}") } else { format!("      {line}") };
                text += &format!("{}\n", paint.paint(role(trial), &harmless(&line)));
            }
        };
        say("there", &proposal.forth, "it leads to the wanted schema");
        if !matches!(proposal.forth, Trial::Fails { .. }) {
            say("back ", &proposal.back, "it restores what was");
        }
        for line in &proposal.unsaid {
            text += &format!("{}\n", paint.paint(Role::Danger, &format!("not proposed: {}", harmless(line))));
        }
        for line in proposal.up.lines().filter_map(|line| line.strip_prefix("-- drops data: ")) {
            text += &format!("{}\n", paint.paint(Role::Warning, &format!("drops data: {}", harmless(line))));
        }
        text + &self.files.iter().map(|file| format!("{file}\n")).collect::<String>()
    }
}
