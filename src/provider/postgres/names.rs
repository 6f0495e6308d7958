//! What the names and limits of roles and databases have in common. Pure.
//!
//! Invariant: what passes here is not cut short by the server.

use crate::kind::Mistake;
use crate::value::{Object, Value};

/// PostgreSQL cuts longer names without an error.
const LONGEST_BYTES: usize = 63;

/// Mistakes in a name.
pub fn check(desired: &Object, attribute: &str, what: &str) -> Vec<Mistake> {
    let Some(name) = desired.get(attribute).and_then(Value::as_str) else {
        return Vec::new();
    };
    let help = format!("give the {what} a name of 1 to {LONGEST_BYTES} bytes");
    match name {
        "" => vec![mistake(attribute, format!("the name of the {what} is empty"), &help)],
        long if long.len() > LONGEST_BYTES => {
            vec![mistake(attribute, format!("`{long}` has {} bytes, PostgreSQL would cut it", long.len()), &help)]
        }
        odd if odd.contains('\0') => vec![mistake(attribute, "the name holds a zero byte".to_owned(), &help)],
        _ => Vec::new(),
    }
}

/// Mistakes in `connection_limit`.
pub fn check_limit(desired: &Object) -> Option<Mistake> {
    let value = desired.get("connection_limit").filter(|value| !value.is_null() && value.is_known())?;
    let good = value.reveal().as_i64().is_some_and(|limit| (-1..=i64::from(i32::MAX)).contains(&limit));
    (!good).then(|| {
        mistake(
            "connection_limit",
            format!("`{value}` is not a limit"),
            "use a whole number, or -1 for any number of connections",
        )
    })
}

/// A mistake in an attribute.
pub fn mistake(attribute: &str, text: String, help: &str) -> Mistake {
    Mistake { attribute: Some(attribute.to_owned()), text, help: help.to_owned() }
}
