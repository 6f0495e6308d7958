//! Takes back a part of a migration: which statements of the one text undo the first ones of the other. Pure.
//!
//! Invariant: a part is taken back only by statements that are, last one first, the measured inverse of what was done;
//! whatever was done to a table that the same part made goes with that table.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::Migration;
use super::super::cursor::Cursor;
use super::super::derive;
use super::super::position::Position;
use super::super::statements::{Script, Statement};
use super::deed::{Deed, Sort, deeds_of};
use super::defaults::Defaults;
use super::defaults_after;

/// The first statement of the way back that has to run (from zero) when only so much of the way there was done.
///
/// # Errors
/// Why that cannot be taken back by a part of the way back: then it has to be finished first.
pub fn taking_back(migration: &Migration, there: &Position, earlier: &[Arc<Migration>]) -> Result<usize, String> {
    let [up, down] = texts(migration)?;
    // What was done of a backfill from its beginning is less than the whole, and the way back is written for the whole.
    if there.cursor.is_some() && there.statements == 0 && migration.said.backfill.is_some() {
        return Ok(0);
    }
    if there.cursor.is_some() {
        let begun = up.statements.get(there.statements).map(Statement::excerpt).unwrap_or_default();
        return Err(format!("`{begun}` was done for a part of the rows"));
    }
    if there.is_start() {
        return Ok(down.statements.len());
    }
    if there.statements >= up.statements.len() {
        return Ok(0);
    }
    begins(migration, &up.statements[..there.statements], &down.statements, earlier)
}

/// The first statement of the way back that has to run when these of the way there were done. Of a way back that is
/// derived it is known which of its statements takes back which.
fn begins(
    migration: &Migration,
    done: &[Statement],
    down: &[Statement],
    earlier: &[Arc<Migration>],
) -> Result<usize, String> {
    let derived = migration.down.as_deref().filter(|_| migration.derived && migration.kept.is_none());
    let Some(text) = derived else {
        return mirror(done, down, earlier);
    };
    let part = Script::parse(&derive::text_of_first(text, done.len()));
    let part = part.map_err(|error| format!("not understood as SQL: {error}"))?.statements.len();
    down.len().checked_sub(part).ok_or_else(|| "the way back is not the one that was derived".to_owned())
}

/// How much of the way there stands when so many statements of the way back were run after `from` of it was done
/// (nothing: all of it), if going there again from that point ends where it would have ended.
///
/// # Errors
/// Why the way back has to be finished first.
pub fn going_on(
    migration: &Migration,
    undone: usize,
    from: &Position,
    earlier: &[Arc<Migration>],
) -> Result<Position, String> {
    let [up, down] = texts(migration)?;
    let there = if from.is_start() { up.statements.len() } else { from.statements };
    let begun = begins(migration, &up.statements[..there.min(up.statements.len())], &down.statements, earlier)?;
    if begun > undone {
        return Err(format!("{undone} statements of the way back were run, and it begins behind them"));
    }
    let stands = |done: &usize| {
        let found = begins(migration, &up.statements[..*done], &down.statements, earlier);
        found.is_ok_and(|found| found == undone)
    };
    let done = (0..=there).rev().find(stands).ok_or_else(|| {
        let last = undone.checked_sub(1).and_then(|last| down.statements.get(last));
        format!("`{}` takes back no whole statement", last.map(Statement::excerpt).unwrap_or_default())
    })?;
    let back = &down.statements[..undone.min(down.statements.len())];
    match still_standing(&up.statements[..there.min(up.statements.len())], done, back, earlier) {
        Some(statement) => Err(format!("what `{}` did still stands", statement.excerpt())),
        None => Ok(Position::after(done)),
    }
}

/// A statement that would be run a second time although what it did still stands: it goes along with a table that was
/// made before and is there, and nothing of the way back that was run takes back just it.
fn still_standing<'s>(
    up: &'s [Statement],
    done: usize,
    back: &[Statement],
    earlier: &[Arc<Migration>],
) -> Option<&'s Statement> {
    let undone: Vec<Deed> = back.iter().filter(|statement| !is_fleeting(statement)).flat_map(deeds_of).collect();
    let mut defaults: Defaults = defaults_after(earlier);
    let mut made = BTreeSet::new();
    for (number, statement) in up.iter().enumerate().filter(|(_, statement)| !is_fleeting(statement)) {
        let goes_along = subject(statement).is_some_and(|table| made.contains(&table));
        for deed in deeds_of(statement) {
            let inverse = defaults.inverse(&deed);
            let is_undone = inverse.is_some_and(|inverse| undone.iter().any(|deed| deed.undoes_as(&inverse)));
            if number >= done && goes_along && !is_undone {
                return Some(statement);
            }
            match deed {
                Deed::Create { sort: Sort::Table, name, .. } if number < done => drop(made.insert(name)),
                Deed::Rename { sort: Sort::Table, from, to } if made.remove(&from) => drop(made.insert(to)),
                _ => {}
            }
        }
    }
    None
}

fn texts(migration: &Migration) -> Result<[Script; 2], String> {
    let parse = |text: &str| Script::parse(text).map_err(|error| format!("not understood as SQL: {error}"));
    let (up, down) = match &migration.kept {
        Some(kept) => (kept.up.as_str(), Some(kept.down.as_str())),
        None => (migration.up.as_str(), migration.down.as_deref()),
    };
    let down = down.ok_or_else(|| format!("there is no {}.down.sql", migration.label()))?;
    Ok([parse(up)?, parse(down)?])
}

/// The first statement of the last ones of `down` that undo all of these.
fn mirror(done: &[Statement], down: &[Statement], earlier: &[Arc<Migration>]) -> Result<usize, String> {
    let mut undone: Vec<(usize, Deed)> = Vec::new();
    for (number, statement) in down.iter().enumerate().filter(|(_, statement)| !is_fleeting(statement)) {
        undone.extend(deeds_of(statement).into_iter().map(|deed| (number, deed)));
    }
    let mut left = undone.len();
    let mut defaults: Defaults = defaults_after(earlier);
    let mut made = BTreeSet::new();
    for statement in done.iter().filter(|statement| !is_fleeting(statement)) {
        let goes_along = subject(statement).is_some_and(|table| made.contains(&table));
        for deed in deeds_of(statement) {
            let inverse = defaults.inverse(&deed);
            let fits =
                left.checked_sub(1).zip(inverse).is_some_and(|(last, inverse)| undone[last].1.undoes_as(&inverse));
            if fits {
                left -= 1;
            } else if !goes_along {
                return Err(format!("nothing of the way back is certain to take back just `{}`", statement.excerpt()));
            }
            match deed {
                Deed::Create { sort: Sort::Table, name, .. } => drop(made.insert(name)),
                Deed::Rename { sort: Sort::Table, from, to } if made.remove(&from) => drop(made.insert(to)),
                _ => {}
            }
        }
    }
    let Some((first, _)) = undone.get(left) else {
        return Ok(down.len());
    };
    match left.checked_sub(1).map(|before| undone[before].0) {
        Some(before) if before == *first => {
            Err(format!("`{}` takes back more than what was done", down[*first].excerpt()))
        }
        _ => Ok(*first),
    }
}

/// What leaves neither schema nor rows otherwise than they were.
fn is_fleeting(statement: &Statement) -> bool {
    ["set", "reset", "vacuum", "analyze", "reindex", "checkpoint"].iter().any(|word| statement.starts_with(&[word]))
}

/// The one table that a statement is about, where dropping that takes along all that the statement did.
fn subject(statement: &Statement) -> Option<String> {
    let mut cursor = Cursor::of(&statement.tokens);
    if cursor.word("insert") {
        return cursor.word("into").then(|| cursor.name()).flatten();
    }
    if cursor.word("update") {
        cursor.word("only");
        return cursor.name();
    }
    if cursor.word("delete") {
        return (cursor.word("from") && (cursor.word("only") || cursor.more())).then(|| cursor.name()).flatten();
    }
    if cursor.word("alter") {
        return (cursor.word("table") && (cursor.word("only") || cursor.more())).then(|| cursor.name()).flatten();
    }
    if cursor.word("comment") {
        if !cursor.word("on") {
            return None;
        }
        if cursor.word("table") {
            return cursor.name();
        }
        let column = cursor.word("column").then(|| cursor.name()).flatten()?;
        return column.rsplit_once('.').map(|(table, _)| table.to_owned());
    }
    if !cursor.word("create") {
        return None;
    }
    cursor.word("unique");
    if !cursor.peeks("index") && !cursor.peeks("trigger") && !cursor.peeks("policy") {
        return None;
    }
    let on = cursor.rest().iter().position(|token| token.is("on"))?;
    cursor.skip(on + 1);
    cursor.word("only");
    cursor.name()
}

#[cfg(test)]
mod tests {
    use super::*;

    const UP: &str = "create table a (id int);\ncreate index concurrently i on a (id);\nalter table b add c int, add d int;\n\
                      vacuum b;\ncreate index concurrently j on b (c);";
    const DOWN: &str =
        "drop index concurrently j;\nalter table b drop d, drop c;\ndrop index concurrently i;\ndrop table a;";

    fn one(up: &str, down: &str) -> Migration {
        Migration::plain(1, "one", up, Some(down))
    }

    #[test]
    fn a_part_is_taken_back_by_the_last_statements() {
        let both = one(UP, DOWN);
        let first: Vec<_> = (0..=5).map(|done| taking_back(&both, &Position::after(done), &[])).collect();
        assert_eq!(first, [Ok(4), Ok(3), Ok(2), Ok(1), Ok(1), Ok(0)]);
    }

    #[test]
    fn what_was_done_to_a_table_goes_with_it() {
        let both = one(
            "create table a (id int); insert into a values (1); create index concurrently on a (id); create table b ()",
            "drop table b; drop table a",
        );
        for done in 1..=3 {
            assert_eq!(taking_back(&both, &Position::after(done), &[]), Ok(1), "{done}");
        }
    }

    #[test]
    fn what_is_not_mirrored_has_to_be_finished_first() {
        for (up, down, part) in [
            ("update a set b = 1; create table c ()", "drop table c", "just `update a set b = 1`"),
            (
                "create table a (); create table b (); create table c ()",
                "drop table c; drop table b, a",
                "more than what",
            ),
            ("create table a (); create table b ()", "drop table a", ""),
            ("create table b (); create table a ()", "drop table a", "just `create table b ()`"),
        ] {
            let found = taking_back(&one(up, down), &Position::after(1), &[]);
            match part {
                "" => assert_eq!(found, Ok(0), "{up}"),
                part => assert!(found.as_ref().is_err_and(|why| why.contains(part)), "{up}: {found:?}"),
            }
        }
        let plain = Migration::plain(1, "one", "create table a (); create table b ()", None);
        assert!(taking_back(&plain, &Position::after(1), &[]).unwrap_err().contains("there is no V1__one.down.sql"));
    }

    #[test]
    fn what_still_stands_with_its_table_is_not_done_again() {
        let whole = Position::default();
        for again in ["create unique index concurrently on a (id)", "insert into a values (1)"] {
            let up = format!("create table a (id int); alter table b add column c int; {again}");
            let both = one(&up, "alter table b drop column c; drop table a");
            let found = going_on(&both, 1, &whole, &[]);
            assert!(found.as_ref().is_err_and(|why| why.contains("still stands")), "{again}: {found:?}");
            // Where the table is gone as well, or nothing is, all of it is plain.
            assert_eq!(going_on(&both, 2, &whole, &[]), Ok(Position::after(0)), "{again}");
            assert_eq!(going_on(&both, 0, &whole, &[]), Ok(Position::after(3)), "{again}");
        }
        // What was taken back by itself is done again.
        let both =
            one("create table a (); alter table a add column c int", "alter table a drop column c; drop table a");
        assert_eq!(going_on(&both, 1, &whole, &[]), Ok(Position::after(1)));
    }

    #[test]
    fn the_way_there_goes_on_from_a_part_of_the_way_back() {
        let both = one(UP, DOWN);
        let whole = Position::default();
        let found: Vec<_> = (0..=4).map(|undone| going_on(&both, undone, &whole, &[]).unwrap().statements).collect();
        assert_eq!(found, [5, 4, 2, 1, 0]);
        assert_eq!(going_on(&both, 3, &Position::after(2), &[]), Ok(Position::after(1)));
        let odd = one("create table a (); insert into b values (1)", "delete from b; drop table a");
        assert!(going_on(&odd, 1, &whole, &[]).is_err());
    }

    #[test]
    fn of_a_derived_way_back_it_is_known_which_statement_takes_back_which() {
        let up = "create table a (); alter table b alter x set default 1; vacuum b; comment on table b is 'x'";
        let down = "-- takes back statement 4, line 1\ncomment on table b is null;\n-- takes back statement 2, line 1\n\
                    alter table b alter x set default 3;\nalter table b alter x set statistics 5;\n\
                    -- takes back statement 1, line 1\ndrop table a;\n";
        let derived = Migration { derived: true, ..one(up, down) };
        let first: Vec<_> = (1..=4).map(|done| taking_back(&derived, &Position::after(done), &[])).collect();
        assert_eq!(first, [Ok(3), Ok(1), Ok(1), Ok(0)]);
        assert!(taking_back(&one(up, down), &Position::after(2), &[]).is_err(), "nobody knows that of a file");
        let whole = Position::default();
        let going = |undone| going_on(&derived, undone, &whole, &[]).map(|position| position.statements);
        assert_eq!([going(0), going(1), going(3), going(4)], [Ok(4), Ok(3), Ok(1), Ok(0)]);
        assert!(going(2).is_err(), "half of what takes a statement back is done");
    }
}
