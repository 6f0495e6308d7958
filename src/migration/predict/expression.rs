//! What expressions and queries touch: relations, sequences, functions whose value changes from row to row. Pure.
//!
//! Invariant: a call of a user's function inside a query is unknown, for its body is not read.

use std::collections::BTreeSet;

use super::super::cursor::Cursor;
use super::super::observation::LockMode;
use super::super::statements::{Script, Token, TokenSort};
use super::catalog::RelationKind;
use super::foresight::{Foresight, NotPredicted, Said, unknown};

/// The functions that an expression calls, as written.
fn calls(expression: &[Token]) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = Cursor::of(expression);
    while cursor.more() {
        match cursor.name() {
            Some(name) if cursor.peeks("(") => found.push(name),
            Some(_) => {}
            None => cursor.skip(1),
        }
    }
    found
}

/// Whether its value may change from row to row.
pub fn is_volatile(sight: &Foresight<'_>, expression: &[Token]) -> bool {
    calls(expression).iter().any(|name| {
        let bare = name.strip_prefix("pg_catalog.").unwrap_or(name);
        let own = sight.catalog.complete(&sight.catalog.functions, name);
        own.map_or_else(|| sight.catalog.volatile.contains(bare), |(_, function)| function.volatile)
    })
}

/// Locks the sequences that an expression takes numbers from.
pub fn lock_sequences(sight: &mut Foresight<'_>, expression: &[Token]) {
    let mut cursor = Cursor::of(expression);
    while cursor.more() {
        let takes = cursor.word("nextval") || cursor.word("setval");
        if !takes || !cursor.word("(") {
            if !takes {
                cursor.skip(1);
            }
            continue;
        }
        let literal = cursor.rest().first().map(|token| token.text.trim_matches('\'').to_owned());
        if let Some(name) = literal.as_deref().and_then(|literal| sight.catalog.find(literal)) {
            sight.lock(name, LockMode::RowExclusive);
        }
    }
}

/// The relations that a query names, with whole names.
///
/// # Errors
/// When one is not there.
pub fn named(sight: &Foresight<'_>, query: &[Token]) -> Result<BTreeSet<String>, NotPredicted> {
    const AFTER: [&str; 4] = ["from", "join", "only", "table"];
    const ENDS: [&str; 11] =
        ["where", "group", "order", "having", "limit", "union", "except", "intersect", "on", "window", "fetch"];
    let own = common_tables(query);
    let mut found = BTreeSet::new();
    let mut cursor = Cursor::of(query);
    // By parenthesis: whether a list of tables is being read there.
    let mut listing = vec![false];
    while cursor.more() {
        let after_comma = cursor.peeks(",") && *listing.last().unwrap_or(&false);
        if AFTER.iter().any(|word| cursor.peeks(word)) || after_comma {
            cursor.skip(1);
            if let Some(last) = listing.last_mut() {
                *last = true;
            }
            cursor.word("only");
            cursor.word("lateral");
            let mut ahead = cursor;
            if let Some(name) = ahead.name().filter(|_| !ahead.peeks("(")).filter(|name| !own.contains(name)) {
                found.insert(sight.name(&name)?.to_owned());
                cursor = ahead;
            }
            continue;
        }
        if cursor.word("(") {
            listing.push(false);
            continue;
        }
        if cursor.word(")") {
            listing.pop();
            continue;
        }
        if ENDS.iter().any(|word| cursor.peeks(word))
            && let Some(last) = listing.last_mut()
        {
            *last = false;
        }
        cursor.skip(1);
    }
    Ok(found)
}

/// The names that `WITH` gives.
fn common_tables(query: &[Token]) -> BTreeSet<String> {
    if !query.first().is_some_and(|token| token.is("with")) {
        return BTreeSet::new();
    }
    let before_as = |pair: &[Token]| {
        let is_name = pair[0].sort != TokenSort::Sign && pair[1].is("as");
        is_name.then(|| Cursor::of(pair).name()).flatten()
    };
    query.windows(2).filter_map(before_as).collect()
}

/// What reading a query's relations locks: they themselves, and what the views among them are made of.
///
/// # Errors
/// When a relation is not there.
pub fn lock_read(sight: &mut Foresight<'_>, query: &[Token]) -> Said {
    let mut waiting: Vec<String> = named(sight, query)?.into_iter().collect();
    let mut seen = BTreeSet::new();
    while let Some(name) = waiting.pop() {
        if !seen.insert(name.clone()) {
            continue;
        }
        let relation = sight.relation(&name);
        match relation.kind {
            RelationKind::View => {
                let text = relation.definition.clone().unwrap_or_default();
                waiting.extend(named(sight, &tokens(&text)?)?);
            }
            RelationKind::Partitioned => sight.lock_family(&name, LockMode::AccessShare),
            RelationKind::Table
            | RelationKind::MaterializedView
            | RelationKind::Foreign
            | RelationKind::Sequence
            | RelationKind::Composite
            | RelationKind::Index
            | RelationKind::PartitionedIndex => {}
        }
        sight.lock(&name, LockMode::AccessShare);
    }
    Ok(())
}

/// What running a query reads: every table of one that has no condition. What others read is the planner's choice.
///
/// # Errors
/// When that cannot be known.
pub fn scan_read(sight: &mut Foresight<'_>, query: &[Token]) -> Said {
    const CHOICES: [&str; 8] = ["where", "join", "limit", "fetch", "exists", "union", "except", "intersect"];
    if query.iter().any(|token| CHOICES.iter().any(|word| token.is(word))) {
        return unknown("what the query reads is the planner's choice");
    }
    if let Some(name) =
        calls(query).into_iter().find(|name| sight.catalog.complete(&sight.catalog.functions, name).is_some())
    {
        return unknown(format!("the query calls {name}, whose body is not read"));
    }
    let named = named(sight, query)?;
    if named.len() > 1 {
        return unknown("what the query reads is the planner's choice");
    }
    for name in named {
        if sight.relation(&name).kind == RelationKind::View {
            let text = sight.relation(&name).definition.clone().unwrap_or_default();
            scan_read(sight, &tokens(&text)?)?;
        } else {
            sight.scan_family(&name);
        }
    }
    Ok(())
}

/// The tokens of a text that the server wrote.
///
/// # Errors
/// When it is not understood.
pub fn tokens(text: &str) -> Result<Vec<Token>, NotPredicted> {
    match Script::parse(text) {
        Ok(script) => Ok(script.statements.into_iter().flat_map(|statement| statement.tokens).collect()),
        Err(error) => unknown(format!("not understood: {error}")),
    }
}

/// The tokens of an expression that the server wrote.
///
/// # Errors
/// When it is not understood.
pub fn expression(text: &str) -> Result<Vec<Token>, NotPredicted> {
    let mut all = tokens(&format!("select {text}"))?;
    all.remove(0);
    Ok(all)
}

/// The parts of an expression that all have to hold, without the parentheses around them.
pub fn conjunction(expression: &[Token]) -> Vec<Vec<Token>> {
    let inside = strip(expression);
    let mut depth = 0_usize;
    let parts = inside.split(|token| {
        match token.text.as_str() {
            "(" if token.sort == TokenSort::Sign => depth += 1,
            ")" if token.sort == TokenSort::Sign => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth == 0 && token.is("and")
    });
    let parts: Vec<&[Token]> = parts.collect();
    if let [_] = parts.as_slice() {
        return vec![inside.to_vec()];
    }
    parts.into_iter().flat_map(conjunction).collect()
}

fn strip(tokens: &[Token]) -> &[Token] {
    let [first, inside @ .., last] = tokens else {
        return tokens;
    };
    if !first.is("(") || !last.is(")") {
        return tokens;
    }
    let mut depth = 0_usize;
    for token in inside {
        match token.text.as_str() {
            "(" if token.sort == TokenSort::Sign => depth += 1,
            ")" if token.sort == TokenSort::Sign && depth == 0 => return tokens,
            ")" if token.sort == TokenSort::Sign => depth -= 1,
            _ => {}
        }
    }
    strip(inside)
}
