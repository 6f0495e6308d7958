//! `add-column-with-constraint`: a column is added together with a constraint that is checked or built at once. Pure.
//!
//! Invariant: the column alone costs nothing.

use crate::migration::observation::LockMode;
use crate::rules::finding::Level;
use crate::rules::reading::{ColumnMade, column_added, in_brackets, says};
use crate::rules::remedy::given_name;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "add-column-with-constraint",
    level: Level::Warning,
    title: "a new column that brings its constraint along reads the whole table",
    reason: "The constraint is checked, or its index built, for all rows under the lock that the column needs for a moment only",
    check: Check::Statement(Sort::Work, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders add column rest int check (rest >= 0)",
        good: "alter table orders add column rest int",
        claim: Claim::Work(LockMode::ShareUpdateExclusive),
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    if sight.rewrites(&table) || sight.heavy_below(&table).is_empty() {
        return Vec::new();
    }
    let of = |(place, action): (usize, &&[_])| {
        let made = column_added(&alteration.written, action)?;
        let word = ["check", "unique", "primary", "references"].into_iter().find(|word| says(made.clauses, word))?;
        let found =
            Found::that(format!("`{table}` is read as a whole for the constraint of its new column `{}`", made.name));
        let found = found.about(table.clone()).help("add the column alone, and the constraint apart");
        Some(match apart_from(sight, &table, &made, word) {
            Some(steps) => found.rewrite(sight.instead(&alteration, place, &steps)),
            None => found,
        })
    };
    alteration.actions.iter().enumerate().filter_map(of).collect()
}

/// The column first, its only constraint behind it.
fn apart_from(sight: &Sight<'_>, table: &str, made: &ColumnMade<'_>, word: &str) -> Option<Vec<String>> {
    let (written, name) = (&made.table, &made.name);
    let column = format!("alter table {written} add column {name} {}", sight.text(made.type_name));
    let is_alone = made.clauses.first().is_some_and(|token| token.is(word));
    let key = [name.clone()];
    match word {
        "check" if is_alone && in_brackets(made.clauses)?.len() + 3 == made.clauses.len() => {
            let constraint = given_name(sight, table, &key, "check");
            let check = sight.text(made.clauses);
            Some(vec![
                column,
                format!("alter table {written} add constraint {constraint} {check} not valid"),
                format!("alter table {written} validate constraint {constraint}"),
            ])
        }
        "unique" if is_alone && made.clauses.len() == 1 => {
            let constraint = given_name(sight, table, &key, "key");
            Some(vec![
                column,
                format!("create unique index concurrently {constraint} on {written} ({name})"),
                format!("alter table {written} add constraint {constraint} unique using index {constraint}"),
            ])
        }
        _ => None,
    }
}
