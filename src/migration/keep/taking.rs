//! Which statements take away what can be kept. Pure.
//!
//! Invariant: a statement that drops a column beside something else is told apart from one that does not.

use std::fmt;

use super::super::cursor::{Cursor, split};
use super::super::statements::{Statement, Token};

/// Something that a statement takes away, and that can be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taking {
    /// A column with its values.
    Column(TakenColumn),
    /// A table with its rows.
    Table(TakenTable),
}

/// A column that is taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenColumn {
    /// The table as written.
    pub table: String,
    /// `ONLY`.
    pub only: bool,
    /// The column as written.
    pub column: String,
    /// Whether it, or its table, may be absent.
    pub may_be_absent: bool,
}

/// A table that is taken away.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakenTable {
    /// Its name as written.
    pub name: String,
    /// Whether it may be absent.
    pub may_be_absent: bool,
    /// Whether foreign keys from elsewhere go as well.
    pub cascades: bool,
}

/// A statement drops a column beside something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mixed;

impl Taking {
    /// The table as written.
    pub fn table(&self) -> &str {
        match self {
            Self::Column(column) => &column.table,
            Self::Table(table) => &table.name,
        }
    }
}

impl fmt::Display for Taking {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column(column) => write!(formatter, "{}.{}", column.table, column.column),
            Self::Table(table) => write!(formatter, "table {}", table.name),
        }
    }
}

/// What a statement takes away; empty when that is nothing.
///
/// # Errors
/// When it drops a column beside something else.
pub fn of(statement: &Statement) -> Result<Vec<Taking>, Mixed> {
    let mut cursor = Cursor::of(&statement.tokens);
    if cursor.word("drop") {
        return Ok(if cursor.word("table") { tables(cursor).unwrap_or_default() } else { Vec::new() });
    }
    if !cursor.word("alter") || !cursor.word("table") || cursor.peeks("all") {
        return Ok(Vec::new());
    }
    let may_be_absent = cursor.word("if") && cursor.word("exists");
    let only = cursor.word("only");
    let Some(table) = cursor.name() else { return Ok(Vec::new()) };
    cursor.word("*");
    let actions = split(cursor.rest());
    let columns = actions.iter().map(|action| dropped_column(Cursor::of(action)));
    let columns: Vec<Option<(String, bool)>> = columns.collect();
    let count = columns.iter().flatten().count();
    if count > 0 && count < columns.len() {
        return Err(Mixed);
    }
    let taken = columns.into_iter().flatten().map(|(column, may)| {
        let may_be_absent = may_be_absent || may;
        Taking::Column(TakenColumn { table: table.clone(), only, column, may_be_absent })
    });
    Ok(taken.collect())
}

fn dropped_column(mut cursor: Cursor<'_>) -> Option<(String, bool)> {
    if !cursor.word("drop") || cursor.peeks("constraint") {
        return None;
    }
    cursor.word("column");
    let may_be_absent = cursor.word("if") && cursor.word("exists");
    let column = cursor.name()?;
    let _ = cursor.word("restrict") || cursor.word("cascade");
    cursor.at_end().then_some((column, may_be_absent))
}

fn tables(mut cursor: Cursor<'_>) -> Option<Vec<Taking>> {
    let may_be_absent = cursor.word("if") && cursor.word("exists");
    let mut names = vec![cursor.name()?];
    while cursor.word(",") {
        names.push(cursor.name()?);
    }
    let cascades = cursor.word("cascade");
    cursor.word("restrict");
    let taken = names.into_iter().map(|name| Taking::Table(TakenTable { name, may_be_absent, cascades }));
    cursor.at_end().then(|| taken.collect())
}

/// What a statement makes: a table, or columns as [`column_key`] has them.
pub fn made(statement: &Statement) -> Vec<String> {
    let mut cursor = Cursor::of(&statement.tokens);
    if cursor.word("alter") {
        return added(cursor);
    }
    if !cursor.word("create") {
        return Vec::new();
    }
    cursor.word("unlogged");
    // With `IF NOT EXISTS` it may have been there before.
    let is_new = cursor.word("table") && !cursor.peeks("if");
    cursor.name().filter(|_| is_new).into_iter().collect()
}

/// How a column is told apart from a table of the same name in another schema.
pub fn column_key(table: &str, column: &str) -> String {
    format!("column {table}.{column}")
}

fn added(mut cursor: Cursor<'_>) -> Vec<String> {
    if !cursor.word("table") || cursor.peeks("if") {
        return Vec::new();
    }
    cursor.word("only");
    let Some(table) = cursor.name() else { return Vec::new() };
    let column = |action: &[Token]| {
        let mut cursor = Cursor::of(action);
        const PARTS: [&str; 7] = ["constraint", "primary", "unique", "check", "foreign", "exclude", "if"];
        let adds = cursor.word("add");
        cursor.word("column");
        let is_column = adds && !PARTS.iter().any(|word| cursor.peeks(word));
        cursor.name().filter(|_| is_column).map(|column| column_key(&table, &column))
    };
    split(cursor.rest()).into_iter().filter_map(column).collect()
}
