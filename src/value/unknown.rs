//! Unknown results: what they wait for, and the marks they inherit. Pure.
//!
//! Invariant: an unknown result waits for everything that its inputs wait for and has all of their marks.

use super::{Data, Marks, Type, Unknown, Value};

/// All marks of some values, from any depth.
pub fn marks_of<'v>(inputs: impl IntoIterator<Item = &'v Value>) -> Marks {
    inputs.into_iter().map(Value::summary).fold(Marks::default(), |marks, summary| {
        marks.or(Marks { sensitive: summary.sensitive, ephemeral: summary.ephemeral })
    })
}

/// An unknown of a type, because these inputs are not all known.
pub fn unknown_from<'v>(ty: Type, inputs: impl IntoIterator<Item = &'v Value> + Clone) -> Value {
    let mut waits_for: Vec<_> =
        inputs.clone().into_iter().filter(|input| !input.is_known()).flat_map(Value::waits_for).collect();
    waits_for.sort();
    waits_for.dedup();
    Value::unknown(Unknown { waits_for, ..Unknown::of(ty) }).mark(marks_of(inputs))
}

/// The same unknown, known not to be null.
pub fn not_null(value: &Value) -> Value {
    refine(value, |unknown| unknown.not_null = true)
}

/// An unknown with more said about it; other values as they are.
pub fn refine(value: &Value, say: impl FnOnce(&mut Unknown)) -> Value {
    match value.data() {
        Data::Unknown(unknown) => {
            let mut unknown = (**unknown).clone();
            say(&mut unknown);
            Value::unknown(unknown).mark(value.marks())
        }
        _ => value.clone(),
    }
}
