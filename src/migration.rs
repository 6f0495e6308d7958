//! Migrations of a PostgreSQL schema: files in refinery's layout, each with its way back. Pure.
//!
//! Invariant: a [`Migration`] holds both texts whole, so that whoever has the plan or the ledger can go
//! either way without the files.

pub mod statements;
mod cursor;
pub mod concurrent;
pub mod directives;
pub mod folder;
pub mod checksum;
pub mod addition;
pub mod class;

use serde::{Deserialize, Serialize};

/// One migration: `V12__add_email.sql` and, beside it, `V12__add_email.down.sql`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The number after the `V`.
    pub version: i64,
    /// The words after the two underscores.
    pub name: String,
    /// The text of the file.
    pub up: String,
    /// The text of the file beside it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<String>,
    /// Whether it runs in one transaction together with its history row; `-- switchback: transaction off`
    /// says no.
    pub transaction: bool,
}

impl Migration {
    /// `V12__add_email`.
    pub fn label(&self) -> String {
        format!("V{}__{}", self.version, self.name)
    }

    /// The text that runs in this direction, if there is one.
    pub fn text(&self, direction: Direction) -> Option<&str> {
        match direction {
            Direction::Up => Some(&self.up),
            Direction::Down => self.down.as_deref(),
        }
    }
}

/// Which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Forward.
    Up,
    /// Back.
    Down,
}

/// A row of `refinery_schema_history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// The version.
    pub version: i64,
    /// The name.
    pub name: String,
    /// refinery's checksum, as the table's own build of it computes it.
    pub checksum: u64,
}
