//! `narrows-column`: a column takes fewer values than before. Pure.
//!
//! Invariant: a wider one takes all of them.

use crate::migration::catalog::Column;
use crate::migration::statements::Token;
use crate::rules::finding::Level;
use crate::rules::reading::{fit, in_brackets};
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "narrows-column",
    level: Level::Warning,
    title: "a narrower type fails on the first value that does not fit",
    reason: "Every row is converted, and one value that is too long or too large ends the migration; programs that write such values fail from then on",
    check: Check::Statement(Sort::Fails, look),
    example: Example::Sql {
        before: "",
        bad: "alter table customers alter column email type varchar(20)",
        good: "alter table customers alter column email type varchar(80)",
        claim: Claim::Nothing,
    },
};

/// Whole numbers, the smallest first.
const WHOLE: [&str; 3] = ["smallint", "integer", "bigint"];

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    if sight.is_fresh(&table) || sight.rows(&table) == Some(0) {
        return Vec::new();
    }
    let of = |action: &&[Token]| {
        let found = fit("alter [column] * type", action).or_else(|| fit("alter [column] * set data type", action))?;
        let column = &found.names[0];
        let old = sight.relation(&table)?.columns.get(column.as_str())?;
        if !is_narrower(old, found.rest) {
            return None;
        }
        let told =
            Found::that(format!("a value of `{column}` in `{table}` may not fit into `{}`", sight.text(found.rest)));
        Some(
            told.about(table.clone())
                .help("look for such values before: `-- switchback: assert before select not exists (…)`"),
        )
    };
    alteration.actions.iter().filter_map(of).collect()
}

fn is_narrower(old: &Column, wanted: &[Token]) -> bool {
    let numbers = in_brackets(wanted).unwrap_or_default().iter().filter_map(|token| token.text.parse::<i64>().ok());
    let numbers: Vec<i64> = numbers.collect();
    let says = |words: &[&str]| words.iter().any(|word| wanted.first().is_some_and(|token| token.is(word)));
    let size = |name: &str| WHOLE.iter().position(|whole| *whole == name);
    let new_size = match () {
        () if says(&["smallint", "int2"]) => Some(0),
        () if says(&["int", "integer", "int4"]) => Some(1),
        () if says(&["bigint", "int8"]) => Some(2),
        () => None,
    };
    match (old.type_name.as_str(), numbers.first()) {
        ("character varying" | "text", Some(new)) if says(&["varchar", "character"]) => {
            old.modifiers.first().is_none_or(|old| new < old)
        }
        ("numeric", Some(new)) if says(&["numeric", "decimal"]) => {
            let scale = numbers.get(1).copied().unwrap_or(0);
            let (precision, old_scale) = (old.modifiers.first(), old.modifiers.get(1).copied().unwrap_or(0));
            precision.is_none_or(|precision| new - scale < precision - old_scale)
        }
        (name, _) => size(name).zip(new_size).is_some_and(|(old, new)| new < old),
    }
}
