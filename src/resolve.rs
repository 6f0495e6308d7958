//! Spec × variables × modules → [`desired::Desired`]. Pure.
pub mod desired;
pub mod evaluate;
