//! `trigger-left-off`: a trigger or the row security of a table is switched off and not on again. Pure.
//!
//! Invariant: what is switched on again in the same text is not meant.

use crate::rules::finding::Level;
use crate::rules::reading;
use crate::rules::reading::fit;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "trigger-left-off",
    level: Level::Warning,
    title: "triggers or row security are switched off and stay so",
    reason: "What they keep true is true no longer: foreign keys are not checked, copies are not kept in step, rows of others are seen",
    check: Check::Statement(Sort::Breaks, look),
    example: Example::Sql {
        before: "alter table orders enable row level security;",
        bad: "alter table orders disable row level security",
        good: "alter table orders disable row level security;\nalter table orders enable row level security",
        claim: Claim::Nothing,
    },
};

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let Some(alteration) = sight.alteration() else { return Vec::new() };
    let table = sight.name(&alteration.written);
    let is_off = |action: &&&[_]| {
        fit("disable trigger", action).is_some() || fit("disable row level security", action).is_some()
    };
    let Some(action) = alteration.actions.iter().find(is_off).filter(|_| !sight.is_fresh(&table)) else {
        return Vec::new();
    };
    let later = sight.script.statements[sight.number..].iter().filter_map(reading::alteration);
    let is_on = |one: reading::Alteration<'_>| {
        sight.name(&one.written) == table && one.actions.iter().any(|action| fit("enable", action).is_some())
    };
    if later.into_iter().any(is_on) {
        return Vec::new();
    }
    let found = Found::that(format!("`{}` of `{table}` stays so", sight.text(action))).about(table);
    vec![found.help("switch it on again at the end of the same migration")]
}
