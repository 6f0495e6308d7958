//! Rules: what is to be said about a change before anybody signs it. Pure.
//!
//! Invariant: a rule decides by what the rehearsal saw, the catalogs and the target's sizes; what it finds names its
//! place and the way to mend it.

pub mod finding;

pub use finding::{Finding, Findings, Ignored, Level, Place};
