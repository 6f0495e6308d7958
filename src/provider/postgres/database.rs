//! `postgres_database`: a database of a server, without its schema (which a `database` block owns).
//!
//! Invariant: a database is dropped only when nobody but us is connected to it.

pub mod rules;
#[cfg(feature = "postgres")]
pub(super) mod calls;
