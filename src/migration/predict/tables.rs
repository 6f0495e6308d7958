//! Tables as a whole: made, dropped, emptied, moved, given away. Pure.
//!
//! Invariant: whoever is locked on the other side of a foreign key is named.

use std::collections::BTreeSet;

use super::super::cursor::Cursor;
use super::super::observation::LockMode::{
    AccessExclusive, AccessShare, Share, ShareRowExclusive, ShareUpdateExclusive,
};
use super::super::statements::Token;
use super::action::{Action, fits};
use super::catalog::RelationKind;
use super::expression;
use super::foresight::{Foresight, NotPredicted, Said, unknown};

/// `CREATE TABLE …`, behind those words.
///
/// # Errors
/// When it cannot be known.
pub fn create(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let lenient = cursor.word("if") && cursor.word("not") && cursor.word("exists");
    let name = cursor.name().unwrap_or_default();
    if lenient && sight.catalog.find(&name).is_some() {
        return Ok(());
    }
    let rest = cursor.rest();
    if let Some(at) = query_at(rest) {
        return make_of(sight, &rest[at..]);
    }
    if cursor.word("partition") && cursor.word("of") {
        let root = cursor.name().unwrap_or_default();
        add_partition(sight, &root)?;
    } else if cursor.word("of") {
        let of = cursor.name().unwrap_or_default();
        let of = sight.name(&of)?;
        sight.lock(of, AccessShare);
    }
    for at in 0..rest.len() {
        let mut ahead = Cursor::of(&rest[at..]);
        if ahead.word("references") {
            let other = ahead.name().unwrap_or_default();
            if let Some(other) = sight.catalog.find(&other) {
                sight.lock_partner(other, ShareRowExclusive)?;
            }
        } else if ahead.word("like") {
            let other = ahead.name().unwrap_or_default();
            let other = sight.name(&other)?;
            sight.lock(other, AccessShare);
        } else if ahead.word("inherits") && ahead.word("(") {
            while let Some(parent) = ahead.name() {
                let parent = sight.name(&parent)?;
                sight.lock(parent, ShareUpdateExclusive);
                ahead.word(",");
            }
        }
    }
    Ok(())
}

/// Where the query of `CREATE TABLE … AS` begins.
fn query_at(tokens: &[Token]) -> Option<usize> {
    const QUERIES: [&str; 4] = ["select", "with", "table", "values"];
    let begins = |pair: &[Token]| pair[0].is("as") && QUERIES.iter().any(|word| pair[1].is(word));
    tokens.windows(2).position(begins).map(|at| at + 1)
}

/// A table that is made of a query's rows.
///
/// # Errors
/// When it cannot be known what the query reads.
pub fn make_of(sight: &mut Foresight<'_>, query: &[Token]) -> Said {
    let empty = query.len() >= 3
        && query[query.len() - 3..].iter().zip(["with", "no", "data"]).all(|(token, word)| token.is(word));
    let query = if empty { &query[..query.len() - 3] } else { query };
    expression::lock_read(sight, query)?;
    if empty { Ok(()) } else { expression::scan_read(sight, query) }
}

fn add_partition(sight: &mut Foresight<'_>, root: &str) -> Said {
    let root = sight.name(root)?;
    sight.lock(root, AccessExclusive);
    sight.lock_indexes(root, ShareUpdateExclusive);
    if let Some(default) = sight.catalog.default_of(root) {
        sight.lock(default, AccessExclusive);
        sight.scan(default);
    }
    for constraint in sight.relation(root).constraints.values() {
        if let Some((other, _)) = &constraint.references {
            sight.lock_partner(other, ShareRowExclusive)?;
        }
    }
    if sight.catalog.references_to(root).next().is_some() {
        return unknown(format!("a foreign key to {root}, which is partitioned"));
    }
    Ok(())
}

/// What is dropped together, and what falls with it.
pub struct Drop {
    /// What the statement names.
    pub names: BTreeSet<String>,
    /// Whether what depends on it goes too.
    pub cascade: bool,
}

impl Drop {
    /// Locks all of it.
    ///
    /// # Errors
    /// When the server refuses it, or something is not known.
    pub fn apply(self, sight: &mut Foresight<'_>) -> Said {
        let mut waiting: Vec<String> = self.names.iter().cloned().collect();
        let mut done = BTreeSet::new();
        while let Some(name) = waiting.pop() {
            if !done.insert(name.clone()) {
                continue;
            }
            let relation = sight.relation(&name);
            sight.lock(&name, AccessExclusive);
            sight.lock_indexes(&name, AccessExclusive);
            waiting.extend(sight.catalog.sequences(&name).map(|(sequence, _)| sequence.to_owned()));
            if relation.kind == RelationKind::Partitioned {
                waiting.extend(relation.children.iter().cloned());
            } else {
                self.dependents(sight, &relation.children, &mut waiting)?;
            }
            let views: BTreeSet<String> = relation.seen_by.keys().cloned().collect();
            self.dependents(sight, &views, &mut waiting)?;
            self.leave_parents(sight, &name);
            self.leave_partners(sight, &name)?;
        }
        Ok(())
    }

    fn dependents(&self, sight: &Foresight<'_>, names: &BTreeSet<String>, waiting: &mut Vec<String>) -> Said {
        for name in names {
            if !self.cascade && !self.names.contains(name) {
                return unknown(format!("the server refuses it: {name} depends on it"));
            }
            if sight.catalog.relation(name).is_some() {
                waiting.push(name.clone());
            }
        }
        Ok(())
    }

    fn leave_parents(&self, sight: &mut Foresight<'_>, name: &str) {
        for parent in &sight.relation(name).parents {
            let is_root = sight.catalog.relation(parent).is_some_and(|parent| parent.kind == RelationKind::Partitioned);
            if is_root {
                sight.lock(parent, AccessExclusive);
                if let Some(default) = sight.catalog.default_of(parent) {
                    sight.lock(default, AccessExclusive);
                }
            }
        }
    }

    fn leave_partners(&self, sight: &mut Foresight<'_>, name: &str) -> Said {
        for constraint in sight.relation(name).constraints.values() {
            if let Some((other, _)) = &constraint.references {
                sight.lock_partner(other, AccessExclusive)?;
            }
        }
        for (other, _, _) in sight.catalog.references_to(name) {
            if !self.cascade && !self.names.contains(other) {
                return unknown(format!("the server refuses it: a foreign key of {other} depends on it"));
            }
            sight.lock_partner(other, AccessExclusive)?;
        }
        Ok(())
    }
}

/// `DROP TABLE`, `DROP VIEW`, `DROP MATERIALIZED VIEW`, `DROP SEQUENCE`, behind those words.
///
/// # Errors
/// When it cannot be known.
pub fn drop(sight: &mut Foresight<'_>, cursor: Cursor<'_>) -> Said {
    let (names, cascade) = names_of_drop(sight, cursor)?;
    Drop { names, cascade }.apply(sight)
}

/// The relations that a `DROP` names and that are there, and whether it says `CASCADE`.
///
/// # Errors
/// When one is missing.
pub fn names_of_drop(sight: &Foresight<'_>, mut cursor: Cursor<'_>) -> Result<(BTreeSet<String>, bool), NotPredicted> {
    let lenient = cursor.word("if") && cursor.word("exists");
    let mut names = BTreeSet::new();
    while let Some(written) = cursor.name() {
        match sight.catalog.find(&written) {
            Some(name) => {
                names.insert(name.to_owned());
            }
            None if lenient => {}
            None => return unknown(format!("there is no relation {written}")),
        }
        if !cursor.word(",") {
            break;
        }
    }
    Ok((names, cursor.word("cascade")))
}

/// `TRUNCATE …`, behind that word.
///
/// # Errors
/// When the server refuses it.
pub fn truncate(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    cursor.word("table");
    let cascade = cursor.rest().iter().any(|token| token.is("cascade"));
    let restart = cursor.rest().iter().any(|token| token.is("restart"));
    let mut waiting = Vec::new();
    loop {
        let only = cursor.word("only");
        let written = cursor.name().unwrap_or_default();
        cursor.word("*");
        let name = sight.name(&written)?;
        waiting.extend(if only { vec![name] } else { sight.catalog.family(name) });
        if !cursor.word(",") {
            break;
        }
    }
    let named: BTreeSet<&str> = waiting.iter().copied().collect();
    let mut done = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if !done.insert(name) {
            continue;
        }
        sight.lock(name, AccessExclusive);
        if sight.catalog.holds_rows(name) {
            sight.lock_indexes(name, AccessExclusive);
            sight.found.rewrites.insert(name.to_owned());
        }
        if restart {
            let sequences: Vec<&str> = sight.catalog.sequences(name).map(|(sequence, _)| sequence).collect();
            sequences.into_iter().for_each(|sequence| sight.lock(sequence, AccessExclusive));
        }
        for (other, _, _) in sight.catalog.references_to(name) {
            if !cascade && !named.contains(other) {
                return unknown(format!("the server refuses it: a foreign key of {other} depends on it"));
            }
            waiting.push(other);
        }
    }
    Ok(())
}

/// The actions of `ALTER TABLE` that are about the table as a whole and vary; whether it is one.
///
/// # Errors
/// When it cannot be known.
pub fn alter(sight: &mut Foresight<'_>, action: &Action<'_>) -> Result<bool, NotPredicted> {
    let table = action.table;
    let mut cursor = Cursor::of(action.tokens);
    if fits("set logged", action.tokens) || fits("set unlogged", action.tokens) {
        sight.lock(table, AccessExclusive);
        if sight.relation(table).unlogged != fits("set unlogged", action.tokens) {
            sight.rewrite(table);
        }
    } else if fits("set access method *", action.tokens) {
        sight.since(15, "SET ACCESS METHOD")?;
        cursor.skip(3);
        sight.lock(table, AccessExclusive);
        if cursor.name().is_some_and(|name| name != sight.relation(table).access_method) {
            sight.rewrite(table);
        }
    } else if fits("set tablespace *", action.tokens) {
        cursor.skip(2);
        sight.lock(table, AccessExclusive);
        let own = sight.relation(table).tablespace.clone().unwrap_or_else(|| "pg_default".to_owned());
        if cursor.name().is_some_and(|name| name != own) {
            // Files are copied as they are: the table is read and written, its indexes stay where they are.
            sight.found.rewrites.insert(table.to_owned());
            sight.scan(table);
        }
    } else if fits("owner to *", action.tokens) {
        sight.lock(table, AccessExclusive);
        sight.lock_indexes(table, AccessExclusive);
        lock_sequences(sight, table);
    } else if fits("set schema *", action.tokens) {
        sight.lock(table, AccessExclusive);
        lock_sequences(sight, table);
    } else if fits("cluster on *", action.tokens) {
        cursor.skip(2);
        let index = own_index(sight, table, cursor)?;
        sight.lock(table, ShareUpdateExclusive);
        sight.lock(&index, ShareUpdateExclusive);
    } else if fits("replica identity", action.tokens) {
        sight.lock(table, AccessExclusive);
        cursor.skip(2);
        if cursor.word("using") && cursor.word("index") {
            let index = own_index(sight, table, cursor)?;
            sight.lock(&index, Share);
        }
    } else {
        return Ok(false);
    }
    Ok(true)
}

fn lock_sequences(sight: &mut Foresight<'_>, table: &str) {
    let names: Vec<&str> = sight.catalog.sequences(table).map(|(name, _)| name).collect();
    names.into_iter().for_each(|name| sight.lock(name, AccessExclusive));
}

/// The index of this table that comes next. It is looked for in the table's schema.
///
/// # Errors
/// When it is not there.
pub fn own_index(sight: &Foresight<'_>, table: &str, mut cursor: Cursor<'_>) -> Result<String, NotPredicted> {
    let written = cursor.part().unwrap_or_default();
    let found = sight
        .catalog
        .indexes(table)
        .find(|(name, _)| name.strip_suffix(&written).is_some_and(|schema| schema.ends_with('.')));
    match found {
        Some((name, _)) => Ok(name.to_owned()),
        None => unknown(format!("there is no index {written} of {table}")),
    }
}
