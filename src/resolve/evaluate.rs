//! The evaluator: expressions × a scope → values. Pure.
//!
//! Invariant: every input ends in a value or in diagnostics, never in a panic.

mod scope;

pub use scope::{ClosingScope, Lookup, Scope, Surroundings};
