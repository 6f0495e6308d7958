//! What a step that is done makes of the things. Pure.
//!
//! Invariant: a database is recorded while a migration of it is applied, be it in part; what is struck out stays known under its address, so that a way back can take it up again; a thing is
//! known by its birth, whatever it is called.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{DatabaseState, Gone, ResourceState, Things};
use crate::address::{Address, InstanceKey};
use crate::migration::position::{Partial, Position};
use crate::migration::{Direction, Keeping, Migration};
use crate::step::{Action, Adoption, Birth, Forgotten, Reason, Step};
use crate::value::Object;
use crate::world::Binding;

impl Things {
    /// What a step that is done makes of the things.
    pub(super) fn take(
        &mut self,
        (run, time): (u64, Timestamp),
        step: &Step,
        binding: Option<Binding>,
        outcome: &Object,
    ) {
        let address = &step.address;
        let binding = binding.unwrap_or_else(|| step.binding.clone());
        match &step.action {
            Action::Create { kind, .. } | Action::Update { kind, .. } | Action::Revise { kind, .. } => {
                self.put(run, step, kind, binding, outcome);
            }
            Action::Return { after, .. } => {
                if let Some(resource) = self.resources.get_mut(address) {
                    resource.earlier.retain(|earlier| earlier != after);
                    if let Some(adopted) = resource.adopted.as_mut().filter(|one| one.revised.as_ref() == Some(after)) {
                        adopted.revised = None;
                    }
                    resource.object = after.clone();
                    resource.needs = step.needs.clone();
                    resource.run = run;
                }
            }
            Action::Retire { before, .. } => {
                if let Some(resource) = self.resources.get_mut(address) {
                    resource.earlier.retain(|earlier| earlier != before);
                }
            }
            Action::Delete { .. } => {
                let deleted = self.resources.remove(address).map(Gone::Deleted);
                self.gone.extend(deleted.map(|gone| (address.clone(), gone)));
            }
            Action::Forget { .. } => {
                let resource = self.resources.remove(address).map(Gone::Forgotten);
                let gone = resource.or_else(|| self.databases.remove(address).map(Gone::Database));
                self.gone.extend(gone.map(|gone| (address.clone(), gone)));
            }
            Action::Remember { .. } => {
                if let Some(resource) = self.resources.get_mut(address) {
                    (resource.needs, resource.binding, resource.run) = (step.needs.clone(), binding, run);
                } else if let Some(database) = self.databases.get_mut(address) {
                    (database.needs, database.binding) = (step.needs.clone(), binding);
                    database.partial = None;
                }
            }
            Action::Import { kind, id, object } => {
                let object = if outcome.is_empty() { object } else { outcome };
                self.adopt(run, step, binding, (kind, id, object));
            }
            Action::TakeUp { known } => self.take_up(run, step, binding, known),
            Action::Move { from, needed_by } => self.rename(run, from, address, needed_by),
            Action::Migrate { .. } => self.migrate((run, time), step, binding),
            Action::Purge { migration, .. } => self.purge(address, migration.version),
        }
    }

    fn migrate(&mut self, (run, time): (u64, Timestamp), step: &Step, binding: Binding) {
        let Action::Migrate { direction, migration, .. } = &step.action else { return };
        let address = &step.address;
        let database = self.database(run, step, binding);
        database.kept.remove(&migration.version);
        if *direction == Direction::Up
            && let Some(keeping) = keeping(migration, time)
        {
            database.kept.insert(migration.version, keeping);
        }
        match direction {
            Direction::Up => database.applied.insert(migration.version, Arc::new(Migration::clone(migration))),
            Direction::Down => database.applied.remove(&migration.version),
        };
        database.partial = None;
        if database.applied.is_empty() {
            let emptied = self.databases.remove(address).map(Gone::Emptied);
            self.gone.extend(emptied.map(|gone| (address.clone(), gone)));
        }
    }

    /// A migration was left in the middle: it is neither applied nor absent.
    pub(super) fn leave(&mut self, run: u64, step: &Step, binding: Option<Binding>, position: &Position) {
        let Action::Migrate { direction, migration, from, .. } = &step.action else { return };
        let from = match direction {
            Direction::Up => Position::default(),
            Direction::Down => from.clone(),
        };
        let (migration, direction, position) = (migration.as_ref().clone(), *direction, position.clone());
        let database = self.database(run, step, binding.unwrap_or_else(|| step.binding.clone()));
        database.partial = Some(Box::new(Partial { migration, direction, position, from }));
    }

    /// The database that a migration is about, as it is reached now.
    fn database(&mut self, run: u64, step: &Step, binding: Binding) -> &mut DatabaseState {
        let address = &step.address;
        let born = match self.gone.remove(address) {
            Some(Gone::Database(before) | Gone::Emptied(before)) => before.born,
            Some(Gone::Deleted(_) | Gone::Forgotten(_)) | None => birth(run, step),
        };
        let database = self.databases.entry(address.clone()).or_insert_with(|| DatabaseState {
            binding: binding.clone(),
            applied: BTreeMap::new(),
            needs: BTreeSet::new(),
            lock_timeout_milliseconds: 0,
            kept: BTreeMap::new(),
            partial: None,
            born,
        });
        database.binding = binding;
        database.needs = step.needs.clone();
        if let Action::Migrate { lock_timeout_milliseconds, .. } = &step.action {
            database.lock_timeout_milliseconds = *lock_timeout_milliseconds;
        }
        database
    }

    /// What was kept is gone: from now on the migration is what its files say.
    fn purge(&mut self, address: &Address, version: i64) {
        let Some(database) = self.databases.get_mut(address) else { return };
        database.kept.remove(&version);
        if let Some(migration) = database.applied.get_mut(&version) {
            Arc::make_mut(migration).kept = None;
        }
    }

    /// A thing that was there before is known from now on.
    fn adopt(&mut self, run: u64, step: &Step, binding: Binding, (kind, id, object): (&str, &str, &Object)) {
        let adopted = Adoption { run, id: id.to_owned(), object: object.clone(), revised: None };
        self.set_aside(&step.address);
        if let Some(Gone::Forgotten(before)) = self.gone.remove(&step.address) {
            self.known_before.insert(birth(run, step), before);
        }
        let resource = ResourceState {
            kind: kind.to_owned(),
            binding,
            object: object.clone(),
            earlier: Vec::new(),
            needs: step.needs.clone(),
            run,
            adopted: Some(Box::new(adopted)),
            born: birth(run, step),
        };
        self.resources.insert(step.address.clone(), resource);
    }

    /// A thing is made or changed. What is made where something was removed is known as the same.
    fn put(&mut self, run: u64, step: &Step, kind: &str, binding: Binding, outcome: &Object) {
        let before = self.resources.remove(&step.address);
        let gone = self.gone.remove(&step.address);
        let (earlier, adopted, born) = match (before, gone) {
            (Some(before), _) => {
                let (mut earlier, mut adopted) = (before.earlier, before.adopted);
                if matches!(step.action, Action::Revise { .. }) {
                    if let Some(adopted) = adopted.as_mut().filter(|adopted| adopted.revised.is_none()) {
                        adopted.revised = Some(before.object.clone());
                    }
                    earlier.push(before.object);
                }
                (earlier, adopted, before.born)
            }
            (None, Some(Gone::Deleted(before))) => (Vec::new(), before.adopted, before.born),
            // What was forgotten is another thing, unless a way back makes it again.
            (None, Some(Gone::Forgotten(before)))
                if step.reason == Reason::TakenBack && has_same_name(&before.object, outcome) =>
            {
                (Vec::new(), before.adopted, before.born)
            }
            (None, Some(Gone::Forgotten(_) | Gone::Database(_) | Gone::Emptied(_)) | None) => {
                (Vec::new(), None, birth(run, step))
            }
        };
        let now = ResourceState {
            kind: kind.to_owned(),
            binding,
            object: outcome.clone(),
            earlier,
            needs: step.needs.clone(),
            run,
            adopted,
            born,
        };
        self.resources.insert(step.address.clone(), now);
    }

    fn take_up(&mut self, run: u64, step: &Step, binding: Binding, known: &Forgotten) {
        let (address, needs) = (step.address.clone(), step.needs.clone());
        self.gone.remove(&address);
        match known.clone() {
            Forgotten::Thing { kind, object, earlier, adopted, born } => {
                let resource = ResourceState { kind, binding, object, earlier, needs, run, adopted, born };
                self.resources.insert(address, resource);
            }
            Forgotten::Database { applied, lock_timeout_milliseconds, kept, born } => {
                let applied = by_version(applied);
                let partial = None;
                let database =
                    DatabaseState { binding, applied, needs, lock_timeout_milliseconds, kept, partial, born };
                self.databases.insert(address, database);
            }
        }
    }

    /// A thing gets another address, and whoever needs it needs it under that.
    fn rename(&mut self, run: u64, from: &Address, to: &Address, needed_by: &BTreeSet<Address>) {
        self.set_aside(to);
        if let Some(mut resource) = self.resources.remove(from) {
            resource.run = run;
            self.resources.insert(to.clone(), resource);
        } else if let Some(database) = self.databases.remove(from) {
            self.databases.insert(to.clone(), database);
        } else if let Some(gone) = self.gone.remove(from) {
            // It will be made again under this name.
            self.gone.insert(to.clone(), gone);
            return;
        }
        self.gone.remove(to);
        let renamed = |address: &Address| (address == from).then(|| to.clone());
        for address in needed_by {
            if let Some(resource) = self.resources.get_mut(address) {
                rename_needs(&mut resource.needs, &mut resource.binding, &renamed);
            } else if let Some(database) = self.databases.get_mut(address) {
                rename_needs(&mut database.needs, &mut database.binding, &renamed);
            }
        }
    }
}

impl Things {
    /// What was there before us and was removed is owed to a way back to before its import, although another thing
    /// takes its address now: it is kept under one that nothing else has. Says which.
    pub fn set_aside(&mut self, address: &Address) -> Option<Address> {
        let born = match self.gone.get(address)? {
            Gone::Deleted(resource) if resource.adopted.is_some() => resource.born,
            Gone::Deleted(_) | Gone::Forgotten(_) | Gone::Database(_) | Gone::Emptied(_) => return None,
        };
        let aside = aside(address, born);
        let gone = self.gone.remove(address)?;
        self.gone.insert(aside.clone(), gone);
        Some(aside)
    }
}

/// An address that nothing else has, for a thing whose own is another's.
pub fn aside(address: &Address, born: Birth) -> Address {
    let key = match &address.key {
        None => String::new(),
        Some(InstanceKey::Index(index)) => format!("{index} "),
        Some(InstanceKey::Key(key)) => format!("{key} "),
    };
    let name = format!("{key}known since {}.{}", born.run, born.step);
    address.with_key(Some(InstanceKey::Key(name.as_str().into())))
}

/// What is needed and how it is reached, with things under other addresses.
pub fn rename_needs(
    needs: &mut BTreeSet<Address>,
    binding: &mut Binding,
    renamed: &dyn Fn(&Address) -> Option<Address>,
) {
    if needs.iter().any(|need| renamed(need).is_some()) {
        *needs = needs.iter().map(|need| renamed(need).unwrap_or_else(|| need.clone())).collect();
    }
    for deferred in binding.deferred.values_mut() {
        if deferred.references().iter().any(|address| renamed(address).is_some()) {
            *deferred = deferred.renamed(renamed);
        }
    }
}

/// Migrations by version.
pub fn by_version(migrations: Vec<Migration>) -> BTreeMap<i64, Arc<Migration>> {
    migrations.into_iter().map(|migration| (migration.version, Arc::new(migration))).collect()
}

fn has_same_name(left: &Object, right: &Object) -> bool {
    let same = |name: &str| left.get(name).is_some() && left.get(name) == right.get(name);
    same("name") || same("arn") || same("id")
}

/// How long what a migration takes away is kept from now on, if it is.
fn keeping(migration: &Migration, now: Timestamp) -> Option<Keeping> {
    migration.kept.as_ref()?;
    let seconds = i64::try_from(migration.said.keep_seconds.unwrap_or_default()).unwrap_or(i64::MAX);
    let until = now.checked_add(SignedDuration::from_secs(seconds)).unwrap_or(Timestamp::MAX);
    Some(Keeping { since: now, until })
}

fn birth(run: u64, step: &Step) -> Birth {
    Birth { run, step: step.id.0 }
}
