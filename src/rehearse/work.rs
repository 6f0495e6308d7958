//! What is to be rehearsed for a change set: one piece of work for each database with migrations to run. Pure.
//!
//! Invariant: it rests on the ledger, on what was observed and on the change set alone; a rollback needs no spec.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::address::Address;
use crate::ledger::Things;
use crate::migration::{Direction, Migration};
use crate::observe::Observed;
use crate::resolve::desired::DesiredDatabase;
use crate::step::{Action, ChangeSet, Step};
use crate::world::{Binding, History, RehearsalSettings};

/// The migrations of one database that are to be rehearsed.
#[derive(Clone, Debug)]
pub struct Work {
    /// The database.
    pub address: Address,
    /// What the spec says, or nothing at all.
    pub settings: RehearsalSettings,
    /// The server that the spec names.
    pub server: Option<Binding>,
    /// The database itself, unless the plan makes it.
    pub target: Option<Binding>,
    /// What is applied, in its order.
    pub applied: Vec<Arc<Migration>>,
    /// Whether the target's history is not explained by the ledger.
    pub adopted: bool,
    /// Whether no migration was left in the middle.
    pub is_whole: bool,
    /// What is to be rehearsed, one after the other.
    pub steps: Vec<(Direction, Arc<Migration>)>,
}

/// The work that a change set gives. `desired` are the databases of the spec, where there is one.
pub fn of(
    change_set: &ChangeSet,
    things: &Things,
    observed: &Observed,
    desired: &BTreeMap<Address, DesiredDatabase>,
) -> Vec<Work> {
    let mut found: Vec<Work> = Vec::new();
    for step in &change_set.steps {
        let Action::Migrate { direction, migration, from, .. } = &step.action else { continue };
        let place = found.iter().position(|work| work.address == step.address).unwrap_or_else(|| {
            found.push(begin(step, change_set, things, observed, desired.get(&step.address)));
            found.len() - 1
        });
        let work = &mut found[place];
        work.is_whole &= from.is_start();
        work.steps.push((*direction, Arc::new(Migration::clone(migration))));
    }
    found
}

fn begin(
    step: &Step,
    change_set: &ChangeSet,
    things: &Things,
    observed: &Observed,
    desired: Option<&DesiredDatabase>,
) -> Work {
    let address = earlier_name(&step.address, change_set);
    let known = things.databases.get(&address).map(|database| database.applied.clone()).unwrap_or_default();
    let history = match observed.databases.get(&address) {
        Some(Some(history)) if !is_made_here(step, change_set) => Some(history),
        _ => None,
    };
    let (applied, adopted) = match history {
        Some(history) => applied(history, &known, desired),
        None => (Vec::new(), false),
    };
    Work {
        address: step.address.clone(),
        settings: desired.map(|desired| desired.rehearsal.clone()).unwrap_or_default(),
        server: desired.and_then(|desired| desired.rehearsal_server.clone()),
        target: history.map(|_| step.binding.clone()),
        applied,
        adopted,
        is_whole: history.is_none_or(|history| history.partial.is_none()),
        steps: Vec::new(),
    }
}

/// The address under which the ledger still knows what the change set renames.
fn earlier_name(address: &Address, change_set: &ChangeSet) -> Address {
    let renames = change_set.steps.iter().filter(|step| step.address == *address);
    let from = renames.filter_map(|step| if let Action::Move { from, .. } = &step.action { Some(from) } else { None });
    from.last().unwrap_or(address).clone()
}

/// Whether the change set makes, or makes again, what a database lives in.
fn is_made_here(step: &Step, change_set: &ChangeSet) -> bool {
    change_set.steps.iter().any(|other| {
        step.needs.contains(&other.address)
            && other.action.kind() == Some("postgres_database")
            && matches!(other.action, Action::Create { .. } | Action::Revise { .. } | Action::Delete { .. })
    })
}

/// What is applied, as the history says; and whether the ledger does not explain all of it.
fn applied(
    history: &History,
    known: &BTreeMap<i64, Arc<Migration>>,
    desired: Option<&DesiredDatabase>,
) -> (Vec<Arc<Migration>>, bool) {
    let files = desired.map(|desired| desired.migrations.as_slice()).unwrap_or_default();
    let versions: BTreeSet<i64> = history.rows.iter().map(|row| row.version).collect();
    let adopted = versions.iter().any(|version| !known.contains_key(version));
    let text = |version: &i64| {
        let file = || files.iter().find(|file| file.version == *version).map(|file| Arc::new(file.clone()));
        known.get(version).cloned().or_else(file)
    };
    (versions.iter().filter_map(text).collect(), adopted)
}
