//! Which statements write over what can be copied aside first. Pure.
//!
//! Invariant: what a statement writes of that the same migration made is nothing that was there before, and is not copied.

use std::collections::BTreeSet;
use std::fmt;

use super::super::cursor::{Cursor, split};
use super::super::statements::{Statement, Token};
use super::taking::column_key;

/// Something that a statement writes over, and that can be copied aside first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Copying {
    /// Rows that are written over or removed.
    Rows(Rows),
    /// The values of a column that gets another type.
    Type(Retyped),
}

/// Rows that are written over or removed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rows {
    /// The tables as written; only `TRUNCATE` has several.
    pub tables: Vec<String>,
    /// How.
    pub change: Change,
    /// The columns that are written over, as written.
    pub columns: Vec<String>,
}

/// What is done to rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// They are written over.
    Update,
    /// Some are removed.
    Delete,
    /// All are removed.
    Truncate,
}

/// A column that gets another type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retyped {
    /// The table as written.
    pub table: String,
    /// `ONLY`.
    pub only: bool,
    /// The column as written.
    pub column: String,
    /// All columns that the same statement gives another type, this one too.
    pub beside: Vec<String>,
    /// A condition on `a`, a row of `pg_attribute`: every value of its type is the same again after it was of the new one.
    pub widens: String,
    /// Whether its statement does nothing but that.
    pub alone: bool,
}

impl Copying {
    /// The tables as written.
    pub fn tables(&self) -> Vec<&str> {
        match self {
            Self::Rows(rows) => rows.tables.iter().map(String::as_str).collect(),
            Self::Type(retyped) => vec![&retyped.table],
        }
    }

    /// Whether it is of something that was not there before: `new` are tables, and columns as [`column_key`] has them.
    fn is_new(&self, new: &BTreeSet<String>) -> bool {
        let (table, columns) = match self {
            Self::Rows(rows) if rows.tables.len() > 1 => return rows.tables.iter().all(|table| new.contains(table)),
            Self::Rows(rows) => (&rows.tables[0], rows.columns.as_slice()),
            Self::Type(retyped) => (&retyped.table, std::slice::from_ref(&retyped.column)),
        };
        let is_new_column = |column: &String| new.contains(&column_key(table, column));
        new.contains(table) || (!columns.is_empty() && columns.iter().all(is_new_column))
    }
}

impl fmt::Display for Copying {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows(rows) if rows.columns.is_empty() => write!(formatter, "rows of {}", rows.tables.join(", ")),
            Self::Rows(rows) => write!(formatter, "values of {}.{}", rows.tables[0], rows.columns.join(", ")),
            Self::Type(retyped) => write!(formatter, "values of {}.{}", retyped.table, retyped.column),
        }
    }
}

/// What a statement writes over of what was there before; empty when that is nothing.
///
/// # Errors
/// Why it cannot be copied.
pub fn of(statement: &Statement, new: &BTreeSet<String>) -> Result<Vec<Copying>, String> {
    let mut cursor = Cursor::of(&statement.tokens);
    let found = if cursor.word("update") {
        update(cursor).into_iter().collect()
    } else if cursor.word("delete") {
        delete(cursor).into_iter().collect()
    } else if cursor.word("truncate") {
        truncate(cursor, new)?.into_iter().collect()
    } else if cursor.word("alter") {
        retyped(cursor).unwrap_or_default()
    } else {
        Vec::new()
    };
    Ok(found.into_iter().filter(|copying: &Copying| !copying.is_new(new)).collect())
}

fn update(mut cursor: Cursor<'_>) -> Option<Copying> {
    cursor.word("only");
    let table = cursor.name()?;
    let at = cursor.rest().iter().position(|token| token.is("set"))?;
    cursor.skip(at + 1);
    let mut columns = Vec::new();
    for assignment in split(before_clauses(cursor.rest())) {
        let mut cursor = Cursor::of(assignment);
        match cursor.arguments() {
            Some(several) => columns.extend(several.iter().filter_map(|one| Cursor::of(one).name())),
            None => columns.extend(cursor.name()),
        }
    }
    Some(Copying::Rows(Rows { tables: vec![table], change: Change::Update, columns }))
}

/// What stands before `FROM`, `WHERE` and `RETURNING`.
fn before_clauses(tokens: &[Token]) -> &[Token] {
    let mut depth = 0_usize;
    let end = tokens.iter().position(|token| {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth = depth.saturating_sub(1);
        }
        depth == 0 && ["from", "where", "returning"].iter().any(|word| token.is(word))
    });
    &tokens[..end.unwrap_or(tokens.len())]
}

fn delete(mut cursor: Cursor<'_>) -> Option<Copying> {
    if !cursor.word("from") {
        return None;
    }
    cursor.word("only");
    let table = cursor.name()?;
    Some(Copying::Rows(Rows { tables: vec![table], change: Change::Delete, columns: Vec::new() }))
}

fn truncate(mut cursor: Cursor<'_>, new: &BTreeSet<String>) -> Result<Option<Copying>, String> {
    cursor.word("table");
    let mut tables = Vec::new();
    loop {
        cursor.word("only");
        let Some(table) = cursor.name() else { return Ok(None) };
        tables.push(table);
        cursor.word("*");
        if !cursor.word(",") {
            break;
        }
    }
    if tables.iter().all(|table| new.contains(table)) {
        return Ok(None);
    }
    let says = |word: &str| cursor.rest().iter().any(|token| token.is(word));
    if says("cascade") {
        return Err("CASCADE empties tables that it does not name; name each of them".to_owned());
    }
    if says("restart") {
        return Err("RESTART IDENTITY forgets where sequences stand; leave it out".to_owned());
    }
    Ok(Some(Copying::Rows(Rows { tables, change: Change::Truncate, columns: Vec::new() })))
}

fn retyped(mut cursor: Cursor<'_>) -> Option<Vec<Copying>> {
    if !cursor.word("table") {
        return None;
    }
    let _ = cursor.word("if") && cursor.word("exists");
    let only = cursor.word("only");
    let table = cursor.name()?;
    cursor.word("*");
    let actions = split(cursor.rest());
    let found: Vec<(String, String)> = actions.iter().filter_map(|action| of_type(Cursor::of(action))).collect();
    let beside: Vec<String> = found.iter().map(|(column, _)| column.clone()).collect();
    let alone = found.len() == actions.len();
    let copying = |(column, widens)| {
        let (table, beside) = (table.clone(), beside.clone());
        Copying::Type(Retyped { table, only, column, beside, widens, alone })
    };
    Some(found.into_iter().map(copying).collect())
}

/// The column that an action gives another type, and which types that widens.
fn of_type(mut cursor: Cursor<'_>) -> Option<(String, String)> {
    if !cursor.word("alter") {
        return None;
    }
    cursor.word("column");
    let column = cursor.name()?;
    if cursor.word("set") && !cursor.word("data") {
        return None;
    }
    cursor.word("type").then(|| (column, widened(cursor.rest())))
}

fn widened(new: &[Token]) -> String {
    let words: Vec<&str> = new.iter().map(|token| token.text.as_str()).collect();
    let of = |types: &str| format!("a.atttypid::pg_catalog.regtype IN ({types})");
    let whole = "'pg_catalog.int2', 'pg_catalog.int4'";
    match words.as_slice() {
        ["bigint" | "int8"] => of(&format!("{whole}, 'pg_catalog.int8'")),
        ["integer" | "int" | "int4"] => of(whole),
        ["numeric" | "decimal"] => of(&format!("{whole}, 'pg_catalog.int8', 'pg_catalog.numeric'")),
        ["float8"] | ["double", "precision"] => of(&format!("{whole}, 'pg_catalog.float4', 'pg_catalog.float8'")),
        ["text" | "varchar"] | ["character", "varying"] => of("'pg_catalog.text', 'pg_catalog.varchar'"),
        ["varchar", "(", length, ")"] | ["character", "varying", "(", length, ")"] => match length.parse::<u32>() {
            Ok(length) => {
                format!("{} AND a.atttypmod BETWEEN 4 AND {}", of("'pg_catalog.varchar'"), u64::from(length) + 4)
            }
            Err(_) => "false".to_owned(),
        },
        _ => "false".to_owned(),
    }
}
