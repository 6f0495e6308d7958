//! Which statements take away what can be kept. Pure.
//!
//! Invariant: a statement that drops a column beside something else is told apart from one that does not.

use std::fmt;

use super::super::cursor::{Cursor, split};
use super::super::statements::Statement;

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

/// The table that a statement makes.
pub fn made(statement: &Statement) -> Option<String> {
    let mut cursor = Cursor::of(&statement.tokens);
    if !cursor.word("create") {
        return None;
    }
    cursor.word("unlogged");
    // With `IF NOT EXISTS` it may have been there before.
    if !cursor.word("table") || cursor.peeks("if") { None } else { cursor.name() }
}
