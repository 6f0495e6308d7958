//! How far a migration has got that does not run in one transaction. Pure data.
//!
//! Invariant: what a position counts is committed; the row in the database that holds it was committed together with it.

use serde::{Deserialize, Serialize};

use super::{Direction, Migration};

/// How far a migration has got.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Statements that are done, from the first one of the text on.
    pub statements: usize,
    /// How far the statement behind them has got, where that is a backfill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<Cursor>,
}

/// How far a backfill has got.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The highest key that is done, as PostgreSQL writes it.
    pub key: String,
    /// Batches that are done.
    pub batches: u64,
    /// Rows that were written.
    pub rows: u64,
}

impl Position {
    /// Whether nothing is done yet.
    pub fn is_start(&self) -> bool {
        *self == Self::default()
    }
}

/// A migration that was left in the middle, as the database itself says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Partial {
    /// The migration, both texts, as it was begun.
    pub migration: Migration,
    /// Which way it was going.
    pub direction: Direction,
    /// How far it has got.
    pub position: Position,
}
