//! The definitions of columns, as far as their defaults go. Pure.
//!
//! Invariant: what is not read to its end is unknown, never "none".

use super::super::cursor::{Cursor, split};
use super::super::statements::Token;

/// The default of a column as its definition says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ColumnDefault {
    /// It certainly has none of its own.
    None,
    /// This expression.
    Expression(Vec<Token>),
    /// It cannot be told.
    Unknown,
}

impl ColumnDefault {
    /// Of the tokens that follow a column's name.
    pub fn of(definition: &[Token]) -> Self {
        const NOT_PLAIN: [&str; 4] = ["generated", "serial", "bigserial", "smallserial"];
        let is_serial = |token: &Token| token.text.starts_with("serial") && token.text.len() == 7;
        if definition.iter().any(|token| is_serial(token) || NOT_PLAIN.iter().any(|word| token.is(word))) {
            return Self::Unknown;
        }
        let Some(at) = definition.iter().position(|token| token.is("default")) else {
            return Self::None;
        };
        const NEXT: [&str; 12] = [
            "not",
            "null",
            "primary",
            "unique",
            "check",
            "references",
            "constraint",
            "collate",
            "deferrable",
            "initially",
            "storage",
            "compression",
        ];
        let rest = &definition[at + 1..];
        let mut depth = 0_usize;
        let end = rest.iter().position(|token| {
            match token.text.as_str() {
                "(" | "[" => depth += 1,
                ")" | "]" => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && NEXT.iter().any(|word| token.is(word))
        });
        match &rest[..end.unwrap_or(rest.len())] {
            [] => Self::Unknown,
            expression => Self::Expression(expression.to_vec()),
        }
    }
}

/// Those of the columns of a table, at whose parenthesis the cursor stands. Of any other form of the statement
/// nothing is known.
pub fn of_columns(mut cursor: Cursor<'_>) -> Vec<(String, ColumnDefault)> {
    if !cursor.word("(") {
        return Vec::new();
    }
    let mut depth = 1_usize;
    let end = cursor.rest().iter().position(|token| {
        match token.text.as_str() {
            "(" => depth += 1,
            ")" => depth -= 1,
            _ => {}
        }
        depth == 0
    });
    let Some(end) = end else {
        return Vec::new();
    };
    const NOT_COLUMNS: [&str; 7] = ["constraint", "primary", "unique", "check", "foreign", "exclude", "like"];
    let columns = split(&cursor.rest()[..end]).into_iter().filter_map(|definition| {
        let mut cursor = Cursor::of(definition);
        if NOT_COLUMNS.iter().any(|word| cursor.peeks(word)) {
            return None;
        }
        let column = cursor.name()?;
        Some((column, ColumnDefault::of(cursor.rest())))
    });
    columns.collect()
}
