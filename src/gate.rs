//! The gate before an apply: what of a change set has to be signed, by whom, and whether it is. Pure.
//!
//! Invariant: it asks nobody: the ledger and the change set with its proofs say all.

pub mod cover;
pub mod demand;
pub mod judge;
pub mod part;
#[cfg(test)]
mod tests;
