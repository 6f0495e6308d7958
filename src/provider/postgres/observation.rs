//! Observing what a statement really locks, rewrites, reads and builds, from beside. Talks to the server.
//!
//! Invariant: what is told was seen on a server; nothing here knows what a statement is expected to do.

mod state;
mod brakes;
pub mod observer;
pub mod view;
pub mod slice;

pub(super) use state::written;
