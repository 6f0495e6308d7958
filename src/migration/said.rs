//! What the header of a migration's text, and the spec, say about how it runs. Pure data.
//!
//! Invariant: it travels with the migration into plan and ledger, so that a way back needs neither file nor spec.

use serde::{Deserialize, Serialize};

/// What is said about how a migration runs; nothing usually.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// Longest wait for one lock, in milliseconds; else the database's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lock_timeout_milliseconds: Option<u64>,
    /// On which side of a rollout it belongs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<Phase>,
    /// The group of migrations that is taken back as one, by name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// How long what it takes away is kept, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep_seconds: Option<u64>,
    /// How its one statement that writes rows is cut into batches.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backfill: Option<Backfill>,
    /// What must be true of the data.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub assertions: Vec<Assertion>,
}

/// On which side of a rollout a migration belongs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Adds what the next revision needs; the running one does not mind.
    Expand,
    /// Takes away what no running revision needs any more.
    Contract,
}

/// A statement over many rows, cut into batches by a key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backfill {
    /// The table, as written.
    pub table: String,
    /// The column by whose order the batches are cut: unique, not null, never written meanwhile.
    pub key: String,
    /// Rows per batch at most.
    pub batch: u64,
    /// Pause between two batches, in milliseconds.
    pub pause_milliseconds: u64,
}

/// A query over the data that must give `true`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assertion {
    /// When it is asked, within the migration's own transaction where it has one.
    pub when: When,
    /// The query: one row, one boolean column.
    pub sql: String,
    /// Where it stands in the text, from one.
    pub line: usize,
}

/// Before the first statement, or after the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum When {
    /// Before the first statement.
    Before,
    /// After the last statement.
    After,
}

impl Said {
    /// Whether nothing is said.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}
