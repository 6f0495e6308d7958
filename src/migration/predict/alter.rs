//! `ALTER TABLE`: the actions whose locks never vary as a table, and who says of the others. Pure.
//!
//! Invariant: several actions in one statement lock as the strongest of them does.

use std::collections::BTreeSet;

use super::super::cursor::{Cursor, split};
use super::super::observation::LockMode::{self, AccessExclusive, ShareRowExclusive, ShareUpdateExclusive};
use super::action::{Action, fits};
use super::catalog::RelationKind;
use super::foresight::{Foresight, Said, unknown};
use super::{columns, constraints, partitions, retype, tables};

/// How far an action reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The table alone.
    Alone,
    /// Its partitions, and what inherits from it.
    Family,
    /// Its partitions only.
    Partitions,
}

/// Actions that do a quick change in the catalogs. `*` stands for one name.
#[rustfmt::skip]
const ROWS: &[(&str, LockMode, Reach, u32)] = &[
    ("set (",                               ShareUpdateExclusive, Reach::Alone,      13),
    ("reset (",                             ShareUpdateExclusive, Reach::Alone,      13),
    ("set without cluster",                 ShareUpdateExclusive, Reach::Alone,      13),
    ("set without oids",                    AccessExclusive,      Reach::Alone,      13),
    ("set schema *",                        AccessExclusive,      Reach::Alone,      13),
    ("rename to *",                         AccessExclusive,      Reach::Alone,      13),
    ("rename constraint *",                 AccessExclusive,      Reach::Alone,      13),
    ("rename",                              AccessExclusive,      Reach::Family,     13),
    ("not of",                              AccessExclusive,      Reach::Alone,      13),
    ("enable row level security",           AccessExclusive,      Reach::Alone,      13),
    ("disable row level security",          AccessExclusive,      Reach::Alone,      13),
    ("force row level security",            AccessExclusive,      Reach::Alone,      13),
    ("no force row level security",         AccessExclusive,      Reach::Alone,      13),
    ("enable rule *",                       AccessExclusive,      Reach::Alone,      13),
    ("enable always rule *",                AccessExclusive,      Reach::Alone,      13),
    ("enable replica rule *",               AccessExclusive,      Reach::Alone,      13),
    ("disable rule *",                      AccessExclusive,      Reach::Alone,      13),
    ("enable trigger *",                    ShareRowExclusive,    Reach::Partitions, 13),
    ("enable always trigger *",             ShareRowExclusive,    Reach::Partitions, 13),
    ("enable replica trigger *",            ShareRowExclusive,    Reach::Partitions, 13),
    ("disable trigger *",                   ShareRowExclusive,    Reach::Partitions, 13),
    ("alter column * set default",          AccessExclusive,      Reach::Family,     13),
    ("alter column * drop default",         AccessExclusive,      Reach::Family,     13),
    ("alter column * drop not null",        AccessExclusive,      Reach::Family,     13),
    ("alter column * drop expression",      AccessExclusive,      Reach::Family,     13),
    ("alter column * set statistics",       ShareUpdateExclusive, Reach::Family,     13),
    ("alter column * set (",                ShareUpdateExclusive, Reach::Alone,      13),
    ("alter column * reset (",              ShareUpdateExclusive, Reach::Alone,      13),
    ("alter column * set storage",          AccessExclusive,      Reach::Family,     13),
    ("alter column * set compression",      AccessExclusive,      Reach::Alone,      14),
];

/// `ALTER TABLE …` and `ALTER MATERIALIZED VIEW …`, behind those words.
///
/// # Errors
/// When it cannot be known.
pub fn alter(sight: &mut Foresight<'_>, mut cursor: Cursor<'_>) -> Said {
    let lenient = cursor.word("if") && cursor.word("exists");
    let only = cursor.word("only");
    let written = cursor.name().unwrap_or_default();
    cursor.word("*");
    if lenient && sight.catalog.find(&written).is_none() {
        return Ok(());
    }
    let table = sight.name(&written)?;
    let family = if only { vec![table] } else { sight.catalog.family(table) };
    let actions = split(cursor.rest());
    for tokens in &actions {
        apply(sight, &Action { table, family: family.clone(), tokens })?;
    }
    if actions.len() > 1 {
        raise(sight, table);
    }
    Ok(())
}

fn apply(sight: &mut Foresight<'_>, action: &Action<'_>) -> Said {
    if tables::alter(sight, action)?
        || partitions::alter(sight, action)?
        || columns::alter(sight, action)?
        || retype::alter(sight, action)?
        || constraints::alter(sight, action)?
    {
        return Ok(());
    }
    let Some((words, mode, reach, since)) = ROWS.iter().find(|(words, ..)| fits(words, action.tokens)) else {
        return unknown("no rule is known for this form of ALTER TABLE");
    };
    sight.since(*since, words)?;
    sight.lock(action.table, *mode);
    let reaches = match reach {
        Reach::Alone => false,
        Reach::Family => true,
        Reach::Partitions => sight.relation(action.table).kind == RelationKind::Partitioned,
    };
    if reaches {
        action.family.iter().for_each(|name| sight.lock(name, *mode));
    }
    Ok(())
}

/// What is locked below the table by an action that reaches there is locked as the strongest action locks the table.
fn raise(sight: &mut Foresight<'_>, table: &str) {
    let below: BTreeSet<&str> = sight.catalog.family(table).into_iter().skip(1).collect();
    let Some(mode) = sight.found.locks.get(table).copied() else {
        return;
    };
    for name in below {
        if sight.found.locks.contains_key(name) && sight.catalog.holds_rows(name) {
            sight.lock(name, mode);
        }
    }
}
