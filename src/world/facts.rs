//! What only a database that is in use can say about itself. Plain data.
//!
//! Invariant: nothing here was had by changing or locking anything.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is said of a database right now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetFacts {
    /// The server's version: `15.18`.
    pub server: String,
    /// How large the relations are that were asked for, by name. What is not there is not among them.
    pub sizes: BTreeMap<String, Size>,
    /// Sessions that wait for a lock, the longest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<WaitingSession>,
    /// Transactions that have been open for more than a few seconds, the longest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub long: Vec<LongTransaction>,
    /// Servers that follow this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<Replica>,
}

/// How large a relation is, its partitions included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Its rows as the server estimates them; nothing when it never counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Its bytes on disk, with indexes and long values.
    pub bytes: u64,
}

/// A session that waits for a lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitingSession {
    /// Its process.
    pub process: i32,
    /// Since when, in seconds.
    pub seconds: f64,
    /// The processes that it waits for.
    pub waits_for: Vec<i32>,
    /// What it wants to do, without literals.
    pub query: String,
}

/// A transaction that has been open for long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LongTransaction {
    /// Its process.
    pub process: i32,
    /// Whose it is.
    pub user: String,
    /// What the client calls itself.
    pub application: String,
    /// Since when, in seconds.
    pub seconds: f64,
    /// What it did last, without literals.
    pub query: String,
}

/// A server that follows this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replica {
    /// What it calls itself.
    pub name: String,
    /// How far it is behind, in bytes of the log; nothing when it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<u64>,
    /// How far it is behind, in seconds; nothing when it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<f64>,
}
