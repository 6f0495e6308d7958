//! `scans-table`: a table in use is read as a whole, by whatever statement. Pure.
//!
//! Invariant: it speaks only where no other rule has said what to do.

use crate::rules::finding::Level;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "scans-table",
    level: Level::Warning,
    title: "a statement reads a whole table while its writers wait",
    reason: "Every row is read under a lock for which writers wait, and readers too where it is the strongest one",
    check: Check::Statement(Sort::Rest, look),
    example: Example::Sql {
        before: "create domain amount as int; create table sums (a amount); insert into sums values (1); \
                 alter domain amount add constraint small check (value < 100) not valid;",
        bad: "alter domain amount validate constraint small",
        good: "alter domain amount set default 1",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let is_read =
        |name: &&str| !sight.rewrites(name) && sight.seen.is_some_and(|seen| !seen.builds.contains_key(*name));
    let tables: Vec<&str> = sight.heavy().into_iter().filter(is_read).collect();
    let Some(first) = tables.first() else { return Vec::new() };
    let found = Found::that(format!("`{}` is read as a whole while its writers wait", tables.join("`, `")));
    vec![found.about(*first).help("look for a form that only notes the change, and checks the rows apart")]
}
