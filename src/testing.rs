//! Runs of tests × a spec, and × what the ledger says is there, to what holds and what does not. Pure.
//!
//! Invariant: what cannot be told is no pass.

pub mod junit;
pub mod judge;
pub mod subject;
