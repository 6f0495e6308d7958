//! Which ledgers go with the data of the local stack: those whose things were in it, and nowhere else. Reads the
//! ledgers.
//!
//! Invariant: a ledger that names another place, or that cannot be read, stays; it is the only one that knows its things.

use std::collections::BTreeSet;
use std::path::Path;

use serde::Serialize;

use crate::cli::session::{DEFAULT_LEDGER, Session};
use crate::ledger::state::Gone;
use crate::ledger::{Ledger, State};
use crate::local::{self, LocalStack};
use crate::review::words;
use crate::value::Object;
use crate::world::Binding;

/// What becomes of the ledgers beside a stack.
#[derive(Debug, Default, Serialize)]
pub struct Ledgers {
    /// The environments whose ledgers are removed with the data.
    pub removed: BTreeSet<String>,
    /// Those whose ledgers stay.
    pub kept: Vec<Kept>,
}

/// A ledger that stays.
#[derive(Debug, Serialize)]
pub struct Kept {
    /// The environment.
    pub environment: String,
    /// Why it stays.
    pub why: String,
}

/// Where a binding leads.
#[derive(Debug, PartialEq, Eq)]
enum Lies {
    /// Into the stack.
    Inside,
    /// Anywhere else.
    Outside,
    /// It names no place.
    Nowhere,
}

impl Ledgers {
    /// Those in the usual folder of a project. Without the facts of the stack, whatever is on this machine counts as in it.
    ///
    /// # Errors
    /// When the folder cannot be listed.
    pub fn of(session: &Session, project: &Path, stack: Option<&LocalStack>) -> Result<Self, local::LocalError> {
        let mut ledgers = Self::default();
        for environment in local::ledgers(project)? {
            let opened = crate::store::open_with(DEFAULT_LEDGER, project, &environment, &crate::cli::ledgers::keys());
            match opened.and_then(|store| session.wait(Ledger::open(store))) {
                Ok(ledger) => ledgers.take(environment, ledger.state(), stack),
                Err(error) => ledgers.kept.push(Kept { environment, why: error.to_string() }),
            }
        }
        Ok(ledgers)
    }

    fn take(&mut self, environment: String, state: &State, stack: Option<&LocalStack>) {
        let outside = bindings(state).find(|binding| lies(binding, stack) == Lies::Outside);
        let is_inside = || bindings(state).any(|binding| lies(binding, stack) == Lies::Inside);
        match outside {
            Some(binding) => {
                let why = format!("it records what is in {}", words::place(binding));
                self.kept.push(Kept { environment, why });
            }
            // One that records nothing at all has nothing of the stack in it, and harms nobody.
            None if is_inside() => drop(self.removed.insert(environment)),
            None => {}
        }
    }
}

/// How everything was reached that a ledger records, or recorded last.
fn bindings(state: &State) -> impl Iterator<Item = &Binding> {
    let things = &state.things;
    let gone = things.gone.values().map(|gone| match gone {
        Gone::Deleted(resource) | Gone::Forgotten(resource) => &resource.binding,
        Gone::Database(database) | Gone::Emptied(database) => &database.binding,
    });
    let resources = things.resources.values().map(|resource| &resource.binding);
    resources.chain(things.databases.values().map(|database| &database.binding)).chain(gone)
}

fn lies(binding: &Binding, stack: Option<&LocalStack>) -> Lies {
    let text = |name: &str| binding.settings.get(name).and_then(|value| value.as_str().map(str::to_owned));
    let is_inside = match &*binding.provider {
        "aws" => text("endpoint").is_some_and(|endpoint| match stack {
            Some(stack) => endpoint == stack.aws_endpoint,
            None => endpoint.contains("//127.0.0.1:"),
        }),
        "postgres" => match (text("host"), port(&binding.settings)) {
            // Only after an apply it is known; the role and the database before it say where.
            (None, _) => return Lies::Nowhere,
            (Some(host), port) => {
                host == "127.0.0.1" && stack.is_none_or(|stack| port == Some(i64::from(stack.postgres_port)))
            }
        },
        _ => return Lies::Nowhere,
    };
    if is_inside { Lies::Inside } else { Lies::Outside }
}

fn port(settings: &Object) -> Option<i64> {
    let port = settings.get("port")?;
    port.as_i64().or_else(|| port.as_str()?.parse().ok())
}
