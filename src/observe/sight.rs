//! Objects as expressions see them. Pure.
//!
//! Invariant: a block of which one instance is not known is not known as a whole.

use crate::address::{Address, InstanceKey};
use crate::diagnostic::Diagnostics;
use crate::value::{Object, Value};

/// All instances of a block as one value: a tuple by index, an object by key, nothing when one is missing.
pub fn gather<'a>(instances: impl Iterator<Item = (&'a Address, Option<Value>)>) -> Option<Value> {
    let (mut by_index, mut by_key) = (Vec::new(), Vec::new());
    for (address, value) in instances {
        match (&address.key, value?) {
            (None, value) => return Some(value),
            (Some(InstanceKey::Index(index)), value) => by_index.push((*index, value)),
            (Some(InstanceKey::Key(key)), value) => by_key.push((key.clone(), value)),
        }
    }
    by_index.sort_by_key(|(index, _)| *index);
    match (by_index.is_empty(), by_key.is_empty()) {
        (true, true) => None,
        (false, _) => Some(Value::tuple(by_index.into_iter().map(|(_, value)| value).collect())),
        (true, false) => Some(Value::object(by_key)),
    }
}

/// The first mistake in one line, for errors that have no source to show.
pub fn first_words(mistakes: &Diagnostics) -> String {
    mistakes.0.first().map_or_else(
        || "the expression failed".to_owned(),
        |mistake| match &mistake.detail {
            Some(detail) => format!("{}: {detail}", mistake.summary),
            None => mistake.summary.clone(),
        },
    )
}

/// An object as a value.
pub fn as_value(object: &Object) -> Value {
    Value::object(object.iter().map(|(name, value)| (name.as_str(), value.clone())))
}
