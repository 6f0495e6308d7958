//! `switchback migrate down`: takes migrations back with their own files, newest first.
//!
//! Invariant: what runs, and what would be lost by it, is shown before anybody is asked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::forward::{Ran, advise};
use super::place::{Place, PlaceArguments, mismatched, stopped};
use crate::cli::confirm::{Consent, confirm};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::Session;
use crate::kind::Judgement;
use crate::migration::class::{additions, judge_now};
use crate::migration::{Direction, Migration};
use crate::plan::mismatch::Standing;
use crate::review::text::Role;
use crate::review::words::{counted, harmless};

/// Take migrations back with their own files
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("how_far").required(true))]
pub struct Arguments {
    #[command(flatten)]
    place: PlaceArguments,
    /// Back to this version, which stays; 0 takes everything back
    #[arg(long, value_name = "VERSION", group = "how_far")]
    to: Option<String>,
    /// Only the newest one
    #[arg(long, group = "how_far")]
    last: bool,
    /// Do not ask
    #[arg(long)]
    auto_approve: bool,
}

/// Runs the verb.
///
/// # Errors
/// When folder and history do not fit, there is no way back, nobody says yes, or one fails.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let place = Place::open(session, &arguments.place)?;
    let to = match arguments.to.as_deref() {
        Some("0") => Some(i64::MIN),
        Some(typed) => Some(place.number(typed)?),
        None => None,
    };
    let lines = place.lines(&place.history(session)?);
    if let Some(failure) = mismatched(&lines) {
        return Err(failure);
    }
    let applied = lines.iter().filter(|line| line.standing == Standing::Applied);
    let applied: Vec<Arc<Migration>> = applied
        .filter_map(|line| place.migration(line.number).cloned())
        .filter(|one| !one.is_repeatable())
        .map(Arc::new)
        .collect();
    let down = match to {
        Some(to) => applied.iter().filter(|migration| migration.version > to).count(),
        None => usize::from(!applied.is_empty()),
    };
    let (stay, go) = applied.split_at(applied.len() - down);
    let rehearse = session.command(&arguments.place.rehearse());
    if let Some(stuck) = go.iter().rfind(|migration| migration.down.is_none()) {
        let file = place.layout.file_name(&stuck.version_text(), &stuck.name.replace(' ', "_"), Direction::Down);
        let failure = Failure::failed(format!("{} has no file for its way back; nothing was done", stuck.label()));
        let failure = failure.help(format!("write {file}; where one can be derived, this shows its text:  {rehearse}"));
        return Err(failure.help("or go forward: a new migration can undo what it did"));
    }
    show(session, &place, stay, go);
    if !go.is_empty() {
        let question = format!("Take {} back at {}?", counted(go.len(), "migration"), place.shown);
        confirm(&session.terminal, Consent::of(arguments.auto_approve), &question).map_err(advise)?;
    }
    let mut series = place.series();
    let mut ran = Vec::new();
    for migration in go.iter().rev() {
        place.run(session, series.as_mut(), migration, Direction::Down).map_err(|error| stopped(&error, ran.len()))?;
        session.terminal.say(&format!("{}: taken back", harmless(&migration.label())));
        ran.push(migration.label());
    }
    let layout = place.layout.name();
    session.terminal.show(&Ran { database: place.shown.clone(), layout, direction: Direction::Down, ran });
    Ok(Exit::Done)
}

/// Each text that runs, and what it loses.
fn show(session: &Session, place: &Place, stay: &[Arc<Migration>], go: &[Arc<Migration>]) {
    let terminal = &session.terminal;
    let added = additions(go);
    let asked: Vec<_> = added.iter().flatten().flatten().cloned().collect();
    let found: BTreeMap<_, _> = asked.iter().cloned().zip(place.written(session, &asked)).collect();
    for (at, migration) in go.iter().enumerate().rev() {
        let earlier: Vec<_> = stay.iter().chain(&go[..at]).cloned().collect();
        terminal.say_as(Role::Heading, &format!("{} goes back:", harmless(&migration.label())));
        for line in migration.down.as_deref().unwrap_or_default().lines().filter(|line| !line.trim().is_empty()) {
            terminal.say(&format!("    {}", harmless(line)));
        }
        match judge_now(migration, &earlier, &added[at], &found) {
            Judgement::Exact => terminal.say("  nothing is lost"),
            Judgement::Recreates(why) => terminal.say(&format!("  {}", harmless(&why))),
            Judgement::LosesData(what) => terminal.say_as(Role::Warning, &format!("  loses: {}", harmless(&what))),
            Judgement::Impossible(why) => terminal.say_as(Role::Danger, &format!("  {}", harmless(&why))),
        }
    }
}
