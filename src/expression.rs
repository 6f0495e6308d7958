//! The compact form of expressions, and what of them is stored when a value is not known yet. Pure.
//!
//! Invariant: a [`Deferred`] is closed: it refers to nothing but resources (by address) and secrets (by
//! reference), so that apply and rollback can evaluate it without the spec.

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::secret::SecretReference;

/// An expression that waits for something: the outcome of a step, or a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deferred {
    /// Version of this form.
    pub format: u32,
    /// The program (to be given its real form by the language).
    pub program: serde_json::Value,
}

impl Deferred {
    /// The resources it refers to, in order, each once.
    pub fn references(&self) -> Vec<Address> {
        Vec::new()
    }

    /// The secrets it refers to, in order, each once.
    pub fn secrets(&self) -> Vec<SecretReference> {
        Vec::new()
    }
}
