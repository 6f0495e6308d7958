//! Sequences. Pure.
//!
//! Invariant: none of their statements touches a row of a table.

use super::super::cursor::Cursor;
use super::super::observation::LockMode::{AccessExclusive, AccessShare, ShareRowExclusive};
use super::action::fits;
use super::foresight::{Foresight, Said, unknown};

/// `CREATE SEQUENCE …`, behind those words.
///
/// # Errors
/// When the table that is to own it is not there.
pub fn create(sight: &mut Foresight<'_>, cursor: Cursor<'_>) -> Said {
    lock_owner(sight, cursor)
}

/// `ALTER SEQUENCE …`, behind those words.
///
/// # Errors
/// When it is not there.
pub fn alter(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let lenient = cursor.word("if") && cursor.word("exists");
    let written = cursor.name().unwrap_or_default();
    if lenient && sight.catalog.find(&written).is_none() {
        return Ok(());
    }
    let name = sight.name(&written)?;
    const WHOLE: [&str; 5] = ["rename to *", "owner to *", "set schema *", "set logged", "set unlogged"];
    let whole = WHOLE.iter().any(|words| fits(words, cursor.rest()));
    sight.lock(name, if whole { AccessExclusive } else { ShareRowExclusive });
    lock_owner(sight, cursor)
}

/// The table of `OWNED BY`.
fn lock_owner(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let at = cursor.rest().windows(2).position(|pair| pair[0].is("owned") && pair[1].is("by"));
    let Some(at) = at else {
        return Ok(());
    };
    cursor.skip(at + 2);
    if cursor.peeks("none") {
        return Ok(());
    }
    let written = cursor.name().unwrap_or_default();
    let Some((table, _)) = written.rsplit_once('.') else {
        return unknown("OWNED BY is not understood");
    };
    let table = sight.name(table)?;
    sight.lock(table, AccessShare);
    Ok(())
}
