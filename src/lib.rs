//! Switchback plans and applies one ordered, reversible change set across infrastructure, configuration and
//! PostgreSQL schema.
//!
//! The order of the `mod` lines is the law: a module names only modules above it. `ARCHITECTURE.md` is the map.

// -- vocabulary -----------------------------------------------------------------------------------
pub mod digest;
pub mod diagnostic;
pub mod suggest;
pub mod files;
pub mod address;
pub mod approval;
pub mod number;
pub mod value;
pub mod secret;
pub mod expression;
pub mod kind;
pub mod migration;
pub mod world;
pub mod release;
pub mod step;
pub mod notice;
// -- stages, in the order that data flows -----------------------------------------------------------
pub mod ledger;
pub mod spec;
pub mod resolve;
pub mod observe;
pub mod plan;
pub mod rollback;
pub mod promote;
pub mod rehearse;
pub mod risk;
pub mod rules;
pub mod review;
pub mod gate;
pub mod verify;
pub mod drift;
pub mod testing;
pub mod apply;
// -- edges: the only code that knows AWS, PostgreSQL, disks and people --------------------------------
pub mod provider;
pub mod store;
#[cfg(feature = "cli")]
pub mod local;
#[cfg(feature = "cli")]
pub mod cli;
