//! `postgres_role`: a role of a server.
//!
//! Invariant: its password is only ever written, as a SCRAM verifier; the server never gives it back.

pub mod rules;
#[cfg(feature = "postgres")]
pub(super) mod calls;
