//! What tells two schemas apart, object by object. Pure data.
//!
//! Invariant: an object that is gone or new is told once, without its parts.

use serde::Serialize;

use super::Connection;

/// One object in which two schemas differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SchemaDifference {
    /// What sort of object: `table`, `column`, `index`.
    pub sort: String,
    /// What it belongs to: `table public.orders`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Its name.
    pub name: String,
    /// How it differs.
    #[serde(flatten)]
    pub change: SchemaChange,
}

impl SchemaDifference {
    /// What it is called: `table public.orders: column total`.
    pub fn object(&self) -> String {
        match &self.place {
            Some(place) => format!("{place}: {} {}", self.sort, self.name),
            None => format!("{} {}", self.sort, self.name),
        }
    }
}

/// How an object of the first schema is in the second one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum SchemaChange {
    /// It is not there.
    Missing,
    /// Only the second schema has it.
    Extra,
    /// These facts of it differ.
    Changed {
        /// Fact by fact.
        facts: Vec<FactChange>,
    },
    /// Its columns stand in another order.
    Reordered {
        /// The order in the first schema.
        was: Vec<String>,
        /// The order in the second one.
        is: Vec<String>,
    },
}

/// One fact that differs: the type of a column, the text of a function. Of long texts the first line that differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FactChange {
    /// Which: `type`, `DEFAULT`, `owner`.
    pub fact: String,
    /// As it is in the first schema, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<String>,
    /// As it is in the second one, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub is: Option<String>,
}

/// What came of comparing two schemas.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Compared {
    /// Everything that differs; nothing where they are the same.
    Told(Vec<SchemaDifference>),
    /// They could not be compared, for this reason.
    Untold(String),
}

/// A database whose schema is compared.
#[derive(Clone, Debug, PartialEq)]
pub struct SchemaSite {
    /// How it is reached by whoever asks.
    pub connection: Connection,
    /// How whoever migrates it reaches it, where that is known: who owns what migrations make.
    pub migrated_by: Option<Connection>,
}
