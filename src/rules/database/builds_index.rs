//! `builds-index`: an index of a table in use is built, by whatever statement. Pure.
//!
//! Invariant: it speaks only where no other rule has said what to do.

use crate::rules::finding::Level;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "builds-index",
    level: Level::Warning,
    title: "a statement builds an index while the table's writers wait",
    reason: "The table is read and sorted under a lock for which writers wait, and readers too where it is the strongest one",
    check: Check::Statement(Sort::Rest, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders alter column state type text collate \"C\"",
        good: "alter table orders alter column note type text collate \"C\"",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(seen) = sight.seen else { return Vec::new() };
    let is_built = |name: &&str| !sight.rewrites(name) && seen.builds.contains_key(*name);
    let tables: Vec<&str> = sight.heavy().into_iter().filter(is_built).collect();
    let Some(first) = tables.first() else { return Vec::new() };
    let indexes: Vec<&str> = seen.builds.get(*first).into_iter().flatten().map(String::as_str).collect();
    let found = Found::that(format!("`{}` is built while the writers of `{first}` wait", indexes.join("`, `")));
    vec![found.about(*first).help("build an index of the wanted form concurrently before, and drop the old one")]
}
