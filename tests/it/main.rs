//! All integration tests in one binary: one link, one local stack.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![expect(clippy::disallowed_methods, reason = "tests read and write real files, as a user does")]

mod adopt;
mod audit;
#[cfg(all(feature = "aws", feature = "cli"))]
mod aws_conformance;
#[cfg(all(feature = "aws", feature = "cli"))]
mod aws_endpoint;
#[cfg(all(feature = "aws", feature = "cli"))]
mod aws_errors;
#[cfg(all(feature = "aws", feature = "cli"))]
mod aws_fence;
#[cfg(all(feature = "aws", feature = "cli"))]
mod aws_lost;
#[cfg(all(feature = "aws", feature = "cli"))]
mod aws_parameters;
#[cfg(all(feature = "aws", feature = "cli"))]
mod aws_rollout;
#[cfg(all(feature = "aws", feature = "postgres", feature = "cli"))]
mod book;
#[cfg(feature = "cli")]
mod cli;
mod docs;
#[cfg(all(feature = "aws", feature = "postgres", feature = "cli"))]
mod drift;
#[cfg(all(feature = "aws", feature = "postgres", feature = "cli"))]
mod faults;
#[cfg(feature = "cli")]
mod durable;
#[cfg(all(feature = "aws", feature = "postgres", feature = "cli"))]
mod estimates;
#[cfg(all(feature = "aws", feature = "postgres", feature = "cli"))]
mod evidence;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod fence;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod forms;
#[cfg(all(feature = "aws", feature = "postgres", feature = "cli"))]
mod configured;
mod infrastructure;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod policies;
mod house;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod judged;
mod laws;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod layouts;
#[cfg(feature = "cli")]
mod local;
#[cfg(feature = "cli")]
mod page;
#[cfg(all(feature = "aws", feature = "postgres", feature = "cli"))]
mod verification;
#[cfg(all(feature = "aws", feature = "postgres", feature = "cli"))]
mod testing;
#[cfg(all(feature = "aws", feature = "postgres", feature = "cli"))]
mod telling;
mod model;
mod oracle;
mod phases;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod observation;
#[cfg(all(feature = "aws", feature = "postgres", feature = "cli"))]
mod place;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod backfill;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod postgres;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod rules;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod postgres_connection;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod delivery;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod derive;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod keep;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod postgres_fingerprint;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod postgres_migrations;
#[cfg(all(feature = "aws", feature = "postgres", feature = "cli"))]
mod secrets;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod series;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod postgres_project;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod postgres_reach;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod postgres_refinery;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod postgres_resources;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod postgres_server;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod postgres_settling;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod postgres_shop;
#[cfg(all(feature = "aws", feature = "postgres", feature = "cli"))]
mod race;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod rehearsal;
#[cfg(all(feature = "aws", feature = "postgres", feature = "cli"))]
pub mod shop;
#[cfg(feature = "cli")]
mod repository;
#[cfg(feature = "cli")]
mod stack;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod stepwise;
mod store;
#[cfg(all(feature = "aws", feature = "cli"))]
mod store_s3;
#[cfg(all(feature = "postgres", feature = "cli"))]
mod store_postgres;
