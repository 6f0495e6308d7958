//! A migration as the runner takes it: its text, read and checked. Pure.
//!
//! Invariant: what may not run is refused before anything is dialled.

use std::sync::Arc;

use super::super::errors::refused;
use super::tally;
use crate::migration::Direction;
use crate::migration::addition::Addition;
use crate::migration::class::additions;
use crate::migration::concurrent::ConcurrentIndex;
use crate::migration::directives;
use crate::migration::statements::{Script, Statement};
use crate::world::{Content, MigrationEffect, WorldError};

/// How statements run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All of them in one transaction.
    Together,
    /// The first one outside of any transaction, then the others.
    Outside {
        /// The index that the first one makes or drops concurrently, if that is what it does.
        index: Option<ConcurrentIndex>,
    },
}

/// An effect, read and checked before anything is dialled.
pub struct Job {
    /// The text to run.
    pub text: String,
    /// How to run it.
    pub mode: Mode,
    /// Of each of its statements, whether rows that it shows were written.
    pub writes: Vec<bool>,
    /// What must not have been written to since the way back was planned.
    pub spared: Vec<Addition>,
    /// What is being done, for messages.
    pub tried: String,
}

impl Job {
    /// Reads an effect.
    ///
    /// # Errors
    /// When there is no text for the direction, or it may not run.
    pub fn read(effect: &MigrationEffect, place: &str) -> Result<Self, WorldError> {
        let label = effect.migration.label();
        let tried = match effect.direction {
            Direction::Up => format!("run {label} at {place}"),
            Direction::Down => format!("take {label} back at {place}"),
        };
        let Some(text) = effect.migration.text(effect.direction) else {
            return Err(refused(
                tried,
                format!("there is no {label}.down.sql"),
                "write one, or leave the migration in place",
            ));
        };
        let help = "correct the file; a migration that was applied already can only be followed by another one";
        let script =
            Script::parse(text).map_err(|error| refused(&tried, format!("not understood as SQL: {error}"), help))?;
        let directives = directives::check(&script).map_err(|problems| {
            let texts: Vec<_> = problems.into_iter().map(|problem| problem.text).collect();
            refused(&tried, texts.join("; "), help)
        })?;
        let mode = match directives.transaction {
            true => Mode::Together,
            false => Mode::Outside { index: script.statements.first().and_then(ConcurrentIndex::of) },
        };
        let spared = match (effect.direction, effect.content) {
            (Direction::Down, Content::MustBeNone) => additions(&[Arc::new(effect.migration.clone())]),
            (Direction::Up, _) | (_, Content::Goes) => Vec::new(),
        };
        let spared = spared.into_iter().flatten().flatten().collect();
        Ok(Self {
            spared,
            text: text.to_owned(),
            mode,
            writes: script.statements.iter().map(tally::writes).collect(),
            tried,
        })
    }

    /// The one statement of a text that runs outside of a transaction.
    pub fn outside(&self) -> Option<Statement> {
        match self.mode {
            Mode::Together => None,
            Mode::Outside { .. } => Script::parse(&self.text).ok()?.statements.into_iter().next(),
        }
    }
}
