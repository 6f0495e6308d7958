//! The header of a migration's text, `-- switchback: transaction off`, and what may stand in the text at all. Pure.
//!
//! Invariant: a text that passed [`check`] cannot end a transaction that it runs in.

mod header;

use std::collections::BTreeMap;

use super::said::Said;
use super::statements::{Script, Statement};
pub use header::{assertion_of, check_backfilled};

/// What the header of a text says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Directives {
    /// Whether the text runs in one transaction together with its history row.
    pub transaction: bool,
    /// All else.
    pub said: Said,
    /// Where each word was said, from one.
    pub lines: BTreeMap<&'static str, usize>,
}

/// Something in a text that must not be there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Problem {
    /// The line, where it is about one.
    pub line: Option<usize>,
    /// What is wrong, with the line.
    pub text: String,
    /// How to mend it.
    pub help: String,
}

impl Problem {
    /// A problem and its mend.
    pub fn new(text: impl Into<String>, help: impl Into<String>) -> Self {
        Self { line: None, text: text.into(), help: help.into() }
    }

    /// Says which line it is about.
    #[must_use]
    pub fn on(self, line: usize) -> Self {
        Self { line: Some(line), ..self }
    }
}

/// Whether something other than the header says that a text runs outside of one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beside {
    /// Nothing.
    Nothing,
    /// The spec says `transaction = false`.
    Off,
}

/// Reads the header, and checks that every statement may stand where it stands.
///
/// # Errors
/// All problems of the text.
pub fn check(script: &Script) -> Result<Directives, Vec<Problem>> {
    check_beside(script, Beside::Nothing)
}

/// The same, where the spec has something to say as well.
///
/// # Errors
/// All problems of the text.
pub fn check_beside(script: &Script, beside: Beside) -> Result<Directives, Vec<Problem>> {
    let (directives, mut problems) = header::read(script);
    let together = directives.transaction && beside == Beside::Nothing;
    for statement in &script.statements {
        let found = match together {
            true => inside(statement),
            false => apart(statement, script.statements.len() > 1),
        };
        problems.extend(found.map(|problem| problem.on(statement.line)));
    }
    if problems.is_empty() { Ok(directives) } else { Err(problems) }
}

/// What the header alone says, its mistakes left out.
pub fn header(script: &Script) -> Directives {
    header::read(script).0
}

/// What is wrong with a statement of a text that runs in one transaction.
fn inside(statement: &Statement) -> Option<Problem> {
    let line = statement.line;
    if let Some(problem) = controls(statement) {
        return Some(problem);
    }
    let command = statement.refuses_transaction()?;
    Some(Problem::new(
        format!("line {line}: `{command}` cannot run inside a transaction"),
        "start the file with `-- switchback: transaction off`: then each statement is committed by itself",
    ))
}

/// What is wrong with a statement of a text whose statements are committed one by one.
fn apart(statement: &Statement, has_others: bool) -> Option<Problem> {
    let line = statement.line;
    if let Some(problem) = controls(statement) {
        return Some(problem);
    }
    let starts = |words: &[&str]| statement.starts_with(words);
    if starts(&["savepoint"]) || starts(&["rollback"]) || starts(&["release"]) {
        return Some(Problem::new(
            format!("line {line}: `{}` has no transaction to stand in", statement.excerpt()),
            "remove it, or remove `transaction off`",
        ));
    }
    let is_temporary = ["temp", "temporary"].iter().any(|word| starts(&["create", word]));
    (is_temporary && has_others).then(|| {
        Problem::new(
            format!("line {line}: what is temporary is gone when the file is gone on with after an interruption"),
            "make it a table of its own and drop it at the end, or remove `transaction off`",
        )
    })
}

fn controls(statement: &Statement) -> Option<Problem> {
    statement.controls_transaction().then(|| {
        Problem::new(
            format!(
                "line {}: `{}` would end or begin the transaction of the migration",
                statement.line,
                statement.excerpt()
            ),
            "remove it: each migration runs in one transaction together with its history row, or statement by \
             statement with `-- switchback: transaction off`",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(sql: &str) -> Result<bool, String> {
        check(&Script::parse(sql).unwrap())
            .map(|directives| directives.transaction)
            .map_err(|problems| problems.iter().map(|problem| problem.text.clone()).collect::<Vec<_>>().join("; "))
    }

    #[test]
    fn the_header_says_whether_a_transaction_is_used() {
        assert_eq!(of("select 1"), Ok(true));
        assert_eq!(of("-- by: me\n--switchback:transaction  OFF\n\nvacuum t;"), Ok(false));
        assert_eq!(of("-- no-transaction\nvacuum t"), Ok(false), "as sqlx has it");
        assert_eq!(of("\n-- no-transaction\nselect 1"), Ok(true), "sqlx reads it on the first line only");
        assert_eq!(of("/* switchback: transaction off */ create index concurrently i on t (a);"), Ok(false));
        assert_eq!(of("select '-- switchback: nonsense'"), Ok(true));
        assert_eq!(
            of("-- switchback: transaction off\nselect 1; vacuum t; create temp view v as select 1"),
            Err("line 2: what is temporary is gone when the file is gone on with after an interruption".to_owned())
        );
    }

    #[test]
    fn everything_else_is_a_problem() {
        for (sql, part) in [
            ("-- switchback: transactions off\nselect 1", "line 1: there is no `switchback: transactions off`"),
            ("select 1;\n-- switchback: transaction off", "line 2: `switchback: transaction off` stands behind"),
            ("select 1;\nCOMMIT;\nselect 2", "line 2: `COMMIT` would end"),
            ("begin; select 1; end", "line 1: `begin` would end"),
            ("-- switchback: transaction off\nselect 1;\nrollback", "line 3: `rollback` would end"),
            ("-- switchback: transaction off\nsavepoint a", "line 2: `savepoint a` has no transaction"),
            ("select 1;\ncreate index concurrently i on t (a)", "line 2: `CREATE INDEX CONCURRENTLY` cannot run"),
        ] {
            let problems = of(sql).expect_err(sql);
            assert!(problems.contains(part), "{sql}: {problems}");
        }
        let index = Script::parse("create index concurrently i on t (a)").unwrap();
        assert!(check_beside(&index, Beside::Off).is_ok());
    }
}
