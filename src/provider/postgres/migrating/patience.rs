//! How long a runner of migrations waits for others. Pure.
//!
//! Invariant: every wait ends.

use std::time::Duration;

/// How long and how often one waits for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// How many times a migration is tried when a lock is not to be had within its `lock_timeout`.
    pub lock_attempts: u32,
    /// The pause after the first try; doubled after each.
    pub first_pause: Duration,
    /// The longest pause between tries.
    pub longest_pause: Duration,
    /// How many times `lock_timeout` a concurrent index build may wait: it blocks nobody meanwhile.
    pub concurrent_factor: u128,
    /// How long to wait for another runner.
    pub turn: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            lock_attempts: 8,
            first_pause: Duration::from_millis(250),
            longest_pause: Duration::from_secs(10),
            concurrent_factor: 20,
            turn: Duration::from_secs(600),
        }
    }
}
