//! `change-type`: the type of a column of a table in use is changed. Pure.
//!
//! Invariant: a change that the server only notes is not meant.

use crate::rules::finding::Level;
use crate::rules::reading::{fit, says};
use crate::rules::remedy::{bare, joined};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;
use crate::rules::twin::{PAGE, Twin};

/// The rule.
pub const RULE: Rule = Rule {
    name: "change-type",
    level: Level::Warning,
    title: "`ALTER COLUMN TYPE` writes or reads the whole table while everybody waits",
    reason: "Every row is converted, or checked once more, under a lock for which readers and writers wait; for a rewrite twice the disk is needed",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders alter column total type bigint",
        good: "alter table customers alter column email type varchar(100)",
        claim: Claim::Apart,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    let below = sight.heavy_below(&table);
    let is_built =
        |name: &&str| !sight.rewrites(name) && sight.seen.is_some_and(|seen| seen.builds.contains_key(*name));
    if below.is_empty() || below.iter().all(is_built) {
        return Vec::new();
    }
    let of = |action: &&[_]| {
        let found = fit("alter [column] * type", action).or_else(|| fit("alter [column] * set data type", action))?;
        let (column, wanted) = (&found.names[0], sight.text(found.rest));
        let how = if below.iter().any(|name| sight.rewrites(name)) { "written anew" } else { "read" };
        let message = format!("`{table}` is {how} as a whole to make `{column}` a `{wanted}`");
        let bare = bare(&table);
        let help = format!(
            "add a second column of the new type, keep it in step by a trigger, fill it in batches, let programs read it, and drop \
             the old one later: an expand and a contract migration of `{bare}`, as in {PAGE}"
        );
        let told = Found::that(message).about(table.clone()).help(help);
        let new = joined(&[column, "next"]);
        // A `USING` says how values are converted, which a trigger would have to say in its own words.
        let is_plain = alteration.actions.len() == 1 && !says(found.rest, "using") && !says(found.rest, "collate");
        let twin = Twin::of(sight.relation(&table), &alteration.written, column, &new).filter(|_| is_plain);
        Some(match twin {
            Some(twin) => told.rewrite(Twin { type_name: wanted, ..twin }.retyped()),
            None => told,
        })
    };
    alteration.actions.iter().filter_map(of).collect()
}
