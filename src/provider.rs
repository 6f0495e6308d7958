//! The edges that know AWS, PostgreSQL and the built-in kind: a pure half (`rules`) and calls (`calls`) per kind.
//!
//! Invariant: the rules of every kind are always compiled; only calls stand behind the features `aws` and `postgres`.

pub mod terraform_data;
pub mod local_file;
#[cfg(any(feature = "postgres", feature = "cli"))]
mod any_certificate;
#[cfg(feature = "cli")]
pub mod web;
pub mod aws;
pub mod postgres;
pub mod checks;
pub mod table;
pub mod watching;
