//! What a `migration` block of the spec says about how a migration runs, joined with its header. Pure.
//!
//! Invariant: header and block never contradict each other: whoever says a thing twice says the same.

use std::collections::BTreeMap;

use super::Migration;
use super::directives::{self, Problem};
use super::length::shown;
use super::said::{Backfill, Phase, Said};
use super::statements::Script;

/// What a block says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spoken {
    /// Whether it runs in one transaction.
    pub transaction: Option<bool>,
    /// All else.
    pub said: Said,
}

/// Takes what the block says into the migration.
///
/// # Errors
/// What the header says otherwise, each naming both.
pub fn join(migration: &mut Migration, spoken: &Spoken) -> Vec<Problem> {
    let script = Script::parse(&migration.up).unwrap_or_default();
    let header = directives::header(&script);
    let mut joining = Joining { lines: &header.lines, problems: Vec::new() };
    let off = header.lines.contains_key("transaction").then_some(header.transaction);
    let on_or_off = |on: &bool| format!("transaction {}", if *on { "on" } else { "off" });
    let said = joining.one("transaction", off, spoken.transaction, &on_or_off, &|on| format!("transaction = {on}"));
    migration.transaction = said.unwrap_or(migration.transaction);
    let (ours, theirs) = (&mut migration.said, &spoken.said);
    ours.lock_timeout_milliseconds = joining.one(
        "lock timeout",
        ours.lock_timeout_milliseconds,
        theirs.lock_timeout_milliseconds,
        &|time| format!("lock timeout {}", shown(*time)),
        &|time| format!("lock_timeout = \"{}\"", shown(*time)),
    );
    ours.phase =
        joining.one("phase", ours.phase, theirs.phase, &|phase| format!("phase {}", phase_word(*phase)), &|phase| {
            format!("phase = \"{}\"", phase_word(*phase))
        });
    ours.group =
        joining.one("group", ours.group.take(), theirs.group.clone(), &|group| format!("group {group}"), &|group| {
            format!("group = \"{group}\"")
        });
    ours.keep_seconds = joining.one(
        "keep",
        ours.keep_seconds,
        theirs.keep_seconds,
        &|seconds| format!("keep {}", shown(seconds * 1_000)),
        &|seconds| format!("keep = \"{}\"", shown(seconds * 1_000)),
    );
    ours.backfill = joining.one(
        "backfill",
        ours.backfill.take(),
        theirs.backfill.clone(),
        &|one| format!("backfill {}", backfill_words(one)),
        &|one| format!("backfill {{ {} }}", backfill_words(one)),
    );
    ours.assertions.extend(theirs.assertions.iter().cloned());
    let mut problems = joining.problems;
    if let Some(backfill) = migration.said.backfill.clone() {
        if said == Some(true) {
            let text = "a backfill is committed batch by batch, but `transaction = true` is said";
            problems.push(Problem::new(text, "remove one of the two"));
        }
        migration.transaction = false;
        problems.extend(directives::check_backfilled(&script, &backfill));
    }
    problems
}

fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Expand => "expand",
        Phase::Contract => "contract",
    }
}

fn backfill_words(one: &Backfill) -> String {
    format!("{} by {} batch {} pause {}", one.table, one.key, one.batch, shown(one.pause_milliseconds))
}

struct Joining<'a> {
    lines: &'a BTreeMap<&'static str, usize>,
    problems: Vec<Problem>,
}

impl Joining<'_> {
    fn one<T: PartialEq>(
        &mut self,
        word: &str,
        header: Option<T>,
        block: Option<T>,
        in_header: &dyn Fn(&T) -> String,
        in_block: &dyn Fn(&T) -> String,
    ) -> Option<T> {
        if let (Some(header), Some(block)) = (&header, &block)
            && header != block
        {
            let line = self.lines.get(word).copied().unwrap_or(1);
            self.problems.push(Problem::new(
                format!(
                    "line {line} says `{}`, the `migration` block of the spec says `{}`",
                    in_header(header),
                    in_block(block)
                ),
                "say it in one place only",
            ));
        }
        block.or(header)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(up: &str) -> Migration {
        let found = directives::check(&Script::parse(up).unwrap()).unwrap();
        Migration { transaction: found.transaction, said: found.said, ..Migration::plain(1, "one", up, None) }
    }

    #[test]
    fn a_block_adds_to_the_header() {
        let mut one = read("-- switchback: phase expand\ncreate index i on t (a)");
        let said = Said { lock_timeout_milliseconds: Some(2_000), phase: Some(Phase::Expand), ..Said::default() };
        assert_eq!(join(&mut one, &Spoken { transaction: Some(false), said: said.clone() }), []);
        assert_eq!((one.transaction, one.said), (false, said));
    }

    #[test]
    fn whoever_contradicts_is_told_both() {
        let mut one =
            read("-- switchback: transaction on\n-- switchback: lock timeout 2s\n-- switchback: group a\nselect 1");
        let said = Said { lock_timeout_milliseconds: Some(5_000), group: Some("b".to_owned()), ..Said::default() };
        let problems: Vec<_> = join(&mut one, &Spoken { transaction: Some(false), said })
            .into_iter()
            .map(|problem| problem.text)
            .collect();
        assert_eq!(
            problems,
            [
                "line 1 says `transaction on`, the `migration` block of the spec says `transaction = false`",
                "line 2 says `lock timeout 2s`, the `migration` block of the spec says `lock_timeout = \"5s\"`",
                "line 3 says `group a`, the `migration` block of the spec says `group = \"b\"`",
            ]
        );
    }
}
