//! What differs between two objects of a kind, and the fingerprint by which a later look is compared. Pure.
//!
//! Invariant: "equal" ignores only what the kind declares volatile or computed, and what its normaliser
//! makes the same.

use crate::digest::Digest;
use crate::kind::{Attribute, Kind, Mode, Shape};
use crate::step::Fingerprint;
use crate::value::{Data, Object, SealKey, Value};

static NULL: std::sync::LazyLock<Value> = std::sync::LazyLock::new(Value::null);

/// The attribute of an object; absent is null.
pub fn attribute<'a>(object: &'a Object, name: &str) -> &'a Value {
    object.get(name).unwrap_or(&NULL)
}

/// Compares objects of one kind.
#[derive(Clone, Copy)]
pub struct Comparer<'a> {
    /// The kind.
    pub kind: &'a Kind,
    /// The key that seals secrets, once there is one.
    pub key: Option<&'a SealKey>,
}

impl Comparer<'_> {
    /// The attributes in which the wanted object differs from the one that is there. `recorded` is what we
    /// wrote last, for what the world does not give back.
    pub fn differences(&self, wanted: &Object, there: &Object, recorded: Option<&Object>) -> Vec<&Attribute> {
        let differs = |attribute: &&Attribute| {
            let there = match (attribute.write_only, recorded) {
                (true, Some(recorded)) => recorded,
                _ => there,
            };
            self.wants(attribute, wanted) && !self.same(attribute, wanted, there)
        };
        self.kind.attributes.iter().filter(differs).collect()
    }

    /// Whether an object says anything about an attribute.
    fn wants(&self, attribute: &Attribute, wanted: &Object) -> bool {
        match attribute.mode {
            Mode::Computed => false,
            _ if attribute.volatile => false,
            Mode::OptionalComputed => {
                wanted.get(attribute.name).is_some_and(|value| !value.is_null() && !is_own_unknown(value))
            }
            Mode::Required | Mode::Optional => true,
        }
    }

    fn same(&self, attribute: &Attribute, left: &Object, right: &Object) -> bool {
        let normal = |object: &Object| {
            let value = self::attribute(object, attribute.name);
            let value = match (&attribute.default, value.is_null()) {
                (Some(default), true) => default,
                _ => value,
            };
            self.kind.rules.normalise(attribute.name, value)
        };
        same_shape(&attribute.shape, &normal(left), &normal(right), self.key)
    }

    /// The fingerprint of a thing as found.
    pub fn fingerprint(&self, found: Option<&Object>) -> Fingerprint {
        let Some(object) = found else {
            return Fingerprint::Absent;
        };
        let lasting = self.kind.attributes.iter().filter(|attribute| !attribute.volatile && !attribute.write_only);
        let object: Object = lasting
            .map(|attribute| {
                let value = self.kind.rules.normalise(attribute.name, self::attribute(object, attribute.name));
                (attribute.name.to_owned(), untyped(&value.seal(self.key)))
            })
            .filter(|(_, value)| !is_empty(value))
            .collect();
        Fingerprint::Present(Digest::of_json(&object))
    }
}

/// An optional-computed attribute that the spec left open is planned as an unknown, which is not a wish.
fn is_own_unknown(value: &Value) -> bool {
    matches!(value.data(), Data::Unknown(unknown) if unknown.waits_for.is_empty())
}

fn same_shape(shape: &Shape, left: &Value, right: &Value, key: Option<&SealKey>) -> bool {
    if is_empty(left) && is_empty(right) {
        return true;
    }
    match shape {
        Shape::Value(_) => same_value(left, right, key),
        Shape::Blocks { attributes, unordered, .. } => {
            let sorted = |value: &Value| {
                let mut items = value.items().unwrap_or_default().to_vec();
                if *unordered {
                    items.sort_by_cached_key(|item| wanted_text(attributes, item));
                }
                items
            };
            let (left, right) = (sorted(left), sorted(right));
            left.len() == right.len()
                && left.iter().zip(&right).all(|(left, right)| same_block(attributes, left, right, key))
        }
    }
}

fn same_block(attributes: &[Attribute], wanted: &Value, there: &Value, key: Option<&SealKey>) -> bool {
    attributes.iter().all(|attribute| {
        let value = |block: &Value| {
            let value = block.get(attribute.name).unwrap_or(&NULL);
            attribute.default.clone().filter(|_| value.is_null()).unwrap_or_else(|| value.clone())
        };
        let wanted = value(wanted);
        let left_open = attribute.mode == Mode::OptionalComputed && wanted.is_null();
        attribute.volatile
            || attribute.mode == Mode::Computed
            || left_open
            || same_shape(&attribute.shape, &wanted, &value(there), key)
    })
}

/// Blocks without order are paired by the attributes that the spec gives.
fn wanted_text(attributes: &[Attribute], block: &Value) -> String {
    let given = attributes.iter().filter(|attribute| matches!(attribute.mode, Mode::Required | Mode::Optional));
    given.map(|attribute| block.get(attribute.name).unwrap_or(&NULL).seal(None).to_json_text() + ";").collect()
}

fn same_value(left: &Value, right: &Value, key: Option<&SealKey>) -> bool {
    if !left.is_known() || !right.is_known() {
        return false;
    }
    if holds_sealed(left) || holds_sealed(right) {
        return same_withheld(left, right, key);
    }
    untyped(&left.reveal()) == untyped(&right.reveal())
}

fn holds_sealed(value: &Value) -> bool {
    let mut found = false;
    value.visit(&mut |inner| found |= matches!(inner.data(), Data::Sealed(_)));
    found
}

/// One of the two is, here or inside, only known by its digest: there the other's digest is compared. Without a
/// digest nothing can be said, so they differ.
fn same_withheld(left: &Value, right: &Value, key: Option<&SealKey>) -> bool {
    let digest = |value: &Value| match value.clone().sensitive().seal(key).data() {
        Data::Sealed(sealed) => sealed.digest,
        _ => None,
    };
    if matches!(left.data(), Data::Sealed(_)) || matches!(right.data(), Data::Sealed(_)) {
        return digest(left).is_some_and(|left| digest(right) == Some(left));
    }
    if let (Some(left), Some(right)) = (left.items(), right.items()) {
        let same = |(left, right)| same_withheld(left, right, key);
        return left.len() == right.len() && left.iter().zip(right).all(same);
    }
    if let (Some(left), Some(right)) = (left.entries(), right.entries()) {
        let names: std::collections::BTreeSet<_> = left.keys().chain(right.keys()).collect();
        return names
            .into_iter()
            .all(|name| same_withheld(left.get(name).unwrap_or(&NULL), right.get(name).unwrap_or(&NULL), key));
    }
    untyped(&left.reveal()) == untyped(&right.reveal())
}

/// A list and a tuple of the same elements are the same to the world, and so are a map and an object; what
/// is null in an object is not there.
fn untyped(value: &Value) -> Value {
    value.rebuild(&|value| match value.data() {
        Data::List(_, items) | Data::Tuple(items) => Value::tuple(items.to_vec()),
        Data::Map(_, entries) | Data::Object(entries) => Value::object(
            entries.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())),
        ),
        Data::Null(_) => Value::null(),
        Data::Bool(_) | Data::Number(_) | Data::String(_) | Data::Set(..) | Data::Unknown(_) | Data::Sealed(_) => value,
    })
}

/// Null and an empty collection say the same.
fn is_empty(value: &Value) -> bool {
    value.is_null()
        || value.items().is_some_and(<[Value]>::is_empty)
        || value.entries().is_some_and(std::collections::BTreeMap::is_empty)
}
