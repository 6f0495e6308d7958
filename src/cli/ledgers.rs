//! Where the ledger of an environment lies. An edge.
//!
//! Invariant: with a ledger's URL no project is needed.

use std::sync::Arc;

use super::environment::{self, Name};
use super::failure::Failure;
use super::session::{DEFAULT_LEDGER, Session, checked_name, unknown_environment};
use super::spec;
use crate::ledger::{Ledger, Store};
use crate::store::Keys;

/// What opens a store beside its URL.
pub fn keys() -> Keys {
    Keys { postgres_password: environment::read(Name::PostgresPassword) }
}

impl Session {
    /// The place of an environment's ledger: as typed, as the environment variable says, as the project says.
    ///
    /// # Errors
    /// When there is neither a project nor a URL, or the URL is of no known store.
    pub fn store(&self, environment: &str) -> Result<Arc<dyn Store>, Failure> {
        checked_name(environment)?;
        let given = self.globals.ledger.clone().or_else(|| environment::read(Name::Ledger));
        let (url, base) = match given {
            Some(url) => (url, self.folder.clone()),
            None => {
                let project = self.project().ok_or_else(|| {
                    Failure::usage("there is no project here, and no ledger is named")
                        .help("name the ledger with `--ledger URL`, or the project's folder with `-C DIR`")
                })?;
                let url = spec::ledger(&project, &self.kinds);
                (url.unwrap_or_else(|| DEFAULT_LEDGER.to_owned()), project)
            }
        };
        Ok(crate::store::open_with(&url, &base, environment, &keys())?)
    }

    /// The ledger of an environment, for reading.
    ///
    /// # Errors
    /// As [`Session::store`], or when the chain is damaged or newer.
    pub fn ledger(&self, environment: &str) -> Result<Ledger, Failure> {
        let store = self.store(environment)?;
        Ok(self.wait(Ledger::open(store))?)
    }

    /// The ledger of an environment that has been begun, or that the project at least knows.
    ///
    /// # Errors
    /// As [`Session::ledger`], or when nobody knows the environment.
    pub fn known_ledger(&self, environment: &str) -> Result<Ledger, Failure> {
        let ledger = self.ledger(environment)?;
        if ledger.state().chain.is_some() {
            return Ok(ledger);
        }
        let known = self.project().map(|project| spec::environments(&project)).unwrap_or_default();
        if known.iter().any(|name| name == environment) {
            return Ok(ledger);
        }
        let mut failure = unknown_environment(environment, &known);
        failure = failure.cause(format!("{} has no record of it", ledger.url()));
        if known.is_empty() {
            // Then the ledger alone can know it.
            failure.help = vec!["see that the ledger's URL is right".to_owned()];
        }
        Err(failure)
    }
}
