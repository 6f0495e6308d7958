//! What a statement says, taken apart as rules need it. Pure.
//!
//! Invariant: what is given back as SQL is the text of the statement itself, never put together from its tokens.

use std::ops::Range;

use crate::migration::cursor::{Cursor, split};
use crate::migration::statements::{Statement, Token, TokenSort};

/// `ALTER TABLE`, taken apart.
#[derive(Clone, Debug)]
pub struct Alteration<'a> {
    /// The table as written.
    pub written: String,
    /// Its actions.
    pub actions: Vec<&'a [Token]>,
}

/// An index that a statement makes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexMade {
    /// Its name as written, if it has one.
    pub name: Option<String>,
    /// The table as written.
    pub table: String,
    /// Whether `ONLY` stands before the table.
    pub only: bool,
    /// Whether no two rows may be alike.
    pub unique: bool,
    /// Whether it is built beside the running work.
    pub concurrently: bool,
    /// Whether one that is there already is left alone.
    pub if_not_exists: bool,
    /// What it is about, each part as written: columns and expressions.
    pub parts: Vec<String>,
    /// All from the method or the parts on, as written.
    pub rest: String,
}

/// A column that a statement makes.
#[derive(Clone, Debug)]
pub struct ColumnMade<'a> {
    /// The table as written.
    pub table: String,
    /// Its name as written.
    pub name: String,
    /// Its type.
    pub type_name: &'a [Token],
    /// What is said of it behind the type.
    pub clauses: &'a [Token],
}

/// Words that begin what is said of a column behind its type.
const CLAUSES: [&str; 10] =
    ["default", "not", "null", "constraint", "check", "unique", "primary", "references", "generated", "collate"];

/// Words that begin an element of a table that is no column.
const NO_COLUMN: [&str; 7] = ["constraint", "check", "unique", "primary", "foreign", "exclude", "like"];

impl<'a> ColumnMade<'a> {
    fn read(table: &str, tokens: &'a [Token]) -> Option<Self> {
        if NO_COLUMN.iter().any(|word| tokens.first().is_some_and(|token| token.is(word))) {
            return None;
        }
        let mut cursor = Cursor::of(tokens);
        let name = cursor.name()?;
        let rest = cursor.rest();
        let end = outside(rest).position(|(_, token)| CLAUSES.iter().any(|word| token.is(word)));
        let end = end.and_then(|end| outside(rest).nth(end)).map_or(rest.len(), |(place, _)| place);
        let (type_name, clauses) = rest.split_at(end);
        (!type_name.is_empty()).then(|| Self { table: table.to_owned(), name, type_name, clauses })
    }

    /// What stands behind this word, up to the next clause; empty where nothing does.
    pub fn clause(&self, word: &str) -> Option<&'a [Token]> {
        let (start, _) = outside(self.clauses).find(|(_, token)| token.is(word))?;
        let rest = &self.clauses[start + 1..];
        let end = outside(rest).find(|(_, token)| CLAUSES.iter().any(|word| token.is(word)));
        Some(&rest[..end.map_or(rest.len(), |(place, _)| place)])
    }

    /// Whether it may not be null.
    pub fn not_null(&self) -> bool {
        behind(self.clauses, &["not", "null"]).is_some() || says(self.clauses, "primary")
    }

    /// Whether its type is one of these words, arrays of it left out.
    pub fn is_of(&self, words: &[&str]) -> bool {
        let is_array = says(self.type_name, "[");
        !is_array && words.iter().any(|word| self.type_name.first().is_some_and(|token| token.is(word)))
    }
}

/// The tokens that stand in no parentheses, with their places.
fn outside(tokens: &[Token]) -> impl Iterator<Item = (usize, &Token)> {
    let mut depth = 0_usize;
    tokens.iter().enumerate().filter(move |(_, token)| {
        if token.is("(") {
            depth += 1;
            return false;
        }
        if token.is(")") {
            depth = depth.saturating_sub(1);
            return false;
        }
        depth == 0
    })
}

/// The column that an action of `ALTER TABLE` adds.
pub fn column_added<'a>(table: &str, action: &'a [Token]) -> Option<ColumnMade<'a>> {
    let fits = ["add column if not exists", "add if not exists", "add column", "add"];
    let found = fits.iter().find_map(|pattern| fit(pattern, action))?;
    ColumnMade::read(table, found.rest)
}

/// The columns that a statement makes: of a new table, or added to one.
pub fn columns_made(statement: &Statement) -> Vec<ColumnMade<'_>> {
    if let Some(alteration) = alteration(statement) {
        return alteration.actions.iter().filter_map(|action| column_added(&alteration.written, action)).collect();
    }
    let Some(made) = table_made(statement) else { return Vec::new() };
    let Some(inside) = made.elements else { return Vec::new() };
    split(inside).into_iter().filter_map(|element| ColumnMade::read(&made.name, element)).collect()
}

/// A table that a statement makes.
#[derive(Clone, Debug)]
pub struct TableMade<'a> {
    /// Its name as written.
    pub name: String,
    /// What stands in its parentheses; nothing for a partition, a copy or the table of a type.
    pub elements: Option<&'a [Token]>,
}

/// `CREATE TABLE`, temporary ones left out.
pub fn table_made(statement: &Statement) -> Option<TableMade<'_>> {
    let fits = ["create [unlogged] table if not exists *", "create [unlogged] table *"];
    let found = fits.iter().find_map(|pattern| fit(pattern, &statement.tokens))?;
    let elements = found.rest.first().is_some_and(|token| token.is("(")).then(|| in_brackets(found.rest)).flatten();
    Some(TableMade { name: found.names.into_iter().next()?, elements })
}

/// What matched a pattern: the names, and what is left.
#[derive(Clone, Debug)]
pub struct Fit<'a> {
    /// The names that stood for `*`.
    pub names: Vec<String>,
    /// What stands behind.
    pub rest: &'a [Token],
}

/// Whether tokens begin with these words: `*` stands for a name, a word in brackets may be missing.
pub fn fit<'a>(pattern: &str, tokens: &'a [Token]) -> Option<Fit<'a>> {
    let mut cursor = Cursor::of(tokens);
    let mut names = Vec::new();
    for word in pattern.split(' ') {
        if word == "*" {
            names.push(cursor.name()?);
        } else if let Some(word) = word.strip_prefix('[').and_then(|word| word.strip_suffix(']')) {
            cursor.word(word);
        } else if !cursor.word(word) {
            return None;
        }
    }
    Some(Fit { names, rest: cursor.rest() })
}

/// Whether this word stands anywhere among them.
pub fn says(tokens: &[Token], word: &str) -> bool {
    tokens.iter().any(|token| token.is(word))
}

/// What stands behind these neighbouring words.
pub fn behind<'a>(tokens: &'a [Token], words: &[&str]) -> Option<&'a [Token]> {
    let place =
        tokens.windows(words.len()).position(|window| window.iter().zip(words).all(|(token, word)| token.is(word)))?;
    Some(&tokens[place + words.len()..])
}

/// `ALTER TABLE name action, action`.
pub fn alteration(statement: &Statement) -> Option<Alteration<'_>> {
    let found = fit("alter table [if] [exists] [only] * [*]", &statement.tokens);
    let found = found.or_else(|| fit("alter table [if] [exists] [only] *", &statement.tokens))?;
    let actions = split(found.rest).into_iter().filter(|action| !action.is_empty()).collect();
    Some(Alteration { written: found.names.into_iter().next()?, actions })
}

/// `CREATE INDEX`.
pub fn index_made(statement: &Statement) -> Option<IndexMade> {
    let mut cursor = Cursor::of(&statement.tokens);
    if !cursor.word("create") {
        return None;
    }
    let unique = cursor.word("unique");
    if !cursor.word("index") {
        return None;
    }
    let concurrently = cursor.word("concurrently");
    let if_not_exists = cursor.word("if") && cursor.word("not") && cursor.word("exists");
    let name = if cursor.peeks("on") { None } else { Some(cursor.name()?) };
    if !cursor.word("on") {
        return None;
    }
    let only = cursor.word("only");
    let table = cursor.name()?;
    let rest = cursor.rest();
    let parts = in_brackets(rest).map(|inside| split(inside)).unwrap_or_default();
    Some(IndexMade {
        name,
        table,
        only,
        unique,
        concurrently,
        if_not_exists,
        parts: parts.into_iter().map(|part| text(statement, part)).collect(),
        rest: text(statement, rest),
    })
}

/// The tokens inside of the first parentheses.
pub fn in_brackets(tokens: &[Token]) -> Option<&[Token]> {
    let start = tokens.iter().position(|token| token.is("("))?;
    let mut depth = 0_usize;
    let end = tokens[start..].iter().position(|token| {
        if token.is("(") {
            depth += 1;
        } else if token.is(")") {
            depth -= 1;
        }
        depth == 0
    })?;
    tokens.get(start + 1..start + end)
}

/// The names between the first parentheses: the columns of a key.
pub fn columns(tokens: &[Token]) -> Vec<String> {
    let parts = in_brackets(tokens).map(split).unwrap_or_default();
    parts.into_iter().filter_map(|part| Cursor::of(part).name()).collect()
}

/// The text of some tokens that follow one another in a statement, as written.
pub fn text(statement: &Statement, tokens: &[Token]) -> String {
    let (Some(first), false) = (place(statement, tokens), tokens.is_empty()) else {
        return String::new();
    };
    let spans = spans(statement);
    match (spans.get(first), spans.get(first + tokens.len() - 1)) {
        (Some(start), Some(end)) => statement.text[start.start..end.end].to_owned(),
        _ => String::new(),
    }
}

/// Where in a statement these tokens begin: they are a part of its own.
fn place(statement: &Statement, tokens: &[Token]) -> Option<usize> {
    let first = tokens.first()?;
    statement.tokens.iter().position(|token| std::ptr::eq(token, first))
}

/// Where each token stands in the text.
fn spans(statement: &Statement) -> Vec<Range<usize>> {
    let mut at = 0;
    let mut found = Vec::with_capacity(statement.tokens.len());
    for token in &statement.tokens {
        at = skip_space(&statement.text, at);
        let quotes = token.text.matches('"').count();
        let length = match token.sort {
            TokenSort::Quoted => token.text.len() + quotes + 2,
            TokenSort::Word | TokenSort::Sign => token.text.len(),
        };
        let end = (at + length).min(statement.text.len());
        found.push(at..end);
        at = end;
    }
    found
}

/// Behind space and comments.
fn skip_space(text: &str, mut at: usize) -> usize {
    loop {
        let rest = &text[at..];
        let trimmed = rest.trim_start();
        at += rest.len() - trimmed.len();
        let gone = if trimmed.starts_with("--") {
            trimmed.find('\n').unwrap_or(trimmed.len())
        } else if trimmed.starts_with("/*") {
            comment_length(trimmed)
        } else {
            return at;
        };
        at += gone;
    }
}

/// The length of a comment, in which there may be others.
fn comment_length(text: &str) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < text.len() {
        let rest = &text[at..];
        if rest.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::statements::Script;

    fn one(sql: &str) -> Statement {
        Script::parse(sql).unwrap().statements.remove(0)
    }

    #[test]
    fn the_text_of_a_part_is_as_written() {
        let sql = "Alter Table app.\"A\"\"b\" /* x /* y */ */ add CONSTRAINT c Check (a >= 1 -- why\n and b<>'x'), drop column e";
        let statement = one(sql);
        let found = alteration(&statement).unwrap();
        assert_eq!(found.written, "app.\"A\"\"b\"");
        assert_eq!(text(&statement, found.actions[0]), "add CONSTRAINT c Check (a >= 1 -- why\n and b<>'x')");
        assert_eq!(text(&statement, found.actions[1]), "drop column e");
    }

    #[test]
    fn an_index_is_taken_apart() {
        let made = index_made(&one(
            "create unique index concurrently if not exists i on only app.t using gin (lower(a), b) where c",
        ))
        .unwrap();
        assert_eq!((made.name.as_deref(), made.table.as_str(), made.only), (Some("i"), "app.t", true));
        assert_eq!(made.parts, ["lower(a)", "b"]);
        assert_eq!(made.rest, "using gin (lower(a), b) where c");
        assert!(made.unique && made.concurrently && made.if_not_exists);
        assert_eq!(index_made(&one("create index on t (a)")).unwrap().name, None);
    }
}
