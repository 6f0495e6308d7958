//! What is asked of whoever can propose the migration between two schemas. Pure data.
//!
//! Invariant: a proposal says what came of trying it; one that was not tried is none.

use std::sync::Arc;

use serde::Serialize;

use super::{Connection, RehearsalSettings};
use crate::migration::Migration;

/// Where a schema comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum SchemaSource {
    /// Migrations, run from nothing.
    Migrations(Vec<Arc<Migration>>),
    /// SQL that makes it: a dump, or written by hand.
    Text {
        /// What it is called, for people.
        name: String,
        /// The text.
        sql: String,
    },
    /// A database, which is only read.
    Database(Connection),
}

/// Two schemas.
#[derive(Clone, Debug, PartialEq)]
pub struct ProposalJob {
    /// The throw-away server.
    pub settings: RehearsalSettings,
    /// What is there.
    pub present: SchemaSource,
    /// What is to be there.
    pub wanted: SchemaSource,
}

/// What came of trying one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "trial", rename_all = "snake_case")]
pub enum Trial {
    /// It leads to what it should, to the last fact, or but for the order of columns.
    Right {
        /// Tables whose columns stand in another order.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        orders: Vec<String>,
    },
    /// It leads to something else.
    Otherwise {
        /// What differs, line by line.
        difference: Vec<String>,
    },
    /// It fails.
    Fails {
        /// The error, with the line.
        error: String,
    },
}

/// The migration between two schemas.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proposal {
    /// The version of the server on which it was tried.
    pub server: String,
    /// Whether the schemas are the same, so that there is nothing to do.
    pub is_same: bool,
    /// The way there.
    pub up: String,
    /// The way back; empty where the way there does not go.
    pub down: String,
    /// What came of the way there.
    pub forth: Trial,
    /// What came of the way back.
    pub back: Trial,
    /// What differs and has no statement, on the way there and on the way back.
    pub unsaid: Vec<String>,
    /// What was passed over or made up on the throw-away server.
    pub remarks: Vec<String>,
}
