//! SSM parameters that a person gives: the kind `aws_ssm_given_parameter`. Its rules are pure, its calls stand behind the feature
//! `aws`.
//!
//! Invariant: what a person puts there is found and named, and neither read nor written.

pub mod rules;
#[cfg(feature = "aws")]
pub(super) mod calls;

pub use rules::kind;
