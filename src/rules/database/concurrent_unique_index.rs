//! `concurrent-unique-index`: a unique index is built concurrently over rows of which two may be alike. Pure.
//!
//! Invariant: an assertion that looks first is enough.

use crate::rules::finding::Level;
use crate::rules::reading::{behind, index_made};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "concurrent-unique-index",
    level: Level::Note,
    title: "`CREATE UNIQUE INDEX CONCURRENTLY` may fail at its end and leave an invalid index",
    reason: "Two rows that are alike are found only while it is built; what is left is invalid, and yet refuses new rows that are alike",
    check: Check::Statement(Sort::Fails, look),
    example: Example::Sql {
        before: "",
        bad: "-- switchback: transaction off\ncreate unique index concurrently customers_email on customers (email)",
        good: "-- switchback: transaction off\n-- switchback: assert before select not exists (select from customers group by email having count(*) > 1)\ncreate unique index concurrently customers_email on customers (email)",
        claim: Claim::Same,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(made) = index_made(sight.statement).filter(|made| made.concurrently && made.unique) else {
        return Vec::new();
    };
    let table = sight.name(&made.table);
    if sight.is_fresh(&table) || !sight.migration.said.assertions.is_empty() {
        return Vec::new();
    }
    let condition = behind(&sight.statement.tokens, &["where"]).map(|rest| format!(" where {}", sight.text(rest)));
    let columns = made.parts.join(", ");
    let rewrite = format!(
        "-- switchback: transaction off\n-- switchback: assert before select not exists (select from {}{} group by {columns} having \
         count(*) > 1)\n{};\n",
        made.table,
        condition.unwrap_or_default(),
        sight.statement.text
    );
    let found = Found::that(format!("two rows of `{table}` may be alike in `{columns}`"));
    vec![found.about(table).help("look for rows that are alike before, by an assertion").rewrite(rewrite)]
}
