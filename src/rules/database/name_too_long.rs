//! `name-too-long`: a name is longer than the server keeps. Pure.
//!
//! Invariant: 63 bytes are kept.

use crate::migration::statements::{Token, TokenSort};
use crate::rules::finding::Level;
use crate::rules::rule::{Check, Claim, Example, Found, Rule, Sort};
use crate::rules::sight::Sight;

/// The rule.
pub const RULE: Rule = Rule {
    name: "name-too-long",
    level: Level::Warning,
    title: "a name of more than 63 bytes is cut",
    reason: "The server keeps the first 63 bytes and only notes it; the next name that begins alike is taken already, and programs find nothing by the whole one",
    check: Check::Statement(Sort::Fails, look),
    example: Example::Sql {
        before: "",
        bad: "alter table orders add column the_total_of_all_that_was_ordered_by_this_customer_since_the_beginning int",
        good: "alter table orders add column total_since_beginning int",
        claim: Claim::Nothing,
    },
};

/// What the server keeps of a name, in bytes.
const LONGEST: usize = 63;

fn look(sight: &Sight<'_>) -> Vec<Found> {
    let is_name = |token: &&Token| token.sort != TokenSort::Sign && token.text.len() > LONGEST;
    let Some(token) = sight.statement.tokens.iter().find(is_name) else { return Vec::new() };
    let kept: String = token
        .text
        .char_indices()
        .take_while(|(at, letter)| at + letter.len_utf8() <= LONGEST)
        .map(|(_, letter)| letter)
        .collect();
    vec![Found::that(format!("`{}` becomes `{kept}`", token.text)).help("choose a shorter name")]
}
