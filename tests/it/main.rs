//! Integration tests: one binary, one shared stack.

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
