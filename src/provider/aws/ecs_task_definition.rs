//! ECS task definitions: the kind `aws_ecs_task_definition`. Its rules are pure, its calls stand behind the feature `aws`.
//!
//! Invariant: the rules name no SDK type, so that plans are made without one.

pub mod containers;
pub mod rules;
#[cfg(feature = "aws")]
pub(super) mod calls;

pub use rules::kind;
