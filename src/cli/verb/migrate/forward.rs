//! `switchback migrate up`: runs what is pending, one by one.
//!
//! Invariant: nothing runs while folder and history do not fit; another runner at the same time is waited for, and what
//! it has done is not done again.

use std::collections::VecDeque;

use serde::Serialize;

use super::place::{Place, PlaceArguments, mismatched, stopped};
use crate::cli::confirm::{Consent, confirm};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::cli::terminal::View;
use crate::migration::{Direction, Migration};
use crate::plan::mismatch::{Line, Standing};
use crate::review::text::{Paint, Role};
use crate::review::words::{counted, harmless};
use crate::value::Value;

const AFTER_HELP: &str = "\
Each migration and its row in the history table are one transaction; files that cannot run in one
are run statement by statement. `switchback migrate rehearse` shows first, on a throw-away
PostgreSQL, what each statement locks, and whether its way back restores what was.";

/// Run what is pending
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// Up to this version, itself included; all of them when it is not named
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
}

/// What ran.
#[derive(Serialize)]
pub struct Ran {
    /// The database.
    pub database: String,
    /// The layout.
    pub layout: &'static str,
    /// Which way.
    pub direction: Direction,
    /// What ran, in order.
    pub ran: Vec<String>,
}

impl View for Ran {
    fn text(&self, _paint: &dyn Paint) -> String {
        let what = counted(self.ran.len(), "migration");
        match (self.ran.is_empty(), self.direction) {
            (true, Direction::Up) => "nothing is pending\n".to_owned(),
            (true, Direction::Down) => "nothing is to be taken back\n".to_owned(),
            (false, Direction::Up) => format!("ran {what}: {}\n", self.ran.join(", ")),
            (false, Direction::Down) => format!("took {what} back: {}\n", self.ran.join(", ")),
        }
    }
}

/// Runs the verb.
///
/// # Errors
/// When folder and history do not fit, nobody says yes, or a migration fails.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let place = Place::open(session, &arguments.place)?;
    let to = arguments.to.as_deref().map(|typed| place.number(typed)).transpose()?;
    let first = pending(&place, &checked(&place, session)?, to);
    let mut ran = Vec::new();
    if !first.is_empty() {
        for migration in &first {
            let back = if migration.down.is_some() { "" } else { "  (no file for its way back)" };
            session.terminal.say_as(Role::Heading, &format!("  {}{back}", harmless(&migration.label())));
        }
        let count = counted(first.len(), "migration");
        let question = format!("Run {count} in {}'s layout at {}?", place.layout, place.shown);
        confirm(&session.terminal, Consent::of(arguments.auto_approve), &question).map_err(advise)?;
    }
    let mut series = place.series();
    let mut queue = VecDeque::from(first);
    while let Some(migration) = queue.pop_front() {
        match place.run(session, series.as_mut(), &migration, Direction::Up) {
            Ok(facts) => {
                let took = facts.get("duration_ms").and_then(Value::as_i64).unwrap_or_default();
                session.terminal.say(&format!("{}: done in {took} ms", harmless(&migration.label())));
                ran.push(migration.label());
            }
            Err(error) => {
                // The history is looked at again: another runner may have been first.
                let lines = place.lines(&place.history(session)?);
                let was_done = lines.iter().any(|line| is_done(line, &migration));
                if !was_done || error.trace == crate::world::Trace::Unknown {
                    return Err(stopped(&error, ran.len()));
                }
                session.terminal.say(&format!("{}: another runner was first", harmless(&migration.label())));
                queue = pending(&place, &checked(&place, session)?, to).into();
            }
        }
    }
    let layout = place.layout.name();
    session.terminal.show(&Ran { database: place.shown.clone(), layout, direction: Direction::Up, ran });
    Ok(Exit::Done)
}

/// The lines, if nothing is wrong with them.
fn checked(place: &Place, session: &Session) -> Result<Vec<Line>, Failure> {
    let lines = place.lines(&place.history(session)?);
    match mismatched(&lines) {
        Some(failure) => Err(failure),
        None => Ok(lines),
    }
}

fn is_done(line: &Line, migration: &Migration) -> bool {
    line.number == migration.version && line.standing == Standing::Applied
}

fn pending(place: &Place, lines: &[Line], to: Option<i64>) -> Vec<Migration> {
    let is_wanted =
        |line: &&Line| to.is_none_or(|to| line.number <= to || line.version == crate::migration::REPEATABLE);
    let is_pending = |line: &&Line| matches!(line.standing, Standing::Pending | Standing::PendingAgain);
    let pending = lines.iter().filter(is_pending).filter(is_wanted);
    pending.filter_map(|line| place.migration(line.number).cloned()).collect()
}

/// There is no plan to save here.
pub fn advise(mut failure: Failure) -> Failure {
    if !failure.help.is_empty() {
        failure.help = vec!["type the same with `--auto-approve`".to_owned()];
    }
    failure
}
