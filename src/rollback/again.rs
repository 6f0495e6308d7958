//! Secrets that no world keeps and that are made again from what they were made of. Pure.
//!
//! Invariant: only what comes out as it was then is made again; otherwise what is there stays, and that is told.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::expression::Deferred;
use crate::kind::{Kind, Mode};
use crate::ledger::state::ResourceState;
use crate::plan::Inputs;
use crate::plan::lookup::Planned;
use crate::resolve::evaluate::evaluate_deferred;
use crate::value::{Data, Object, Value};

/// The expressions of a thing's secrets. What cannot be made again stays as it is found; says what is lost by that.
pub(super) fn made_again(
    address: &Address,
    kind: &Kind,
    then: &ResourceState,
    object: &mut Object,
    inputs: &Inputs<'_>,
) -> (BTreeMap<String, Deferred>, Option<String>) {
    let (mut deferred, mut lost) = (BTreeMap::new(), Vec::new());
    if kind.rules.keeps_earlier() {
        return (deferred, None);
    }
    let found = inputs.observed.objects.get(address).and_then(Option::as_ref);
    let given = kind.attributes.iter().filter(|attribute| attribute.mode != Mode::Computed && !attribute.write_only);
    for name in given.map(|attribute| attribute.name) {
        if !object.get(name).is_some_and(Value::holds_sealed) {
            continue;
        }
        match then.made_of.get(name).filter(|_| is_as_then(kind, then, name, inputs)) {
            Some(made_of) => drop(deferred.insert(name.to_owned(), made_of.clone())),
            None => {
                let why = "a secret in it is another one by now, or is not at hand";
                lost.push(format!("the earlier `{name}` ({why}); it stays as it is now"));
                object.extend(found.and_then(|found| found.get(name)).map(|now| (name.to_owned(), now.clone())));
            }
        }
    }
    (deferred, (!lost.is_empty()).then(|| lost.join("; ")))
}

/// Whether a secret comes out as it was then.
pub(super) fn is_as_then(kind: &Kind, then: &ResourceState, name: &str, inputs: &Inputs<'_>) -> bool {
    let Some(made_of) = then.made_of.get(name) else { return false };
    let Ok(value) = evaluate_deferred(made_of, &Planned::new(inputs.secrets)) else { return false };
    let ty = kind.attribute(name).map(|attribute| attribute.shape.ty());
    let value = ty.and_then(|ty| value.convert(&ty).ok()).unwrap_or(value);
    let sealed = value.sensitive().seal(inputs.state.seal_key());
    let digest = |value: &Value| match value.data() {
        Data::Sealed(sealed) => sealed.digest,
        _ => None,
    };
    let earlier = then.object.get(name).and_then(digest);
    earlier.is_some() && digest(&sealed) == earlier
}
