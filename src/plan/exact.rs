//! What is exact by itself and not beside the rest of the change set. Pure.
//!
//! Invariant: nothing is called exact that holds on to a thing which the same change set removes and which could only
//! be made again.

use std::collections::BTreeMap;

use super::order::Draft;
use crate::address::Address;
use crate::kind::{Kinds, Mode};
use crate::step::{Action, Inverse, Way};
use crate::value::Value;

/// Calls the way back of steps by what it is, where what they held on to comes back as another thing.
pub(super) fn judge_together(drafts: &mut [Draft], kinds: &Kinds) {
    let removed = removed(drafts, kinds);
    if removed.is_empty() {
        return;
    }
    for draft in drafts {
        let Inverse::Exact { way: way @ (Way::Return | Way::UpdateBack) } = draft.inverse else {
            continue;
        };
        let held = |value: &Value| {
            let mut found = None;
            value.visit(&mut |inner| found = found.or_else(|| removed.get(inner.as_str()?)));
            found.filter(|address| **address != draft.address)
        };
        let Some(lost) = draft.action.before().and_then(|before| before.values().find_map(held)) else {
            continue;
        };
        draft.inverse =
            Inverse::Recreates { way, why: format!("`{lost}`, which it holds on to, comes back as another") };
    }
}

/// The identities of what goes and could only be made again.
fn removed(drafts: &[Draft], kinds: &Kinds) -> BTreeMap<String, Address> {
    let mut removed = BTreeMap::new();
    for draft in drafts.iter().filter(|draft| !matches!(draft.inverse, Inverse::Exact { .. })) {
        let (Action::Delete { kind, before } | Action::Retire { kind, before }) = &draft.action else {
            continue;
        };
        let computed = kinds.get(kind).into_iter().flat_map(|kind| &kind.attributes);
        for attribute in computed.filter(|attribute| attribute.mode == Mode::Computed) {
            if let Some(identity) = before.get(attribute.name).and_then(Value::as_str) {
                removed.insert(identity.to_owned(), draft.address.clone());
            }
        }
    }
    removed
}
