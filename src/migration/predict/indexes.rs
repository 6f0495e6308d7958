//! Indexes and extended statistics. Pure.
//!
//! Invariant: what is built `CONCURRENTLY` keeps neither readers nor writers waiting, and runs outside of a transaction.

use super::super::cursor::{Cursor, split};
use super::super::observation::LockMode::{AccessExclusive, AccessShare, Share, ShareUpdateExclusive};
use super::super::statements::Token;
use super::action::fits;
use super::catalog::RelationKind;
use super::foresight::{Foresight, Said, unknown};
use super::naming;

/// `CREATE [UNIQUE] INDEX …`, behind those words.
///
/// # Errors
/// When it cannot be known.
pub fn create(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let concurrently = cursor.word("concurrently");
    let lenient = cursor.word("if") && cursor.word("not") && cursor.word("exists");
    let name = if cursor.peeks("on") { None } else { cursor.part() };
    cursor.word("on");
    let only = cursor.word("only");
    let table = cursor.name().unwrap_or_default();
    let table = sight.name(&table)?;
    let mode = if concurrently { ShareUpdateExclusive } else { Share };
    sight.lock(table, mode);
    sight.found.outside = concurrently;
    let is_there = |name: &String| sight.catalog.relation(&naming::beside(table, name)).is_some();
    if let Some(name) = name.as_ref().filter(|name| is_there(name)) {
        return if lenient { Ok(()) } else { unknown(format!("the server refuses it: {name} is there already")) };
    }
    let root = sight.relation(table).kind == RelationKind::Partitioned;
    if root && concurrently {
        return unknown("the server refuses it: an index of a partitioned table is not built CONCURRENTLY");
    }
    if cursor.word("using") {
        cursor.skip(1);
    }
    let columns: Vec<String> = cursor.arguments().unwrap_or_default().iter().map(|column| label(column)).collect();
    let parts = match (root, only) {
        (true, false) => sight.catalog.family(table),
        (true, true) => Vec::new(),
        (false, _) => vec![table],
    };
    for part in parts {
        sight.lock(part, mode);
        if sight.catalog.holds_rows(part) {
            let index = match &name {
                Some(name) if part == table => naming::beside(table, name),
                _ => naming::index_name(sight.catalog, part, &columns, "idx"),
            };
            sight.build(part, &index);
        }
    }
    Ok(())
}

/// What a column of an index is called in the index's name.
fn label(column: &[Token]) -> String {
    match column {
        [first, second, ..] if second.is("(") => Cursor::of(std::slice::from_ref(first)).part().unwrap_or_default(),
        [first, ..] if first.is("(") => "expr".to_owned(),
        tokens => Cursor::of(tokens).part().unwrap_or_default(),
    }
}

/// `DROP INDEX …`, behind those words.
///
/// # Errors
/// When it cannot be known.
pub fn drop(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let concurrently = cursor.word("concurrently");
    sight.found.outside = concurrently;
    let (names, cascade) = super::tables::names_of_drop(sight, cursor)?;
    for name in &names {
        let serves = sight.catalog.relations.values().flat_map(|relation| relation.constraints.values());
        if serves.into_iter().any(|found| found.index.as_ref() == Some(name)) && !cascade {
            return unknown(format!("the server refuses it: {name} serves a constraint"));
        }
        for index in sight.catalog.family(name) {
            let mode = if concurrently { ShareUpdateExclusive } else { AccessExclusive };
            let Some(about) = &sight.relation(index).index else {
                return unknown(format!("{index} is no index"));
            };
            sight.lock(&about.table, mode);
            if !concurrently {
                sight.lock(index, mode);
            }
        }
    }
    Ok(())
}

/// `ALTER INDEX …`, behind those words.
///
/// # Errors
/// When it cannot be known.
pub fn alter(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let lenient = cursor.word("if") && cursor.word("exists");
    let written = cursor.name().unwrap_or_default();
    if lenient && sight.catalog.find(&written).is_none() {
        return Ok(());
    }
    let index = sight.name(&written)?;
    let Some(about) = &sight.relation(index).index else {
        return unknown(format!("{index} is no index"));
    };
    const QUICK: [&str; 5] = ["rename to *", "set (", "reset (", "alter column", "alter"];
    let rest = cursor.rest();
    if fits("attach partition *", rest) {
        cursor.skip(2);
        let part = cursor.name().unwrap_or_default();
        let part = sight.name(&part)?;
        sight.lock(index, ShareUpdateExclusive);
        sight.lock(&about.table, AccessShare);
        sight.lock(part, AccessExclusive);
        if let Some(about) = &sight.relation(part).index {
            sight.lock(&about.table, AccessShare);
        }
    } else if fits("set tablespace *", rest) {
        cursor.skip(2);
        sight.lock(index, AccessExclusive);
        let own = sight.relation(index).tablespace.clone().unwrap_or_else(|| "pg_default".to_owned());
        if cursor.name().is_some_and(|name| name != own) {
            return unknown("moving an index to another tablespace");
        }
    } else if QUICK.iter().any(|words| fits(words, rest)) {
        sight.lock(index, ShareUpdateExclusive);
    } else {
        return unknown("no rule is known for this form of ALTER INDEX");
    }
    Ok(())
}

/// `REINDEX …`, behind that word.
///
/// # Errors
/// When it cannot be known.
pub fn reindex(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let mut concurrently = false;
    if let Some(options) = cursor.arguments() {
        concurrently = options.iter().any(|option| option.iter().any(|token| token.is("concurrently")));
    }
    let of_table = cursor.word("table");
    if !of_table && !cursor.word("index") {
        return unknown("REINDEX of a whole schema or database");
    }
    concurrently |= cursor.word("concurrently");
    sight.found.outside = concurrently;
    let written = cursor.name().unwrap_or_default();
    let name = sight.name(&written)?;
    let table = match &sight.relation(name).index {
        Some(about) => about.table.clone(),
        None => name.to_owned(),
    };
    if !sight.catalog.holds_rows(&table) {
        return unknown("REINDEX of something partitioned");
    }
    sight.lock(&table, if concurrently { ShareUpdateExclusive } else { Share });
    let all: Vec<String> = sight.catalog.indexes(&table).map(|(index, _)| index.to_owned()).collect();
    for index in all.iter().filter(|index| of_table || *index == name) {
        if !concurrently {
            sight.lock(index, AccessExclusive);
        }
        sight.build(&table, index);
    }
    Ok(())
}

/// `CREATE STATISTICS …`, behind those words.
///
/// # Errors
/// When the table is not there.
pub fn create_statistics(sight: &mut Foresight<'_>, cursor: Cursor<'_>) -> Said {
    let Some(at) = cursor.rest().iter().position(|token| token.is("from")) else {
        return unknown("the table of the statistics is not named");
    };
    for table in split(&cursor.rest()[at + 1..]) {
        let written = Cursor::of(table).name().unwrap_or_default();
        let table = sight.name(&written)?;
        sight.lock(table, ShareUpdateExclusive);
    }
    Ok(())
}

/// `DROP STATISTICS …`, behind those words.
///
/// # Errors
/// When they are not there.
pub fn drop_statistics(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let lenient = cursor.word("if") && cursor.word("exists");
    while let Some(written) = cursor.name() {
        match sight.catalog.complete(&sight.catalog.statistics, &written) {
            Some((_, table)) => sight.lock(table, ShareUpdateExclusive),
            None if lenient => {}
            None => return unknown(format!("there are no statistics {written}")),
        }
        if !cursor.word(",") {
            break;
        }
    }
    Ok(())
}
