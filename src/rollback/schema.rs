//! What of a schema a way back leaves as it is, because the revisions that come back work with it. Pure.
//!
//! Invariant: only what is recorded of every service that used the database then counts; where one says nothing, the
//! schema goes back as far as everything else does.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::kind::Runs;
use crate::ledger::Things;
use crate::ledger::state::DatabaseState;
use crate::migration::said::Phase;
use crate::plan::Inputs;
use crate::plan::group::groups;
use crate::step::{Action, ChangeSet};

/// The versions of each database that came since and stay.
pub(super) fn left(then: &Things, inputs: &Inputs<'_>) -> BTreeMap<Address, BTreeSet<i64>> {
    let now = &inputs.state.things.databases;
    let both = then.databases.iter().filter_map(|(address, earlier)| Some((address, earlier, now.get(address)?)));
    let left = both.filter_map(|(address, earlier, now)| {
        let since = since(earlier, now);
        let highest = highest(address, then, now, &since, inputs).filter(|_| !since.is_empty())?;
        let end = outside_of_groups(now, highest);
        Some((address.clone(), since.into_iter().filter(|version| *version <= highest && *version < end).collect()))
    });
    left.collect()
}

fn since(earlier: &DatabaseState, now: &DatabaseState) -> BTreeSet<i64> {
    now.applied.keys().copied().filter(|version| !earlier.applied.contains_key(version)).collect()
}

/// Below which version the schema stays, so that no part of a group does: a group goes as one.
fn outside_of_groups(now: &DatabaseState, highest: i64) -> i64 {
    let groups = groups(now.applied.values()).into_iter();
    let mut ends = groups.filter_map(|(_, members)| Some((members.first()?.version, members.last()?.version)));
    ends.find(|(first, last)| *first <= highest && highest < *last).map_or(i64::MAX, |(first, _)| first)
}

/// The highest version that everything works with that used the database then; nothing when that is not known.
fn highest(
    database: &Address,
    then: &Things,
    now: &DatabaseState,
    since: &BTreeSet<i64>,
    inputs: &Inputs<'_>,
) -> Option<i64> {
    let is_contract = |version: &&i64| now.applied[*version].said.phase == Some(Phase::Contract);
    // Who sets no upper end does not speak of what takes away what it used.
    let open_end = since.iter().find(is_contract).map_or(i64::MAX, |first| first - 1);
    let mut highest = None;
    for resource in then.resources.values() {
        let runs = || inputs.kinds.get(&resource.kind).map(|kind| kind.rules.runs(&resource.object));
        match resource.needs_schema.get(database) {
            Some(range) => {
                let own = range.at_most.unwrap_or(open_end);
                highest = Some(highest.map_or(own, |highest: i64| highest.min(own)));
            }
            None if resource.needs.contains(database) && runs().is_some_and(|runs| runs != Runs::Nothing) => {
                return None;
            }
            None => {}
        }
    }
    highest
}

/// The migrations that a way back to these things leaves applied, by database, newest last.
pub fn left_applied(then: &Things, now: &Things, back: &ChangeSet) -> BTreeMap<Address, Vec<String>> {
    let mut left: BTreeMap<Address, Vec<String>> = BTreeMap::new();
    for (address, earlier) in &then.databases {
        let Some(now) = now.databases.get(address) else { continue };
        let is_run = |version: i64| {
            let of =
                |action: &Action| matches!(action, Action::Migrate { migration, .. } if migration.version == version);
            back.steps.iter().any(|step| step.address == *address && of(&step.action))
        };
        let stays = since(earlier, now).into_iter().filter(|version| !is_run(*version));
        let labels: Vec<String> = stays.map(|version| now.applied[&version].label()).collect();
        if !labels.is_empty() {
            left.insert(address.clone(), labels);
        }
    }
    left
}
