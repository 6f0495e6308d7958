//! What the verbs have in common that record something of a database's history in the ledger of its environment.
//!
//! Invariant: the database is read and never written; what is recorded is one run, which `rollback ENV --last` takes
//! back.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::address::Address;
use crate::cli::carry::{self, Aim, Hold, Intention, Work};
use crate::cli::confirm::{Consent, confirm};
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::gate::Pass;
use crate::cli::planning;
use crate::cli::session::{Resolved, Session};
use crate::cli::showing::talk_review;
use crate::migration::Migration;
use crate::migration::told::Told;
use crate::plan::mismatch::{Line, compare};
use crate::plan::told::Telling;
use crate::resolve::desired::DesiredDatabase;
use crate::review::Review;
use crate::spec::suggest::listed;
use crate::step::Edit;
use crate::world::History;

/// A database of an environment.
#[derive(Debug, clap::Args)]
pub struct DatabaseArguments {
    /// The environment
    #[arg(value_name = "ENV")]
    pub environment: String,
    /// The name of its `database` block, where there are several
    #[arg(long, value_name = "NAME")]
    database: Option<String>,
}

/// A database, its history, and what the ledger knows of it.
pub struct Subject<'a> {
    session: &'a Session,
    environment: &'a str,
    hold: Hold<'a>,
    resolved: Resolved,
    consent: Consent,
    /// The address of its block.
    pub address: Address,
    /// Its history table.
    pub history: History,
    /// What the ledger counts as applied.
    pub known: BTreeMap<i64, Arc<Migration>>,
    /// What was told until now.
    pub told: Told,
}

impl<'a> Subject<'a> {
    /// Reads the spec, the ledger and the database.
    ///
    /// # Errors
    /// When one of them cannot be read, or a run is unfinished.
    pub fn open(session: &'a Session, arguments: &'a DatabaseArguments, consent: Consent) -> Result<Self, Failure> {
        let environment = &*arguments.environment;
        let resolved = session.resolve(environment)?;
        let address = address(&resolved, arguments)?;
        let project = Some(&*resolved.desired.project);
        let hold = Hold::open(session, Intention { environment, project, verb: "migrate" }, consent)?;
        if let Some(run) = hold.ledger.state().unfinished() {
            return Err(carry::unfinished(session, environment, run.number));
        }
        let recorded = hold.ledger.state().things.databases.get(&address);
        let known = recorded.map(|recorded| recorded.applied.clone()).unwrap_or_default();
        let told = recorded.map(|recorded| recorded.told.clone()).unwrap_or_default();
        let history = hold.wait(planning::history(session, &hold.ledger, &resolved, &address))?;
        Ok(Self { session, environment, hold, resolved, consent, address, history, known, told })
    }

    /// Its block in the spec.
    pub fn desired(&self) -> &DesiredDatabase {
        &self.resolved.desired.databases[&self.address]
    }

    /// How each migration of the folder stands.
    pub fn lines(&self) -> Vec<Line> {
        compare(&self.desired().migrations, &self.history, &self.known, &self.told)
    }

    /// The number of a version as typed, where folder or history have it.
    ///
    /// # Errors
    /// When neither has.
    pub fn number(&self, typed: &str) -> Result<i64, Failure> {
        let bare = typed.strip_prefix(['V', 'v']).unwrap_or(typed);
        let in_history = self.history.layout.number(bare);
        match in_history.filter(|number| self.history.rows.iter().any(|row| row.version == *number)) {
            Some(number) => Ok(number),
            None => super::place::number(self.history.layout, &self.desired().migrations, typed),
        }
    }

    /// The migration of the folder with this number.
    pub fn migration(&self, number: i64) -> Option<&Migration> {
        self.desired().migrations.iter().find(|migration| migration.version == number)
    }

    /// Shows what will be recorded, asks, and records it.
    ///
    /// # Errors
    /// When nobody says yes, or the ledger cannot be written.
    pub fn tell(mut self, edit: Edit, what: Vec<String>, question: &str) -> Result<Exit, Failure> {
        let desired = self.desired();
        let telling = Telling {
            binding: desired.binding.clone(),
            needs: desired.needs.clone(),
            lock_timeout_milliseconds: desired.lock_timeout_milliseconds,
            told: self.told.clone(),
            applied: self.known.clone(),
            what,
        };
        let session = self.session;
        let change_set = planning::tell(session, &self.hold.ledger, &self.resolved, (edit, &self.address, &telling))?;
        talk_review(session, &Review::of(&change_set));
        confirm(&session.terminal, self.consent, &format!("{question} (ledger of {})", self.environment))
            .map_err(super::forward::advise)?;
        let (digest, pass) = (change_set.digest(), Pass::of_edit(&change_set));
        let aim = Aim::Ledger(&*self.resolved.secrets);
        let report = carry::carry_out(session, &mut self.hold, Work::Begin(Box::new(change_set), digest, pass), &aim)?;
        session.terminal.show(&report);
        Ok(report.result)
    }
}

fn address(resolved: &Resolved, arguments: &DatabaseArguments) -> Result<Address, Failure> {
    let databases = &resolved.desired.databases;
    let names: Vec<String> = databases.keys().map(|address| address.name.to_string()).collect();
    let found = match &arguments.database {
        Some(name) => databases.keys().find(|address| *address.name == **name),
        None if databases.len() == 1 => databases.keys().next(),
        None => None,
    };
    found.cloned().ok_or_else(|| match names.is_empty() {
        true => Failure::usage("the spec has no `database` block"),
        false => Failure::usage("say which database is meant: `--database NAME`")
            .help(format!("the spec has {}", listed(names.iter().map(String::as_str)))),
    })
}
