//! `drop-cascade`: what depends on a thing goes with it, unnamed. Pure.
//!
//! Invariant: whoever names all of it knows what goes.

use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::remedy::bare;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "drop-cascade",
    level: Level::Warning,
    title: "`CASCADE` drops what nobody has named",
    reason: "Views, foreign keys and defaults that depend on it go as well; which these are, nobody who reads the text can see",
    check: Check::Statement(Sort::Breaks, look),
    example: Example::Sql {
        before: "create view totals as select state, total from orders;",
        bad: "drop table orders cascade",
        good: "drop view totals",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let tokens = &sight.statement.tokens;
    let drops = sight.statement.starts_with(&["drop"])
        || sight.alteration().is_some_and(|one| one.actions.iter().any(|action| fit("drop", action).is_some()));
    if !drops || !tokens.last().is_some_and(|token| token.is("cascade")) {
        return Vec::new();
    }
    let said = |name: &str| tokens.iter().any(|token| token.text == bare(name).trim_matches('"'));
    let Some(catalog) = sight.catalog() else { return Vec::new() };
    let named: Vec<&str> = catalog.relations.keys().map(String::as_str).filter(|name| said(name)).collect();
    if named.iter().any(|name| sight.is_fresh(name)) {
        return Vec::new();
    }
    let mut gone: Vec<String> = Vec::new();
    for name in &named {
        let views = catalog.relation(name).into_iter().flat_map(|relation| relation.seen_by.keys());
        gone.extend(views.filter(|view| !said(view)).map(|view| format!("view `{view}`")));
        gone.extend(catalog.references_to(name).map(|(table, key, _)| format!("foreign key `{key}` of `{table}`")));
    }
    let here = if gone.is_empty() { String::new() } else { format!("As far as it is known: {}", gone.join(", ")) };
    vec![
        Found::that("what depends on it goes as well")
            .here(here)
            .help("drop by name what is to go, and leave `CASCADE` out"),
    ]
}
