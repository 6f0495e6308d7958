//! What is exact by itself and not beside the rest of the change set. Pure.
//!
//! Invariant: nothing is called exact that holds on to a thing which the same change set removes and which could only
//! be made again, nor what holds on to such a thing in turn.

use std::collections::{BTreeMap, VecDeque};

use super::order::Draft;
use crate::address::Address;
use crate::kind::{Kinds, Mode};
use crate::step::{Action, Inverse, Way};
use crate::value::{Object, Value};

/// Calls the way back of steps by what it is, where what they held on to comes back as another thing.
pub(super) fn judge_together(drafts: &mut [Draft], kinds: &Kinds) {
    let mut lost = removed(drafts, kinds);
    if lost.is_empty() {
        return;
    }
    let holders = holders(drafts, kinds);
    while let Some((identity, address)) = lost.pop_front() {
        for index in holders.get(&identity).into_iter().flatten() {
            let draft = &mut drafts[*index];
            let Inverse::Exact { way } = draft.inverse else { continue };
            if draft.address == address {
                continue;
            }
            let why = format!("`{address}`, which it holds on to, comes back as another");
            draft.inverse = Inverse::Recreates { way, why };
            // The earlier one is still there, but holds on to what is not: it comes back as another as well.
            if way == Way::Return {
                lost.extend(draft.action.before().into_iter().flat_map(|before| identities(draft, before, kinds)));
            }
        }
    }
}

/// The identities of what goes and could only be made again.
fn removed(drafts: &[Draft], kinds: &Kinds) -> VecDeque<(String, Address)> {
    let mut removed = VecDeque::new();
    for draft in drafts.iter().filter(|draft| !matches!(draft.inverse, Inverse::Exact { .. })) {
        if let Action::Delete { before, .. } | Action::Retire { before, .. } = &draft.action {
            removed.extend(identities(draft, before, kinds));
        }
    }
    removed
}

/// What the world gave a thing of a step, by which others hold on to it.
fn identities(draft: &Draft, object: &Object, kinds: &Kinds) -> Vec<(String, Address)> {
    let kind = draft.action.kind().and_then(|kind| kinds.get(kind));
    let computed = kind.into_iter().flat_map(|kind| &kind.attributes);
    let given = computed.filter(|attribute| attribute.mode == Mode::Computed);
    let texts = given.filter_map(|attribute| object.get(attribute.name).and_then(Value::as_str));
    texts.map(|text| (text.to_owned(), draft.address.clone())).collect()
}

/// The steps whose way back leads to an earlier thing or state that is still there, by what that holds: identities of
/// things of the same change set only.
fn holders(drafts: &[Draft], kinds: &Kinds) -> BTreeMap<String, Vec<usize>> {
    let befores = drafts.iter().filter_map(|draft| Some((draft, draft.action.before()?)));
    let all = befores.flat_map(|(draft, before)| identities(draft, before, kinds));
    let mut holders: BTreeMap<String, Vec<usize>> = all.map(|(identity, _)| (identity, Vec::new())).collect();
    for (index, draft) in drafts.iter().enumerate() {
        if !matches!(draft.inverse, Inverse::Exact { way: Way::Return | Way::UpdateBack }) {
            continue;
        }
        for value in draft.action.before().into_iter().flat_map(Object::values) {
            value.visit(&mut |inner| {
                if let Some(holders) = inner.as_str().and_then(|text| holders.get_mut(text)) {
                    holders.push(index);
                }
            });
        }
    }
    holders
}
