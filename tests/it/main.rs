//! Integration tests: one binary, so that they are linked once and share one local stack.

#[cfg(all(feature = "aws", feature = "cli"))]
mod aws_conformance;
#[cfg(all(feature = "aws", feature = "cli"))]
mod aws_endpoint;
#[cfg(all(feature = "aws", feature = "cli"))]
mod aws_errors;
#[cfg(all(feature = "aws", feature = "cli"))]
mod aws_parameters;
#[cfg(all(feature = "aws", feature = "cli"))]
mod aws_rollout;
#[cfg(all(feature = "aws", feature = "cli"))]
mod stack;
