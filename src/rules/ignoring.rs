//! `-- switchback: ignore RULE: reason`: comments of a migration that silence rules. Pure.
//!
//! Invariant: a comment without a reason silences nothing, and one that silences nothing is told of.

use crate::migration::statements::Script;

/// A comment that silences a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignore {
    /// The rule.
    pub rule: String,
    /// Why; empty where nothing is said.
    pub reason: String,
    /// Where it stands.
    pub line: usize,
    /// The number of the statement that it is for; of all of the text where it stands at its head.
    pub reach: Reach,
}

/// What a comment is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The whole text: it stands at its head.
    Text,
    /// The statement with this number.
    Statement(usize),
    /// Nothing: no statement follows.
    Nothing,
}

/// The comments of a text that silence rules.
pub fn read(script: &Script) -> Vec<Ignore> {
    let mut found = Vec::new();
    for comment in &script.comments {
        let Some(words) = words(&comment.text) else { continue };
        let (rule, reason) = words.split_once(':').unwrap_or((&words, ""));
        let mut places = script.statements.iter().zip(1..);
        let reach = match comment.header {
            true => Reach::Text,
            false => places
                .find(|(statement, _)| statement.line >= comment.line)
                .map_or(Reach::Nothing, |(_, number)| Reach::Statement(number)),
        };
        found.push(Ignore {
            rule: rule.trim().to_owned(),
            reason: reason.trim().to_owned(),
            line: comment.line,
            reach,
        });
    }
    found
}

/// What stands behind `switchback: ignore` of a comment.
fn words(comment: &str) -> Option<String> {
    let inside = comment.trim_start_matches("--").trim_start_matches("/*").trim_end_matches("*/").trim();
    let (first, rest) = inside.split_once(':')?;
    let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    let behind = rest.strip_prefix("ignore").filter(|behind| behind.is_empty() || behind.starts_with(' '))?;
    first.trim().eq_ignore_ascii_case("switchback").then(|| behind.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_reaches_the_statement_behind_it_or_the_whole_text() {
        let text = "-- switchback: ignore a: because of b: c\nselect 1;\n-- switchback: ignore b\n/* Switchback: ignore  c : x */\nselect 2; -- switchback: ignore d: y\n-- switchback: ignore e: z\n-- switchback: ignored\n";
        let found = read(&Script::parse(text).unwrap());
        let shown: Vec<_> =
            found.iter().map(|one| (one.rule.as_str(), one.reason.as_str(), one.line, one.reach)).collect();
        assert_eq!(
            shown,
            [
                ("a", "because of b: c", 1, Reach::Text),
                ("b", "", 3, Reach::Statement(2)),
                ("c", "x", 4, Reach::Statement(2)),
                ("d", "y", 5, Reach::Statement(2)),
                ("e", "z", 6, Reach::Nothing),
            ]
        );
    }
}
