//! What of the ledger has to be as it was before a way back is planned: what is called otherwise, and what was
//! forgotten and is still there. Pure.
//!
//! Invariant: a thing is known again by its birth; what was forgotten before the earlier time stays forgotten.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::kind::Kind;
use crate::ledger::Things;
use crate::ledger::state::{DatabaseState, Gone, ResourceState, aside};
use crate::plan::Inputs;
use crate::plan::compare::Comparer;
use crate::plan::moves::{Before, TakenUp};
use crate::step::{Birth, Fingerprint, Forgotten};
use crate::value::Object;

/// What others had at the earlier time: what was not imported yet, and what the ledger had forgotten.
pub(super) struct Left<'a> {
    to: u64,
    now: &'a Things,
    /// By what each was known as first.
    forgotten: BTreeMap<Birth, &'a ResourceState>,
    databases: BTreeSet<Birth>,
}

impl<'a> Left<'a> {
    /// At the end of this run.
    pub fn at(then: &'a Things, now: &'a Things, to: u64) -> Self {
        let mut left = Self { to, now, forgotten: BTreeMap::new(), databases: BTreeSet::new() };
        for gone in then.gone.values() {
            match gone {
                Gone::Forgotten(resource) => {
                    left.forgotten.insert(now.first_birth(resource.born), resource);
                }
                Gone::Database(database) => left.databases.extend([database.born]),
                Gone::Deleted(_) | Gone::Emptied(_) => {}
            }
        }
        left
    }

    /// What a thing was then, if it was there and not ours.
    pub fn as_it_was(&self, now: &ResourceState) -> Option<ResourceState> {
        let first = self.first_known(now);
        let before = first.adopted.as_ref().filter(|adopted| adopted.run > self.to);
        let before = before.map(|adopted| ResourceState { object: adopted.object.clone(), ..now.clone() });
        // Others had it until it was imported: what it was in the end is what is known best.
        before.or_else(|| self.forgotten.get(&self.now.first_birth(now.born)).map(|forgotten| (*forgotten).clone()))
    }

    /// What was imported after the earlier time may be what the ledger knew before, and forgot after it, too.
    pub fn first_known<'b>(&self, now: &'b ResourceState) -> &'b ResourceState
    where
        'a: 'b,
    {
        let forgotten = self.forgotten.get(&self.now.first_birth(now.born));
        let mut first = now;
        while first.adopted.as_ref().is_some_and(|adopted| adopted.run > self.to)
            && let Some(earlier) = self.now.known_before.get(&first.born)
            && !forgotten.is_some_and(|forgotten| earlier.is_still(forgotten))
        {
            first = earlier;
        }
        first
    }

    /// Whether a database was there then and not ours.
    pub fn is_left(&self, now: &DatabaseState) -> bool {
        self.databases.contains(&now.born)
    }
}

/// What is taken up and renamed first.
pub(super) fn before(then: &Things, to: u64, inputs: &Inputs<'_>) -> Before {
    let now = &inputs.state.things;
    let mut before = Before::default();
    let left = Left::at(then, now, to);
    for (address, gone) in now.gone_since(then) {
        let taken = match gone {
            Gone::Forgotten(resource) => taken_up(address, resource, &left, inputs),
            Gone::Database(database) if left.is_left(database) => None,
            Gone::Database(database) => database_taken_up(address, database, inputs),
            Gone::Deleted(_) | Gone::Emptied(_) => None,
        };
        before.take_up.extend(taken.map(|taken| (address.clone(), taken)));
    }
    for (address, resource) in &now.resources {
        let taken = known_anew(address, resource, &left, inputs);
        before.take_up.extend(taken.map(|taken| (address.clone(), taken)));
    }
    known_as_then(then, &mut before, inputs);
    before.renames = renames(then, now, &before.take_up);
    set_aside(then, &left, inputs, &mut before);
    before
}

/// A thing that was forgotten and is still there. What was left to others then and is as it was needs nothing.
fn taken_up(address: &Address, resource: &ResourceState, left: &Left<'_>, inputs: &Inputs<'_>) -> Option<TakenUp> {
    let kind = inputs.kinds.get(&resource.kind)?;
    let found = inputs.observed.objects.get(address)?.as_ref()?;
    let comparer = comparer(kind, inputs);
    if let Some(original) = left.as_it_was(resource) {
        let is_revised = resource.adopted.as_ref().is_some_and(|adopted| adopted.revised.is_some());
        let wanted = super::wanted(kind, &original.object);
        if !is_revised && comparer.differences(&wanted, found, Some(&original.object)).is_empty() {
            return None;
        }
    }
    Some(known(&known_since(left.first_known(resource), resource), comparer.fingerprint(Some(found))))
}

/// A thing as it is recorded now, known since an earlier time.
fn known_since(earlier: &ResourceState, now: &ResourceState) -> ResourceState {
    let mut known = ResourceState { born: earlier.born, adopted: earlier.adopted.clone(), ..now.clone() };
    if earlier.born != now.born {
        known.earlier = earlier.earlier.iter().chain(&now.earlier).cloned().collect();
        known.beside = earlier.beside.iter().chain(&now.beside).cloned().collect();
    }
    known
}

fn comparer<'k>(kind: &'k Kind, inputs: &Inputs<'k>) -> Comparer<'k> {
    Comparer { kind, key: inputs.state.seal_key() }
}

fn known(resource: &ResourceState, found: Fingerprint) -> TakenUp {
    let known = Forgotten::Thing {
        kind: resource.kind.clone(),
        object: resource.object.clone(),
        earlier: resource.earlier.clone(),
        adopted: resource.adopted.clone(),
        needs_schema: resource.needs_schema.clone(),
        beside: resource.beside.clone(),
        born: resource.born,
    };
    TakenUp { binding: resource.binding.clone(), needs: resource.needs.clone(), known, found }
}

/// Only what is still in the history is taken up.
fn database_taken_up(address: &Address, database: &DatabaseState, inputs: &Inputs<'_>) -> Option<TakenUp> {
    let history = inputs.observed.databases.get(address)?.as_ref()?;
    let is_applied = |version: &i64| {
        let is_counted = history.counts(*version) || database.told.baselined.contains(version);
        is_counted || history.rows.iter().any(|row| row.version == *version)
    };
    let applied = database.applied.iter().filter(|(version, _)| is_applied(version));
    let known = Forgotten::Database {
        applied: applied.map(|(_, migration)| (**migration).clone()).collect(),
        lock_timeout_milliseconds: database.lock_timeout_milliseconds,
        kept: database.kept.clone(),
        aside: database.aside.values().map(|migration| (**migration).clone()).collect(),
        ahead: database.ahead.iter().copied().filter(is_applied).collect(),
        born: database.born,
        told: database.told.clone(),
    };
    let (binding, needs) = (database.binding.clone(), database.needs.clone());
    Some(TakenUp { binding, needs, known, found: Fingerprint::Unasked })
}

/// The same thing was forgotten and imported since: it is known again from the earlier time.
fn known_anew(address: &Address, now: &ResourceState, left: &Left<'_>, inputs: &Inputs<'_>) -> Option<TakenUp> {
    let earlier = left.first_known(now);
    let kind = inputs.kinds.get(&now.kind)?;
    let found = inputs.observed.objects.get(address)?.as_ref()?;
    let is_same = earlier.born != now.born && is_same_thing(kind, &now.object, &earlier.object);
    is_same.then(|| known(&known_since(earlier, now), comparer(kind, inputs).fingerprint(Some(found))))
}

/// What is known otherwise than then: an earlier way back went to before it was let go and imported anew, and this one
/// goes forth again to after it.
fn known_as_then(then: &Things, before: &mut Before, inputs: &Inputs<'_>) {
    let now = &inputs.state.things;
    let by_first: BTreeMap<Birth, &ResourceState> =
        then.resources.values().map(|one| (now.first_birth(one.born), one)).collect();
    let known_then = |born: Birth| by_first.get(&now.first_birth(born)).filter(|then| then.born != born);
    for taken in before.take_up.values_mut() {
        if let Forgotten::Thing { adopted, born, .. } = &mut taken.known
            && let Some(then) = known_then(*born)
        {
            (*born, *adopted) = (then.born, then.adopted.clone());
        }
    }
    for (address, resource) in &now.resources {
        let found = inputs.observed.objects.get(address).and_then(Option::as_ref);
        if let (Some(then), Some(kind)) = (known_then(resource.born), inputs.kinds.get(&resource.kind))
            && let Some(found) = found.filter(|_| !before.take_up.contains_key(address))
        {
            let as_then = ResourceState { born: then.born, adopted: then.adopted.clone(), ..resource.clone() };
            let taken = known(&as_then, comparer(kind, inputs).fingerprint(Some(found)));
            before.take_up.insert(address.clone(), taken);
        }
    }
}

fn is_same_thing(kind: &Kind, left: &Object, right: &Object) -> bool {
    match kind.rules.identity(left) {
        Some(identity) => Some(identity) == kind.rules.identity(right),
        None => ["arn", "id"].iter().any(|name| left.get(*name).is_some() && left.get(*name) == right.get(*name)),
    }
}

/// What others had then, and has an address now that another thing had then, is not to be replaced by that: it is left
/// to them under an address of its own.
fn set_aside(then: &Things, left: &Left<'_>, inputs: &Inputs<'_>, before: &mut Before) {
    let now = &inputs.state.things;
    let gone = now.gone.iter().filter_map(|(address, gone)| match gone {
        Gone::Deleted(resource) => Some((address, resource)),
        Gone::Forgotten(resource) => before.take_up.contains_key(address).then_some((address, resource)),
        Gone::Database(_) | Gone::Emptied(_) => None,
    });
    let mut renames = BTreeMap::new();
    for (address, resource) in now.resources.iter().chain(gone) {
        let resource = if before.take_up.contains_key(address) { left.first_known(resource) } else { resource };
        let (Some(earlier), Some(original)) = (then.resources.get(address), left.as_it_was(resource)) else { continue };
        let is_same =
            inputs.kinds.get(&resource.kind).is_none_or(|kind| is_same_thing(kind, &original.object, &earlier.object));
        if earlier.born != resource.born && !is_same && !before.renames.contains_key(address) {
            renames.insert(address.clone(), aside(address, resource.born));
        }
    }
    before.renames.extend(renames);
}

/// The earlier names of what has another one now. What the ledger had forgotten then, and is made again or brought to
/// what it was, has the name back under which it was forgotten.
fn renames(then: &Things, now: &Things, take_up: &BTreeMap<Address, TakenUp>) -> BTreeMap<Address, Address> {
    let known = |born: Birth| now.first_birth(born);
    let resources = then.resources.iter().map(|(address, one)| (known(one.born), address));
    let databases = then.databases.iter().map(|(address, one)| (one.born, address));
    let names: BTreeMap<Birth, &Address> = resources.chain(databases).collect();
    let left = then.gone.iter().filter(|(_, gone)| matches!(gone, Gone::Forgotten(_)));
    let left: BTreeMap<Birth, &Address> = left.map(|(address, gone)| (known(gone.born()), address)).collect();
    let taken_up = take_up.iter().map(|(address, taken)| match &taken.known {
        Forgotten::Thing { born, .. } | Forgotten::Database { born, .. } => (address, *born, true),
    });
    let recorded = now.resources.iter().map(|(address, one)| (address, one.born, true));
    let recorded = recorded.chain(now.databases.iter().map(|(address, one)| (address, one.born, true)));
    let recorded = recorded.filter(|(address, ..)| !take_up.contains_key(*address));
    // What is gone and will be made again is known again, too.
    let gone = now.gone.iter().filter_map(|(address, gone)| match gone {
        Gone::Deleted(_) => Some((address, gone.born(), true)),
        Gone::Forgotten(_) | Gone::Emptied(_) => Some((address, gone.born(), false)),
        Gone::Database(_) => None,
    });
    let gone = gone.filter(|(address, ..)| !take_up.contains_key(*address) && !now.resources.contains_key(*address));
    let mut renames = BTreeMap::new();
    let mut named = BTreeSet::new();
    for (address, born, is_ours) in recorded.chain(taken_up).chain(gone) {
        let born = known(born);
        let name = names.get(&born).or_else(|| left.get(&born).filter(|_| is_ours));
        if let Some(name) = name.filter(|_| named.insert(born)).filter(|name| **name != address) {
            renames.insert(address.clone(), (*name).clone());
        }
    }
    renames
}
