//! The header of a migration's text, `-- switchback: transaction off`, and what may stand in the text at all. Pure.
//!
//! Invariant: a text that passed [`check`] cannot end the transaction that it runs in.

use super::statements::Script;

/// What the header of a text says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Directives {
    /// Whether the text runs in a transaction together with its history row.
    pub transaction: bool,
}

/// Something in a text that must not be there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Problem {
    /// What is wrong, with the line.
    pub text: String,
    /// How to mend it.
    pub help: String,
}

/// Reads the header, and checks that every statement may stand where it stands.
///
/// # Errors
/// All problems of the text.
pub fn check(script: &Script) -> Result<Directives, Vec<Problem>> {
    let (directives, mut problems) = read(script);
    let count = script.statements.len();
    if !directives.transaction && count != 1 {
        problems.push(problem(
            format!("`transaction off` is for a file of one statement, this one has {count}"),
            "put each statement that cannot run in a transaction into a file of its own",
        ));
    }
    for statement in &script.statements {
        let line = statement.line;
        if statement.controls_transaction() {
            problems.push(problem(
                format!("line {line}: `{}` would end or begin the transaction of the migration", statement.excerpt()),
                "remove it: each migration runs in one transaction together with its history row",
            ));
        } else if let Some(command) = statement.refuses_transaction()
            && directives.transaction
        {
            problems.push(problem(
                format!("line {line}: `{command}` cannot run inside a transaction"),
                "put it alone into a file that starts with `-- switchback: transaction off`",
            ));
        }
    }
    if problems.is_empty() { Ok(directives) } else { Err(problems) }
}

fn read(script: &Script) -> (Directives, Vec<Problem>) {
    let mut directives = Directives { transaction: true };
    let mut problems = Vec::new();
    for comment in &script.comments {
        let line = comment.line;
        let theirs = (line == 1 && comment.text.starts_with("-- no-transaction")).then(|| "transaction off".to_owned());
        let Some(words) = theirs.or_else(|| directive(&comment.text)) else { continue };
        if !comment.header {
            problems.push(problem(
                format!("line {line}: `switchback: {words}` stands behind the first statement"),
                "move it to the head of the file",
            ));
            continue;
        }
        match words.as_str() {
            "transaction off" => directives.transaction = false,
            "transaction on" => directives.transaction = true,
            _ => problems.push(problem(
                format!("line {line}: there is no `switchback: {words}`"),
                "the only ones are `-- switchback: transaction off` and `transaction on`",
            )),
        }
    }
    (directives, problems)
}

/// The words behind `switchback:` of a comment.
fn directive(comment: &str) -> Option<String> {
    let inside = comment.trim_start_matches("--").trim_start_matches("/*").trim_end_matches("*/").trim();
    let (first, rest) = inside.split_once(':')?;
    first
        .trim()
        .eq_ignore_ascii_case("switchback")
        .then(|| rest.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase())
}

fn problem(text: String, help: &str) -> Problem {
    Problem { text, help: help.to_owned() }
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
    }

    #[test]
    fn everything_else_is_a_problem() {
        for (sql, part) in [
            ("-- switchback: transaction off\nselect 1; select 2;", "one statement, this one has 2"),
            ("-- switchback: transaction off\n", "one statement, this one has 0"),
            ("-- switchback: transactions off\nselect 1", "line 1: there is no `switchback: transactions off`"),
            ("select 1;\n-- switchback: transaction off", "line 2: `switchback: transaction off` stands behind"),
            ("select 1;\nCOMMIT;\nselect 2", "line 2: `COMMIT` would end"),
            ("begin; select 1; end", "line 1: `begin` would end"),
            ("select 1;\ncreate index concurrently i on t (a)", "line 2: `CREATE INDEX CONCURRENTLY` cannot run"),
        ] {
            let problems = of(sql).expect_err(sql);
            assert!(problems.contains(part), "{sql}: {problems}");
        }
    }
}
