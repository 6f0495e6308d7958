//! The steps of one resource. Pure.
//!
//! Invariant: the planned object of every goal is known to the goals that need it, whether or not anything
//! is done about it.

use std::collections::{BTreeMap, BTreeSet};

use super::compare::Comparer;
use super::order::Draft;
use super::place::{moved, said_otherwise};
use super::{Goal, Planner};
use crate::address::Address;
use crate::diagnostic::Diagnostic;
use crate::expression::{Deferred, Expr};
use crate::kind::{Attribute, Change, Judgement, Kind, Mode};
use crate::ledger::state::ResourceState;
use crate::observe::sight::as_value;
use crate::resolve::evaluate::evaluate_deferred;
use crate::step::{Action, Fingerprint, Inverse, Operation, Reason, Way};
use crate::value::seal::seal_object;
use crate::value::{Object, Unknown, Value};

/// How a change is made that cannot be made in place.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Replacement {
    /// The old one goes first.
    DeleteFirst,
    /// The new one is made beside it, and the old one goes afterwards.
    CreateFirst,
    /// The new one is made beside it, and the old one stays usable.
    Revision,
}

impl Planner<'_> {
    pub(super) fn plan_thing(&mut self, address: &Address, goal: &Goal) {
        let Some(kind) = self.inputs.kinds.get(&goal.kind) else {
            self.mistakes.push(
                Diagnostic::error("this build does not know a kind")
                    .detail(format!("`{address}` is a `{}`", goal.kind))
                    .help("use the build of switchback that recorded it"),
            );
            return;
        };
        let wanted = self.wanted(address, kind, goal);
        let recorded = self.inputs.state.things.resources.get(address);
        let found = self.inputs.observed.objects.get(address).and_then(Option::as_ref);
        if self.plan_given(address, kind, goal, &wanted) {
            return;
        }
        match (recorded, found) {
            (None, found) if goal.import.is_some() => {
                let found = found.cloned();
                self.import(address, kind, goal, wanted, found);
            }
            // What was looked for may have been another thing, which the ledger forgot under this address.
            (None, Some(found)) if kind.rules.identity(found) == kind.rules.identity(&goal.object) => {
                self.refuse_existing(address, kind, goal);
            }
            (None, _) => {
                let reason = match self.operation {
                    Operation::Rollback { .. } => Reason::TakenBack,
                    Operation::Apply | Operation::Destroy | Operation::Edit(_) => Reason::New,
                };
                self.create(address, kind, goal, wanted, reason);
            }
            (Some(recorded), None) if self.asked(address) => {
                let first = self.drafts.len();
                self.make_again(address, kind, goal, wanted);
                self.retire_left_over(address, kind, recorded, first);
            }
            (Some(recorded), found) => {
                let first = self.drafts.len();
                let found = found.unwrap_or(&recorded.object).clone();
                self.change(address, kind, goal, wanted, recorded, &found);
                self.retire_left_over(address, kind, recorded, first);
            }
        }
    }

    pub(super) fn asked(&self, address: &Address) -> bool {
        self.inputs.observed.objects.contains_key(address)
    }

    pub(super) fn comparer<'k>(&self, kind: &'k Kind) -> Comparer<'k>
    where
        Self: 'k,
    {
        Comparer { kind, key: self.inputs.state.seal_key() }
    }

    /// The wanted attributes, as far as they can be told by now.
    pub(super) fn wanted(&mut self, address: &Address, kind: &Kind, goal: &Goal) -> Object {
        let mut wanted = goal.object.clone();
        for (name, deferred) in &goal.deferred {
            if wanted.get(name).is_some_and(Value::is_known) {
                continue;
            }
            let ty = kind.attribute(name).map(|attribute| attribute.shape.ty());
            let value = evaluate_deferred(deferred, &self.planned).and_then(|value| match &ty {
                Some(ty) => value.convert(ty).map_err(|error| {
                    Diagnostic::error("an attribute has the wrong type").detail(error.to_string()).into()
                }),
                None => Ok(value),
            });
            match value {
                Ok(value) => {
                    wanted.insert(name.clone(), value);
                }
                Err(mistakes) => {
                    for mut mistake in mistakes.0 {
                        mistake.span =
                            mistake.span.filter(|span| *span != crate::expression::Expr::NOWHERE).or(goal.span);
                        mistake.detail =
                            Some(format!("`{name}` of `{address}`: {}", mistake.detail.unwrap_or_default()));
                        self.mistakes.push(mistake);
                    }
                }
            }
        }
        wanted.retain(|_, value| !value.is_null());
        kind.mark_secrets(wanted)
    }

    /// A new object: what the spec leaves to the world is unknown.
    fn new_object(address: &Address, kind: &Kind, wanted: &Object) -> Object {
        let mut after = wanted.clone();
        leave_open(address, kind, None, &mut after);
        kind.rules.complete(&mut after, None);
        kind.mark_secrets(after)
    }

    fn create(&mut self, address: &Address, kind: &Kind, goal: &Goal, wanted: Object, reason: Reason) {
        let after = Self::new_object(address, kind, &wanted);
        let inverse = inverse(kind.rules.judge(Change::Create(&after)), Way::Delete);
        let action = Action::Create {
            kind: kind.name.to_owned(),
            after: self.seal(&after),
            deferred: still_needed(kind, goal, &after),
        };
        self.planned.insert(address.clone(), as_value(&after));
        self.draft(address, goal, action, reason, inverse, Fingerprint::Absent);
    }

    /// Its earlier revisions may still be there; the ledger goes on knowing them.
    fn make_again(&mut self, address: &Address, kind: &Kind, goal: &Goal, wanted: Object) {
        let reason = match self.operation {
            Operation::Rollback { .. } => Reason::TakenBack,
            Operation::Apply | Operation::Destroy | Operation::Edit(_) => Reason::Missing,
        };
        self.create(address, kind, goal, wanted, reason);
    }

    pub(super) fn change(
        &mut self,
        address: &Address,
        kind: &Kind,
        goal: &Goal,
        mut wanted: Object,
        recorded: &ResourceState,
        found: &Object,
    ) {
        for name in &goal.lifecycle.ignore_changes {
            match found.get(name) {
                Some(value) => wanted.insert(name.clone(), value.clone()),
                None => wanted.remove(name),
            };
        }
        let only_anew = self.only_anew(kind, found, &mut wanted);
        let comparer = self.comparer(kind);
        let differing = comparer.differences(&wanted, found, Some(&recorded.object));
        let names = |attributes: &[&Attribute]| {
            attributes.iter().map(|attribute| attribute.name.to_owned()).collect::<Vec<_>>()
        };
        let mut immutable =
            names(&differing.iter().copied().filter(|attribute| attribute.replaces).collect::<Vec<_>>());
        if moved(&goal.binding, &recorded.binding) {
            immutable.push("provider".to_owned());
        }
        immutable.extend(only_anew);
        let asked = self.replace.iter().any(|target| target == address || *target == address.block());
        if asked || !immutable.is_empty() {
            let reason = match (self.operation, immutable.is_empty()) {
                (Operation::Rollback { .. }, _) => Reason::TakenBack,
                (_, true) => Reason::ReplaceAsked,
                (_, false) => Reason::Replaced { attributes: immutable },
            };
            self.replace(address, kind, goal, &wanted, recorded, found, &reason);
        } else if differing.is_empty() {
            let mut now = found.clone();
            carry_write_only(kind, &wanted, &recorded.object, &mut now);
            self.planned.insert(address.clone(), as_value(&kind.mark_secrets(now)));
            let said = ((&goal.needs, &goal.binding), (&recorded.needs, &recorded.binding));
            let mut what = said_otherwise(self.inputs.kinds, said.0, said.1);
            what.extend(goal.lost.as_ref().map(|_| "a secret that is lost".to_owned()));
            if goal.needs_schema != recorded.needs_schema {
                what.push("the schema versions that it works with".to_owned());
            }
            if !what.is_empty() {
                let reason = self.reason_to_remember();
                self.draft(address, goal, Action::Remember { what }, reason, remember(), Fingerprint::Unasked);
            }
        } else {
            let drifted = comparer.differences(&recorded.object, found, Some(&recorded.object));
            let reason = match self.operation {
                Operation::Rollback { .. } => Reason::TakenBack,
                Operation::Apply | Operation::Destroy | Operation::Edit(_) => {
                    Reason::Changed { attributes: names(&differing), drifted: names(&drifted) }
                }
            };
            self.update(address, kind, goal, &wanted, found, reason);
        }
    }

    /// Why something is recorded anew.
    pub(super) fn reason_to_remember(&self) -> Reason {
        match self.operation {
            Operation::Rollback { .. } => Reason::TakenBack,
            Operation::Apply | Operation::Destroy | Operation::Edit(_) => Reason::SaidOtherwise,
        }
    }

    fn update(&mut self, address: &Address, kind: &Kind, goal: &Goal, wanted: &Object, found: &Object, reason: Reason) {
        let mut after = wanted.clone();
        leave_open(address, kind, Some(found), &mut after);
        kind.rules.complete(&mut after, Some(found));
        let after = kind.mark_secrets(after);
        let before = kind.mark_secrets(found.clone());
        let inverse = inverse(kind.rules.judge(Change::Update(&before, &after)), Way::UpdateBack);
        let action = Action::Update {
            kind: kind.name.to_owned(),
            before: self.seal(&before),
            after: self.seal(&after),
            deferred: still_needed(kind, goal, &after),
        };
        let found = self.comparer(kind).fingerprint(Some(found));
        self.planned.insert(address.clone(), as_value(&after));
        self.draft(address, goal, action, reason, inverse, found);
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the three sides of the difference, the kind, the goal and the reason"
    )]
    fn replace(
        &mut self,
        address: &Address,
        kind: &Kind,
        goal: &Goal,
        wanted: &Object,
        recorded: &ResourceState,
        found: &Object,
        reason: &Reason,
    ) {
        // An earlier thing that is still there will do, unless what it holds on to is another thing now. It need not
        // be the recorded one: what an earlier way back made again may have been set aside by a run that was cut.
        let fits = |earlier: &&Object| {
            self.is_still_there(address, earlier)
                && self.comparer(kind).differences(wanted, earlier, Some(*earlier)).is_empty()
        };
        let same = goal.recorded.as_ref().filter(fits);
        let may_be_alike = goal.recorded.is_some() || !kind.rules.has_revisions();
        let alike = || recorded.earlier.iter().rev().find(fits).filter(|_| may_be_alike);
        if let Some(earlier) = same.or_else(alike) {
            return self.go_back_to(address, kind, goal, recorded, (found, earlier), reason);
        }
        let replacement = self.replacement(address, kind, goal, wanted, found);
        if replacement != Replacement::Revision && goal.lifecycle.prevent_destroy {
            return self.refuse_destroy(address, goal, reason);
        }
        let before = kind.mark_secrets(found.clone());
        let fingerprint = self.comparer(kind).fingerprint(Some(found));
        if replacement == Replacement::DeleteFirst {
            let first = self.drafts.len();
            self.retire_all(address, kind, recorded, reason);
            let at = self.drafts.len();
            self.delete(address, kind, recorded, &before, reason.clone());
            self.drafts[at].after.extend(first..at);
            self.create(address, kind, goal, wanted.clone(), reason.clone());
            self.drafts[at + 1].after.insert(at);
            return;
        }
        let after = Self::new_object(address, kind, wanted);
        let way_back = match replacement {
            Replacement::Revision => inverse(kind.rules.judge(Change::Update(&before, &after)), Way::Return),
            Replacement::CreateFirst | Replacement::DeleteFirst => {
                inverse(kind.rules.judge(Change::Create(&after)), Way::Return)
            }
        };
        let action = Action::Revise {
            kind: kind.name.to_owned(),
            before: self.seal(&before),
            after: self.seal(&after),
            deferred: still_needed(kind, goal, &after),
        };
        self.planned.insert(address.clone(), as_value(&after));
        let at = self.drafts.len();
        self.draft(address, goal, action, reason.clone(), way_back, fingerprint);
        if replacement == Replacement::CreateFirst {
            self.retire(address, kind, recorded, &before, reason.clone());
            self.drafts[at + 1].after.insert(at);
        }
    }

    /// A thing that others hold on to cannot go first; where it may stand beside the old one (another name,
    /// or none), the new one is made first without being asked.
    fn replacement(&self, address: &Address, kind: &Kind, goal: &Goal, wanted: &Object, found: &Object) -> Replacement {
        let may_stand_beside = || {
            let identity = kind.rules.identity(wanted);
            identity.is_none() || identity != kind.rules.identity(found)
        };
        if kind.rules.has_revisions() {
            Replacement::Revision
        } else if goal.lifecycle.create_before_destroy || (self.needed.contains(address) && may_stand_beside()) {
            Replacement::CreateFirst
        } else {
            Replacement::DeleteFirst
        }
    }

    fn is_still_there(&self, address: &Address, earlier: &Object) -> bool {
        let recorded = self.inputs.state.things.resources.get(address);
        recorded.is_some_and(|recorded| recorded.earlier.contains(earlier))
            && self
                .inputs
                .observed
                .earlier
                .get(address)
                .is_some_and(|found| found.iter().any(|(recorded, found)| recorded == earlier && found.is_some()))
    }

    fn go_back_to(
        &mut self,
        address: &Address,
        kind: &Kind,
        goal: &Goal,
        recorded: &ResourceState,
        (found, earlier): (&Object, &Object),
        reason: &Reason,
    ) {
        let before = kind.mark_secrets(found.clone());
        let way_back = inverse(kind.rules.judge(Change::Delete(&before)), Way::ReviseAgain);
        let action = Action::Return { kind: kind.name.to_owned(), before: self.seal(&before), after: earlier.clone() };
        let fingerprint = self.comparer(kind).fingerprint(Some(found));
        self.planned.insert(address.clone(), as_value(earlier));
        self.draft(address, goal, action, reason.clone(), way_back, fingerprint);
        // Revisions between the two are of no use any more.
        let since = recorded.earlier.iter().skip_while(|object| *object != earlier).skip(1);
        for object in since.cloned().collect::<Vec<_>>() {
            self.retire(address, kind, recorded, &object, reason.clone());
        }
    }

    pub(super) fn remove_thing(&mut self, address: &Address, recorded: &ResourceState) {
        let reason = match self.operation {
            Operation::Apply | Operation::Edit(_) => Reason::NotInSpec,
            Operation::Destroy => Reason::Destroyed,
            Operation::Rollback { .. } => Reason::TakenBack,
        };
        let Some(kind) = self.inputs.kinds.get(&recorded.kind) else {
            self.mistakes.push(
                Diagnostic::error("this build does not know a kind")
                    .detail(format!("the ledger has `{address}`, a `{}`", recorded.kind))
                    .help("use the build of switchback that recorded it"),
            );
            return;
        };
        if self.let_go.contains(address) || kind.rules.given_by_person(&recorded.object).is_some() {
            return self.forget(address, recorded);
        }
        let reason = match &recorded.adopted {
            Some(adopted) if self.operation == Operation::Apply || self.operation == Operation::Destroy => {
                Reason::Adopted { run: adopted.run, id: adopted.id.clone(), goes: Box::new(reason) }
            }
            Some(_) | None => reason,
        };
        // The ledger forgets earlier things together with the current one, so they go before it.
        let first = self.drafts.len();
        self.retire_all(address, kind, recorded, &reason);
        let last = self.drafts.len();
        self.remove_current(address, kind, recorded, reason);
        self.drafts[last].after.extend(first..last);
    }

    fn retire_all(&mut self, address: &Address, kind: &Kind, recorded: &ResourceState, reason: &Reason) {
        for object in recorded.earlier.clone() {
            self.retire(address, kind, recorded, &object, reason.clone());
        }
    }

    fn remove_current(&mut self, address: &Address, kind: &Kind, recorded: &ResourceState, reason: Reason) {
        let found = match self.inputs.observed.objects.get(address) {
            Some(None) => {
                let why = "it is not in the world any more".to_owned();
                return self.push(address, recorded, Action::Forget { why }, reason, remember(), Fingerprint::Absent);
            }
            Some(Some(found)) => found,
            None => &recorded.object,
        };
        let before = kind.mark_secrets(found.clone());
        self.delete(address, kind, recorded, &before, reason);
    }

    fn delete(&mut self, address: &Address, kind: &Kind, recorded: &ResourceState, before: &Object, reason: Reason) {
        let inverse = inverse(kind.rules.judge(Change::Delete(before)), Way::CreateAgain);
        let action = Action::Delete { kind: kind.name.to_owned(), before: self.seal(before) };
        let found = self.comparer(kind).fingerprint(Some(before));
        self.push(address, recorded, action, reason, inverse, found);
    }

    pub(super) fn retire(
        &mut self,
        address: &Address,
        kind: &Kind,
        recorded: &ResourceState,
        before: &Object,
        reason: Reason,
    ) {
        let inverse = inverse(kind.rules.judge(Change::Delete(before)), Way::CreateAgain);
        let action = Action::Retire { kind: kind.name.to_owned(), before: self.seal(before) };
        self.push(address, recorded, action, reason, inverse, Fingerprint::Unasked);
    }

    fn refuse_destroy(&mut self, address: &Address, goal: &Goal, reason: &Reason) {
        let detail = match reason {
            Reason::Replaced { attributes } => {
                format!("`{address}` would be replaced, because {} changed", attributes.join(", "))
            }
            _ => format!("`{address}` would be replaced"),
        };
        self.mistakes.push(
            Diagnostic::error("a resource that must not be destroyed would be")
                .at(goal.span)
                .detail(detail)
                .help("undo the change, or set `prevent_destroy = false` in its `lifecycle` block"),
        );
    }

    /// A step towards a goal.
    pub(super) fn draft(
        &mut self,
        address: &Address,
        goal: &Goal,
        action: Action,
        reason: Reason,
        inverse: Inverse,
        found: Fingerprint,
    ) {
        let recorded = self.inputs.state.things.resources.get(address);
        self.drafts.push(Draft {
            address: address.clone(),
            binding: goal.binding.clone(),
            rests_on: self.rests_on(&action),
            action,
            reason,
            inverse: with_loss(inverse, goal.lost.as_deref()),
            found,
            needs: goal.needs.clone(),
            needs_schema: goal.needs_schema.clone(),
            ahead: BTreeSet::new(),
            needed: recorded.map(|recorded| recorded.needs.clone()).unwrap_or_default(),
            after: BTreeSet::new(),
        });
    }

    /// A step on something recorded that has no goal.
    pub(super) fn push(
        &mut self,
        address: &Address,
        recorded: &ResourceState,
        action: Action,
        reason: Reason,
        inverse: Inverse,
        found: Fingerprint,
    ) {
        self.drafts.push(Draft {
            address: address.clone(),
            binding: recorded.binding.clone(),
            action,
            reason,
            inverse,
            rests_on: BTreeMap::new(),
            found,
            needs: recorded.needs.clone(),
            needs_schema: recorded.needs_schema.clone(),
            ahead: BTreeSet::new(),
            needed: recorded.needs.clone(),
            after: BTreeSet::new(),
        });
    }

    /// The fingerprints of the things whose values flow into a step.
    fn rests_on(&self, action: &Action) -> BTreeMap<Address, Fingerprint> {
        let deferred = action.deferred().into_iter().flat_map(BTreeMap::values);
        let state = &self.inputs.state.things.resources;
        deferred
            .flat_map(Deferred::references)
            .filter_map(|address| {
                let kind = self.inputs.kinds.get(&state.get(&address)?.kind)?;
                let found = self.inputs.observed.objects.get(&address)?;
                Some((address, self.comparer(kind).fingerprint(found.as_ref())))
            })
            .collect()
    }

    pub(super) fn seal(&self, object: &Object) -> Object {
        seal_object(object, self.inputs.state.seal_key())
    }
}

/// The inverse of a change, from what the rules say of it.
pub(super) fn inverse(judgement: Judgement, way: Way) -> Inverse {
    match judgement {
        Judgement::Exact => Inverse::Exact { way },
        Judgement::Recreates(why) => Inverse::Recreates { way, why },
        Judgement::LosesData(what) => Inverse::LosesData { way, what },
        Judgement::Impossible(why) => Inverse::Impossible { why },
    }
}

/// A step that takes something back, but not all of it.
fn with_loss(inverse: Inverse, lost: Option<&str>) -> Inverse {
    let Some(lost) = lost else {
        return inverse;
    };
    let what = lost.to_owned();
    match inverse {
        Inverse::Exact { way } | Inverse::Recreates { way, .. } => Inverse::LosesData { way, what },
        Inverse::LosesData { way, what: other } => Inverse::LosesData { way, what: format!("{what}; {other}") },
        Inverse::Impossible { why } => Inverse::Impossible { why: format!("{why}; {what}") },
    }
}

/// The inverse of a step that only strikes something from the ledger.
pub(super) fn remember() -> Inverse {
    Inverse::Exact { way: Way::Remember }
}

fn unknown(address: &Address, attribute: &Attribute) -> Value {
    let waits_for = vec![address.clone()];
    let not_null = attribute.mode == Mode::Computed;
    Value::unknown(Unknown { waits_for, not_null, ..Unknown::of(attribute.shape.ty()) })
}

/// What the spec leaves to the world stays as it is, where something lasting is there, and is unknown otherwise.
fn leave_open(address: &Address, kind: &Kind, found: Option<&Object>, after: &mut Object) {
    for attribute in &kind.attributes {
        let is_open = match attribute.mode {
            Mode::Computed => true,
            Mode::OptionalComputed => !after.contains_key(attribute.name),
            Mode::Required | Mode::Optional => false,
        };
        if is_open {
            let lasting = found.and_then(|found| found.get(attribute.name)).filter(|_| !attribute.volatile);
            after.insert(attribute.name.to_owned(), lasting.cloned().unwrap_or_else(|| unknown(address, attribute)));
        }
    }
}

/// Only what is not known, or must not be stored, is evaluated again at apply.
fn still_needed(kind: &Kind, goal: &Goal, after: &Object) -> BTreeMap<String, Deferred> {
    let needed = |name: &String| after.get(name).is_some_and(|value| !value.is_known() || value.is_sensitive());
    let deferred = goal.deferred.iter().filter(|(name, _)| needed(name));
    let deferred = deferred.map(|(name, deferred)| (name.clone(), deferred.clone()));
    kept_where(kind, goal, after).chain(deferred).collect()
}

/// On a way back to a secret that is withheld, what the world gave with it says where it is kept (a parameter's version,
/// a revision's ARN). The thing itself gets another one.
fn kept_where<'a>(kind: &'a Kind, goal: &'a Goal, after: &'a Object) -> impl Iterator<Item = (String, Deferred)> + 'a {
    let is_withheld = |value: &Value| value.is_sensitive() || value.holds_sealed();
    let withheld = goal.recorded.as_ref().filter(|_| goal.object.values().any(is_withheld));
    let tells = |attribute: &&Attribute| {
        let open = after.get(attribute.name).is_some_and(|value| !value.is_known());
        open && attribute.mode == Mode::Computed && (attribute.volatile || kind.rules.has_revisions())
    };
    let told = kind.attributes.iter().filter(tells);
    told.filter_map(move |attribute| {
        let value = withheld?.get(attribute.name)?.clone();
        Some((attribute.name.to_owned(), Deferred::new(Vec::new(), Expr::literal(value))))
    })
}

fn carry_write_only(kind: &Kind, wanted: &Object, recorded: &Object, now: &mut Object) {
    for attribute in kind.attributes.iter().filter(|attribute| attribute.write_only) {
        if let Some(value) = wanted.get(attribute.name).or_else(|| recorded.get(attribute.name)) {
            now.insert(attribute.name.to_owned(), value.clone());
        }
    }
}
