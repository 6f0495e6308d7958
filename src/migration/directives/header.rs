//! The words behind `-- switchback:` at the head of a migration's text. Pure.
//!
//! Invariant: nothing that is said is passed over in silence: what is not understood is a problem with its line.

use super::super::batches::Batches;
use super::super::length::{milliseconds, timeout_milliseconds};
use super::super::said::{Assertion, Backfill, Phase, When};
use super::super::statements::{Script, Statement};
use super::{Directives, Problem};
use crate::suggest::did_you_mean;

/// What may be said, for help.
const WORDS: [&str; 7] = ["transaction", "lock timeout", "phase", "group", "keep", "backfill", "assert"];
const ALL: &str = "there are `transaction off|on`, `lock timeout 2s`, `phase expand|contract`, `group NAME`, `keep 14d`, \
                   `backfill TABLE by KEY batch 1000 pause 50ms` and `assert before|after SELECT …`";

/// Rows per batch when a backfill does not say.
const BATCH: u64 = 1_000;

/// Reads all directives of a text.
pub(super) fn read(script: &Script) -> (Directives, Vec<Problem>) {
    let mut directives = Directives { transaction: true, ..Directives::default() };
    let mut problems = Vec::new();
    for comment in &script.comments {
        let line = comment.line;
        // As sqlx has it.
        let theirs = (line == 1 && comment.text.starts_with("-- no-transaction")).then(|| "transaction off".to_owned());
        let Some(words) = theirs.or_else(|| directive(&comment.text)) else { continue };
        // What silences a rule may stand before each statement; whether it is right is for the rules to say.
        if words == "ignore" || words.starts_with("ignore ") {
            continue;
        }
        if !comment.header {
            let problem = Problem::new(
                format!("line {line}: `switchback: {words}` stands behind the first statement"),
                "move it to the head of the file",
            );
            problems.push(problem.on(line));
            continue;
        }
        if let Err(problem) = one(&mut directives, &words, line) {
            problems.push(Problem::new(format!("line {line}: {}", problem.text), problem.help).on(line));
        }
    }
    problems.extend(check_backfill(&mut directives, script));
    (directives, problems)
}

/// The words behind `switchback:` of a comment.
fn directive(comment: &str) -> Option<String> {
    let inside = comment.trim_start_matches("--").trim_start_matches("/*").trim_end_matches("*/").trim();
    let (first, rest) = inside.split_once(':')?;
    let is_ours = first.trim().eq_ignore_ascii_case("switchback");
    is_ours.then(|| rest.split_whitespace().collect::<Vec<_>>().join(" "))
}

fn one(directives: &mut Directives, text: &str, line: usize) -> Result<(), Problem> {
    let words: Vec<&str> = text.split(' ').collect();
    let lower: Vec<String> = words.iter().map(|word| word.to_lowercase()).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    let said = &mut directives.said;
    let word = match lower.as_slice() {
        ["transaction", value] => {
            directives.transaction = one_of("transaction", value, &[("on", true), ("off", false)])?;
            "transaction"
        }
        ["lock", "timeout", value] => {
            let timeout = timeout_milliseconds(value).filter(|milliseconds| *milliseconds > 0);
            said.lock_timeout_milliseconds = Some(timeout.ok_or_else(|| no_length(text, "lock timeout 2s"))?);
            "lock timeout"
        }
        ["phase", value] => {
            said.phase = Some(one_of("phase", value, &[("expand", Phase::Expand), ("contract", Phase::Contract)])?);
            "phase"
        }
        ["group", _] => {
            said.group = Some(words[1].to_owned());
            "group"
        }
        ["keep", value] => {
            // `0s` lets it go.
            let kept = milliseconds(value).filter(|kept| *kept == 0 || *kept >= 1_000).map(|kept| kept / 1_000);
            said.keep_seconds = Some(kept.ok_or_else(|| no_length(text, "keep 14d"))?);
            "keep"
        }
        ["backfill", _, "by", _, ..] => {
            said.backfill = Some(backfill(&words, &lower, text)?);
            "backfill"
        }
        ["assert", _, ..] => {
            said.assertions.push(assertion(text, line)?);
            return Ok(());
        }
        _ => return Err(unknown(text, &lower)),
    };
    match directives.lines.insert(word, line) {
        None => Ok(()),
        Some(first) => Err(Problem::new(
            format!("`{word}` is said twice, first in line {first}"),
            "remove one of the two".to_owned(),
        )),
    }
}

fn one_of<T: Copy>(word: &str, value: &str, values: &[(&str, T)]) -> Result<T, Problem> {
    let found = values.iter().find(|(name, _)| *name == value).map(|(_, found)| *found);
    found.ok_or_else(|| {
        let names = || values.iter().map(|(name, _)| *name);
        let otherwise = names().map(|name| format!("`{word} {name}`")).collect::<Vec<_>>().join(" or ");
        let help = did_you_mean(value, names(), format!("write {otherwise}"));
        Problem::new(format!("there is no `switchback: {word} {value}`"), help)
    })
}

fn no_length(text: &str, like: &str) -> Problem {
    Problem::new(
        format!("`{text}` gives no length of time"),
        format!("write like `{like}`, with `ms`, `s`, `m`, `h`, `d` or `w`"),
    )
}

fn backfill(words: &[&str], lower: &[&str], text: &str) -> Result<Backfill, Problem> {
    let mut backfill =
        Backfill { table: words[1].to_owned(), key: words[3].to_owned(), batch: BATCH, pause_milliseconds: 0 };
    for pair in lower[4..].chunks(2) {
        match pair {
            ["batch", number] => {
                let number: Option<u64> = number.replace(['_', ','], "").parse().ok().filter(|number| *number > 0);
                backfill.batch = number.ok_or_else(|| {
                    Problem::new(format!("`batch {}` is no number of rows", pair[1]), "write like `batch 1000`")
                })?;
            }
            ["pause", value] => {
                backfill.pause_milliseconds = milliseconds(value).ok_or_else(|| no_length(text, "pause 50ms"))?;
            }
            _ => {
                let help = did_you_mean(pair[0], ["batch", "pause"], "write `batch 1000 pause 50ms` behind the key");
                return Err(Problem::new(format!("`{}` says nothing about a backfill", pair.join(" ")), help));
            }
        }
    }
    Ok(backfill)
}

fn assertion(text: &str, line: usize) -> Result<Assertion, Problem> {
    let rest = text["assert".len()..].trim();
    let (first, behind) = rest.split_once(' ').unwrap_or((rest, ""));
    let (when, sql) = match first.to_lowercase().as_str() {
        "before" => (When::Before, behind),
        "after" => (When::After, behind),
        _ => (When::After, rest),
    };
    assertion_of(when, sql, line)
}

/// An assertion, if its text is one query.
///
/// # Errors
/// When it is not.
pub fn assertion_of(when: When, sql: &str, line: usize) -> Result<Assertion, Problem> {
    let help = "write one query that gives `true` or `false`, like `assert after SELECT count(*) = 0 FROM t WHERE …`";
    let script = Script::parse(sql)
        .map_err(|error| Problem::new(format!("the assertion is not understood as SQL: {}", error.message), help))?;
    let is_query = |word: &str| script.statements.first().is_some_and(|statement| statement.starts_with(&[word]));
    let is_one = script.statements.len() == 1 && ["select", "with", "values", "table"].into_iter().any(is_query);
    if !is_one {
        return Err(Problem::new(format!("`{sql}` is not one query"), help));
    }
    Ok(Assertion { when, sql: script.statements[0].text.clone(), line })
}

fn unknown(text: &str, lower: &[&str]) -> Problem {
    let first = lower.first().copied().unwrap_or_default();
    let help = match WORDS.into_iter().find(|word| word.split(' ').next() == Some(first)) {
        Some("backfill") => "write `backfill TABLE by KEY batch 1000 pause 50ms`".to_owned(),
        Some("assert") => "write `assert before SELECT …` or `assert after SELECT …`".to_owned(),
        Some("lock timeout") => "write like `lock timeout 2s`".to_owned(),
        Some(_) => ALL.to_owned(),
        None => {
            let names = || WORDS.into_iter().map(|word| word.split(' ').next().unwrap_or(word));
            let begins = first.split(['_', '-']).next().unwrap_or_default();
            match names().any(|name| name == begins) {
                true => format!("did you mean `{}`?", first.replace(['_', '-'], " ")),
                false => did_you_mean(begins, names(), ALL),
            }
        }
    };
    Problem::new(format!("there is no `switchback: {text}`"), help)
}

/// A backfill is committed batch by batch, and there is one statement that it is about.
fn check_backfill(directives: &mut Directives, script: &Script) -> Option<Problem> {
    directives.said.backfill.as_ref()?;
    let line = directives.lines.get("backfill").copied().unwrap_or_default();
    if let Some(other) = directives.lines.get("transaction").filter(|_| directives.transaction) {
        return Some(Problem::new(
            format!("line {line}: a backfill is committed batch by batch, but line {other} says `transaction on`"),
            "remove one of the two",
        ));
    }
    directives.transaction = false;
    let backfill = directives.said.backfill.as_ref()?;
    check_backfilled(script, backfill)
        .map(|problem| Problem::new(format!("line {line}: {}", problem.text), problem.help))
}

/// A backfill is about the one statement of a text that writes rows.
pub fn check_backfilled(script: &Script, backfill: &Backfill) -> Option<Problem> {
    let writes = |word: &str| script.statements.iter().filter(|statement| statement.starts_with(&[word])).count();
    let count: usize = ["update", "insert", "delete"].into_iter().map(writes).sum();
    if count != 1 {
        return Some(Problem::new(
            format!("a backfill is about one statement that writes rows, this file has {count}"),
            "put each of them into a file of its own",
        ));
    }
    let writes =
        |statement: &&Statement| ["update", "insert", "delete"].iter().any(|word| statement.starts_with(&[word]));
    let why = Batches::of(&script.statements.iter().find(writes)?.text, backfill).err()?;
    Some(Problem::new(why, "`UPDATE` and `DELETE` of one table can be cut into batches; write it as one of these"))
}

#[cfg(test)]
mod tests {
    use super::super::super::said::Said;
    use super::*;

    fn of(header: &str, text: &str) -> Result<Directives, String> {
        let lines: String = header.lines().map(|line| format!("-- switchback: {line}\n")).collect();
        let (directives, problems) = read(&Script::parse(&format!("{lines}{text}")).unwrap());
        let shown: Vec<_> = problems.iter().map(|problem| format!("{} | {}", problem.text, problem.help)).collect();
        if shown.is_empty() { Ok(directives) } else { Err(shown.join("; ")) }
    }

    #[test]
    fn all_that_can_be_said_is_understood() {
        let header = "Lock Timeout 2s\nphase expand\ngroup Billing\nkeep 14d\n\
                      backfill app.T by id batch 1_000 pause 50ms\nassert before SELECT true\n\
                      assert select count(*) = 0 from T where a IS NULL";
        let directives = of(header, "update app.t set a = 1").unwrap();
        let assertion = |when, sql: &str, line| Assertion { when, sql: sql.to_owned(), line };
        let wanted = Said {
            lock_timeout_milliseconds: Some(2_000),
            phase: Some(Phase::Expand),
            group: Some("Billing".to_owned()),
            keep_seconds: Some(14 * 86_400),
            backfill: Some(Backfill {
                table: "app.T".to_owned(),
                key: "id".to_owned(),
                batch: 1_000,
                pause_milliseconds: 50,
            }),
            assertions: vec![
                assertion(When::Before, "SELECT true", 6),
                assertion(When::After, "select count(*) = 0 from T where a IS NULL", 7),
            ],
        };
        assert_eq!(directives.said, wanted);
        assert!(!directives.transaction, "batches are committed one by one");
        assert_eq!(directives.lines["group"], 3);
    }

    #[test]
    fn what_is_not_understood_is_told_with_its_line_and_a_mend() {
        for (header, part) in [
            ("transaction of", "line 1: there is no `switchback: transaction of` | did you mean `off`?"),
            ("phse expand", "did you mean `phase`?"),
            ("lock_timeout 2s", "did you mean `lock timeout`?"),
            ("lock timeout 2", "`lock timeout 2` gives no length of time | write like `lock timeout 2s`"),
            ("lock timeout 0s", "gives no length of time"),
            ("group a\nphase expand\ngroup b", "line 3: `group` is said twice, first in line 1"),
            ("phase extend", "did you mean `expand`?"),
            ("phase both", "write `phase expand` or `phase contract`"),
            ("keep", "there are `transaction off|on`"),
            ("keep 2 weeks", "there is no `switchback: keep 2 weeks`"),
            ("backfill t batch 3", "write `backfill TABLE by KEY"),
            ("backfill t by id bach 3", "did you mean `batch`?"),
            ("backfill t by id batch 0", "`batch 0` is no number of rows"),
            ("backfill t by id\ntransaction on", "line 1: a backfill is committed batch by batch, but line 2"),
            ("assert before delete from t", "`delete from t` is not one query"),
            ("assert selekt 1", "line 1: the assertion is not understood as SQL"),
            ("frobnicate", "there are `transaction off|on`"),
        ] {
            let problems = of(header, "update t set a = 1").expect_err(header);
            assert!(problems.contains(part), "{header}: {problems}");
        }
        let problems = of("backfill t by id", "update t set a = 1; delete from t").unwrap_err();
        assert!(problems.contains("this file has 2"), "{problems}");
    }
}
