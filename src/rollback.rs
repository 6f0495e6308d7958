//! Ledger × observed → the change set back. Pure.
//!
//! Invariant: nothing but the ledger says what was there: neither the new nor the old source is needed.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::Deferred;
use crate::kind::{Kind, Mode};
use crate::ledger::Things;
use crate::ledger::state::ResourceState;
use crate::plan::{DatabaseGoal, Goal, Goals, Inputs, to_goals};
use crate::resolve::desired::Lifecycle;
use crate::step::{ChangeSet, Operation};
use crate::value::{Data, Object, Value};

/// Plans the way back to the things as they were right after run `to` (0: before the first).
pub fn rollback(then: &Things, to: u64, inputs: Inputs<'_>) -> (ChangeSet, Diagnostics) {
    let mut notes = Diagnostics::default();
    let mut goals = Goals::default();
    for (address, resource) in &then.resources {
        if let Some(kind) = inputs.kinds.get(&resource.kind) {
            goals.things.insert(address.clone(), goal(address, kind, resource, then, &inputs, &mut notes));
        }
    }
    for (address, database) in &then.databases {
        let goal = DatabaseGoal {
            binding: database.binding.clone(),
            migrations: database.applied.clone(),
            lock_timeout_milliseconds: database.lock_timeout_milliseconds,
            needs: database.needs.clone(),
            span: None,
        };
        goals.databases.insert(address.clone(), goal);
    }
    let (mut change_set, mut mistakes) = to_goals(&goals, Operation::Rollback { to }, inputs);
    change_set.outputs = then
        .outputs
        .iter()
        .map(|(name, value)| (name.clone(), crate::step::PlannedOutput { value: value.clone(), deferred: None }))
        .collect();
    mistakes.extend(notes);
    (change_set, mistakes)
}

fn goal(
    address: &Address,
    kind: &Kind,
    resource: &ResourceState,
    then: &Things,
    inputs: &Inputs<'_>,
    notes: &mut Diagnostics,
) -> Goal {
    let mut object = wanted(kind, &resource.object);
    keep_what_nobody_kept(address, kind, &mut object, inputs, notes);
    Goal {
        kind: resource.kind.clone(),
        binding: resource.binding.clone(),
        deferred: new_identities(&mut object, resource, then, inputs),
        object,
        needs: resource.needs.clone(),
        lifecycle: Lifecycle::default(),
        recorded: Some(resource.object.clone()),
        span: None,
    }
}

/// What was asked for then, without what the world had added.
fn wanted(kind: &Kind, object: &Object) -> Object {
    let given = |name: &String| {
        kind.attribute(name).is_some_and(|attribute| attribute.mode != Mode::Computed && !attribute.volatile)
    };
    object.iter().filter(|(name, _)| given(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A secret that the world does not give back and that no store keeps (a role's password) stays as it is.
fn keep_what_nobody_kept(
    address: &Address,
    kind: &Kind,
    object: &mut Object,
    inputs: &Inputs<'_>,
    notes: &mut Diagnostics,
) {
    let now = inputs.state.things.resources.get(address).map(|now| &now.object);
    for attribute in kind.attributes.iter().filter(|attribute| attribute.write_only) {
        let sealed = |value: Option<&Value>| value.is_some_and(|value| matches!(value.data(), Data::Sealed(_)));
        let (earlier, current) = (object.get(attribute.name), now.and_then(|now| now.get(attribute.name)));
        if !sealed(earlier) || earlier == current {
            continue;
        }
        notes.push(
            Diagnostic::warning("an earlier secret is not kept anywhere")
                .detail(format!("`{}` of `{address}` stays as it is now", attribute.name))
                .help("set it again with the next apply, if it has to be the earlier one"),
        );
        match current {
            Some(current) => object.insert(attribute.name.to_owned(), current.clone()),
            None => object.remove(attribute.name),
        };
    }
}

/// An attribute that held the identity of a thing whose identity is another one now takes that which the
/// plan gives it: the same, where the earlier thing is still there and becomes current again.
fn new_identities(
    object: &mut Object,
    resource: &ResourceState,
    then: &Things,
    inputs: &Inputs<'_>,
) -> BTreeMap<String, Deferred> {
    let mut deferred = BTreeMap::new();
    for need in &resource.needs {
        let Some(needed) = then.resources.get(need) else {
            continue;
        };
        let Some(kind) = inputs.kinds.get(&needed.kind) else {
            continue;
        };
        let current = inputs.observed.objects.get(need).and_then(Option::as_ref);
        for attribute in kind.attributes.iter().filter(|attribute| attribute.mode == Mode::Computed) {
            let Some(identity) = needed.object.get(attribute.name).filter(|value| value.as_str().is_some()) else {
                continue;
            };
            if current.and_then(|current| current.get(attribute.name)) == Some(identity) {
                continue;
            }
            let held: Vec<String> =
                object.iter().filter(|(_, value)| *value == identity).map(|(name, _)| name.clone()).collect();
            for name in held {
                let unknown =
                    crate::value::Unknown { waits_for: vec![need.clone()], ..crate::value::Unknown::of(identity.ty()) };
                object.insert(name.clone(), Value::unknown(unknown));
                deferred.insert(name, Deferred::attribute(need.clone(), attribute.name));
            }
        }
    }
    deferred
}
