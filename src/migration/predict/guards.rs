//! Triggers, rules and policies. Pure.
//!
//! Invariant: a trigger that is made keeps writers out, one that is dropped keeps everybody out.

use super::super::cursor::Cursor;
use super::super::observation::LockMode::{self, AccessExclusive, ShareRowExclusive};
use super::catalog::RelationKind;
use super::foresight::{Foresight, Said, unknown};

/// `CREATE [OR REPLACE] [CONSTRAINT] TRIGGER …`, behind those words.
///
/// # Errors
/// When it cannot be known.
pub fn create_trigger(sight: &mut Foresight<'_>, cursor: Cursor<'_>) -> Said {
    if cursor.rest().iter().any(|token| token.is("from")) {
        return unknown("a constraint trigger that names another table");
    }
    on_table(sight, cursor, ShareRowExclusive)
}

/// `CREATE RULE …`, `CREATE POLICY …` and what alters them, behind those words.
///
/// # Errors
/// When the table is not there.
pub fn change(sight: &mut Foresight<'_>, cursor: Cursor<'_>) -> Said {
    on_table(sight, cursor, AccessExclusive)
}

/// `CREATE [OR REPLACE] RULE … AS ON event TO table`.
///
/// # Errors
/// When the table is not there.
pub fn create_rule(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let Some(at) = cursor.rest().iter().position(|token| token.is("to")) else {
        return unknown("the table of the rule is not named");
    };
    cursor.skip(at + 1);
    let written = cursor.name().unwrap_or_default();
    let table = sight.name(&written)?;
    sight.lock(table, AccessExclusive);
    Ok(())
}

/// `DROP TRIGGER|RULE|POLICY …`, behind those words.
///
/// # Errors
/// When the table is not there.
pub fn drop(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let lenient = cursor.word("if") && cursor.word("exists");
    let mut ahead = cursor;
    let name = ahead.part().unwrap_or_default();
    ahead.word("on");
    let written = ahead.name().unwrap_or_default();
    let there = sight.catalog.find(&written).is_some_and(|table| {
        let relation = sight.relation(table);
        relation.triggers.contains_key(&name) || relation.guards.contains(&name)
    });
    if lenient && !there {
        return Ok(());
    }
    on_table(sight, cursor, AccessExclusive)
}

/// A thing of a table: its name, `ON`, the table. Partitions have triggers of their own.
fn on_table(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>, mode: LockMode) -> Said {
    let Some(at) = cursor.rest().iter().position(|token| token.is("on")) else {
        return unknown("the table is not named");
    };
    cursor.skip(at + 1);
    let written = cursor.name().unwrap_or_default();
    let table = sight.name(&written)?;
    sight.lock(table, mode);
    if sight.relation(table).kind == RelationKind::Partitioned {
        sight.lock_family(table, mode);
    }
    Ok(())
}
