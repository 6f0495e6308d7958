//! The provider `postgres`: roles, databases, and migrations of their schemas.
//!
//! Invariant: a password leaves this module only towards the server, and towards a role's catalog entry only as a
//! SCRAM verifier; no error, log line or recorded object holds one.

pub mod settings;
pub mod quoting;
pub mod tag;
pub mod names;
pub mod programs;
#[cfg(feature = "postgres")]
pub(crate) mod errors;
#[cfg(feature = "postgres")]
mod thing;
pub mod role;
pub mod database;
#[cfg(feature = "postgres")]
mod tls;
#[cfg(feature = "postgres")]
mod tunnel;
#[cfg(feature = "postgres")]
pub(crate) mod connection;
#[cfg(feature = "postgres")]
pub(crate) mod asserting;
#[cfg(feature = "postgres")]
mod pooler;
#[cfg(feature = "postgres")]
mod reuse;
#[cfg(feature = "postgres")]
mod history;
#[cfg(feature = "postgres")]
mod fence;
#[cfg(feature = "postgres")]
pub(crate) mod transaction;
#[cfg(feature = "postgres")]
mod orphans;
#[cfg(feature = "postgres")]
mod resources;
#[cfg(feature = "postgres")]
mod derive;
#[cfg(feature = "postgres")]
mod migrating;
#[cfg(feature = "postgres")]
mod fingerprint;
#[cfg(feature = "postgres")]
mod definitions;
#[cfg(feature = "postgres")]
pub mod observation;
#[cfg(feature = "postgres")]
mod measures;
#[cfg(feature = "postgres")]
mod facts;
#[cfg(feature = "postgres")]
mod parity;
#[cfg(feature = "postgres")]
pub mod rehearsal;

use crate::kind::{Kind, ProviderSchema};

#[cfg(feature = "postgres")]
pub use derive::{Derived, answer, derive};
#[cfg(feature = "postgres")]
pub use fingerprint::{Fingerprint, fingerprint, fingerprint_text};
#[cfg(feature = "postgres")]
pub use migrating::patience::Patience;
#[cfg(feature = "postgres")]
pub use migrating::runner::Migrator;
#[cfg(feature = "postgres")]
pub use migrating::script;
#[cfg(feature = "postgres")]
pub use resources::Postgres;

/// The kinds of this provider.
pub fn kinds() -> Vec<Kind> {
    vec![role::rules::kind(), database::rules::kind()]
}

/// The settings of `provider "postgres"`, which are also those of a `database` block's connection.
pub fn schema() -> ProviderSchema {
    settings::schema()
}
