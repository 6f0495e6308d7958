//! Equality of values, as far as it can be told. Pure.
//!
//! Invariant: a difference that is certain decides, whatever else is unknown.

use super::{Data, Type, Value};

/// Whether two values are equal; nothing when that depends on what is unknown. Marks do not count; values of
/// different types are not equal, except that null is null.
pub fn equal(left: &Value, right: &Value) -> Option<bool> {
    match (left.data(), right.data()) {
        (Data::Null(_), Data::Null(_)) => Some(true),
        (Data::Null(_), Data::Unknown(unknown)) | (Data::Unknown(unknown), Data::Null(_)) => {
            unknown.not_null.then_some(false)
        }
        (Data::Unknown(unknown), known) | (known, Data::Unknown(unknown)) => differs_surely(unknown, known),
        (Data::Sealed(left), Data::Sealed(right)) => left.digest.zip(right.digest).map(|(left, right)| left == right),
        (Data::Sealed(_), _) | (_, Data::Sealed(_)) => None,
        (Data::Bool(left), Data::Bool(right)) => Some(left == right),
        (Data::Number(left), Data::Number(right)) => Some(left == right),
        (Data::String(left), Data::String(right)) => Some(left == right),
        (Data::List(left_type, left), Data::List(right_type, right)) => {
            if differ(left_type, right_type) {
                Some(false)
            } else {
                sequences(left, right)
            }
        }
        (Data::Tuple(left), Data::Tuple(right)) => sequences(left, right),
        (Data::Set(left_type, left), Data::Set(right_type, right)) => {
            if differ(left_type, right_type) {
                return Some(false);
            }
            let unknown = left.iter().chain(right.iter()).any(|item| !item.is_known());
            if unknown { None } else { sequences(left, right) }
        }
        (Data::Map(left_type, _), Data::Map(right_type, _)) if differ(left_type, right_type) => Some(false),
        (Data::Map(_, left), Data::Map(_, right)) | (Data::Object(left), Data::Object(right)) => {
            if left.len() != right.len() || !left.keys().eq(right.keys()) {
                return Some(false);
            }
            every(left.values().zip(right.values()))
        }
        _ => Some(false),
    }
}

fn differ(left: &Type, right: &Type) -> bool {
    left != right && *left != Type::Any && *right != Type::Any
}

fn sequences(left: &[Value], right: &[Value]) -> Option<bool> {
    if left.len() == right.len() { every(left.iter().zip(right)) } else { Some(false) }
}

fn every<'v>(pairs: impl Iterator<Item = (&'v Value, &'v Value)>) -> Option<bool> {
    let mut verdict = Some(true);
    for (left, right) in pairs {
        match equal(left, right) {
            Some(true) => {}
            Some(false) => return Some(false),
            None => verdict = None,
        }
    }
    verdict
}

/// `Some(false)` when what is known of the unknown already tells them apart.
fn differs_surely(unknown: &super::Unknown, known: &Data) -> Option<bool> {
    match (known, &unknown.prefix) {
        (Data::String(text), Some(prefix)) if !text.starts_with(prefix.as_str()) => Some(false),
        _ => None,
    }
}
