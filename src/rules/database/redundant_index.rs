//! `redundant-index`: a new index says what another one says already. Pure.
//!
//! Invariant: an index that goes further is not meant.

use crate::migration::catalog::Index;
use crate::rules::finding::Level;
use crate::rules::reading::index_made;
use crate::rules::remedy::bare;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "redundant-index",
    level: Level::Note,
    title: "an index whose columns another one begins with",
    reason: "It costs place and time with each row that is written, and no query needs it",
    check: Check::Statement(Sort::Habit, look),
    example: Example::Sql {
        before: "create index orders_both on orders (customer_id, total);",
        bad: "-- switchback: transaction off\ncreate index concurrently orders_customer on orders (customer_id)",
        good: "-- switchback: transaction off\ncreate index concurrently orders_total on orders (total)",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let (Some(made), Some(catalog)) = (index_made(sight.statement), sight.catalog()) else { return Vec::new() };
    let table = sight.name(&made.table);
    let is_column = |part: &String| part.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    // An index of another sort, with a condition or more in it may be another one.
    let is_plain = made.rest.starts_with('(') && made.rest.ends_with(')') && !made.rest.contains("include");
    if made.unique || !is_plain || !made.parts.iter().all(is_column) {
        return Vec::new();
    }
    let covers = |index: &Index| {
        !index.computed
            && index.valid
            && index.keys.len() >= made.parts.len()
            && index.keys[..made.parts.len()] == made.parts[..]
    };
    let other = catalog.indexes(&table).find(|(name, index)| covers(index) && made.name.as_deref() != Some(bare(name)));
    let Some((other, _)) = other else { return Vec::new() };
    vec![Found::that(format!("`{other}` begins with the same columns")).about(table.clone()).help("leave it out")]
}
