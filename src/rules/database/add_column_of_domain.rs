//! `add-column-of-domain`: a column of a domain that refuses values is added. Pure.
//!
//! Invariant: a domain that refuses nothing is meant by nobody.

use crate::rules::finding::Level;
use crate::rules::reading::{column_added, fit};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "add-column-of-domain",
    level: Level::Warning,
    title: "a new column of a domain with checks writes the whole table anew",
    reason: "Even where it is empty, every row is written and checked while everybody waits: the server does not look whether null complies",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "create domain amount as int check (value >= 0);",
        bad: "alter table orders add column rest amount",
        good: "alter table orders add column rest int",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    if !sight.rewrites(&table) || !sight.is_heavy(&table) {
        return Vec::new();
    }
    let Some(catalog) = sight.catalog() else { return Vec::new() };
    let of = |action: &&[_]| {
        let made = column_added(&alteration.written, action)?;
        let type_name = fit("*", made.type_name)?.names.remove(0);
        let (domain, _) = catalog.complete(&catalog.domains, &type_name)?;
        if !catalog.is_constrained(domain) {
            return None;
        }
        let message = format!("each row of `{table}` is written anew, for `{}` is of the domain `{domain}`", made.name);
        let help =
            "add a column of the type below the domain, and a check of its own `NOT VALID`, which is validated apart";
        Some(Found::that(message).about(table.clone()).help(help))
    };
    alteration.actions.iter().filter_map(of).collect()
}
