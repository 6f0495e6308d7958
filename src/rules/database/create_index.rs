//! `create-index`: an index is built while writers wait. Pure.
//!
//! Invariant: a concurrent build keeps nobody waiting.

use crate::migration::catalog::RelationKind;
use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::{IndexMade, index_made};
use crate::rules::remedy::given_name;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::{Sight, apart};

/// The rule.
pub const RULE: Rule = Rule {
    name: "create-index",
    level: Level::Warning,
    title: "`CREATE INDEX` keeps writers waiting until it is built",
    reason: "The table is read and sorted under a lock for which every writer waits; built concurrently, nobody does",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "create index orders_customer on orders (customer_id)",
        good: "-- switchback: transaction off\ncreate index concurrently orders_customer on orders (customer_id)",
        claim: Claim::Work(LockMode::ShareUpdateExclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(made) = index_made(sight.statement) else { return Vec::new() };
    let table = sight.name(&made.table);
    if sight.heavy_below(&table).is_empty() {
        return Vec::new();
    }
    let found = Found::that(format!("writers of `{table}` wait until the index is built")).about(table.clone());
    let found = found.help("build it concurrently, outside of a transaction");
    let relation = sight.relation(&table);
    let rewrite = match relation.map(|relation| relation.kind) {
        Some(RelationKind::Partitioned) => by_partition(sight, &made, &table),
        _ => Some(apart(&[statement(&made, "index concurrently", made.name.as_deref(), &made.table)])),
    };
    vec![match rewrite {
        Some(rewrite) => found.rewrite(rewrite),
        None => found.help("make it on `ONLY` the root, build those of the partitions concurrently, and attach them"),
    }]
}

fn statement(made: &IndexMade, how: &str, name: Option<&str>, table: &str) -> String {
    let unique = if made.unique { "unique " } else { "" };
    let not_exists = if made.if_not_exists { " if not exists" } else { "" };
    let name = name.map(|name| format!(" {name}")).unwrap_or_default();
    format!("create {unique}{how}{not_exists}{name} on {table} {}", made.rest)
}

/// On a partitioned table: nothing is built for the root, and each partition's own index is attached.
fn by_partition(sight: &Sight<'_>, made: &IndexMade, table: &str) -> Option<String> {
    let (catalog, name) = (sight.catalog()?, made.name.as_deref()?);
    let children = &catalog.relation(table)?.children;
    let is_leaf = |child: &String| catalog.relation(child).is_some_and(|child| child.kind == RelationKind::Table);
    let is_column = |part: &String| part.chars().all(|letter| letter.is_alphanumeric() || letter == '_');
    if !children.iter().all(is_leaf) || !made.parts.iter().all(is_column) {
        return None;
    }
    let mut steps = vec![statement(made, "index", Some(name), &format!("only {}", made.table))];
    let schema = table.rsplit_once('.').map_or("public", |(schema, _)| schema);
    for child in children {
        let own = given_name(sight, child, &made.parts, "idx");
        let of_child = child.rsplit_once('.').map_or("public", |(schema, _)| schema);
        steps.push(statement(made, "index concurrently", Some(&own), child));
        steps.push(format!("alter index {schema}.{name} attach partition {of_child}.{own}"));
    }
    Some(apart(&steps))
}
