//! Steps in the making: they have no number yet. Pure data.
//!
//! Invariant: a draft names others by their index among all drafts of the plan.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::migration::range::SchemaNeeds;
use crate::step::{Action, Fingerprint, Inverse, Reason};
use crate::world::Binding;

/// A step that has no number yet.
#[derive(Clone, Debug)]
pub struct Draft {
    /// What it changes.
    pub address: Address,
    /// Where that is.
    pub binding: Binding,
    /// What is done.
    pub action: Action,
    /// Why.
    pub reason: Reason,
    /// The way back.
    pub inverse: Inverse,
    /// What it rests on.
    pub rests_on: BTreeMap<Address, Fingerprint>,
    /// The thing as found.
    pub found: Fingerprint,
    /// What the thing will need.
    pub needs: BTreeSet<Address>,
    /// The schema versions that the thing will work with.
    pub needs_schema: SchemaNeeds,
    /// Of a database: the applied versions that what runs does not know.
    pub ahead: BTreeSet<i64>,
    /// What the thing needed until now.
    pub needed: BTreeSet<Address>,
    /// Drafts that it waits for, beside those that follow from needs.
    pub after: BTreeSet<usize>,
}

/// Whether a step brings something or takes something away; a step can be both for what depends on it.
pub(super) fn brings(action: &Action) -> bool {
    match action {
        Action::Create { .. }
        | Action::Update { .. }
        | Action::Revise { .. }
        | Action::Remember { .. }
        | Action::Import { .. }
        | Action::TakeUp { .. }
        | Action::Move { .. }
        | Action::Migrate { .. } => true,
        Action::Return { .. }
        | Action::Retire { .. }
        | Action::Delete { .. }
        | Action::Forget { .. }
        | Action::Purge { .. } => false,
    }
}

/// Whether a step gives a name or takes up what is there already: it needs nobody, and others wait for it.
pub(super) fn is_only_recorded(action: &Action) -> bool {
    matches!(action, Action::Import { .. } | Action::TakeUp { .. } | Action::Move { .. })
}

pub(super) fn is_migration(draft: &Draft) -> bool {
    matches!(draft.action, Action::Migrate { .. } | Action::Purge { .. })
}
