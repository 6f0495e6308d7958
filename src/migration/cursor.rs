//! Reads the tokens of a statement from left to right. Pure.
//!
//! Invariant: a name comes out as one would write it, so that equal texts are equal names.

use super::statements::{Token, TokenSort};

/// The parts between commas that stand in no parenthesis.
pub fn split(tokens: &[Token]) -> Vec<&[Token]> {
    let mut depth = 0_usize;
    tokens
        .split(|token| {
            match token.text.as_str() {
                "(" | "[" if token.sort == TokenSort::Sign => depth += 1,
                ")" | "]" if token.sort == TokenSort::Sign => depth = depth.saturating_sub(1),
                _ => {}
            }
            depth == 0 && token.is(",")
        })
        .collect()
}

/// Reads tokens from left to right.
#[derive(Clone, Copy)]
pub struct Cursor<'a> {
    tokens: &'a [Token],
}

impl<'a> Cursor<'a> {
    /// Starts at the first token.
    pub fn of(tokens: &'a [Token]) -> Self {
        Self { tokens }
    }

    /// The tokens that were not read yet.
    pub fn rest(&self) -> &'a [Token] {
        self.tokens
    }

    /// Whether any are left.
    pub fn more(&self) -> bool {
        !self.tokens.is_empty()
    }

    /// Whether none is left.
    pub fn at_end(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Leaves some out.
    pub fn skip(&mut self, count: usize) {
        self.tokens = self.tokens.get(count..).unwrap_or_default();
    }

    /// Whether this keyword or sign comes next.
    pub fn peeks(&self, word: &str) -> bool {
        self.tokens.first().is_some_and(|token| token.is(word))
    }

    /// Takes this keyword or sign, if it comes next.
    pub fn word(&mut self, word: &str) -> bool {
        let found = self.peeks(word);
        if found {
            self.skip(1);
        }
        found
    }

    /// One name without a schema, or the literal of an enum's value.
    pub fn part(&mut self) -> Option<String> {
        let token = self.tokens.first()?;
        let is_label = token.sort == TokenSort::Sign && token.text.starts_with('\'');
        self.skip(1);
        if is_label { Some(token.text.clone()) } else { written(token) }
    }

    /// A name, with its schema where one is given.
    pub fn name(&mut self) -> Option<String> {
        let mut name = written(self.tokens.first()?)?;
        self.skip(1);
        while self.word(".") {
            name = format!("{name}.{}", written(self.tokens.first()?)?);
            self.skip(1);
        }
        Some(name)
    }

    /// The arguments in parentheses, each without its default.
    pub fn arguments(&mut self) -> Option<Vec<Vec<Token>>> {
        if !self.peeks("(") {
            return None;
        }
        let mut depth = 0_usize;
        let end = self.tokens.iter().position(|token| {
            if token.is("(") {
                depth += 1;
            } else if token.is(")") {
                depth -= 1;
            }
            depth == 0
        })?;
        let inside = &self.tokens[1..end];
        self.skip(end + 1);
        if inside.is_empty() {
            return Some(Vec::new());
        }
        let without_default =
            |argument: &&[Token]| argument.iter().position(|token| token.is("default") || token.is("="));
        Some(
            split(inside)
                .into_iter()
                .map(|argument| argument[..without_default(&argument).unwrap_or(argument.len())].to_vec())
                .collect(),
        )
    }
}

/// A name as one would write it, quoted only where it must be; nothing for signs.
fn written(token: &Token) -> Option<String> {
    let simple =
        token.text.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_' || letter.is_ascii_digit());
    match token.sort {
        TokenSort::Word => Some(token.text.clone()),
        TokenSort::Quoted if simple => Some(token.text.clone()),
        TokenSort::Quoted => Some(format!("\"{}\"", token.text.replace('"', "\"\""))),
        TokenSort::Sign => None,
    }
}
