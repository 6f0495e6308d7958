//! Integration tests: one binary, one shared stack.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::disallowed_methods, reason = "tests are an edge: they read and write files of their own")]

#[cfg(feature = "postgres")]
mod postgres;
#[cfg(feature = "postgres")]
mod postgres_connection;
#[cfg(feature = "postgres")]
mod postgres_fingerprint;
#[cfg(feature = "postgres")]
mod postgres_migrations;
#[cfg(feature = "postgres")]
mod postgres_refinery;
#[cfg(feature = "postgres")]
mod postgres_resources;
#[cfg(feature = "postgres")]
mod postgres_server;
#[cfg(feature = "postgres")]
mod postgres_settling;
#[cfg(feature = "postgres")]
mod postgres_shop;
#[cfg(feature = "postgres")]
mod stack;
