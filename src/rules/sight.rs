//! What a rule about a statement looks at: the statement and its text, what it was seen to do, what was there before it, and
//! the target. Plain data.
//!
//! Invariant: what is not known is absent; a rule that needs it says nothing.

use std::collections::BTreeSet;

use super::reading::{self, Alteration};
use crate::migration::Migration;
use crate::migration::catalog::{Catalog, Relation};
use crate::migration::observation::{LockMode, Observation};
use crate::migration::statements::{Script, Statement, Token};
use crate::rehearse::target::Along;
use crate::world::{Size, TargetFacts};

/// A statement, and what is known about it.
#[derive(Clone, Copy, Debug)]
pub struct Sight<'a> {
    /// The migration.
    pub migration: &'a Migration,
    /// The whole text that it stands in.
    pub script: &'a Script,
    /// The statement.
    pub statement: &'a Statement,
    /// Its number in the text, from one.
    pub number: usize,
    /// On which way the text is.
    pub way: Along,
    /// Whether the text runs in one transaction.
    pub transaction: bool,
    /// What the statement was seen or is foretold to do.
    pub seen: Option<&'a Observation>,
    /// What was seen or is foretold of each statement of the text.
    pub all_seen: &'a [Observation],
    /// Tables that earlier statements of this change set made: nobody uses them yet.
    pub fresh: &'a BTreeSet<String>,
    /// What the target says about itself.
    pub target: Option<&'a TargetFacts>,
}

impl<'a> Sight<'a> {
    /// What the catalogs said right before the statement.
    pub fn catalog(&self) -> Option<&'a Catalog> {
        self.seen?.before.as_deref()
    }

    /// The whole name of a relation as written in the statement.
    pub fn name(&self, written: &str) -> String {
        if let Some(found) = self.catalog().and_then(|catalog| catalog.find(written)) {
            return found.to_owned();
        }
        if written.contains('.') {
            return written.to_owned();
        }
        let first = self.catalog().and_then(|catalog| catalog.search_path.first()).map_or("public", String::as_str);
        format!("{first}.{written}")
    }

    /// A relation that was there before the statement.
    pub fn relation(&self, name: &str) -> Option<&'a Relation> {
        self.catalog()?.relation(name)
    }

    /// Whether it is made by this change set, so that nobody waits for it.
    pub fn is_fresh(&self, name: &str) -> bool {
        let table = self.relation(name).and_then(|relation| relation.index.as_ref()).map(|index| &index.table);
        self.fresh.contains(name) || table.is_some_and(|table| self.fresh.contains(table))
    }

    /// `ALTER TABLE`, taken apart.
    pub fn alteration(&self) -> Option<Alteration<'a>> {
        reading::alteration(self.statement)
    }

    /// The text of some of its tokens, as written.
    pub fn text(&self, tokens: &[Token]) -> String {
        reading::text(self.statement, tokens)
    }

    /// The lock on a relation while the statement runs: its own, or a stronger one that an earlier statement of the
    /// transaction still holds.
    pub fn lock(&self, name: &str) -> Option<LockMode> {
        let held = self.held().into_iter().find(|(known, _)| *known == name).map(|(_, mode)| mode);
        self.seen?.locks.get(name).copied().max(held)
    }

    /// Whether a relation is worked on as a whole: written anew, read, or an index of it built. One that is emptied only
    /// gets a new file.
    pub fn works_on(&self, name: &str) -> bool {
        !self.statement.starts_with(&["truncate"])
            && self.seen.is_some_and(|seen| {
                seen.rewrites.contains(name) || seen.scans.contains(name) || seen.builds.contains_key(name)
            })
    }

    /// Whether a relation is worked on as a whole while those who write to it wait; made by this change set, it is not.
    pub fn is_heavy(&self, name: &str) -> bool {
        let blocks = self.lock(name).is_some_and(LockMode::blocks_writers);
        blocks && self.works_on(name) && !self.is_fresh(name)
    }

    /// The relations that are worked on as a whole while those who write to them wait.
    pub fn heavy(&self) -> Vec<&'a str> {
        let Some(seen) = self.seen else { return Vec::new() };
        let worked = seen.rewrites.iter().chain(&seen.scans).chain(seen.builds.keys());
        let worked: BTreeSet<&str> = worked.map(String::as_str).collect();
        worked.into_iter().filter(|name| self.is_heavy(name)).collect()
    }

    /// Those of a table's family that are worked on as a whole while others wait; those that the statement locks elsewhere
    /// are left out.
    pub fn heavy_below(&self, table: &str) -> Vec<&'a str> {
        let family: Vec<&str> = self.catalog().map(|catalog| catalog.family(table)).unwrap_or_default();
        self.heavy().into_iter().filter(|name| *name == table || family.contains(name)).collect()
    }

    /// Whether a relation is written anew.
    pub fn rewrites(&self, name: &str) -> bool {
        self.seen.is_some_and(|seen| seen.rewrites.contains(name))
    }

    /// How large a relation is in this environment.
    pub fn size(&self, name: &str) -> Option<Size> {
        self.target?.sizes.get(name).copied()
    }

    /// The rows of a relation in this environment, as its server estimates them.
    pub fn rows(&self, name: &str) -> Option<u64> {
        self.size(name)?.rows
    }

    /// The statements of the text before this one, each with what was seen of it.
    pub fn before(&self) -> impl Iterator<Item = (&'a Statement, Option<&'a Observation>)> {
        let all = self.all_seen;
        self.script.statements[..self.number - 1]
            .iter()
            .zip(1..)
            .map(move |(statement, number)| (statement, all.iter().find(|seen| seen.statement == number)))
    }

    /// The locks that keep writers waiting and that statements before this one still hold, the tables that this change set
    /// made left out.
    pub fn held(&self) -> Vec<(&'a str, LockMode)> {
        if !self.transaction {
            return Vec::new();
        }
        let seen = self.before().filter_map(|(_, seen)| seen);
        let locks = seen.flat_map(|seen| seen.locks.iter().map(|(name, mode)| (name.as_str(), *mode)));
        let mut held: Vec<(&str, LockMode)> = Vec::new();
        for (name, mode) in locks.filter(|(name, mode)| mode.blocks_writers() && !self.is_fresh(name)) {
            match held.iter_mut().find(|(known, _)| *known == name) {
                Some((_, known)) => *known = mode.max(*known),
                None => held.push((name, mode)),
            }
        }
        held
    }

    /// Statements in the place of one action of `ALTER TABLE`: the other actions stand first, by themselves.
    pub fn instead(&self, alteration: &Alteration<'_>, action: usize, statements: &[String]) -> String {
        let others = alteration.actions.iter().enumerate().filter(|(place, _)| *place != action);
        let others: Vec<String> = others.map(|(_, tokens)| self.text(tokens)).collect();
        let first = (!others.is_empty()).then(|| format!("alter table {} {}", alteration.written, others.join(", ")));
        let all: Vec<String> = first.into_iter().chain(statements.iter().cloned()).collect();
        apart(&all)
    }
}

/// Statements that are committed one by one, as the text of a migration.
pub fn apart(statements: &[String]) -> String {
    format!("-- switchback: transaction off\n{};\n", statements.join(";\n"))
}
