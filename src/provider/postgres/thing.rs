//! A thing of a server as its catalogs tell it: what was found, and whether that is what was wanted. Pure.
//!
//! Invariant: only attributes that were given, and that the server gives back, are compared.

use super::errors::refused;
use crate::kind::{Kind, Mode};
use crate::value::{Object, Value};
use crate::world::WorldError;

/// A role or database as found.
pub struct Thing {
    /// Its attributes.
    pub object: Object,
    /// Its comment.
    pub comment: Option<String>,
}

/// Whether what was found has every attribute that is wanted; what the server never tells counts as right.
pub fn agrees(kind: &Kind, found: &Object, wanted: &Object) -> bool {
    kind.attributes.iter().filter(|attribute| attribute.mode != Mode::Computed && !attribute.write_only).all(
        |attribute| {
            let normal = |object: &Object| {
                let given = object.get(attribute.name).filter(|value| !value.is_null());
                let value = given.or(attribute.default.as_ref());
                value.map_or(Value::null(), |value| kind.rules.normalise(attribute.name, &value.reveal()))
            };
            let (found, wanted) = (normal(found), normal(wanted));
            found == wanted || (wanted.is_null() && attribute.mode == Mode::OptionalComputed)
        },
    )
}

/// A text attribute that must be there.
///
/// # Errors
/// When it is not.
pub fn name_of(object: &Object) -> Result<&str, WorldError> {
    object.get("name").and_then(Value::as_str).ok_or_else(|| {
        refused(
            "read the name of a PostgreSQL role or database",
            "the name is not known",
            "apply what it waits for first",
        )
    })
}
