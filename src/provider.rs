//! The edges that carry out effects, one folder per provider. Their pure halves (kinds, settings) are always
//! compiled; calls stand behind the provider's feature.
//!
//! Invariant: a provider decides nothing; it reads, or carries out what a change set holds.

pub mod postgres;
