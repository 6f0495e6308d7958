//! Where a thing comes from, told where the ledger alone could not. Pure data.
//!
//! Invariant: what a way back makes again is known as what it was then.

use serde::{Deserialize, Serialize};

use super::{Adoption, Birth};

/// Where a thing comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Origin {
    /// When the ledger first knew it.
    pub born: Birth,
    /// What was there before us, if it was imported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<Box<Adoption>>,
}
