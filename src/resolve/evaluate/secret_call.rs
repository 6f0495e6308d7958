//! `secret("…")`: a secret that lies somewhere else, by reference. Pure.
//!
//! Invariant: while planning such a value is unknown to the language; only who needs it asks for it.

use crate::resolve::functions::Surroundings;
use crate::secret::SecretReference;
use crate::value::{Type, Unknown, Value};

/// What may be said of how a store is reached.
const SETTINGS: [&str; 3] = ["region", "endpoint", "profile"];

/// The reference that the arguments give.
///
/// # Errors
/// What is wrong with them, and which of them.
pub(super) fn reference(values: &[Value], around: Surroundings<'_>) -> Result<SecretReference, (usize, String)> {
    let (text, settings) = match values {
        [text] => (text, None),
        [text, settings] => (text, Some(settings)),
        _ => return Err((0, "it takes a reference and, for a store, how it is reached".to_owned())),
    };
    let open = |value: &Value| value.as_str().filter(|_| !value.is_sensitive()).map(str::to_owned);
    let text = open(text).ok_or_else(|| (0, "a reference is a text that is known now and no secret".to_owned()))?;
    let mut reference = SecretReference::parse(&text, around.folder).map_err(|why| (0, why))?;
    let Some(settings) = settings else { return Ok(reference) };
    let SecretReference::Stored(stored) = &mut reference else {
        return Err((1, "only a store is reached somewhere".to_owned()));
    };
    let entries = settings.entries().ok_or_else(|| (1, "how a store is reached is an object".to_owned()))?;
    for (name, value) in entries {
        let slot = match &**name {
            "region" => &mut stored.region,
            "endpoint" => &mut stored.endpoint,
            "profile" => &mut stored.profile,
            other => return Err((1, format!("there is no `{other}`; there are {}", SETTINGS.join(", ")))),
        };
        if value.is_null() {
            continue;
        }
        *slot = Some(open(value).ok_or_else(|| (1, format!("`{name}` is a text that is known now and no secret")))?);
    }
    Ok(reference)
}

/// What the language sees of it.
pub(super) fn unknown() -> Value {
    Value::unknown(Unknown { not_null: true, ..Unknown::of(Type::String) }).sensitive()
}
