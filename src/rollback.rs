//! Ledger × observed → the change set back. Pure.
//!
//! Invariant: nothing but the ledger says what was there: neither the new nor the old source is needed.

mod again;
mod before;
pub mod owed;
pub mod schema;
mod told;

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::{Deferred, Expr, Node};
use crate::kind::{Kind, Mode};
use crate::ledger::Things;
use crate::ledger::state::{DatabaseState, Gone, ResourceState, aside};
use crate::plan::moves::View;
use crate::plan::{DatabaseGoal, Goal, Goals, Inputs, to_goals_from};
use crate::resolve::desired::Lifecycle;
use crate::step::{Action, Birth, ChangeSet, Operation, Origin, PlannedOutput};
use crate::value::{Object, Unknown, Value};

/// How far a way back takes schemas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// As far as the revisions that come back need it.
    AsNeeded,
    /// All the way.
    WithSchema,
}

/// Plans the way back to the things as they were right after run `to` (0: before the first). What of a schema the
/// revisions that come back work with is left as it is.
pub fn rollback(then: &Things, to: u64, inputs: Inputs<'_>) -> (ChangeSet, Diagnostics) {
    rollback_to(then, to, Depth::AsNeeded, inputs)
}

/// Plans the way back, and how far it takes schemas.
pub fn rollback_to(then: &Things, to: u64, depth: Depth, inputs: Inputs<'_>) -> (ChangeSet, Diagnostics) {
    let mut notes = Diagnostics::default();
    let mut goals = Goals::default();
    let told = told::told(inputs.state, to, then, inputs.kinds);
    // What was moved or forgotten since is first known again by its earlier name.
    let before = before::before(then, to, &inputs);
    let view =
        (!before.is_empty()).then(|| View::of(inputs.state, inputs.observed, &before, Operation::Rollback { to }));
    let inputs = match &view {
        Some(view) => Inputs { state: &view.state, observed: &view.observed, ..inputs },
        None => inputs,
    };
    for (address, resource) in &then.resources {
        if let Some(kind) = inputs.kinds.get(&resource.kind) {
            if is_left_out(address, kind, resource, &inputs, &mut notes) {
                continue;
            }
            goals.things.insert(address.clone(), goal(address, kind, resource, then, &inputs));
        }
    }
    let mut left = match depth {
        Depth::AsNeeded => schema::left(then, &inputs),
        Depth::WithSchema => BTreeMap::new(),
    };
    for (address, database) in &then.databases {
        let goal = DatabaseGoal {
            binding: database.binding.clone(),
            migrations: database.applied.clone(),
            lock_timeout_milliseconds: database.lock_timeout_milliseconds,
            ahead: database.ahead.iter().copied().chain(left.remove(address).unwrap_or_default()).collect(),
            needs: database.needs.clone(),
            told: Some(database.told.clone()),
            span: None,
        };
        note_what_is_purged(address, database, &inputs, &mut notes);
        goals.databases.insert(address.clone(), goal);
    }
    let made_again = release_what_was_there(then, to, &inputs, &mut goals, &mut notes);
    let named = view.as_ref().map(View::drafts).unwrap_or_default();
    let (mut change_set, mut mistakes) = to_goals_from(named, &goals, Operation::Rollback { to }, inputs);
    change_set.origins = origins(then, made_again, &change_set, &inputs);
    let renewed = renewed(then, &inputs);
    change_set.outputs = then.outputs.iter().map(|(name, value)| (name.clone(), output(value, &renewed))).collect();
    change_set.with_schema = depth == Depth::WithSchema;
    change_set.checks = told;
    mistakes.extend(notes);
    (change_set, mistakes)
}

/// What was kept then and is purged now does not come back; a way back over its migration says what that means.
fn note_what_is_purged(address: &Address, then: &DatabaseState, inputs: &Inputs<'_>, notes: &mut Diagnostics) {
    let Some(now) = inputs.state.things.databases.get(address) else { return };
    for version in then.kept.keys().filter(|version| !now.kept.contains_key(version)) {
        let (Some(before), Some(after)) = (then.applied.get(version), now.applied.get(version)) else { continue };
        let Some(kept) = before.kept.as_ref().filter(|_| after.kept.is_none()) else { continue };
        notes.push(
            Diagnostic::warning("what was kept is purged")
                .detail(format!("`{address}`: {} of {} is gone, and stays gone", kept.what.join(", "), before.label()))
                .help("only a copy from elsewhere can bring it back"),
        );
    }
}

/// What is made again is known as what it was then: the ledger cannot tell that where it was let go and taken up, or
/// another thing had its address, in between.
fn origins(
    then: &Things,
    mut made_again: BTreeMap<Address, Origin>,
    change_set: &ChangeSet,
    inputs: &Inputs<'_>,
) -> BTreeMap<Address, Origin> {
    let now = &inputs.state.things;
    let is_made = |action: &Action| matches!(action, Action::Create { .. } | Action::Revise { .. });
    let made = change_set.steps.iter().filter(|step| is_made(&step.action));
    let mut origin = |address: &Address| {
        if let Some(origin) = made_again.remove(address) {
            return Some((address.clone(), origin));
        }
        let then = then.resources.get(address)?;
        let known = now.resources.get(address).or_else(|| match now.gone.get(address)? {
            Gone::Deleted(resource) => Some(resource),
            Gone::Forgotten(_) | Gone::Database(_) | Gone::Emptied(_) => None,
        });
        let is_known = known.is_some_and(|known| known.born == then.born && known.adopted == then.adopted);
        (!is_known).then(|| (address.clone(), Origin { born: then.born, adopted: then.adopted.clone() }))
    };
    made.filter_map(|step| origin(&step.address)).collect()
}

/// What was imported since was there before, and what was forgotten then was left to others: it is brought to what it
/// was then, and left there. Says what is made again that the ledger has lost sight of.
fn release_what_was_there(
    then: &Things,
    to: u64,
    inputs: &Inputs<'_>,
    goals: &mut Goals,
    notes: &mut Diagnostics,
) -> BTreeMap<Address, Origin> {
    let things = &inputs.state.things;
    let left = before::Left::at(then, things, to);
    for (address, resource) in things.resources.iter().chain(removed(things)) {
        let Some(then_known) = left.as_it_was(resource) else { continue };
        let revised = resource.adopted.as_ref().and_then(|adopted| adopted.revised.clone());
        release(address, &then_known, revised, then, inputs, goals, notes);
    }
    let mut made_again = BTreeMap::new();
    for (address, resource) in lost(then, things) {
        let is_taken = goals.things.contains_key(address);
        let address = if is_taken { aside(address, resource.born) } else { address.clone() };
        release(&address, resource, None, then, inputs, goals, notes);
        made_again.insert(address, Origin { born: resource.born, adopted: resource.adopted.clone() });
    }
    let databases = things.databases.iter().filter(|(_, database)| left.is_left(database));
    goals.let_go.extend(databases.map(|(address, _)| address.clone()));
    made_again
}

/// Brings one thing to what it was, and leaves it there.
fn release(
    address: &Address,
    then_known: &ResourceState,
    revised: Option<Object>,
    then: &Things,
    inputs: &Inputs<'_>,
    goals: &mut Goals,
    notes: &mut Diagnostics,
) {
    let Some(kind) = inputs.kinds.get(&then_known.kind) else { return };
    let original = &then_known.object;
    if goals.things.contains_key(address) || is_left_out(address, kind, then_known, inputs, notes) {
        return;
    }
    // Another goal is the same thing: that says what becomes of it.
    let is_same = |goal: &Goal| {
        let identity = kind.rules.identity(&goal.object);
        goal.kind == then_known.kind && identity.is_some() && identity == kind.rules.identity(original)
    };
    if goals.things.values().any(is_same) {
        goals.let_go.insert(address.clone());
        return;
    }
    let recorded = revised.unwrap_or_else(|| original.clone());
    let goal = Goal { recorded: Some(recorded), ..goal(address, kind, then_known, then, inputs) };
    goals.things.insert(address.clone(), goal);
    goals.released.insert(address.clone());
}

/// What the ledger had forgotten then and knows no longer: it was taken up and removed on the way to an earlier time, and
/// another thing was made where it had been.
fn lost<'a>(then: &'a Things, now: &Things) -> impl Iterator<Item = (&'a Address, &'a ResourceState)> {
    let born = now.resources.values().map(|one| one.born).chain(now.gone.values().map(Gone::born));
    let known: BTreeSet<Birth> = born.map(|born| now.first_birth(born)).collect();
    let forgotten = then.gone.iter().filter_map(|(address, gone)| match gone {
        Gone::Forgotten(resource) => Some((address, resource)),
        Gone::Deleted(_) | Gone::Database(_) | Gone::Emptied(_) => None,
    });
    let lost: Vec<_> = forgotten.filter(|(_, resource)| !known.contains(&now.first_birth(resource.born))).collect();
    lost.into_iter()
}

/// What was removed from the world and is not there as something else that the ledger knows.
fn removed(things: &Things) -> impl Iterator<Item = (&Address, &ResourceState)> {
    let first = |resource: &ResourceState| things.first_birth(resource.born);
    let forgotten = things.gone.values().filter_map(|gone| match gone {
        Gone::Forgotten(resource) => Some(resource),
        Gone::Deleted(_) | Gone::Database(_) | Gone::Emptied(_) => None,
    });
    let there: BTreeSet<Birth> = things.resources.values().chain(forgotten).map(first).collect();
    let deleted = things.gone.iter().filter_map(|(address, gone)| match gone {
        Gone::Deleted(resource) => Some((address, resource)),
        Gone::Forgotten(_) | Gone::Database(_) | Gone::Emptied(_) => None,
    });
    deleted.filter(move |(_, resource)| !there.contains(&first(resource)))
}

fn goal(address: &Address, kind: &Kind, resource: &ResourceState, then: &Things, inputs: &Inputs<'_>) -> Goal {
    let (mut object, mut recorded) = (wanted(kind, &resource.object), resource.object.clone());
    let lost = keep_what_nobody_kept(address, kind, &mut object, &mut recorded, inputs);
    let (again, gone) = again::made_again(address, kind, resource, &mut object, inputs);
    let lost = [lost, gone].into_iter().flatten().reduce(|one, other| format!("{one}; {other}"));
    let mut deferred = new_identities(&mut object, resource, then, inputs);
    deferred.extend(again);
    Goal {
        kind: resource.kind.clone(),
        binding: resource.binding.clone(),
        deferred,
        object,
        needs: resource.needs.clone(),
        needs_schema: resource.needs_schema.clone(),
        lifecycle: Lifecycle::default(),
        recorded: Some(recorded),
        import: None,
        lost,
        span: None,
    }
}

/// What was asked for then, without what the world had added.
fn wanted(kind: &Kind, object: &Object) -> Object {
    let given = |name: &String| {
        kind.attribute(name)
            .is_some_and(|attribute| attribute.mode != Mode::Computed && (!attribute.volatile || attribute.write_only))
    };
    object.iter().filter(|(name, _)| given(name)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A thing that is gone together with a secret that nobody keeps cannot be made again; the next apply can. Where
/// another thing has taken its place, that stays only if nothing is done at all.
fn is_left_out(
    address: &Address,
    kind: &Kind,
    resource: &ResourceState,
    inputs: &Inputs<'_>,
    notes: &mut Diagnostics,
) -> bool {
    let sent = kind.attributes.iter().filter(|attribute| !attribute.write_only && attribute.mode != Mode::Computed);
    let mut withheld = sent.filter(|attribute| resource.object.get(attribute.name).is_some_and(Value::holds_sealed));
    if !kind.rules.keeps_earlier()
        && withheld.clone().all(|attribute| again::is_as_then(kind, resource, attribute.name, inputs))
    {
        return false;
    }
    let Some(attribute) = withheld.next().filter(|_| kind.provider != "terraform") else {
        return false;
    };
    let what = format!("`{}` of `{address}` was a secret", attribute.name);
    match inputs.observed.objects.get(address).and_then(Option::as_ref) {
        Some(now) if kind.rules.identity(now) == kind.rules.identity(&resource.object) => return false,
        None if kind.rules.waits_when_removed(&resource.object) => return false,
        Some(_) => notes.push(
            Diagnostic::error("an earlier secret is not kept anywhere")
                .detail(format!("{what}, and went with the thing that was replaced"))
                .help("apply the earlier spec instead, with the secret given again"),
        ),
        None => notes.push(
            Diagnostic::warning("an earlier secret is not kept anywhere")
                .detail(format!("{what}, and went with it; it is left out"))
                .help("the next apply makes it again, with the secret given again"),
        ),
    }
    true
}

/// Identities of then that are not those of now, and whose they were.
fn renewed(then: &Things, inputs: &Inputs<'_>) -> BTreeMap<String, (Address, &'static str)> {
    let mut renewed = BTreeMap::new();
    for (address, resource) in &then.resources {
        let Some(kind) = inputs.kinds.get(&resource.kind) else {
            continue;
        };
        let current = inputs.observed.objects.get(address).and_then(Option::as_ref);
        for attribute in kind.attributes.iter().filter(|attribute| attribute.mode == Mode::Computed) {
            let then = resource.object.get(attribute.name);
            let now = current.and_then(|current| current.get(attribute.name));
            if let Some(identity) = then.filter(|then| now != Some(*then)).and_then(Value::as_str) {
                renewed.insert(identity.to_owned(), (address.clone(), attribute.name));
            }
        }
    }
    renewed
}

/// An output as it was; an identity in it that may come out otherwise is taken from where it comes from.
fn output(value: &Value, renewed: &BTreeMap<String, (Address, &'static str)>) -> PlannedOutput {
    let whose = |value: &Value| value.as_str().and_then(|text| renewed.get(text));
    let mut holds = false;
    value.visit(&mut |inner| holds |= whose(inner).is_some());
    if !holds {
        return PlannedOutput { value: value.clone(), deferred: None };
    }
    let open = value.rebuild(&|inner| match whose(&inner) {
        Some((address, _)) => {
            let unknown = Unknown { waits_for: vec![address.clone()], ..Unknown::of(inner.ty()) };
            Value::unknown(unknown).mark(inner.marks())
        }
        None => inner,
    });
    PlannedOutput { value: open, deferred: Some(Deferred::new(Vec::new(), expression(value, renewed))) }
}

fn expression(value: &Value, renewed: &BTreeMap<String, (Address, &'static str)>) -> Expr {
    if let Some((address, name)) = value.as_str().and_then(|text| renewed.get(text)) {
        return Deferred::attribute(address.clone(), name).root;
    }
    if let Some(entries) = value.entries() {
        let pairs = entries.iter().map(|(name, part)| (Expr::literal(name.to_string()), expression(part, renewed)));
        return Expr::nowhere(Node::Object(pairs.collect()));
    }
    match value.items() {
        Some(items) => Expr::nowhere(Node::Tuple(items.iter().map(|part| expression(part, renewed)).collect())),
        None => Expr::literal(value.clone()),
    }
}

/// A secret that the world does not give back and that no store keeps (a role's password), or does not keep any more (a
/// parameter's version), stays as it is. Says what is lost by that.
fn keep_what_nobody_kept(
    address: &Address,
    kind: &Kind,
    object: &mut Object,
    recorded: &mut Object,
    inputs: &Inputs<'_>,
) -> Option<String> {
    let now = inputs.state.things.resources.get(address).map(|now| &now.object);
    let found = inputs.observed.objects.get(address).and_then(Option::as_ref);
    let gone = inputs.observed.lost.get(address);
    let mut lost = Vec::new();
    for attribute in kind.attributes.iter().filter(|attribute| attribute.mode != Mode::Computed) {
        let name = attribute.name;
        if !object.get(name).is_some_and(Value::holds_sealed) {
            continue;
        }
        let (current, why) = match (attribute.write_only, gone) {
            (true, _) => (now.and_then(|now| now.get(name)), "which nobody keeps"),
            (false, Some(why)) => (found.and_then(|found| found.get(name)), why.as_str()),
            (false, None) => continue,
        };
        if attribute.write_only && object.get(name) == current {
            continue;
        }
        lost.push(format!("the earlier `{name}` ({why}); it stays as it is now"));
        match current {
            Some(current) => object.insert(name.to_owned(), current.clone()),
            None => object.remove(name),
        };
    }
    if let (false, Some(found)) = (lost.is_empty(), found) {
        // Where the content is kept that stays.
        for attribute in kind.attributes.iter().filter(|attribute| attribute.mode == Mode::Computed) {
            recorded.extend(found.get(attribute.name).map(|value| (attribute.name.to_owned(), value.clone())));
        }
    }
    (!lost.is_empty()).then(|| lost.join("; "))
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
                let unknown = Unknown { waits_for: vec![need.clone()], ..Unknown::of(identity.ty()) };
                object.insert(name.clone(), Value::unknown(unknown));
                deferred.insert(name, Deferred::attribute(need.clone(), attribute.name));
            }
        }
    }
    deferred
}
