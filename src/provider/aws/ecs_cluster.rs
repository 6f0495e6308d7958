//! ECS clusters: the kind `aws_ecs_cluster`. Its rules are pure, its calls stand behind the feature `aws`.
//!
//! Invariant: the rules name no SDK type, so that plans are made without one.

pub mod rules;
#[cfg(feature = "aws")]
pub(super) mod calls;

pub use rules::kind;
