//! `switchback migrate lint`: what the rules have to say about the migrations of a folder.
//!
//! Invariant: a migration that could not be looked at is named, and is no pass; a database that is named is only read.

use std::collections::BTreeSet;

use clap::ValueEnum;
use serde::Serialize;

use super::place::{connection, world};
use super::rehearsal::{self, Subject};
use crate::cli::certified::Certified;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::migration::Direction;
use crate::migration::certificate::Verdict;
use crate::migration::layout::Layout;
use crate::review::found;
use crate::review::text::{Paint, Role};
use crate::review::words::{counted, harmless};
use crate::rules::judging::{Job, Judge};
use crate::rules::{Findings, Level, Levels, rules};
use crate::store::disk::DiskFiles;
use crate::world::{RehearsalJob, TargetFacts};

const AFTER_HELP: &str = "\
Examples:
  switchback migrate lint                            every migration of ./migrations, from nothing
  switchback migrate lint --dir db --layout flyway   another tool's folder
  switchback migrate lint --url postgres://me@localhost/shop      what is pending there
  switchback migrate lint --deny warning             warnings end with 1 as well
  switchback migrate lint --json                     every finding with its rewrite

Each migration runs on a PostgreSQL that is started for this, so that rules see what every
statement locks, reads and rewrites, and the tables before it. With a database, sizes and long
transactions of it count: work on a small table is but a note. `docs/rules.md` lists the rules.

In a project, `rule` blocks of switchback.hcl set levels. A comment silences a rule:
  -- switchback: ignore create-index: the table has ten rows everywhere

Exit code 1 if there are errors (or what `--deny` names), 9 if a migration could not be looked
at, 0 otherwise.";

/// Apply the rules of migrations to a folder
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    subject: Subject,
    /// What ends with 1 beside errors
    #[arg(long, value_name = "LEVEL", value_enum)]
    deny: Option<Denied>,
}

/// What ends with 1 beside errors.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Denied {
    /// Warnings
    Warning,
    /// Warnings and notes
    Note,
}

/// What the rules have to say about a folder.
#[derive(Serialize)]
struct Linted {
    /// The database; none where all of the folder was looked at from nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<String>,
    layout: &'static str,
    result: Exit,
    /// How many migrations there are.
    migrations: usize,
    #[serde(flatten)]
    findings: Findings,
    /// What could not be looked at.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    unseen: Vec<Unseen>,
}

/// A migration that could not be looked at.
#[derive(Serialize)]
struct Unseen {
    migration: String,
    why: String,
}

impl View for Linted {
    fn text(&self, paint: &dyn Paint) -> String {
        let mut text = String::new();
        for finding in &self.findings.found {
            text += &found::text(finding, "", paint);
            text.push('\n');
        }
        for ignored in &self.findings.ignored {
            let (rule, at) = (&ignored.finding.rule, found::place(&ignored.finding.place));
            text += &format!("silenced: {rule} at {}: {}\n", harmless(&at), harmless(&ignored.reason));
        }
        for Unseen { migration, why } in &self.unseen {
            let line = format!("not looked at: {}: {}", harmless(migration), harmless(why));
            text += &format!("{}\n", paint.paint(Role::Warning, &line));
        }
        let tally = found::tally(&self.findings);
        let tally = if tally.is_empty() { "nothing found".to_owned() } else { tally };
        text + &format!("{}: {tally}\n", counted(self.migrations, "migration"))
    }
}

/// Runs the verb.
///
/// # Errors
/// When folder and history do not fit, or the database cannot be read.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let subject = &arguments.subject;
    let is_whole = subject.all || subject.url.is_none();
    let (database, layout, job) = match is_whole {
        true => rehearsal::everything(subject, session)?,
        false => rehearsal::pending(subject, session)?,
    };
    let migrations = rehearsal::rehearsed(session, &job)?;
    let target = match is_whole {
        true => None,
        false => facts(session, subject, &migrations)?,
    };
    let levels = levels(session)?;
    let folder = (subject.folder.shown(), layout);
    let findings = judged(&job, &migrations, &levels, target.as_ref(), is_whole, &folder);
    let unseen: Vec<Unseen> = migrations.iter().filter_map(unseen).collect();
    let result = result(&findings, arguments.deny, &unseen);
    let linted = Linted { database, layout: layout.name(), result, migrations: migrations.len(), findings, unseen };
    session.terminal.show(&linted);
    Ok(result)
}

fn judged(
    job: &RehearsalJob,
    migrations: &[Certified],
    levels: &Levels,
    target: Option<&TargetFacts>,
    is_whole: bool,
    folder: &(String, Layout),
) -> Findings {
    let rules = rules();
    let mut judge = Judge::new(&rules, levels);
    for ((direction, migration), certified) in job.steps.iter().zip(migrations) {
        // Without a database nobody knows which of them are out already: each may be a change of its own.
        if is_whole {
            judge.forget();
        }
        judge.migration(&Job {
            step: None,
            address: None,
            direction: *direction,
            migration,
            certificate: Some(&certified.certificate),
            foretold: None,
            target,
            folder: Some(folder),
        });
    }
    judge.end()
}

/// The levels that the project sets, where there is one.
fn levels(session: &Session) -> Result<Levels, Failure> {
    let Some(project) = session.project() else { return Ok(Levels::default()) };
    let project = crate::spec::load_project(&DiskFiles, &project, &session.kinds);
    let (levels, diagnostics) = Levels::of_blocks(&project.rules, &rules());
    if !diagnostics.has_errors() {
        return Ok(levels);
    }
    let failure = Failure::new(Exit::Spec, "the `rule` blocks of switchback.hcl have mistakes; nothing was done");
    Err(diagnostics.0.into_iter().fold(failure, |failure, mistake| {
        let failure = mistake.detail.into_iter().fold(failure, Failure::cause);
        mistake.help.into_iter().fold(failure, Failure::help)
    }))
}

/// What the database says about the relations that are locked or worked on.
fn facts(session: &Session, subject: &Subject, migrations: &[Certified]) -> Result<Option<TargetFacts>, Failure> {
    let (Some(url), Some(databases)) = (&subject.url, &session.world.databases) else { return Ok(None) };
    let (_, connection) = connection(url)?;
    let seen = migrations.iter().flat_map(|one| one.certificate.forth.iter().chain(&one.certificate.back));
    let relations: BTreeSet<String> = seen
        .flat_map(|seen| seen.locks.keys().chain(&seen.rewrites).chain(&seen.scans).chain(seen.builds.keys()))
        .cloned()
        .collect();
    session.wait(databases.facts(&connection, &relations)).map_err(|error| world(&error))
}

fn unseen(one: &Certified) -> Option<Unseen> {
    let why = match &one.certificate.verdict {
        Verdict::NotRehearsed { why } => why.clone(),
        Verdict::Fails { direction, error } if *direction == Direction::Up => format!("it fails: {error}"),
        _ => return None,
    };
    Some(Unseen { migration: one.title.clone(), why })
}

fn result(findings: &Findings, deny: Option<Denied>, unseen: &[Unseen]) -> Exit {
    let least = match deny {
        None => Level::Error,
        Some(Denied::Warning) => Level::Warning,
        Some(Denied::Note) => Level::Note,
    };
    match findings.found.iter().any(|finding| finding.level >= least) {
        true => Exit::Failed,
        false if !unseen.is_empty() => Exit::Unconfirmed,
        false => Exit::Done,
    }
}
