//! The arguments of functions, by which they are told apart. Pure.
//!
//! Invariant: only what takes part in telling functions apart is named: no names, no defaults, no `OUT`.

use super::super::cursor::{Cursor, split};
use super::super::statements::{Token, TokenSort};
use super::names::identifier;

/// Words that go on where a type of several words has begun.
const SECOND_WORDS: [&str; 9] =
    ["precision", "varying", "character", "char", "with", "without", "zone", "year", "month"];

/// The types of arguments, those that are `OUT` left out.
pub fn types(arguments: &[Vec<Token>]) -> Vec<String> {
    arguments.iter().filter_map(|argument| of_argument(argument)).collect()
}

fn of_argument(mut tokens: &[Token]) -> Option<String> {
    let first = tokens.first()?;
    if first.is("out") {
        return None;
    }
    if ["in", "inout", "variadic"].iter().any(|mode| first.is(mode)) && tokens.len() > 1 {
        tokens = &tokens[1..];
    }
    let is_named = tokens
        .get(1)
        .is_some_and(|second| second.sort != TokenSort::Sign && !SECOND_WORDS.iter().any(|word| second.is(word)));
    Some(rendered(if is_named { &tokens[1..] } else { tokens }))
}

/// Tokens as text again.
pub fn rendered(tokens: &[Token]) -> String {
    let mut text = String::new();
    let mut joins = true;
    for token in tokens {
        let is_tight = [".", "(", ")", "[", "]", ","].iter().any(|sign| token.is(sign));
        if !joins && !is_tight {
            text.push(' ');
        }
        match token.sort {
            TokenSort::Quoted => text.push_str(&identifier(&token.text)),
            TokenSort::Word | TokenSort::Sign => text.push_str(&token.text),
        }
        joins = token.is(".") || token.is("(") || token.is("[");
    }
    text
}

/// What takes back that options were set: those that the statement names go, before the earlier ones come back. Of a
/// `RESET` nothing goes.
pub fn reset(alter: &str, tokens: &[Token]) -> String {
    let mut cursor = Cursor::of(tokens);
    if !cursor.word("set") || !cursor.word("(") {
        return String::new();
    }
    let inside = cursor.rest().split_last().map(|(_, inside)| inside).unwrap_or_default();
    let names = split(inside).into_iter().map(|part| {
        let end = part.iter().position(|token| token.is("="));
        rendered(&part[..end.unwrap_or(part.len())])
    });
    format!("{alter} RESET ({})", names.collect::<Vec<_>>().join(", "))
}
