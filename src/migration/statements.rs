//! Splits a migration's text into statements and their tokens. Pure.
//!
//! Invariant: fails closed. A text that the parser does not understand whole gives no statements at all, so that
//! nothing is ever concluded from half of a file.

use squawk_syntax::ast::{AstNode as _, Stmt};
use squawk_syntax::{SourceFile, SyntaxElement, SyntaxKind, SyntaxNode};

/// One statement, without its semicolon and the comments around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Its text as written.
    pub text: String,
    /// The line it starts on, from one.
    pub line: usize,
    /// Its tokens, without space and comments.
    pub tokens: Vec<Token>,
}

/// One token of a statement, in the form in which two of them are compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// A word in lower case, the inside of a quoted name, or a literal or sign as written.
    pub text: String,
    /// What sort it is.
    pub sort: TokenSort,
}

/// What sort of token it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenSort {
    /// A keyword or an unquoted name.
    Word,
    /// A name in double quotes: never a keyword.
    Quoted,
    /// A literal, an operator, punctuation.
    Sign,
}

/// A comment of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comment {
    /// As written.
    pub text: String,
    /// The line it starts on, from one.
    pub line: usize,
    /// Whether it stands before the first statement.
    pub header: bool,
}

/// A text, taken apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// The statements in order, empty ones left out.
    pub statements: Vec<Statement>,
    /// The comments in order.
    pub comments: Vec<Comment>,
}

/// Why a text was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct NotSql {
    /// The line, from one.
    pub line: usize,
    /// The bytes of the text that were not understood.
    pub at: std::ops::Range<usize>,
    /// What the parser said.
    pub message: String,
}

impl Script {
    /// Takes a text apart.
    ///
    /// # Errors
    /// The first thing that the parser does not understand.
    pub fn parse(text: &str) -> Result<Self, NotSql> {
        let lines = Lines::of(text);
        let parsed = SourceFile::parse(text);
        if let Some(error) = parsed.errors().first() {
            return Err(not_sql(text, &lines, usize::from(error.range().start()), error.message()));
        }
        let statements: Vec<Statement> = parsed
            .tree()
            .stmts()
            .filter(|statement| !matches!(statement, Stmt::EmptyStmt(_)))
            .map(|statement| lower(text, &lines, statement.syntax()))
            .filter(|statement| !statement.tokens.is_empty())
            .collect();
        let comments = comments(&lines, &parsed.syntax_node());
        Ok(Self { statements, comments })
    }
}

impl Statement {
    /// The statement on one line, shortened for people.
    pub fn excerpt(&self) -> String {
        let line = self.text.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(100) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    }

    /// Whether it starts with these keywords.
    pub fn starts_with(&self, words: &[&str]) -> bool {
        self.tokens.len() >= words.len() && self.tokens.iter().zip(words).all(|(token, word)| token.is(word))
    }

    /// What forbids it inside a transaction block, in the words of its command; `None` when nothing does.
    pub fn refuses_transaction(&self) -> Option<&'static str> {
        let concurrently = self.tokens.iter().any(|token| token.is("concurrently"));
        let starts = |words: &[&str]| self.starts_with(words);
        if concurrently && (starts(&["create", "index"]) || starts(&["create", "unique", "index"])) {
            return Some("CREATE INDEX CONCURRENTLY");
        }
        if concurrently && starts(&["drop", "index"]) {
            return Some("DROP INDEX CONCURRENTLY");
        }
        if concurrently && starts(&["reindex"]) {
            return Some("REINDEX CONCURRENTLY");
        }
        if concurrently && starts(&["alter", "table"]) && self.tokens.iter().any(|token| token.is("detach")) {
            return Some("DETACH PARTITION CONCURRENTLY");
        }
        if starts(&["vacuum"]) {
            return Some("VACUUM");
        }
        if starts(&["alter", "system"]) {
            return Some("ALTER SYSTEM");
        }
        if starts(&["create", "database"]) || starts(&["drop", "database"]) {
            return Some("CREATE or DROP DATABASE");
        }
        if starts(&["create", "tablespace"]) || starts(&["drop", "tablespace"]) {
            return Some("CREATE or DROP TABLESPACE");
        }
        let says = |word: &str| self.tokens.iter().any(|token| token.is(word));
        if starts(&["reindex"]) && ["schema", "database", "system"].iter().any(|word| says(word)) {
            return Some("REINDEX of a schema or database");
        }
        if starts(&["alter", "database"]) && says("tablespace") {
            return Some("ALTER DATABASE SET TABLESPACE");
        }
        // Without a slot of its own it may; then it says so.
        if starts(&["drop", "subscription"])
            || (starts(&["create", "subscription"]) && !says("create_slot") && !says("connect"))
        {
            return Some("CREATE or DROP SUBSCRIPTION");
        }
        if starts(&["cluster"]) && self.tokens.len() == 1 {
            return Some("CLUSTER of all tables");
        }
        None
    }

    /// Whether it begins or ends a transaction. `ROLLBACK TO` a savepoint does neither.
    pub fn controls_transaction(&self) -> bool {
        let Some(first) = self.tokens.first().filter(|token| token.sort == TokenSort::Word) else {
            return false;
        };
        match first.text.as_str() {
            "begin" | "commit" | "end" | "abort" => true,
            "start" | "prepare" => self.tokens.get(1).is_some_and(|token| token.is("transaction")),
            "rollback" => !self.tokens.iter().any(|token| token.is("to")),
            _ => false,
        }
    }
}

impl Token {
    /// Whether it is this keyword (in lower case) or sign.
    pub fn is(&self, word: &str) -> bool {
        self.sort != TokenSort::Quoted && self.text == word
    }
}

/// What the parser said at a place of the text, with the word that stands there in the place of the sort of word.
fn not_sql(text: &str, lines: &Lines, place: usize, message: &str) -> NotSql {
    let start = place + text[place..].len() - text[place..].trim_start().len();
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    let word = text[start..].find(|letter| !is_word(letter)).unwrap_or(text.len() - start);
    let end = start + word.max(text[start..].chars().next().map_or(0, char::len_utf8));
    // At the end of the text there is nothing to show but the place itself.
    let at = if start == text.len() { place..place } else { start..end };
    let is_sort =
        |sort: &str| !sort.is_empty() && sort.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
    let message = match message.rsplit_once("found ") {
        Some((head, sort)) if is_sort(sort) && !at.is_empty() => format!("{head}found `{}`", &text[at.clone()]),
        Some((head, sort)) if is_sort(sort) => format!("{head}found the end of the text"),
        _ => message.to_owned(),
    };
    NotSql { line: lines.line(at.start), at, message }
}

fn lower(text: &str, lines: &Lines, node: &SyntaxNode) -> Statement {
    let tokens: Vec<_> = node
        .descendants_with_tokens()
        .filter_map(SyntaxElement::into_token)
        .filter(|token| !token.kind().is_trivia() && token.kind() != SyntaxKind::SEMICOLON)
        .collect();
    let start = tokens.first().map_or(0, |token| usize::from(token.text_range().start()));
    let end = tokens.last().map_or(start, |token| usize::from(token.text_range().end()));
    Statement {
        text: text[start..end].to_owned(),
        line: lines.line(start),
        tokens: tokens.iter().map(|token| read(token.text())).collect(),
    }
}

fn read(text: &str) -> Token {
    if let Some(inside) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return Token { text: inside.replace("\"\"", "\""), sort: TokenSort::Quoted };
    }
    let is_word = text.chars().next().is_some_and(|letter| letter.is_alphabetic() || letter == '_')
        && text.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '$');
    match is_word {
        // PostgreSQL folds the case of ASCII letters only.
        true => Token { text: text.to_ascii_lowercase(), sort: TokenSort::Word },
        false => Token { text: text.to_owned(), sort: TokenSort::Sign },
    }
}

fn comments(lines: &Lines, root: &SyntaxNode) -> Vec<Comment> {
    let mut header = true;
    let mut found = Vec::new();
    for token in root.descendants_with_tokens().filter_map(SyntaxElement::into_token) {
        match token.kind() {
            SyntaxKind::COMMENT => found.push(Comment {
                text: token.text().to_owned(),
                line: lines.line(usize::from(token.text_range().start())),
                header,
            }),
            SyntaxKind::WHITESPACE | SyntaxKind::SEMICOLON => {}
            _ => header = false,
        }
    }
    found
}

/// Where the lines of a text end, so that many places are found in one look at it.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        Self(text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect())
    }

    fn line(&self, at: usize) -> usize {
        self.0.partition_point(|end| *end < at) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(sql: &str) -> Vec<String> {
        Script::parse(sql).unwrap().statements.into_iter().map(|statement| statement.text).collect()
    }

    #[test]
    fn statements_are_split_where_postgresql_splits_them() {
        let sql = "-- a; b\nselect ';', $$;$$, \"a;b\"; /* ; */ ;;\ncreate function f() returns int language sql as $x$ select 1; $x$;\ncreate function g() returns int begin atomic select 1; select 2; end";
        assert_eq!(
            texts(sql),
            [
                "select ';', $$;$$, \"a;b\"",
                "create function f() returns int language sql as $x$ select 1; $x$",
                "create function g() returns int begin atomic select 1; select 2; end",
            ]
        );
    }

    #[test]
    fn words_fold_and_quoted_names_do_not() {
        let script = Script::parse("ALTER TABLE App.\"Us\"\"ers\" ADD Größe INT DEFAULT 'X'").unwrap();
        let tokens: Vec<_> =
            script.statements[0].tokens.iter().map(|token| (token.text.as_str(), token.sort)).collect();
        use TokenSort::{Quoted, Sign, Word};
        assert_eq!(
            tokens,
            [
                ("alter", Word),
                ("table", Word),
                ("app", Word),
                (".", Sign),
                ("Us\"ers", Quoted),
                ("add", Word),
                ("größe", Word),
                ("int", Word),
                ("default", Word),
                ("'X'", Sign)
            ]
        );
    }

    #[test]
    fn what_is_not_sql_is_refused_with_its_line() {
        for (sql, line) in
            [("select 1;\nselekt 2;", 2), ("create table (", 1), ("\\i other.sql\n", 1), ("select 'open", 1)]
        {
            let error = Script::parse(sql).expect_err(sql);
            assert_eq!(error.line, line, "{sql}: {error}");
        }
    }

    #[test]
    fn statements_know_whether_they_control_the_transaction() {
        for (sql, controls) in [
            ("BEGIN", true),
            ("start transaction isolation level serializable", true),
            ("commit", true),
            ("END", true),
            ("ABORT", true),
            ("rollback", true),
            ("rollback and chain", true),
            ("prepare transaction 'x'", true),
            ("savepoint a", false),
            ("rollback to savepoint a", false),
            ("release savepoint a", false),
            ("do $$ begin perform 1; end $$", false),
            ("create table \"commit\" (id int)", false),
        ] {
            assert_eq!(Script::parse(sql).unwrap().statements[0].controls_transaction(), controls, "{sql}");
        }
    }

    #[test]
    fn statements_know_what_refuses_a_transaction() {
        for (sql, refuses) in [
            ("create index concurrently i on t (a)", true),
            ("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS i ON t (a)", true),
            ("drop index concurrently i", true),
            ("reindex table concurrently t", true),
            ("vacuum t", true),
            ("reindex schema app", true),
            ("cluster", true),
            ("alter database d set tablespace s", true),
            ("create subscription s connection 'x' publication p", true),
            ("create subscription s connection 'x' publication p with (connect = false)", false),
            ("reindex table t", false),
            ("cluster t", false),
            ("alter database d set work_mem = '4MB'", false),
            ("create index i on t (a)", false),
            ("refresh materialized view concurrently m", false),
            ("create index \"concurrently\" on t (a)", false),
            ("alter table t detach partition p", false),
        ] {
            assert_eq!(Script::parse(sql).unwrap().statements[0].refuses_transaction().is_some(), refuses, "{sql}");
        }
    }

    #[test]
    fn comments_know_whether_they_stand_at_the_head() {
        let script = Script::parse("-- one\n\n/* two */ select 1; -- three\nselect '-- four'").unwrap();
        let comments: Vec<_> =
            script.comments.iter().map(|comment| (comment.text.as_str(), comment.line, comment.header)).collect();
        assert_eq!(comments, [("-- one", 1, true), ("/* two */", 3, true), ("-- three", 3, false)]);
    }
}
