//! Upkeep and description: vacuum, analyze, cluster, comments, grants, publications, explicit locks. Pure.
//!
//! Invariant: what only visits some pages of a table is no scan of it.

use super::super::cursor::{Cursor, split};
use super::super::observation::LockMode::{self, AccessExclusive, AccessShare, ShareUpdateExclusive};
use super::super::statements::Token;
use super::foresight::{Foresight, NotPredicted, Said, unknown};

/// `VACUUM …`, behind that word.
///
/// # Errors
/// When it names no table.
pub fn vacuum(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let is_on = |option: &Vec<Token>| {
        option[0].is("full") && !option.get(1).is_some_and(|value| value.is("false") || value.is("off"))
    };
    let mut full = cursor.arguments().unwrap_or_default().iter().any(is_on);
    while ["full", "freeze", "verbose", "analyze", "analyse"].iter().any(|word| cursor.peeks(word)) {
        full |= cursor.peeks("full");
        cursor.skip(1);
    }
    sight.found.outside = true;
    each_table(sight, cursor, |sight, table| {
        for part in sight.catalog.family(table) {
            if full && sight.catalog.holds_rows(part) {
                sight.lock(part, AccessExclusive);
                sight.rewrite(part);
            } else {
                sight.lock(part, ShareUpdateExclusive);
            }
        }
        // Indexes are locked too briefly to be told of what runs outside of a transaction.
        sight
            .found
            .locks
            .retain(|name, _| sight.catalog.relation(name).is_some_and(|relation| relation.index.is_none()));
    })
}

/// `ANALYZE …`, behind that word.
///
/// # Errors
/// When it names no table.
pub fn analyze(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    cursor.arguments();
    cursor.word("verbose");
    each_table(sight, cursor, |sight, table| sight.lock_family(table, ShareUpdateExclusive))
}

/// `CLUSTER …`, behind that word.
///
/// # Errors
/// When it names no table, or a partitioned one.
pub fn cluster(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    cursor.arguments();
    cursor.word("verbose");
    let Some(written) = cursor.name() else {
        return unknown("CLUSTER of every table");
    };
    let table = sight.name(&written)?;
    if !sight.catalog.holds_rows(table) {
        return unknown("CLUSTER of a partitioned table");
    }
    sight.rewrite(table);
    Ok(())
}

fn each_table(sight: &mut Foresight<'_>, cursor: Cursor<'_>, rule: impl Fn(&mut Foresight<'_>, &str)) -> Said {
    if cursor.at_end() {
        return unknown("every table of the database");
    }
    for part in split(cursor.rest()) {
        let written = Cursor::of(part).name().unwrap_or_default();
        let table = sight.name(&written)?;
        rule(sight, table);
    }
    Ok(())
}

/// `COMMENT ON …`, behind those words.
///
/// # Errors
/// When the thing is not there.
pub fn comment(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    const RELATIONS: [&str; 5] = ["table", "view", "index", "sequence", "foreign"];
    const OF_TABLES: [&str; 4] = ["constraint", "trigger", "rule", "policy"];
    if cursor.word("column") {
        let written = cursor.name().unwrap_or_default();
        let Some((table, _)) = written.rsplit_once('.') else {
            return unknown("the column is not understood");
        };
        let table = sight.name(table)?;
        sight.lock(table, ShareUpdateExclusive);
    } else if OF_TABLES.iter().any(|word| cursor.peeks(word)) {
        cursor.skip(2);
        cursor.word("on");
        if cursor.word("domain") {
            return Ok(());
        }
        let written = cursor.name().unwrap_or_default();
        let table = sight.name(&written)?;
        sight.lock(table, AccessShare);
    } else if cursor.word("materialized") || RELATIONS.iter().any(|word| cursor.peeks(word)) {
        if cursor.word("foreign") && !cursor.peeks("table") {
            return Ok(());
        }
        cursor.skip(1);
        let written = cursor.name().unwrap_or_default();
        let name = sight.name(&written)?;
        sight.lock(name, ShareUpdateExclusive);
    }
    Ok(())
}

/// `GRANT …` and `REVOKE …`, behind that word.
///
/// # Errors
/// When the thing is not there.
pub fn grant(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    const OTHERS: [&str; 15] = [
        "all",
        "schema",
        "database",
        "function",
        "procedure",
        "routine",
        "type",
        "domain",
        "language",
        "foreign",
        "tablespace",
        "large",
        "parameter",
        "functions",
        "sequences",
    ];
    // A role is granted without `ON`; up to 17 nothing is locked.
    let on = cursor.rest().iter().position(|token| token.is("on"));
    let Some(on) = on.filter(|_| sight.version >= 18) else {
        return Ok(());
    };
    cursor.skip(on + 1);
    if OTHERS.iter().any(|word| cursor.peeks(word)) {
        return Ok(());
    }
    let _ = cursor.word("table") || cursor.word("sequence");
    while let Some(written) = cursor.name() {
        let name = sight.name(&written)?;
        sight.lock(name, AccessShare);
        if !cursor.word(",") {
            break;
        }
    }
    Ok(())
}

/// `CREATE PUBLICATION …` and `ALTER PUBLICATION …`, behind those words.
///
/// # Errors
/// When it cannot be known.
pub fn publication(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let name = cursor.part().unwrap_or_default();
    let replaces = cursor.word("set");
    if replaces {
        let tables = sight.catalog.publications.get(&name).cloned().unwrap_or_default();
        tables.iter().for_each(|table| sight.lock(table, ShareUpdateExclusive));
    }
    if cursor.peeks("rename") || cursor.peeks("owner") || (replaces && cursor.peeks("(")) {
        sight.found.locks.clear();
        return Ok(());
    }
    let _ = cursor.word("add") || cursor.word("drop") || cursor.word("for");
    if cursor.at_end() || cursor.peeks("all") || cursor.peeks("with") {
        return Ok(());
    }
    if !cursor.word("table") || cursor.rest().iter().any(|token| token.is("schema")) {
        return unknown("a publication of whole schemas");
    }
    for part in split(cursor.rest()) {
        let mut part = Cursor::of(part);
        part.word("table");
        let only = part.word("only");
        let written = part.name().unwrap_or_default();
        let table = sight.name(&written)?;
        sight.lock(table, ShareUpdateExclusive);
        if !only && sight.relation(table).kind == super::catalog::RelationKind::Table {
            sight.lock_family(table, ShareUpdateExclusive);
        }
    }
    Ok(())
}

/// `LOCK TABLE …`, behind that word.
///
/// # Errors
/// When it is not understood.
pub fn lock(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    cursor.word("table");
    let mut tables = Vec::new();
    loop {
        let only = cursor.word("only");
        let written = cursor.name().unwrap_or_default();
        cursor.word("*");
        let table = sight.name(&written)?;
        tables.extend(if only { vec![table] } else { sight.catalog.family(table) });
        if !cursor.word(",") {
            break;
        }
    }
    let mode = mode(cursor)?;
    tables.into_iter().for_each(|table| sight.lock(table, mode));
    Ok(())
}

fn mode(mut cursor: Cursor<'_>) -> Result<LockMode, NotPredicted> {
    if !cursor.word("in") {
        return Ok(AccessExclusive);
    }
    let words: Vec<String> =
        cursor.rest().iter().map(|token| token.text.to_uppercase()).take_while(|word| word != "MODE").collect();
    let found = LockMode::ALL.into_iter().find(|mode| mode.sql_name() == words.join(" "));
    found.map_or_else(|| unknown("the mode of LOCK is not understood"), Ok)
}
