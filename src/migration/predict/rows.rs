//! Statements about rows, as far as they can be known from their text. Pure.
//!
//! Invariant: what a condition reads is the planner's choice, and is not predicted.

use super::super::cursor::Cursor;
use super::super::observation::LockMode::{RowExclusive, RowShare};
use super::expression;
use super::foresight::{Foresight, Said, unknown};

/// `SELECT …`.
///
/// # Errors
/// When it cannot be known.
pub fn select(sight: &mut Foresight<'_>, cursor: Cursor<'_>) -> Said {
    expression::lock_sequences(sight, cursor.rest());
    expression::lock_read(sight, cursor.rest())?;
    expression::scan_read(sight, cursor.rest())
}

/// `INSERT INTO … VALUES …`, behind the first two words.
///
/// # Errors
/// When it reads something, or a trigger does what is not known.
pub fn insert(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let written = cursor.name().unwrap_or_default();
    let table = writable(sight, &written)?;
    let relation = sight.relation(&table);
    let given = if cursor.peeks("(") {
        super::columns::names_in(&mut cursor)
    } else {
        relation.columns.keys().cloned().collect()
    };
    let plain = cursor.peeks("values") && !cursor.rest().iter().any(|token| token.is("conflict") || token.is("select"));
    if !plain {
        return unknown("what the rows are made of");
    }
    sight.lock(&table, RowExclusive);
    let sequences: Vec<&str> = sight
        .catalog
        .sequences(&table)
        .filter(|(_, column)| !given.iter().any(|given| given == column))
        .map(|(name, _)| name)
        .collect();
    sequences.into_iter().for_each(|name| sight.lock(name, RowExclusive));
    for constraint in
        relation.constraints.values().filter(|found| found.columns.iter().any(|column| given.contains(column)))
    {
        if let Some((other, _)) = &constraint.references {
            sight.lock_partner(other, RowShare)?;
        }
    }
    Ok(())
}

/// `UPDATE …` and `DELETE FROM …`, behind those words.
///
/// # Errors
/// When it has a condition, or touches a key.
pub fn write(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    cursor.word("only");
    let written = cursor.name().unwrap_or_default();
    let table = writable(sight, &written)?;
    if cursor.rest().iter().any(|token| ["where", "from", "using", "select"].iter().any(|word| token.is(word))) {
        return unknown("what the condition reads is the planner's choice");
    }
    let keys = sight.relation(&table).constraints.values().any(|found| found.references.is_some());
    if keys || sight.catalog.references_to(&table).next().is_some() {
        return unknown("what the foreign keys check row by row");
    }
    sight.lock_family(&table, RowExclusive);
    sight.scan_family(&table);
    Ok(())
}

fn writable(sight: &Foresight<'_>, written: &str) -> Result<String, super::foresight::NotPredicted> {
    let table = sight.name(written)?;
    let relation = sight.relation(table);
    if !sight.catalog.holds_rows(table) {
        return unknown(format!("{table} is no ordinary table"));
    }
    if !relation.triggers.is_empty() || !relation.guards.is_empty() {
        return unknown(format!("what the triggers or rules of {table} do"));
    }
    Ok(table.to_owned())
}
