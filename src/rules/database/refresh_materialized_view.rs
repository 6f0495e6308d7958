//! `refresh-materialized-view`: a materialized view is filled anew while its readers wait. Pure.
//!
//! Invariant: a concurrent refresh lets them read.

use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::{behind, fit};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "refresh-materialized-view",
    level: Level::Warning,
    title: "`REFRESH MATERIALIZED VIEW` keeps its readers waiting",
    reason: "The view cannot be read until all of its query has run; with a unique index it can be refreshed while it is read",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "create materialized view totals as select state, sum(total) as total from orders group by state; create unique index totals_state on totals (state);",
        bad: "refresh materialized view totals",
        good: "refresh materialized view concurrently totals",
        claim: Claim::Lock("public.totals", LockMode::Exclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(found) = fit("refresh materialized view *", &sight.statement.tokens) else { return Vec::new() };
    let (written, view) = (&found.names[0], sight.name(&found.names[0]));
    let reads_nothing = behind(found.rest, &["no", "data"]).is_some();
    if reads_nothing || written == "concurrently" || !sight.rewrites(&view) || sight.is_fresh(&view) {
        return Vec::new();
    }
    let found = Found::that(format!("nobody can read `{view}` until it is filled anew")).about(view.clone());
    let has_key =
        sight.catalog().is_some_and(|catalog| catalog.indexes(&view).any(|(_, index)| index.unique && !index.computed));
    vec![match has_key {
        true => found
            .help("refresh it concurrently")
            .rewrite(format!("refresh materialized view concurrently {written};\n")),
        false => found.help("give it a unique index, and refresh it concurrently"),
    }]
}
