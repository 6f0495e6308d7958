//! What is foreseen of one statement while its rules are applied. Pure.
//!
//! Invariant: a rule that does not know says why; it never leaves a lock out silently.

use super::super::observation::{LockMode, Observation};
use super::catalog::{Catalog, Relation, RelationKind};

/// Why a statement is not predicted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotPredicted(pub String);

/// What a rule says.
pub type Said = Result<(), NotPredicted>;

/// A rule that does not know.
pub fn unknown<T>(why: impl Into<String>) -> Result<T, NotPredicted> {
    Err(NotPredicted(why.into()))
}

/// What is known, and what follows from it so far.
pub struct Foresight<'a> {
    /// What is there.
    pub catalog: &'a Catalog,
    /// The server's major version.
    pub version: u32,
    /// What follows.
    pub found: Observation,
}

impl<'a> Foresight<'a> {
    /// Nothing so far.
    pub fn new(catalog: &'a Catalog, version: u32) -> Self {
        Self { catalog, version, found: Observation::default() }
    }

    /// The whole name of a relation that has to be there.
    ///
    /// # Errors
    /// When it is not.
    pub fn name(&self, written: &str) -> Result<&'a str, NotPredicted> {
        self.catalog.find(written).ok_or_else(|| NotPredicted(format!("there is no relation {written}")))
    }

    /// A relation that is there.
    pub fn relation(&self, name: &str) -> &'a Relation {
        self.catalog.relation(name).expect("the name was found among them")
    }

    /// Refuses versions in which the statement does not exist yet.
    ///
    /// # Errors
    /// When the server is older.
    pub fn since(&self, version: u32, what: &str) -> Said {
        if self.version < version {
            return unknown(format!("the server refuses it: {what} exists from version {version} on"));
        }
        Ok(())
    }

    /// A lock; the strongest counts.
    pub fn lock(&mut self, name: &str, mode: LockMode) {
        let held = self.found.locks.entry(name.to_owned()).or_insert(mode);
        *held = mode.max(*held);
    }

    /// A lock on a table and everything below it.
    pub fn lock_family(&mut self, name: &str, mode: LockMode) {
        for name in self.catalog.family(name) {
            self.lock(name, mode);
        }
    }

    /// Locks on the indexes of a table.
    pub fn lock_indexes(&mut self, table: &str, mode: LockMode) {
        for (index, _) in self.catalog.indexes(table) {
            self.lock(index, mode);
        }
    }

    /// A table is read as a whole.
    pub fn scan(&mut self, table: &str) {
        if self.catalog.holds_rows(table) {
            self.found.scans.insert(table.to_owned());
        }
    }

    /// The tables of a family are read as a whole.
    pub fn scan_family(&mut self, table: &str) {
        for table in self.catalog.family(table) {
            self.scan(table);
        }
    }

    /// An index is built, for which its table is read.
    pub fn build(&mut self, table: &str, index: &str) {
        self.scan(table);
        self.found.builds.entry(table.to_owned()).or_default().insert(index.to_owned());
    }

    /// A table is written anew, with all its indexes.
    pub fn rewrite(&mut self, table: &str) {
        if !self.catalog.holds_rows(table) {
            return;
        }
        self.lock(table, LockMode::AccessExclusive);
        self.scan(table);
        self.found.rewrites.insert(table.to_owned());
        for (index, _) in self.catalog.indexes(table) {
            self.lock(index, LockMode::AccessExclusive);
            self.build(table, index);
        }
    }

    /// The other side of a foreign key. Of one that is partitioned nothing is predicted.
    ///
    /// # Errors
    /// When it is.
    pub fn lock_partner(&mut self, partner: &str, mode: LockMode) -> Said {
        match self.catalog.relation(partner).map(|relation| relation.kind) {
            Some(RelationKind::Table) => {
                self.lock(partner, mode);
                Ok(())
            }
            Some(_) => unknown(format!("a foreign key to {partner}, which is partitioned")),
            None => unknown(format!("there is no relation {partner}")),
        }
    }
}
