//! Rules about the steps of a change set: infrastructure and configuration. Pure.
//!
//! Invariant: each rule is one file of this folder and one line of [`RULES`]; its check is `Check::Steps`.

use super::rule::Rule;

/// All of them.
pub const RULES: &[Rule] = &[];
