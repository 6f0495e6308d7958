//! What a statement locks, rewrites and scans: predicted from its kind, or observed while it runs. Pure data.
//!
//! Invariant: relations are named `schema.name`, as they were called before the statement; what the statement itself
//! made is not among them.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::catalog::Catalog;

/// What one statement did, or will do, to the relations that were there before it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observation {
    /// Its number in the text, from one.
    pub statement: usize,
    /// The line it starts on, from one.
    pub line: usize,
    /// It on one line, shortened.
    pub excerpt: String,
    /// The strongest lock on each relation.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub locks: BTreeMap<String, LockMode>,
    /// Relations that are written anew as a whole.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub rewrites: BTreeSet<String>,
    /// Tables that are read as a whole.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub scans: BTreeSet<String>,
    /// Indexes that are built, by the table they are on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub builds: BTreeMap<String, BTreeSet<String>>,
    /// Whether it has to run outside of a transaction.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub outside: bool,
    /// What the catalogs said right before it of the relations that it names, their families and partners; nothing where
    /// nobody looked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Box<Catalog>>,
}

/// The modes of locks on relations, weakest first.
/// <https://www.postgresql.org/docs/current/explicit-locking.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LockMode {
    /// `ACCESS SHARE`: reading.
    AccessShare,
    /// `ROW SHARE`: `SELECT … FOR UPDATE`.
    RowShare,
    /// `ROW EXCLUSIVE`: writing.
    RowExclusive,
    /// `SHARE UPDATE EXCLUSIVE`: neither readers nor writers wait.
    ShareUpdateExclusive,
    /// `SHARE`: writers wait.
    Share,
    /// `SHARE ROW EXCLUSIVE`: writers wait.
    ShareRowExclusive,
    /// `EXCLUSIVE`: writers wait.
    Exclusive,
    /// `ACCESS EXCLUSIVE`: everybody waits.
    AccessExclusive,
}

impl LockMode {
    /// All of them, weakest first.
    pub const ALL: [Self; 8] = [
        Self::AccessShare,
        Self::RowShare,
        Self::RowExclusive,
        Self::ShareUpdateExclusive,
        Self::Share,
        Self::ShareRowExclusive,
        Self::Exclusive,
        Self::AccessExclusive,
    ];

    /// As `pg_locks.mode` has it: `AccessExclusiveLock`.
    pub fn catalog_name(self) -> &'static str {
        match self {
            Self::AccessShare => "AccessShareLock",
            Self::RowShare => "RowShareLock",
            Self::RowExclusive => "RowExclusiveLock",
            Self::ShareUpdateExclusive => "ShareUpdateExclusiveLock",
            Self::Share => "ShareLock",
            Self::ShareRowExclusive => "ShareRowExclusiveLock",
            Self::Exclusive => "ExclusiveLock",
            Self::AccessExclusive => "AccessExclusiveLock",
        }
    }

    /// As SQL and people write it: `ACCESS EXCLUSIVE`.
    pub fn sql_name(self) -> &'static str {
        match self {
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// The mode with this name in `pg_locks`.
    pub fn of_catalog(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| mode.catalog_name() == name)
    }

    /// Whether whoever writes rows has to wait for it.
    pub fn blocks_writers(self) -> bool {
        self >= Self::Share
    }

    /// Whether whoever reads rows has to wait for it.
    pub fn blocks_readers(self) -> bool {
        self == Self::AccessExclusive
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_is_found_by_its_name() {
        for mode in LockMode::ALL {
            assert_eq!(LockMode::of_catalog(mode.catalog_name()), Some(mode));
            assert_eq!(mode.sql_name().replace(' ', "").to_lowercase() + "lock", mode.catalog_name().to_lowercase());
        }
        assert_eq!(LockMode::of_catalog("SIReadLock"), None);
        assert!(LockMode::Share.blocks_writers() && !LockMode::Share.blocks_readers());
    }
}
