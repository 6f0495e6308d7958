//! `rename-column`: a column of a table in use is called otherwise. Pure.
//!
//! Invariant: a new column beside it breaks nobody.

use crate::rules::finding::Level;
use crate::rules::reading::fit;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;
use crate::rules::twin::{PAGE, Twin};

/// The rule.
pub const RULE: Rule = Rule {
    name: "rename-column",
    level: Level::Warning,
    title: "`RENAME COLUMN` breaks every program that knows the old name",
    reason: "At the moment of the commit all programs that run name a column that is not there any more",
    check: Check::Statement(Sort::Breaks, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders rename column note to remark",
        good: "alter table orders add column remark text",
        claim: Claim::Apart,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    let action = alteration.actions.first().filter(|_| !sight.is_fresh(&table));
    let renamed =
        action.and_then(|action| fit("rename column * to *", action).or_else(|| fit("rename * to *", action)));
    let Some(renamed) = renamed.filter(|renamed| renamed.names[0] != "constraint") else { return Vec::new() };
    let (old, new) = (&renamed.names[0], &renamed.names[1]);
    let found =
        Found::that(format!("programs that run know `{old}` of `{table}`, and not `{new}`")).about(table.clone());
    let found = found.help(format!(
        "add the new column, keep both in step by a trigger, fill it in batches, and drop the old one a release later: {PAGE}"
    ));
    match Twin::of(sight.relation(&table), &alteration.written, old, new) {
        Some(twin) => vec![found.rewrite(twin.renamed())],
        None => vec![found],
    }
}
