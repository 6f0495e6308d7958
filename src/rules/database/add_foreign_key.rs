//! `add-foreign-key`: a foreign key is added between tables in use. Pure.
//!
//! Invariant: one that is `NOT VALID` is not meant.

use crate::migration::catalog::RelationKind;
use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::{behind, columns, fit};
use crate::rules::remedy::given_name;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "add-foreign-key",
    level: Level::Warning,
    title: "`ADD FOREIGN KEY` reads both tables while writers of both wait",
    reason: "Every row is looked up under locks for which the writers of both tables wait; `NOT VALID` takes them for a moment only, and `VALIDATE` lets them go on",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders add foreign key (customer_id) references customers (id)",
        good: "alter table orders add foreign key (customer_id) references customers (id) not valid",
        claim: Claim::Work(LockMode::ShareUpdateExclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    if sight.heavy().is_empty() {
        return Vec::new();
    }
    let of = |(place, action): (usize, &&[_])| {
        let named = fit("add constraint * foreign key", action);
        let rest = named.clone().or_else(|| fit("add foreign key", action))?.rest;
        if behind(rest, &["not", "valid"]).is_some() {
            return None;
        }
        let name = match named {
            Some(mut named) => named.names.remove(0),
            None => given_name(sight, &table, &columns(rest), "fkey"),
        };
        let other =
            behind(rest, &["references"]).and_then(|rest| fit("*", rest)).map(|found| sight.name(&found.names[0]));
        let other = other.unwrap_or_default();
        let found = Found::that(format!("`{table}` and `{other}` are read to check the foreign key `{name}`"));
        let found = found.about(table.clone()).help("add it `NOT VALID`, and validate it apart");
        let written = &alteration.written;
        let steps = [
            format!("alter table {written} add constraint {name} foreign key {} not valid", sight.text(rest)),
            format!("alter table {written} validate constraint {name}"),
        ];
        let is_partitioned = sight.relation(&table).is_some_and(|found| found.kind == RelationKind::Partitioned);
        Some(match is_partitioned {
            true => found.help(
                "before version 18, add it `NOT VALID` to each partition, validate these, and then add it to the whole",
            ),
            false => found.rewrite(sight.instead(&alteration, place, &steps)),
        })
    };
    alteration.actions.iter().enumerate().filter_map(of).collect()
}
