//! What a run that was cut left beside the thing that took its place. Pure.
//!
//! Invariant: once a plan over an address is carried out, nothing is recorded beside its current thing but revisions.

use std::collections::BTreeSet;

use super::Planner;
use crate::address::Address;
use crate::kind::{Kind, Mode};
use crate::ledger::state::ResourceState;
use crate::step::{Action, Operation, Reason};
use crate::value::{Object, Value};

impl Planner<'_> {
    /// Only earlier revisions stay usable. What else is recorded beside the current thing was left by a run that was cut
    /// between making the one and removing the other, and goes.
    pub(super) fn retire_left_over(&mut self, address: &Address, kind: &Kind, recorded: &ResourceState, first: usize) {
        if kind.rules.has_revisions() {
            return;
        }
        let reason = match self.operation {
            Operation::Rollback { .. } => Reason::TakenBack,
            Operation::Apply | Operation::Destroy | Operation::Edit(_) => Reason::LeftOver,
        };
        for object in &recorded.earlier {
            let is_about = |action: &Action| matches!(action, Action::Retire { before: one, .. } | Action::Return { after: one, .. } if one == object);
            let is_dealt_with = self.drafts[first..].iter().any(|draft| is_about(&draft.action));
            if !is_dealt_with {
                self.retire(address, kind, recorded, object, reason.clone());
                let held = self.held_by(object);
                if let Some(draft) = self.drafts.last_mut() {
                    draft.needed.extend(held);
                }
            }
        }
    }

    /// The recorded things that an earlier thing holds on to: what it needed once is not recorded.
    fn held_by(&self, object: &Object) -> BTreeSet<Address> {
        let mut texts = BTreeSet::new();
        for value in object.values() {
            value.visit(&mut |inner| texts.extend(inner.as_str().map(str::to_owned)));
        }
        let kinds = self.inputs.kinds;
        let is_held = |resource: &ResourceState| {
            let computed = kinds.get(&resource.kind).into_iter().flat_map(|kind| &kind.attributes);
            let names: Vec<&str> =
                computed.filter(|one| one.mode == Mode::Computed).map(|attribute| attribute.name).collect();
            let own = |object: &Object| {
                names
                    .iter()
                    .any(|name| object.get(*name).and_then(Value::as_str).is_some_and(|own| texts.contains(own)))
            };
            resource.earlier.iter().chain([&resource.object]).any(own)
        };
        let resources = self.inputs.state.things.resources.iter().filter(|(_, resource)| is_held(resource));
        resources.map(|(address, _)| address.clone()).collect()
    }
}
