//! `add-column-numbered`: a column is added that numbers its rows. Pure.
//!
//! Invariant: a new table may have one.

use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::{behind, column_added};
use crate::rules::remedy::{fill, given_name, not_null};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;
/// Types that are a number with a sequence.
const SERIAL: [(&str, &str); 6] = [
    ("serial", "integer"),
    ("serial4", "integer"),
    ("bigserial", "bigint"),
    ("serial8", "bigint"),
    ("smallserial", "smallint"),
    ("serial2", "smallint"),
];

/// The rule.
pub const RULE: Rule = Rule {
    name: "add-column-numbered",
    level: Level::Warning,
    title: "a new `serial` or identity column writes the whole table anew",
    reason: "Each row gets a number of its own, so all of them are written, with every index, while everybody waits",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders add column number serial",
        good: "alter table orders add column number integer",
        claim: Claim::Work(LockMode::ShareUpdateExclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    if !sight.rewrites(&table) || !sight.is_heavy(&table) {
        return Vec::new();
    }
    let of = |(place, action): (usize, &&[_])| {
        let made = column_added(&alteration.written, action)?;
        let of_serial = SERIAL.iter().find(|(word, _)| made.is_of(&[word]));
        if of_serial.is_none() && behind(made.clauses, &["as", "identity"]).is_none() {
            return None;
        }
        let name = &made.name;
        let found = Found::that(format!("each row of `{table}` is written anew for its number in `{name}`"));
        let found = found
            .about(table.clone())
            .help("add the column empty, let a sequence number new rows, and number the old ones in batches");
        Some(match of_serial.filter(|_| made.clauses.is_empty()) {
            Some((_, type_name)) => found.rewrite(sight.instead(
                &alteration,
                place,
                &steps(sight, &alteration.written, &table, name, type_name),
            )),
            None => found,
        })
    };
    alteration.actions.iter().enumerate().filter_map(of).collect()
}

fn steps(sight: &Sight<'_>, written: &str, table: &str, name: &str, type_name: &str) -> Vec<String> {
    let schema = table.rsplit_once('.').map_or("public", |(schema, _)| schema);
    let sequence = format!("{schema}.{}", given_name(sight, table, &[name.to_owned()], "seq"));
    let mut steps = vec![
        format!("create sequence {sequence} as {type_name}"),
        format!("alter table {written} add column {name} {type_name}"),
        format!("alter table {written} alter column {name} set default nextval('{sequence}')"),
        format!("alter sequence {sequence} owned by {table}.{name}"),
        fill(written, name),
    ];
    steps.extend(not_null(written, name));
    steps
}
