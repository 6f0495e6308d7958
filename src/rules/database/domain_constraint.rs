//! `domain-constraint`: a domain refuses values from now on, and all tables with a column of it are read. Pure.
//!
//! Invariant: a check that is `NOT VALID` is not meant.

use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "domain-constraint",
    level: Level::Warning,
    title: "a new rule of a domain reads every table that uses it while its writers wait",
    reason: "All tables with a column of the domain are locked and read at once, and there is no form that lets them be written meanwhile",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "create domain amount as int; create table sums (a amount); insert into sums values (1);",
        bad: "alter domain amount add constraint small check (value < 100)",
        good: "alter domain amount add constraint small check (value < 100) not valid",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let tokens = &sight.statement.tokens;
    let adds = fit("alter domain * add", tokens).or_else(|| fit("alter domain * set not null", tokens));
    let (Some(found), heavy) = (adds, sight.heavy()) else { return Vec::new() };
    let Some(first) = heavy.first() else { return Vec::new() };
    let largest = heavy.iter().max_by_key(|name| sight.rows(name)).unwrap_or(first);
    let told = Found::that(format!("`{}` are read for the domain `{}`", heavy.join("`, `"), found.names[0]));
    let help = "add it `NOT VALID`, so that it holds for what is written from now on; or put a check on each table, which can be \
                validated while it is written";
    vec![told.about(*largest).help(help)]
}
