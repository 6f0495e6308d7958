//! `truncate`: a table in use is emptied. Pure.
//!
//! Invariant: a table that this change made is not in use.

use crate::rules::finding::Level;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "truncate",
    level: Level::Warning,
    title: "`TRUNCATE` loses every row and keeps everybody waiting",
    reason: "The rows are gone for good, no trigger on rows hears of it, and `CASCADE` empties other tables as well",
    check: Check::Statement(Sort::Breaks, look),
    example: Example::Sql {
        before: "",
        bad: "truncate orders",
        good: "delete from orders where id < 10",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    if !sight.statement.starts_with(&["truncate"]) {
        return Vec::new();
    }
    let seen = sight.seen.into_iter().flat_map(|seen| seen.locks.keys());
    let is_table =
        |name: &&String| sight.relation(name).is_some_and(|one| one.index.is_none()) && !sight.is_fresh(name);
    let tables: Vec<&String> = seen.filter(is_table).collect();
    let Some(first) = tables.first() else { return Vec::new() };
    let names: Vec<&str> = tables.iter().map(|name| name.as_str()).collect();
    let found = Found::that(format!("every row of `{}` is lost", names.join("`, `"))).about(first.as_str());
    vec![found.help("delete in batches what is not needed, or rename the table and drop it when nobody has missed it")]
}
