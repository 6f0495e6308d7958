//! What psql would read otherwise than the server: it is refused, for the script would do something else. Pure.
//!
//! Invariant: fails closed; a text that is understood is sent by psql as it stands.

use super::super::job::Job;
use crate::migration::statements::{Script, Statement, TokenSort};

/// Whether psql sends all of a migration as it stands.
pub fn check(job: &Job) -> Result<(), String> {
    job.pieces.iter().try_for_each(|piece| statement(&piece.statement))
}

/// Whether psql sends all of a text as it stands.
pub fn check_text(text: &str) -> Result<(), String> {
    let script = Script::parse(text).map_err(|error| format!("not understood as SQL: {error}"))?;
    script.statements.iter().try_for_each(statement)
}

fn statement(statement: &Statement) -> Result<(), String> {
    let line = statement.line;
    let says = |word: &str| statement.tokens.iter().any(|token| token.is(word));
    if statement.starts_with(&["copy"]) && (says("stdin") || says("stdout")) {
        return Err(format!("line {line}: psql would take the lines behind `COPY` for its rows"));
    }
    match variable(statement) {
        Some(name) => {
            Err(format!("line {line}: psql would take `:{name}` for a variable of its own; write a space between"))
        }
        None => Ok(()),
    }
}

/// What psql would take for a variable: a colon right before a word or a quote, as in a slice `a[1:n]`.
fn variable(statement: &Statement) -> Option<String> {
    let tokens = &statement.tokens;
    let is_colon = |at: usize| tokens.get(at).is_some_and(|token| token.sort == TokenSort::Sign && token.text == ":");
    for (at, token) in tokens.iter().enumerate().skip(1) {
        let is_name = token.sort != TokenSort::Sign || token.text.starts_with('\'');
        // `::` may be two tokens: a cast is none.
        let is_cast = at >= 2 && is_colon(at - 2);
        let at_once = match token.sort {
            TokenSort::Quoted => ":\"".to_owned(),
            TokenSort::Word | TokenSort::Sign => format!(":{}", written(statement, &token.text)),
        };
        if is_name && is_colon(at - 1) && !is_cast && statement.text.contains(&at_once) {
            return Some(token.text.clone());
        }
    }
    None
}

/// A word as the text has it: tokens are folded to lower case.
fn written(statement: &Statement, word: &str) -> String {
    let lower = statement.text.to_lowercase();
    match lower.find(&format!(":{word}")).filter(|_| lower.len() == statement.text.len()) {
        Some(at) => statement.text[at + 1..at + 1 + word.len()].to_owned(),
        None => word.to_owned(),
    }
}
