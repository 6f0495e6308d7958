//! What a change is estimated to cost in this environment: who is kept waiting and for how long, disk, log, replicas. Pure
//! data.
//!
//! Invariant: every number says what it rests on; what cannot be estimated is said to be unknown, never left at zero.

mod words;
mod statement;
mod names;
mod arithmetic;
pub mod way;
pub mod budget;
mod plan;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::migration::observation::LockMode;
use crate::step::StepId;
use budget::Exceeded;
pub use plan::{Basis, estimates, is_large};
pub use words::about;

/// The estimates of a change set, by step. Steps that run no migration are not among them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Risks(pub BTreeMap<StepId, Risk>);

/// What one migration is estimated to cost, on the way that is planned and on the way back from there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Risk {
    /// The way that is planned.
    pub forth: Cost,
    /// The way back from there.
    pub back: Cost,
    /// The version of the server on which the rates were measured that it rests on; empty where none were.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub measured_on: String,
    /// The limits of the environment and the database that it is above.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub exceeded: Vec<Exceeded>,
}

/// What running one text is estimated to cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Cost {
    /// How long it takes, in seconds; nothing where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// The longest that somebody who writes is kept waiting, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_writes: Option<f64>,
    /// The longest that somebody who reads is kept waiting, in seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub blocked_reads: Option<f64>,
    /// Disk that is needed for a while, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub disk_bytes: Option<u64>,
    /// Log that is written, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wal_bytes: Option<u64>,
    /// How far replicas fall behind, in seconds; nothing where there are none, or none is known of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<f64>,
    /// Statement by statement.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub statements: Vec<Estimate>,
    /// What is not known, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown: Vec<String>,
}

/// What one statement is estimated to cost.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Estimate {
    /// Its number in the text, from one.
    pub statement: usize,
    /// How long it takes, in seconds; nothing where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<f64>,
    /// Who is kept waiting, relation by relation.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocked: Vec<Blocked>,
    /// What the numbers rest on, in words: `1.2 GB, about 3 million rows, read as a whole at 410 MB/s`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub because: Vec<String>,
}

/// Whom a lock keeps waiting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Blocked {
    /// The relation.
    pub relation: String,
    /// The lock.
    pub lock: LockMode,
    /// For how long, in seconds, until the end of the transaction.
    pub seconds: f64,
    /// How many statements that read are expected in this time; nothing where traffic is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readers: Option<f64>,
    /// How many rows are expected to be written in this time; nothing where traffic is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub writers: Option<f64>,
}

impl Risks {
    /// The estimate of a step.
    pub fn of(&self, step: StepId) -> Option<&Risk> {
        self.0.get(&step)
    }

    /// Whether nothing is estimated.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
