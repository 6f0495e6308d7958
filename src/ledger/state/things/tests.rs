//! What stands beside what a rollout replaces.

use super::*;
use crate::migration::range::{SchemaNeeds, SchemaRange};
use crate::step::{Fingerprint, Inverse, StepId, Way};
use crate::world::ErrorClass;

fn object(revision: i64) -> Object {
    Object::from([("revision".to_owned(), revision.into())])
}

fn works_with(version: i64) -> SchemaNeeds {
    [(Address::root("database", "app"), SchemaRange { at_least: version, at_most: None })].into()
}

fn step(action: Action, version: i64) -> Step {
    Step {
        id: StepId(1),
        address: Address::root("service", "web"),
        binding: Binding::default(),
        action,
        reason: Reason::New,
        inverse: Inverse::Exact { way: Way::Delete },
        after: BTreeSet::new(),
        rests_on: BTreeMap::new(),
        found: Fingerprint::Absent,
        needs: BTreeSet::new(),
        needs_schema: works_with(version),
        ahead: BTreeSet::new(),
    }
}

fn update(version: i64) -> Step {
    let (kind, before, after, deferred) = ("service".into(), object(0), object(version), BTreeMap::new());
    step(Action::Update { kind, before, after, deferred }, version)
}

fn failed() -> WorldError {
    let class = ErrorClass::Refused;
    WorldError { tried: "roll out".into(), cause: "it does not start".into(), help: None, class }
}

/// What the fold does with a step that had its effect.
fn take(things: &mut Things, step: &Step, outcome: i64, error: Option<&WorldError>) {
    let replaced = things.running(&step.address);
    things.take((1, Timestamp::default()), step, None, &object(outcome));
    things.note_beside(step, replaced, error);
}

fn beside(things: &Things) -> Vec<i64> {
    let resource = &things.resources[&Address::root("service", "web")];
    let lowest = |needs: &SchemaNeeds| needs.values().map(|range| range.at_least).collect::<Vec<_>>();
    let current = lowest(&resource.needs_schema);
    current.into_iter().chain(resource.beside.iter().flat_map(|one| lowest(&one.needs_schema))).collect()
}

#[test]
fn what_a_rollout_replaces_runs_until_one_is_through() {
    let mut things = Things::default();
    let create = Action::Create { kind: "service".into(), after: object(1), deferred: BTreeMap::new() };
    take(&mut things, &step(create, 1), 1, None);
    assert_eq!(beside(&things), [1]);
    take(&mut things, &update(2), 2, None);
    assert_eq!(beside(&things), [2], "the range is that of the new revision");
    take(&mut things, &update(3), 3, Some(&failed()));
    assert_eq!(beside(&things), [3, 2], "it failed: the old one may still run");
    take(&mut things, &step(Action::Remember { what: Vec::new() }, 4), 3, None);
    assert_eq!(beside(&things), [4, 2], "a range alone ends no rollout");
    take(&mut things, &update(5), 5, None);
    assert_eq!(beside(&things), [5]);
}

#[test]
fn what_is_set_aside_runs_until_it_is_retired() {
    let mut things = Things::default();
    let create = Action::Create { kind: "service".into(), after: object(1), deferred: BTreeMap::new() };
    take(&mut things, &step(create, 1), 1, None);
    let (kind, deferred) = ("service".to_owned(), BTreeMap::new());
    let revise = Action::Revise { kind: kind.clone(), before: object(1), after: object(2), deferred };
    take(&mut things, &step(revise, 2), 2, None);
    take(&mut things, &update(3), 3, None);
    assert_eq!(beside(&things), [3, 1], "a rollout of the new one is none of the other");
    take(&mut things, &step(Action::Retire { kind, before: object(1) }, 3), 0, None);
    assert_eq!(beside(&things), [3]);
}
