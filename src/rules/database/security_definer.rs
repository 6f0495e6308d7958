//! `security-definer`: a function runs with its owner's rights and the caller's search path. Pure.
//!
//! Invariant: a search path of its own is enough.

use crate::rules::finding::Level;
use crate::rules::reading::{behind, fit, says};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "security-definer",
    level: Level::Warning,
    title: "`SECURITY DEFINER` without a search path of its own lets callers run what they like",
    reason: "Whoever may make a table or function in any schema of the path can have it used with the rights of the owner",
    check: Check::Statement(Sort::Habit, look),
    example: Example::Sql {
        before: "",
        bad: "create function total_of(bigint) returns int language sql security definer as 'select total from orders where id = $1'",
        good: "create function total_of(bigint) returns int language sql security definer set search_path = public, pg_temp as 'select total from orders where id = $1'",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let tokens = &sight.statement.tokens;
    let fits = ["create [or] [replace] function *", "create [or] [replace] procedure *"];
    let Some(found) = fits.iter().find_map(|pattern| fit(pattern, tokens)) else { return Vec::new() };
    if behind(tokens, &["security", "definer"]).is_none() || says(tokens, "search_path") {
        return Vec::new();
    }
    let told = Found::that(format!(
        "`{}` runs with its owner's rights in the search path of whoever calls it",
        found.names[0]
    ));
    vec![told.help("add `set search_path = SCHEMA, pg_temp`")]
}
