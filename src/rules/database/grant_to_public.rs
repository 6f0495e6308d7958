//! `grant-to-public`: everybody gets a right. Pure.
//!
//! Invariant: a role that is named gets it alone.

use crate::rules::finding::Level;
use crate::rules::reading::behind;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "grant-to-public",
    level: Level::Warning,
    title: "a right for `PUBLIC` is a right for every role there is and will be",
    reason: "Nobody can see later who needs it, and taking it away breaks whoever came to use it",
    check: Check::Statement(Sort::Habit, look),
    example: Example::Sql {
        before: "",
        bad: "grant select on orders to public",
        good: "grant select on orders to pg_monitor",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let tokens = &sight.statement.tokens;
    let is_grant = sight.statement.starts_with(&["grant"]) && behind(tokens, &["to", "public"]).is_some();
    let found = || Found::that("every role there is and will be gets this right").help("name the roles that need it");
    is_grant.then(found).into_iter().collect()
}
