//! `foreign-key-without-index`: a foreign key is added whose columns have no index. Pure.
//!
//! Invariant: an index that begins with them is enough.

use crate::rules::finding::Level;
use crate::rules::reading::{columns, fit, index_made};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "foreign-key-without-index",
    level: Level::Note,
    title: "a foreign key without an index on its own columns",
    reason: "Each row that is deleted or changed in the other table is looked for in this one, by reading all of it",
    check: Check::Statement(Sort::Habit, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders add constraint orders_customer foreign key (customer_id) references customers (id) not valid",
        good: "create index orders_customer_id on orders (customer_id);\nalter table orders add constraint orders_customer foreign key (customer_id) references customers (id) not valid",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let (Some(alteration), Some(catalog)) = (sight.alteration(), sight.catalog()) else { return Vec::new() };
    let table = sight.name(&alteration.written);
    let made = sight.script.statements.iter().filter_map(index_made).filter(|made| sight.name(&made.table) == table);
    let made: Vec<Vec<String>> = made.map(|made| made.parts).collect();
    let of = |action: &&[_]| {
        let found = fit("add constraint * foreign key", action).or_else(|| fit("add foreign key", action))?;
        let key = columns(found.rest);
        let begins =
            |keys: &[String]| keys.len() >= key.len() && key.iter().all(|column| keys[..key.len()].contains(column));
        let is_there =
            catalog.indexes(&table).any(|(_, index)| begins(&index.keys)) || made.iter().any(|parts| begins(parts));
        let columns = key.join(", ");
        let told = || {
            Found::that(format!("no index of `{table}` begins with `{columns}`"))
                .about(table.clone())
                .help(format!("build one first: `create index concurrently on {} ({columns})`", alteration.written))
        };
        (!key.is_empty() && !is_there).then(told)
    };
    alteration.actions.iter().filter_map(of).collect()
}
