//! One action of an `ALTER TABLE`. Pure.
//!
//! Invariant: a pattern of words fits whole words only, and never a quoted name in a keyword's place.

use super::super::cursor::Cursor;
use super::super::statements::Token;

/// One action, and what it is an action of.
pub struct Action<'a> {
    /// The table.
    pub table: &'a str,
    /// The table, and what is below it unless the statement says `ONLY`.
    pub family: Vec<&'a str>,
    /// Its words.
    pub tokens: &'a [Token],
}

/// Whether an action begins with these words.
pub fn fits(words: &str, tokens: &[Token]) -> bool {
    let mut cursor = Cursor::of(tokens);
    words.split(' ').all(|word| {
        if word == "*" {
            return cursor.name().is_some();
        }
        if word == "column" {
            cursor.word("column");
            return true;
        }
        cursor.word(word)
    })
}
