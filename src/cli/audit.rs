//! What `history` tells beyond the list of runs: whether the chain is whole, who changed a thing, and every record.
//! Read-only.
//!
//! Invariant: whatever is told stands in the records; nothing is asked of the world.

pub mod changes;
pub mod export;
pub mod verdict;
