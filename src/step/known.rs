//! What is known of a thing beside the thing itself: since when, what was there before us, what may still run. Pure data.
//!
//! Invariant: it travels in steps and records, so that a thing that was forgotten can be taken up as it was known.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::migration::range::SchemaNeeds;
use crate::migration::told::Told;
use crate::migration::{Keeping, Migration};
use crate::value::Object;

/// All that the ledger knew of something that it forgot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "was", rename_all = "snake_case")]
pub enum Forgotten {
    /// A resource.
    Thing {
        /// The kind.
        kind: String,
        /// As it was after the last change of ours.
        object: Object,
        /// Earlier things under its address, oldest first.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        earlier: Vec<Object>,
        /// What was there before us, if it was imported.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        adopted: Option<Box<Adoption>>,
        /// The schema versions that it works with.
        #[serde(default, skip_serializing_if = "SchemaNeeds::is_empty")]
        needs_schema: SchemaNeeds,
        /// Earlier revisions that may still run.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        beside: Vec<Beside>,
        /// When the ledger first knew it.
        born: Birth,
    },
    /// A database's schema.
    Database {
        /// The applied migrations, by version.
        applied: Vec<Migration>,
        /// Longest wait for one lock, in milliseconds.
        lock_timeout_milliseconds: u64,
        /// The applied versions that what runs does not know.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        ahead: BTreeSet<i64>,
        /// What is kept of what its migrations took away, by version.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        kept: BTreeMap<i64, Keeping>,
        /// Migrations that were taken back, and whose things are set aside.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        aside: Vec<Migration>,
        /// When the ledger first knew it.
        born: Birth,
        /// What people told of its history.
        #[serde(default, skip_serializing_if = "Told::is_plain")]
        told: Told,
    },
}

/// An earlier revision of a thing that may still run beside the current one: until it is retired, or because the
/// rollout that was to replace it failed. Only those are kept whose schema versions are known.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Beside {
    /// As it was recorded.
    pub object: Object,
    /// The schema versions that it works with.
    pub needs_schema: SchemaNeeds,
}

/// That a thing was there before the ledger knew it: a way back to before that leaves it there, as it was.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Adoption {
    /// The run that took it up.
    pub run: u64,
    /// By which it was found.
    pub id: String,
    /// As it was then, sealed.
    pub object: Object,
    /// The same as it is recorded among the earlier things, once there is a later revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revised: Option<Object>,
}

/// The run and step by which the ledger came to know a thing. It stays the same whatever the thing is called later
/// and however often it is replaced, so that a way back knows it again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Birth {
    /// The run.
    pub run: u64,
    /// The step.
    pub step: u32,
}
