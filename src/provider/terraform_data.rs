//! `terraform_data`: the built-in kind, for values, triggers, tests and benchmarks. Pure: it has no world.
//!
//! Invariant: the ledger is its only truth, so what was not recorded did not happen, and doing it again gives the
//! same object.

pub mod rules;
pub mod calls;

pub use calls::BuiltIn;
pub use rules::{kind, schema};
