//! Resources: what the ledger recorded beside what is there. Pure.
//!
//! Invariant: two things are compared as the planner compares them: what the kind calls computed, volatile or not given
//! back is no difference.

use std::collections::BTreeMap;

use super::known::Known;
use super::{Area, Departure, What};
use crate::address::Address;
use crate::kind::{Attribute, Kind, Kinds, Mode, Secrecy};
use crate::ledger::state::ResourceState;
use crate::observe::Observed;
use crate::plan::compare::{Comparer, attribute};
use crate::resolve::desired::{Desired, DesiredResource};
use crate::review::difference::{Difference, between};
use crate::value::seal::seal_object;
use crate::value::{Object, SealKey};

/// Everything that is compared.
#[derive(Clone, Copy)]
pub struct Sight<'a> {
    /// The table of kinds.
    pub kinds: &'a Kinds,
    /// What the ledger knows.
    pub known: Known<'a>,
    /// What the spec wants, where there is one.
    pub desired: Option<&'a Desired>,
    /// What was found.
    pub observed: &'a Observed,
}

/// The resources that are not as recorded, and those that nobody recorded.
pub fn departures(sight: Sight<'_>) -> Vec<Departure> {
    let recorded = &sight.known.state.things.resources;
    let mut departures: Vec<Departure> =
        recorded.iter().flat_map(|(address, recorded)| of_one(sight, address, recorded)).collect();
    let desired = sight.desired.into_iter().flat_map(|desired| &desired.resources);
    let strangers = desired.filter(|(address, _)| !recorded.contains_key(*address));
    departures.extend(strangers.filter_map(|(address, wanted)| stranger(sight, address, wanted)));
    departures
}

/// A thing that the spec names is there, although the ledger does not know it.
fn stranger(sight: Sight<'_>, address: &Address, wanted: &DesiredResource) -> Option<Departure> {
    let found = sight.observed.objects.get(address)?.as_ref()?;
    let kind = sight.kinds.get(&wanted.kind)?;
    let is_it = kind.rules.identity(found) == kind.rules.identity(&wanted.object);
    let departure = Departure::out_of_band(Area::of(sight.kinds, kind.name), address, What::Extra);
    is_it.then(|| departure.expected(sight.known.in_the_middle(address)))
}

fn of_one(sight: Sight<'_>, address: &Address, recorded: &ResourceState) -> Vec<Departure> {
    let Some(kind) = sight.kinds.get(&recorded.kind) else { return Vec::new() };
    let area = Area::of(sight.kinds, kind.name);
    let middle = sight.known.in_the_middle(address);
    let departure = |what| Departure::out_of_band(area, address, what).expected(middle.clone());
    let mut departures = match sight.observed.objects.get(address) {
        None => Vec::new(),
        Some(None) => vec![departure(What::Missing)],
        Some(Some(found)) => changes(sight, address, kind, recorded, found)
            .into_iter()
            .map(|(because, differences)| departure(What::Changed).by(differences).expected(because))
            .collect(),
    };
    for (earlier, found) in sight.observed.earlier.get(address).into_iter().flatten() {
        if found.is_none() {
            departures.push(departure(What::Missing).of(format!("earlier revision {}", name_of(kind, earlier))));
        }
    }
    departures
}

/// By what people know a thing.
fn name_of(kind: &Kind, object: &Object) -> String {
    let told = ["arn", "id"].iter().find_map(|name| object.get(*name)?.as_str());
    told.map(str::to_owned).or_else(|| kind.rules.identity(object)).unwrap_or_default()
}

/// What differs, by why it is expected; out of band where there is no reason.
fn changes(
    sight: Sight<'_>,
    address: &Address,
    kind: &Kind,
    recorded: &ResourceState,
    found: &Object,
) -> BTreeMap<Option<String>, Vec<Difference>> {
    let key = sight.known.state.seal_key();
    let comparer = Comparer { kind, key };
    let wanted = sight.desired.and_then(|desired| desired.resources.get(address));
    let mut changes: BTreeMap<Option<String>, Vec<Difference>> = BTreeMap::new();
    for differing in comparer.differences(&recorded.object, found, Some(&recorded.object)) {
        let because = wanted.and_then(|wanted| excuse(differing, wanted)).map(str::to_owned);
        changes.entry(because).or_default().extend(leaves(differing, &recorded.object, found, key));
    }
    changes
}

/// Why the spec itself expects a difference.
fn excuse(differing: &Attribute, wanted: &DesiredResource) -> Option<&'static str> {
    if wanted.lifecycle.ignore_changes.iter().any(|name| name == differing.name) {
        return Some("the spec ignores changes of it (`ignore_changes`)");
    }
    let is_given = wanted.object.get(differing.name).is_some_and(|value| !value.is_null())
        || wanted.deferred.contains_key(differing.name);
    // A secret that the spec leaves open was made when it was applied: nobody else is to change it.
    let is_left_open =
        differing.mode == Mode::OptionalComputed && matches!(differing.secrecy, Secrecy::Open) && !is_given;
    is_left_open.then_some("the spec leaves it to the world")
}

/// An attribute that differs, down to the leaf. Secrets are sealed first, so that only those leaves are told that differ.
fn leaves(differing: &Attribute, recorded: &Object, found: &Object, key: Option<&SealKey>) -> Vec<Difference> {
    let only = |object: &Object| -> Object {
        let value = attribute(object, differing.name);
        seal_object(&BTreeMap::from([(differing.name.to_owned(), value.clone())]), key)
    };
    let told = between(Some(&only(recorded)), Some(&only(found))).attributes;
    match told.is_empty() {
        // What differs by a default alone has no leaf of its own.
        true => vec![Difference { path: differing.name.to_owned(), before: None, after: None }],
        false => told,
    }
}
