//! Rules: what is to be said about a change before anybody signs it. Pure.
//!
//! Invariant: a rule decides by what the rehearsal saw, the catalogs and the target's sizes; what it finds names its
//! place and the way to mend it. Every rule is one line of [`rules()`].

pub mod finding;
pub mod reading;
pub mod sight;
pub mod remedy;
pub mod twin;
pub mod bounds;
pub mod rule;
pub mod levels;
pub mod ignoring;
pub mod database;
pub mod infrastructure;
pub mod judging;
pub mod page;
pub mod policy;

pub use finding::{Finding, Findings, Ignored, Level, Place};
pub use levels::Levels;
pub use rule::Rule;

/// Every rule, by its place in the reference: those about statements first, then those about the steps of a change set.
pub fn rules() -> Vec<Rule> {
    database::RULES.iter().chain(infrastructure::RULES).copied().collect()
}

/// The rule with this name.
pub fn of_name(name: &str) -> Option<Rule> {
    rules().into_iter().find(|rule| rule.name == name)
}
