//! A migration as the runner takes it: its text, read and checked. Pure.
//!
//! Invariant: what may not run is refused before anything is dialled.

use std::sync::Arc;
use std::time::Duration;

use super::super::errors::refused;
use super::tally;
use crate::migration::addition::Addition;
use crate::migration::batches::Batches;
use crate::migration::class::additions;
use crate::migration::directives::{self, Beside, Directives};
use crate::migration::outside::Outside;
use crate::migration::said::{Assertion, Backfill};
use crate::migration::statements::{Script, Statement};
use crate::migration::{Direction, Migration};
use crate::world::{Content, MigrationEffect, WorldError};

/// How statements are committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All of them in one transaction, with the history row.
    Together,
    /// Each by itself, with how far the migration has got then.
    Apart,
}

/// One statement of the text.
pub struct Piece {
    /// It.
    pub statement: Statement,
    /// By what it is known whether it had its effect, if it cannot run in a transaction.
    pub outside: Option<Outside>,
    /// Whether rows that it shows were written.
    pub writes: bool,
}

/// An effect, read and checked before anything is dialled.
pub struct Job {
    /// The whole text.
    pub text: String,
    /// The text of the file, whatever runs in its place.
    pub file: String,
    /// How its statements are committed.
    pub mode: Mode,
    /// Its statements.
    pub pieces: Vec<Piece>,
    /// The statement that is done in batches, if one is.
    pub filling: Option<Cut>,
    /// What must be true of the data.
    pub assertions: Vec<Assertion>,
    /// Longest wait for one lock.
    pub lock_timeout: Duration,
    /// What must not have been written to since the way back was planned.
    pub spared: Vec<Addition>,
    /// What is being done, for messages.
    pub tried: String,
}

/// A statement that is done in batches.
pub struct Cut {
    /// Its place among the statements, from zero.
    pub number: usize,
    /// It, ready to be cut.
    pub batches: Batches,
    /// How it is cut.
    pub said: Backfill,
}

impl Job {
    /// Reads an effect.
    ///
    /// # Errors
    /// When there is no text for the direction, or it may not run.
    pub fn read(effect: &MigrationEffect, place: &str) -> Result<Self, WorldError> {
        let migration = &effect.migration;
        let label = migration.label();
        let tried = match effect.direction {
            Direction::Up => format!("run {label} at {place}"),
            Direction::Down => format!("take {label} back at {place}"),
        };
        let Some(text) = migration.text(effect.direction) else {
            let help = "write one, or leave the migration in place";
            return Err(refused(tried, format!("there is no {label}.down.sql"), help));
        };
        let help = "correct the file; a migration that was applied already can only be followed by another one";
        let script =
            Script::parse(text).map_err(|error| refused(&tried, format!("not understood as SQL: {error}"), help))?;
        let is_beside_off = beside(migration, effect.direction, &script) == Beside::Off;
        let is_empty = script.statements.is_empty();
        let directives = directives::check_beside(&script, beside(migration, effect.direction, &script));
        let directives = directives.map_err(|problems| {
            let texts: Vec<_> = problems.into_iter().map(|problem| problem.text).collect();
            refused(&tried, texts.join("; "), help)
        })?;
        let spared = match (effect.direction, effect.content) {
            (Direction::Down, Content::MustBeNone) => additions(&[Arc::new(migration.clone())]),
            (Direction::Up, _) | (_, Content::Goes) => Vec::new(),
        };
        let pieces: Vec<Piece> = script.statements.into_iter().map(Piece::of).collect();
        let filling = cut(migration, effect.direction, &directives, &pieces);
        let filling = filling.map_err(|why| refused(&tried, why, help))?;
        let is_off = !directives.transaction || is_beside_off;
        Ok(Self {
            text: text.to_owned(),
            file: migration.up.clone(),
            mode: if is_off && !is_empty { Mode::Apart } else { Mode::Together },
            assertions: assertions(migration, effect.direction, &directives),
            lock_timeout: lock_timeout(effect, &directives),
            pieces,
            filling,
            spared: spared.into_iter().flatten().flatten().collect(),
            tried,
        })
    }

    /// Whether rows that each statement shows were written.
    pub fn writes(&self) -> Vec<bool> {
        self.pieces.iter().map(|piece| piece.writes).collect()
    }

    /// Of what nobody had written to, that which a statement takes away.
    pub fn spared_by(&self, number: usize) -> Vec<Addition> {
        let Some(piece) = self.pieces.get(number) else { return Vec::new() };
        let names = |part: &str| {
            let last = part.rsplit('.').next().unwrap_or(part).trim_matches('"');
            piece.statement.tokens.iter().any(|token| token.text == last)
        };
        let drops = piece.statement.tokens.iter().any(|token| token.is("drop"));
        let is_named = |addition: &&Addition| match addition {
            Addition::Table { name } | Addition::Sequence { name } => names(name),
            Addition::Column { table, column } => names(table) && names(column),
        };
        match drops {
            true => self.spared.iter().filter(is_named).cloned().collect(),
            false => Vec::new(),
        }
    }

    /// `statement 3 of 5`, of one that is done next when so many are done.
    pub fn place(&self, number: usize) -> String {
        format!("statement {} of {}", number + 1, self.pieces.len())
    }
}

impl Piece {
    fn of(statement: Statement) -> Self {
        let outside = statement.refuses_transaction().map(|_| Outside::of(&statement));
        Self { outside, writes: tally::writes(&statement), statement }
    }

    /// Whether it changes the session itself, so that whoever goes on in another one has to say it again.
    pub fn is_setting(&self) -> bool {
        let starts = |words: &[&str]| self.statement.starts_with(words);
        (starts(&["set"]) && !starts(&["set", "local"]) && !starts(&["set", "constraints"])) || starts(&["reset"])
    }
}

/// What the spec says is kept with the migration; the way back says for itself, unless nothing else can be meant.
fn beside(migration: &Migration, direction: Direction, script: &Script) -> Beside {
    let refuses = || script.statements.iter().any(|statement| statement.refuses_transaction().is_some());
    match direction {
        Direction::Up if !migration.transaction => Beside::Off,
        Direction::Down if !migration.transaction && refuses() => Beside::Off,
        Direction::Up | Direction::Down => Beside::Nothing,
    }
}

fn assertions(migration: &Migration, direction: Direction, directives: &Directives) -> Vec<Assertion> {
    match direction {
        Direction::Up if !migration.said.assertions.is_empty() => migration.said.assertions.clone(),
        Direction::Up | Direction::Down => directives.said.assertions.clone(),
    }
}

/// The way back says for itself how it is cut.
fn cut(
    migration: &Migration,
    direction: Direction,
    directives: &Directives,
    pieces: &[Piece],
) -> Result<Option<Cut>, String> {
    let own = directives.said.backfill.clone();
    let said = match direction {
        Direction::Up => migration.said.backfill.clone().or(own),
        Direction::Down => own,
    };
    let Some(said) = said else { return Ok(None) };
    let Some(number) = pieces.iter().position(|piece| piece.writes) else {
        return Err("a backfill is about a statement that writes rows, and there is none".to_owned());
    };
    let piece = &pieces[number];
    let wrong = |why| format!("line {}: {why}", piece.statement.line);
    let batches = Batches::of(&piece.statement.text, &said).map_err(wrong)?;
    Ok(Some(Cut { number, batches, said }))
}

fn lock_timeout(effect: &MigrationEffect, directives: &Directives) -> Duration {
    let own = directives.said.lock_timeout_milliseconds;
    let said = own.or(effect.migration.said.lock_timeout_milliseconds);
    said.map_or(effect.lock_timeout, Duration::from_millis)
}
