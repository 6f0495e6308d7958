//! Secrets of Secrets Manager: the kind `aws_secretsmanager_secret`, a secret and its current value in one. Its rules
//! are pure, its calls stand behind the feature `aws`.
//!
//! Invariant: the rules name no SDK type, so that plans are made without one.

pub mod rules;
#[cfg(feature = "aws")]
pub(super) mod calls;
#[cfg(feature = "aws")]
mod versions;

pub use rules::kind;
