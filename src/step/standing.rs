//! What an environment asks of those who change it. Plain data.
//!
//! Invariant: it is kept in the ledger, so that a way back knows it without any source.

use serde::{Deserialize, Serialize};

/// What an environment asks of those who change it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Losses are accepted one by one, never all at once.
    pub protected: bool,
    /// What a rollback takes back is not applied again by automation.
    pub holds: bool,
}

impl Standing {
    pub(super) fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}
