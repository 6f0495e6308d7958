//! ECS services: the kind `aws_ecs_service`. Its rules are pure, its calls stand behind the feature `aws`.
//!
//! Invariant: the rules name no SDK type, so that plans are made without one.

pub mod attributes;
pub mod rollout;
pub mod rules;
#[cfg(feature = "aws")]
pub(super) mod calls;
#[cfg(feature = "aws")]
mod waiting;

pub use rules::kind;
