//! Running migrations: one at a time, under the fence, with their history rows; and what became of one. Talks to the
//! server.
//!
//! Invariant: what was committed of a migration can always be told from the database alone.

pub mod patience;
mod locks;
mod watcher;
mod written;
mod tally;
mod job;
mod rate;
mod backfill;
mod progress;
mod memory;
mod start;
mod traces;
mod assertion;
mod session;
mod stepwise;
mod settle;
mod purge;
pub mod script;
pub mod runner;
