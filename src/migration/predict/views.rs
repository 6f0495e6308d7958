//! Views, materialized views and functions. Pure.
//!
//! Invariant: a view that is made locks what it reads as a reader does.

use super::super::cursor::Cursor;
use super::super::observation::LockMode::{AccessExclusive, AccessShare, Exclusive};
use super::super::statements::Token;
use super::foresight::{Foresight, NotPredicted, Said, unknown};
use super::{expression, tables};

/// `CREATE [OR REPLACE] VIEW …`, behind those words.
///
/// # Errors
/// When it names what is not there.
pub fn create(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let name = cursor.name().unwrap_or_default();
    if let Some(name) = sight.catalog.find(&name) {
        sight.lock(name, AccessExclusive);
    }
    // A text is looked at, not run: of a view in it nothing but the view itself.
    let query = after_as(cursor.rest())?;
    for name in expression::named(sight, query)? {
        sight.lock(&name, AccessShare);
    }
    Ok(())
}

fn after_as(tokens: &[Token]) -> Result<&[Token], NotPredicted> {
    match tokens.iter().position(|token| token.is("as")) {
        Some(at) => Ok(&tokens[at + 1..]),
        None => unknown("the view's text is not understood"),
    }
}

/// `CREATE MATERIALIZED VIEW …`, behind those words.
///
/// # Errors
/// When it cannot be known what it reads.
pub fn create_materialized(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let lenient = cursor.word("if") && cursor.word("not") && cursor.word("exists");
    let name = cursor.name().unwrap_or_default();
    if lenient && sight.catalog.find(&name).is_some() {
        return Ok(());
    }
    tables::make_of(sight, after_as(cursor.rest())?)
}

/// `REFRESH MATERIALIZED VIEW …`, behind those words.
///
/// # Errors
/// When it cannot be known what it reads.
pub fn refresh(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let concurrently = cursor.word("concurrently");
    let written = cursor.name().unwrap_or_default();
    let name = sight.name(&written)?;
    let text = sight.relation(name).definition.clone().unwrap_or_default();
    let query = expression::tokens(&text)?;
    let empty = cursor.word("with") && cursor.word("no");
    expression::lock_read(sight, &query)?;
    if !empty {
        expression::scan_read(sight, &query)?;
    }
    if concurrently {
        sight.lock(name, Exclusive);
        sight.scan(name);
        return Ok(());
    }
    sight.lock(name, AccessExclusive);
    sight.found.rewrites.insert(name.to_owned());
    let indexes: Vec<&str> = sight.catalog.indexes(name).map(|(index, _)| index).collect();
    for index in indexes {
        sight.lock(index, AccessExclusive);
        sight.build(name, index);
    }
    Ok(())
}

/// `ALTER VIEW …`, behind those words.
///
/// # Errors
/// When it is not there.
pub fn alter(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let lenient = cursor.word("if") && cursor.word("exists");
    let written = cursor.name().unwrap_or_default();
    match sight.catalog.find(&written) {
        Some(name) => sight.lock(name, AccessExclusive),
        None if lenient => {}
        None => return unknown(format!("there is no relation {written}")),
    }
    Ok(())
}

/// `CREATE FUNCTION …`: the server reads the body of one in SQL, and locks what it names for as long.
///
/// # Errors
/// When the body is not a plain query.
pub fn create_function(sight: &mut Foresight<'_>, cursor: Cursor<'_>) -> Said {
    let tokens = cursor.rest();
    let is_sql = tokens.windows(2).any(|pair| pair[0].is("language") && pair[1].text.trim_matches('\'') == "sql");
    if !is_sql {
        return Ok(());
    }
    let Some(at) = tokens.iter().position(|token| token.is("as")) else {
        return unknown("the body of a function that is written out in SQL");
    };
    let body = tokens.get(at + 1).map(|token| unquoted(&token.text)).unwrap_or_default();
    let query = expression::tokens(&body)?;
    if !query.first().is_some_and(|token| token.is("select")) || query.iter().any(|token| token.is("into")) {
        return unknown("the body of a function in SQL that does more than to read");
    }
    for name in expression::named(sight, &query)? {
        sight.lock(&name, AccessShare);
    }
    Ok(())
}

/// The inside of a literal.
fn unquoted(literal: &str) -> String {
    if let Some(rest) = literal.strip_prefix('$')
        && let Some((tag, rest)) = rest.split_once('$')
    {
        return rest.strip_suffix(&format!("${tag}$")).unwrap_or(rest).to_owned();
    }
    literal.trim_matches('\'').replace("''", "'")
}

/// `DROP FUNCTION …`, behind those words.
///
/// # Errors
/// When it takes along what is not known.
pub fn drop_function(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let cascade = cursor.rest().last().is_some_and(|token| token.is("cascade"));
    let _ = cursor.word("if") && cursor.word("exists");
    while let Some(written) = cursor.name() {
        cursor.arguments();
        let found = sight.catalog.complete(&sight.catalog.functions, &written);
        for name in found.into_iter().flat_map(|(_, function)| &function.used_by) {
            if !cascade {
                return unknown(format!("the server refuses it: {name} depends on it"));
            }
            sight.lock(name, AccessExclusive);
        }
        if !cursor.word(",") {
            break;
        }
    }
    Ok(())
}
