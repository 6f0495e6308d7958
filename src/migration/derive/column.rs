//! What takes back `ALTER TABLE … ALTER COLUMN`. Pure.
//!
//! Invariant: a type comes back only where every value that was there is the same again.

use super::super::cursor::Cursor;
use super::names::quoted;
use super::question::{ColumnAspect, Object, Question, Wish};
use super::signature::{rendered, reset};

type Derived = Result<Option<Vec<String>>, String>;

/// The table that a statement alters.
pub struct Table {
    /// Its name as written.
    pub name: String,
    /// `ALTER TABLE [ONLY] "t"`.
    pub alter: String,
}

fn question(table: &Table, column: &str, aspect: ColumnAspect) -> Question {
    Question::Column { table: table.name.clone(), column: column.to_owned(), aspect }
}

/// What lets a column be null as it was before.
///
/// # Errors
/// Why it cannot.
pub fn nullability(table: &Table, column: &str, wish: &mut Wish<'_>) -> Result<String, String> {
    wish.restore(question(table, column, ColumnAspect::NotNull))
}

fn restored(table: &Table, column: &str, wish: &mut Wish<'_>, aspect: ColumnAspect) -> Derived {
    wish.restore(question(table, column, aspect)).map(|text| Some(vec![text]))
}

/// What takes back a change of a column; nothing when it is not recognised.
///
/// # Errors
/// Why there is nothing.
pub fn altered(mut cursor: Cursor<'_>, table: &Table, column: &str, wish: &mut Wish<'_>) -> Derived {
    if cursor.word("add") {
        let drops = format!("{} ALTER COLUMN {} DROP IDENTITY", table.alter, quoted(column));
        return Ok(cursor.word("generated").then(|| vec![drops]));
    }
    if cursor.word("drop") {
        if cursor.word("default") {
            return restored(table, column, wish, ColumnAspect::Default);
        }
        if cursor.word("not") {
            return restored(table, column, wish, ColumnAspect::NotNull);
        }
        if cursor.word("identity") {
            return Err("the position of its sequence goes with it".to_owned());
        }
        return match cursor.word("expression") {
            true => Err("a column cannot be made a generated one".to_owned()),
            false => Ok(None),
        };
    }
    if cursor.peeks("type") {
        return retyped(cursor, table, column, wish);
    }
    let whole = cursor;
    let sets = cursor.word("set");
    if !sets && !cursor.word("reset") {
        return Ok(None);
    }
    if cursor.peeks("(") {
        let alter = format!("{} ALTER COLUMN {}", table.alter, quoted(column));
        let earlier = wish.restore(question(table, column, ColumnAspect::Options))?;
        return Ok(Some(vec![reset(&alter, whole.rest()), earlier]));
    }
    if cursor.peeks("data") {
        cursor.word("data");
        return retyped(cursor, table, column, wish);
    }
    const ASPECTS: [(&str, ColumnAspect); 6] = [
        ("default", ColumnAspect::Default),
        ("not", ColumnAspect::NotNull),
        ("statistics", ColumnAspect::Statistics),
        ("storage", ColumnAspect::Storage),
        ("compression", ColumnAspect::Compression),
        ("generated", ColumnAspect::Identity),
    ];
    match ASPECTS.into_iter().find(|(word, _)| cursor.word(word)) {
        Some((_, aspect)) => restored(table, column, wish, aspect),
        None => Ok(None),
    }
}

fn retyped(mut cursor: Cursor<'_>, table: &Table, column: &str, wish: &mut Wish<'_>) -> Derived {
    cursor.word("type");
    if cursor.rest().iter().any(|token| token.is("using")) {
        return Err("the values were converted by an expression, which has no known inverse".to_owned());
    }
    let collates = cursor.rest().iter().position(|token| token.is("collate"));
    let new = rendered(&cursor.rest()[..collates.unwrap_or(cursor.rest().len())]);
    let old = wish.restore(question(table, column, ColumnAspect::Type))?;
    let plain = old.split(" COLLATE ").next().unwrap_or_default();
    if !old.is_empty() && !widens(plain, &new) {
        return Err(format!("values of type {plain} that became {new} are not surely the same again"));
    }
    Ok(Some(vec![format!("{} ALTER COLUMN {} TYPE {old}", table.alter, quoted(column))]))
}

/// Whether every value of a type is the same again after it was one of another.
fn widens(old: &str, new: &str) -> bool {
    let whole = |name: &str| match name {
        "smallint" | "int2" => Some(2),
        "integer" | "int" | "int4" => Some(4),
        "bigint" | "int8" => Some(8),
        "numeric" | "decimal" => Some(9),
        _ => None,
    };
    let text = |name: &str| -> Option<u64> {
        let (base, length) = name.split_once('(').map_or((name, None), |(base, rest)| (base, Some(rest)));
        let length = length.and_then(|rest| rest.trim_end_matches(')').trim().parse().ok());
        match base.trim() {
            "text" => Some(u64::MAX),
            "varchar" | "character varying" => Some(length.unwrap_or(u64::MAX)),
            _ => None,
        }
    };
    let (old, new) = (old.to_lowercase(), new.to_lowercase());
    let same = old == new;
    let wider = matches!((whole(&old), whole(&new)), (Some(old), Some(new)) if old <= new);
    same || wider || matches!((text(&old), text(&new)), (Some(old), Some(new)) if old <= new)
}

/// A column as an object.
pub fn object(table: &str, column: &str) -> Object {
    Object::new("table column", format!("{table}.{column}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_wider_types_give_every_value_back() {
        for (old, new) in
            [("integer", "bigint"), ("character varying(10)", "text"), ("character varying(10)", "varchar(20)")]
        {
            assert!(super::widens(old, new) && (old == new || !super::widens(new, old)), "{old} {new}");
        }
        for (old, new) in [("text", "integer"), ("numeric", "integer"), ("timestamp without time zone", "date")] {
            assert!(!super::widens(old, new), "{old} {new}");
        }
    }
}
