//! Constraints: added, validated, changed, dropped. Pure.
//!
//! Invariant: `NOT VALID` never reads a row; whatever drops a foreign key stops both of its tables.

use super::super::cursor::Cursor;
use super::super::observation::LockMode::{AccessExclusive, RowShare, Share, ShareRowExclusive, ShareUpdateExclusive};
use super::super::statements::Token;
use super::action::{Action, fits};
use super::catalog::{Constraint, ConstraintKind, RelationKind};
use super::columns::{is_never_null, names_in};
use super::foresight::{Foresight, NotPredicted, Said, unknown};
use super::{naming, tables};

/// The actions about constraints; whether it is one.
///
/// # Errors
/// When it cannot be known.
pub fn alter(sight: &mut Foresight<'_>, action: &Action<'_>) -> Result<bool, NotPredicted> {
    let mut cursor = Cursor::of(action.tokens);
    let known = |sight: &Foresight<'_>, name: &str| match sight.relation(action.table).constraints.get(name) {
        Some(found) => Ok(found.clone()),
        None => unknown(format!("there is no constraint {name} of {}", action.table)),
    };
    if cursor.word("add") {
        let name = if cursor.word("constraint") { cursor.part() } else { None };
        add(sight, action, name, cursor)?;
    } else if fits("validate constraint *", action.tokens) {
        cursor.skip(2);
        let found = known(sight, &cursor.part().unwrap_or_default())?;
        validate(sight, action, &found)?;
    } else if fits("alter constraint *", action.tokens) {
        cursor.skip(2);
        let found = known(sight, &cursor.part().unwrap_or_default())?;
        change(sight, action, &found, cursor.rest())?;
    } else if fits("rename constraint *", action.tokens) {
        cursor.skip(2);
        let found = known(sight, &cursor.part().unwrap_or_default())?;
        sight.lock(action.table, AccessExclusive);
        if found.kind == ConstraintKind::Check {
            action.family.iter().for_each(|name| sight.lock(name, AccessExclusive));
        }
        if let Some(index) = &found.index {
            sight.lock(index, ShareUpdateExclusive);
        }
    } else if fits("drop constraint", action.tokens) {
        cursor.skip(2);
        drop(sight, action, cursor)?;
    } else {
        return Ok(false);
    }
    Ok(true)
}

/// Whether these two words stand together.
fn says(tokens: &[Token], first: &str, second: &str) -> bool {
    tokens.windows(2).any(|pair| pair[0].is(first) && pair[1].is(second))
}

fn add(sight: &mut Foresight<'_>, action: &Action<'_>, name: Option<String>, mut cursor: Cursor<'_>) -> Said {
    let unread = says(cursor.rest(), "not", "valid") || says(cursor.rest(), "not", "enforced");
    if says(cursor.rest(), "not", "enforced") {
        sight.since(18, "NOT ENFORCED")?;
    }
    if cursor.word("check") {
        for table in &action.family {
            sight.lock(table, AccessExclusive);
            if !unread {
                sight.scan(table);
            }
        }
        return Ok(());
    }
    if cursor.word("not") {
        sight.since(18, "ADD CONSTRAINT … NOT NULL")?;
        cursor.word("null");
        let column = cursor.part().unwrap_or_default();
        for table in &action.family {
            sight.lock(table, AccessExclusive);
            if !unread && !is_never_null(sight, table, &column) {
                sight.scan(table);
            }
        }
        return Ok(());
    }
    if cursor.word("foreign") {
        return add_foreign_key(sight, action, cursor.rest(), unread);
    }
    add_index(sight, action, name, cursor)
}

fn add_foreign_key(sight: &mut Foresight<'_>, action: &Action<'_>, tokens: &[Token], unread: bool) -> Said {
    let is_root = sight.relation(action.table).kind == RelationKind::Partitioned;
    if is_root && says(tokens, "not", "valid") {
        sight.since(18, "a foreign key of a partitioned table that is NOT VALID")?;
    }
    let at = tokens.iter().position(|token| token.is("references")).unwrap_or(tokens.len());
    let mut cursor = Cursor::of(&tokens[at..]);
    cursor.word("references");
    let other = cursor.name().unwrap_or_default();
    let other = sight.name(&other)?;
    sight.lock_partner(other, ShareRowExclusive)?;
    let tables = if is_root { action.family.clone() } else { vec![action.table] };
    for table in tables {
        sight.lock(table, ShareRowExclusive);
        if !unread {
            sight.scan(table);
            sight.scan(other);
        }
    }
    Ok(())
}

/// Constraints that rest on an index.
fn add_index(sight: &mut Foresight<'_>, action: &Action<'_>, name: Option<String>, mut cursor: Cursor<'_>) -> Said {
    let table = action.table;
    let primary = cursor.word("primary") && cursor.word("key");
    let unique = !primary && cursor.word("unique");
    if !primary && !unique && !cursor.word("exclude") {
        return unknown("this constraint is not known");
    }
    sight.lock(table, AccessExclusive);
    if cursor.word("using") && cursor.word("index") {
        let index = tables::own_index(sight, table, cursor)?;
        sight.lock(&index, ShareUpdateExclusive);
        let columns = sight.relation(&index).index.as_ref().map(|index| index.columns.clone()).unwrap_or_default();
        if primary && !columns.iter().all(|column| is_never_null(sight, table, column)) {
            sight.scan(table);
        }
        return Ok(());
    }
    if cursor.word("nulls") {
        cursor.word("not");
        cursor.word("distinct");
    }
    let columns = if primary || unique {
        names_in(&mut cursor)
    } else {
        let at = cursor.rest().iter().position(|token| token.is("(")).unwrap_or(0);
        cursor.skip(at);
        names_in(&mut cursor)
    };
    let (ending, named) = match (primary, unique) {
        (true, _) => ("pkey", Vec::new()),
        (_, true) => ("key", columns),
        _ => ("excl", columns),
    };
    for part in action.family.clone() {
        if sight.relation(table).kind != RelationKind::Partitioned && part != table {
            continue;
        }
        // A primary key makes the columns of all partitions mandatory first; 18 does so for others as well.
        sight.lock(part, if primary || sight.version >= 18 || part == table { AccessExclusive } else { Share });
        if sight.catalog.holds_rows(part) {
            let index = match &name {
                Some(name) if part == table => naming::beside(table, name),
                _ => naming::index_name(sight.catalog, part, &named, ending),
            };
            sight.build(part, &index);
        }
    }
    Ok(())
}

fn validate(sight: &mut Foresight<'_>, action: &Action<'_>, found: &Constraint) -> Said {
    sight.lock(action.table, ShareUpdateExclusive);
    if found.validated {
        return Ok(());
    }
    if let Some((other, _)) = &found.references {
        if sight.relation(action.table).kind == RelationKind::Partitioned {
            return unknown("validating a foreign key of a partitioned table");
        }
        sight.lock_partner(other, RowShare)?;
        sight.scan(action.table);
        sight.scan(other);
        return Ok(());
    }
    for table in &action.family {
        sight.lock(table, ShareUpdateExclusive);
        sight.scan(table);
    }
    Ok(())
}

fn change(sight: &mut Foresight<'_>, action: &Action<'_>, found: &Constraint, tokens: &[Token]) -> Said {
    let Some((other, _)) = &found.references else {
        return unknown("ALTER CONSTRAINT of something else than a foreign key");
    };
    if sight.relation(action.table).kind == RelationKind::Partitioned {
        return unknown("ALTER CONSTRAINT of a partitioned table");
    }
    sight.lock(action.table, AccessExclusive);
    if says(tokens, "not", "enforced") {
        sight.since(18, "NOT ENFORCED")?;
        sight.lock_partner(other, AccessExclusive)?;
    } else if tokens.iter().any(|token| token.is("enforced")) {
        sight.since(18, "ENFORCED")?;
        sight.lock_partner(other, ShareRowExclusive)?;
        sight.scan(action.table);
        sight.scan(other);
    }
    Ok(())
}

fn drop(sight: &mut Foresight<'_>, action: &Action<'_>, mut cursor: Cursor<'_>) -> Said {
    let lenient = cursor.word("if") && cursor.word("exists");
    let name = cursor.part().unwrap_or_default();
    let cascade = cursor.word("cascade");
    sight.lock(action.table, AccessExclusive);
    let Some(found) = sight.relation(action.table).constraints.get(&name) else {
        return if lenient { Ok(()) } else { unknown(format!("there is no constraint {name} of {}", action.table)) };
    };
    if found.kind == ConstraintKind::Check || found.kind == ConstraintKind::NotNull {
        action.family.iter().for_each(|name| sight.lock(name, AccessExclusive));
    }
    if let Some((other, _)) = &found.references {
        sight.lock_partner(other, AccessExclusive)?;
    }
    let Some(index) = &found.index else {
        return Ok(());
    };
    for index in sight.catalog.family(index) {
        sight.lock(index, AccessExclusive);
        if let Some(index) = &sight.relation(index).index {
            sight.lock(&index.table, AccessExclusive);
        }
    }
    let columns = &found.columns;
    for (other, _, constraint) in sight.catalog.references_to(action.table) {
        if constraint.references.as_ref().is_some_and(|(_, named)| named == columns) {
            if !cascade {
                return unknown(format!("the server refuses it: a foreign key of {other} depends on it"));
            }
            sight.lock_partner(other, AccessExclusive)?;
        }
    }
    Ok(())
}
