//! What a step that is done makes of the things. Pure.
//!
//! Invariant: a database is recorded while a migration of it is applied, be it in part; what is struck out stays known under its address, so that a way back can take it up again; a thing is
//! known by its birth, whatever it is called.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::{DatabaseState, Gone, ResourceState, Things};
use crate::address::{Address, InstanceKey};
use crate::expression::Deferred;
use crate::migration::position::{Partial, Position};
use crate::migration::range::rename_ranges;
use crate::migration::told::Told;
use crate::migration::{Direction, Keeping, Migration};
use crate::step::{Action, Adoption, Beside, Birth, Forgotten, Origin, Reason, Step};
use crate::value::Object;
use crate::world::{Binding, WorldError};

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
                    resource.needs_schema = step.needs_schema.clone();
                    resource.run = run;
                }
            }
            Action::Retire { before, .. } => {
                if let Some(resource) = self.resources.get_mut(address) {
                    resource.earlier.retain(|earlier| earlier != before);
                    // What was there before us is not among the earlier things any more.
                    if let Some(adopted) = resource.adopted.as_mut().filter(|one| one.revised.as_ref() == Some(before))
                    {
                        adopted.revised = None;
                    }
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
                    resource.needs_schema = step.needs_schema.clone();
                } else if let Some(database) = self.databases.get_mut(address) {
                    (database.needs, database.binding) = (step.needs.clone(), binding);
                    database.ahead = step.ahead.clone();
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
        database.aside.remove(&migration.version);
        let keeps_back = migration.keeps_on_the_way_back();
        let keeps = if keeps_back { Direction::Down } else { Direction::Up };
        if *direction == keeps
            && let Some(keeping) = keeping(migration, time)
        {
            database.kept.insert(migration.version, keeping);
        }
        match direction {
            Direction::Up => {
                // What came back is there as if it had never gone.
                let kept = migration.kept.clone().filter(|_| !keeps_back);
                let applied = Migration { kept, ..Migration::clone(migration) };
                database.applied.insert(migration.version, Arc::new(applied));
            }
            Direction::Down => {
                database.applied.remove(&migration.version);
                if keeps_back {
                    database.aside.insert(migration.version, Arc::new(Migration::clone(migration)));
                }
            }
        }
        database.partial = None;
        // Whatever was told of its earlier life, it is ours from now on, or gone.
        database.told = std::mem::take(&mut database.told).without(&BTreeSet::from([migration.version]));
        if database.applied.is_empty() && database.told.is_plain() && database.aside.is_empty() {
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
            aside: BTreeMap::new(),
            ahead: BTreeSet::new(),
            partial: None,
            born,
            told: Told::default(),
        });
        database.binding = binding;
        database.ahead = step.ahead.clone();
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
        database.aside.remove(&version);
        if let Some(migration) = database.applied.get_mut(&version) {
            Arc::make_mut(migration).kept = None;
        }
    }

    /// A thing that was there before is known from now on.
    fn adopt(&mut self, run: u64, step: &Step, binding: Binding, (kind, id, object): (&str, &str, &Object)) {
        let adopted = Adoption { run, id: id.to_owned(), object: object.clone(), revised: None };
        let forgotten = self.forgotten_as(&step.address, kind, &binding, object);
        if let Some(Gone::Forgotten(before)) = forgotten.and_then(|address| self.gone.remove(&address)) {
            self.known_before.insert(birth(run, step), before);
        }
        self.make_room(&step.address);
        self.gone.remove(&step.address);
        let resource = ResourceState {
            kind: kind.to_owned(),
            binding,
            object: object.clone(),
            earlier: Vec::new(),
            needs: step.needs.clone(),
            needs_schema: step.needs_schema.clone(),
            beside: Vec::new(),
            run,
            adopted: Some(Box::new(adopted)),
            born: birth(run, step),
            made_of: BTreeMap::new(),
        };
        self.resources.insert(step.address.clone(), resource);
    }

    /// Where the ledger forgot a thing that is imported: under its address, or under another.
    fn forgotten_as(&self, address: &Address, kind: &str, binding: &Binding, object: &Object) -> Option<Address> {
        let forgotten = self.gone.iter().filter_map(|(address, gone)| match gone {
            Gone::Forgotten(before) => Some((address, before)),
            Gone::Deleted(_) | Gone::Database(_) | Gone::Emptied(_) => None,
        });
        let mut same = forgotten.filter(|(_, before)| before.kind == kind && is_same(&before.object, object));
        let found = same.clone().find(|(other, _)| *other == address);
        found.or_else(|| same.find(|(_, before)| before.binding == *binding)).map(|(address, _)| address.clone())
    }

    /// A thing is made or changed. What is made where something was removed is known as the same.
    fn put(&mut self, run: u64, step: &Step, kind: &str, binding: Binding, outcome: &Object) {
        let before = self.resources.remove(&step.address);
        let is_made_again = match self.gone.get(&step.address) {
            // What was forgotten is another thing, unless a way back makes it again.
            Some(Gone::Forgotten(before)) => step.reason == Reason::TakenBack && has_same_name(&before.object, outcome),
            // So is what is new, unless it is what was there before us and was removed.
            Some(Gone::Deleted(before)) => step.reason != Reason::New || has_same_name(&before.object, outcome),
            Some(Gone::Database(_)) => false,
            Some(Gone::Emptied(_)) | None => true,
        };
        if !is_made_again {
            self.make_room(&step.address);
        }
        let gone = self.gone.remove(&step.address);
        let (earlier, adopted, beside, born) = match (before, gone) {
            (Some(before), _) => {
                let (mut earlier, mut adopted) = (before.earlier, before.adopted);
                if matches!(step.action, Action::Revise { .. }) {
                    if let Some(adopted) = adopted.as_mut().filter(|adopted| adopted.revised.is_none()) {
                        adopted.revised = Some(before.object.clone());
                    }
                    earlier.push(before.object);
                }
                (earlier, adopted, before.beside, before.born)
            }
            (None, Some(Gone::Deleted(before) | Gone::Forgotten(before))) => {
                (Vec::new(), before.adopted, Vec::new(), before.born)
            }
            (None, Some(Gone::Database(_) | Gone::Emptied(_)) | None) => {
                (Vec::new(), None, Vec::new(), birth(run, step))
            }
        };
        let now = ResourceState {
            kind: kind.to_owned(),
            binding,
            object: outcome.clone(),
            earlier,
            needs: step.needs.clone(),
            needs_schema: step.needs_schema.clone(),
            beside,
            run,
            adopted,
            born,
            made_of: made_of(step),
        };
        self.resources.insert(step.address.clone(), now);
    }

    /// What runs under an address, where it is known which schema versions that works with.
    pub(super) fn running(&self, address: &Address) -> Option<Beside> {
        let resource = self.resources.get(address).filter(|resource| !resource.needs_schema.is_empty())?;
        Some(Beside { object: resource.object.clone(), needs_schema: resource.needs_schema.clone() })
    }

    /// Until a rollout is through, the revision that it replaces may run beside the new one; one that is set aside
    /// does until it is retired.
    pub(super) fn note_beside(&mut self, step: &Step, replaced: Option<Beside>, error: Option<&WorldError>) {
        let Some(resource) = self.resources.get_mut(&step.address) else { return };
        match (&step.action, error) {
            (Action::Revise { .. }, _) => resource.beside.extend(replaced),
            (Action::Update { .. }, Some(_)) => return resource.beside.extend(replaced),
            // It is no step of a rollout; what it left undone stays so.
            (Action::Remember { .. } | Action::Move { .. } | Action::TakeUp { .. }, _) | (_, Some(_)) => return,
            (_, None) => {}
        }
        let earlier = &resource.earlier;
        resource.beside.retain(|beside| earlier.contains(&beside.object));
    }

    /// What was made again is what it was then.
    pub(super) fn known_as(&mut self, address: &Address, origin: &Origin) {
        if let Some(resource) = self.resources.get_mut(address) {
            resource.born = origin.born;
            resource.adopted.clone_from(&origin.adopted);
        }
    }

    fn take_up(&mut self, run: u64, step: &Step, binding: Binding, known: &Forgotten) {
        let (address, needs) = (step.address.clone(), step.needs.clone());
        self.gone.remove(&address);
        let mut known = known.clone();
        if let Forgotten::Database { born, .. } = &mut known
            && *born == Birth::default()
        {
            *born = birth(run, step);
        }
        self.know(address, known, (binding, needs), run);
    }

    /// Something that was forgotten is known again, as it was known.
    pub fn know(
        &mut self,
        address: Address,
        known: Forgotten,
        (binding, needs): (Binding, BTreeSet<Address>),
        run: u64,
    ) {
        match known {
            Forgotten::Thing { kind, object, earlier, adopted, needs_schema, beside, born } => {
                let made_of = BTreeMap::new();
                let resource = ResourceState {
                    kind,
                    binding,
                    object,
                    earlier,
                    needs,
                    needs_schema,
                    beside,
                    run,
                    adopted,
                    born,
                    made_of,
                };
                self.resources.insert(address, resource);
            }
            Forgotten::Database { applied, lock_timeout_milliseconds, ahead, kept, aside, born, told } => {
                let (applied, aside) = (by_version(applied), by_version(aside));
                let partial = None;
                let lock = lock_timeout_milliseconds;
                let database = DatabaseState {
                    binding,
                    applied,
                    needs,
                    lock_timeout_milliseconds: lock,
                    ahead,
                    kept,
                    aside,
                    partial,
                    born,
                    told,
                };
                self.databases.insert(address, database);
            }
        }
    }

    /// A thing gets another address, and whoever needs it needs it under that.
    fn rename(&mut self, run: u64, from: &Address, to: &Address, needed_by: &BTreeSet<Address>) {
        let aside = self.make_room(to);
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
        // What had the new name until now and needs the thing has another one, too.
        for address in needed_by.iter().map(|address| aside.as_ref().filter(|_| address == to).unwrap_or(address)) {
            if let Some(resource) = self.resources.get_mut(address) {
                rename_needs(&mut resource.needs, &mut resource.binding, &renamed);
                resource.rename_schemas(&renamed);
            } else if let Some(database) = self.databases.get_mut(address) {
                rename_needs(&mut database.needs, &mut database.binding, &renamed);
            } else if let Some(gone) = self.gone.get_mut(address) {
                gone.rename_needs(&renamed);
            }
        }
    }
}

impl Things {
    /// What was there before us and was removed is owed to a way back to before its import, and what was forgotten to
    /// one that takes it up, although another thing takes its address now: it is kept under one that nothing else has.
    /// Says which.
    pub fn set_aside(&mut self, address: &Address) -> Option<Address> {
        let born = match self.gone.get(address)? {
            Gone::Deleted(resource) if resource.adopted.is_some() => resource.born,
            Gone::Forgotten(resource) => resource.born,
            Gone::Database(database) => database.born,
            Gone::Deleted(_) | Gone::Emptied(_) => return None,
        };
        let aside = aside(address, born);
        let gone = self.gone.remove(address)?;
        self.gone.insert(aside.clone(), gone);
        Some(aside)
    }

    /// Sets aside, and what is gone and needed that needs it under its new address.
    fn make_room(&mut self, address: &Address) -> Option<Address> {
        let aside = self.set_aside(address)?;
        let renamed = |need: &Address| (need == address).then(|| aside.clone());
        self.gone.values_mut().for_each(|gone| gone.rename_needs(&renamed));
        Some(aside)
    }

    /// What a thing was known as first: one that was let go and imported anew has a birth for each time.
    pub fn first_birth(&self, born: Birth) -> Birth {
        let mut first = born;
        while let Some(earlier) = self.known_before.get(&first) {
            first = earlier.born;
        }
        first
    }

    /// What is gone now and was not at another time, whatever its address was then.
    pub fn gone_since<'a>(&'a self, then: &'a Self) -> impl Iterator<Item = (&'a Address, &'a Gone)> {
        let then: BTreeMap<Birth, &Gone> = then.gone.values().map(|gone| (gone.born(), gone)).collect();
        self.gone.iter().filter(move |(_, gone)| !gone.is_still(then.get(&gone.born()).copied()))
    }
}

/// What the secrets of a step were made of, where that says it by itself: another thing may be gone by the time that it is
/// asked again.
fn made_of(step: &Step) -> BTreeMap<String, Deferred> {
    let is_whole = |deferred: &Deferred| deferred.references().is_empty() && !deferred.secrets().is_empty();
    let all = step.action.deferred().into_iter().flatten();
    all.filter(|(_, deferred)| is_whole(deferred)).map(|(name, deferred)| (name.clone(), deferred.clone())).collect()
}

impl ResourceState {
    /// Whether nothing was done to it since, whatever it and what it needs are called now.
    pub fn is_still(&self, then: &Self) -> bool {
        let named_alike = Self { needs: then.needs.clone(), binding: then.binding.clone(), ..self.clone() };
        named_alike == *then
    }

    /// The schema versions that it works with, with databases under other addresses.
    pub fn rename_schemas(&mut self, renamed: &dyn Fn(&Address) -> Option<Address>) {
        rename_ranges(&mut self.needs_schema, renamed);
        self.beside.iter_mut().for_each(|beside| rename_ranges(&mut beside.needs_schema, renamed));
    }
}

impl Gone {
    /// What it needed, and how it was reached.
    pub fn needs(&self) -> (&BTreeSet<Address>, &Binding) {
        match self {
            Self::Deleted(resource) | Self::Forgotten(resource) => (&resource.needs, &resource.binding),
            Self::Database(database) | Self::Emptied(database) => (&database.needs, &database.binding),
        }
    }

    /// When the ledger first knew it.
    pub fn born(&self) -> Birth {
        match self {
            Self::Deleted(resource) | Self::Forgotten(resource) => resource.born,
            Self::Database(database) | Self::Emptied(database) => database.born,
        }
    }

    /// Whether this is what was gone at another time already: what it needed may be called otherwise since.
    fn is_still(&self, then: Option<&Self>) -> bool {
        match (self, then) {
            (Self::Deleted(now), Some(Self::Deleted(then))) | (Self::Forgotten(now), Some(Self::Forgotten(then))) => {
                now.is_still(then)
            }
            (Self::Database(now), Some(Self::Database(then))) | (Self::Emptied(now), Some(Self::Emptied(then))) => {
                now.born == then.born && now.applied == then.applied
            }
            (Self::Deleted(_) | Self::Forgotten(_) | Self::Database(_) | Self::Emptied(_), _) => false,
        }
    }

    /// What it needed is called otherwise.
    pub fn rename_needs(&mut self, renamed: &dyn Fn(&Address) -> Option<Address>) {
        let (needs, binding) = match self {
            Self::Deleted(resource) | Self::Forgotten(resource) => (&mut resource.needs, &mut resource.binding),
            Self::Database(database) | Self::Emptied(database) => (&mut database.needs, &mut database.binding),
        };
        rename_needs(needs, binding, renamed);
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
fn by_version(migrations: Vec<Migration>) -> BTreeMap<i64, Arc<Migration>> {
    migrations.into_iter().map(|migration| (migration.version, Arc::new(migration))).collect()
}

/// Whether this is one thing: by what the world calls it, or by its name where the world has no other word for it.
fn is_same(left: &Object, right: &Object) -> bool {
    let given = |object: &Object, name: &str| object.get(name).filter(|value| !value.is_null()).cloned();
    let known = ["arn", "id", "name"].into_iter().find_map(|name| Some((given(left, name)?, given(right, name)?)));
    known.is_some_and(|(left, right)| left == right)
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

#[cfg(test)]
mod tests;
