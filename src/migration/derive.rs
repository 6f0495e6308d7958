//! Derives the way back of a migration from its statements. Pure: what must be known of the catalog is asked for.
//!
//! Invariant: a way back that is derived restores the schema by the kinds of its statements; where data, or anything
//! that the statement and the catalog do not say, would have to come back, there is none, and it is said why.

pub mod question;
mod names;
mod signature;
mod plain;
mod made;
mod gone;
mod table;
mod column;
mod altered;
mod dress;

use super::cursor::Cursor;
use super::statements::{NotSql, Script, Statement};

pub use names::{identifier, last, quoted, schema};
pub use question::{Answer, Answers, Object, Question};

use question::Wish;

/// What takes a statement back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Derivation {
    /// This text, of any number of statements; empty when nothing needs to be done.
    Whole(String),
    /// It can be said when this is known of the catalog as it is right before the statement.
    Asks(Vec<Question>),
    /// Nothing, and why.
    None(String),
}

/// What takes this statement back, as far as these answers tell.
pub fn inverse_of(statement: &Statement, answers: &Answers) -> Derivation {
    let mut wish = Wish::of(answers);
    let back = inverse(statement, &mut wish);
    match (back, wish.open()) {
        (Err(why), _) => Derivation::None(why),
        (Ok(_), open) if !open.is_empty() => Derivation::Asks(open),
        (Ok(statements), _) => {
            let statements: Vec<_> = statements.into_iter().filter(|text| !text.is_empty()).collect();
            Derivation::Whole(statements.join(";\n"))
        }
    }
}

fn inverse(statement: &Statement, wish: &mut Wish<'_>) -> Result<Vec<String>, String> {
    if plain::changes_nothing(statement) {
        return Ok(Vec::new());
    }
    if let Some(why) = plain::never(statement) {
        return Err(format!("`{}` {why}", statement.excerpt()));
    }
    let mut cursor = Cursor::of(&statement.tokens);
    let derived = if cursor.word("create") {
        made::inverse(cursor, wish)
    } else if cursor.word("drop") {
        gone::inverse(cursor, wish)
    } else if cursor.word("alter") {
        match cursor.peeks("table") || cursor.peeks("foreign") {
            true => table::inverse(cursor, wish),
            false => altered::inverse(cursor, wish),
        }
    } else if cursor.word("comment") {
        dress::comment(cursor, wish)
    } else if cursor.peeks("grant") || cursor.peeks("revoke") {
        dress::grant(cursor, wish)
    } else {
        Ok(None)
    };
    let unknown = || format!("`{}` has no way back that is known", statement.excerpt());
    derived.map_err(|why| format!("`{}`: {why}", statement.excerpt()))?.ok_or_else(unknown)
}

/// The statement of a text, and what takes it back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Back {
    /// Its number in the text, from one.
    pub statement: usize,
    /// Its line, from one.
    pub line: usize,
    /// What takes it back; may be empty.
    pub sql: String,
}

/// Which statement a part of a derived way back is for.
const MARK: &str = "-- takes back statement ";

/// The text of the way back: what takes back each statement of a text, the last one first.
pub fn text(backs: &[Back], transaction: bool) -> String {
    let mut text = String::new();
    if !transaction {
        text.push_str("-- switchback: transaction off\n");
    }
    for back in backs.iter().rev().filter(|back| !back.sql.is_empty()) {
        text.push_str(&format!("{MARK}{}, line {}\n{};\n", back.statement, back.line, back.sql));
    }
    text
}

/// Of the text of a derived way back, what takes back only so many statements, from the first one on.
pub fn text_of_first(text: &str, statements: usize) -> String {
    let mut takes = true;
    let mut kept = String::new();
    for line in text.lines() {
        let number = line.strip_prefix(MARK).and_then(|rest| rest.split(',').next()?.parse::<usize>().ok());
        takes = number.map_or(takes, |number| number <= statements);
        if takes {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

/// What takes a whole text back, where no catalog needs to be asked.
///
/// # Errors
/// Why there is nothing.
pub fn without_asking(sql: &str) -> Result<Vec<Back>, String> {
    let script = Script::parse(sql).map_err(not_understood)?;
    let mut backs = Vec::new();
    for (number, statement) in (1..).zip(&script.statements) {
        match inverse_of(statement, &Answers::default()) {
            Derivation::Whole(sql) => backs.push(Back { statement: number, line: statement.line, sql }),
            Derivation::Asks(questions) => {
                let asked: Vec<_> = questions.iter().map(ToString::to_string).collect();
                return Err(format!("`{}` needs to know {}", statement.excerpt(), asked.join(", ")));
            }
            Derivation::None(why) => return Err(why),
        }
    }
    Ok(backs)
}

/// Why a text that is no SQL has no way back.
pub fn not_understood(error: NotSql) -> String {
    format!("not understood as SQL: {error}")
}

#[cfg(test)]
mod tests;
