//! Secrets of Secrets Manager that a person gives: the kind `aws_secretsmanager_given_secret`. Its rules are pure, its calls stand behind the feature
//! `aws`.
//!
//! Invariant: what a person puts there is found and named, and neither read nor written.

pub mod rules;
#[cfg(feature = "aws")]
pub(super) mod calls;

pub use rules::kind;
