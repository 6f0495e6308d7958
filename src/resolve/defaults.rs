//! Filling in what `optional(type, default)` says. Pure.
//!
//! Invariant: a value that is given, and not null, stays.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::expression::Expr;
use crate::spec::types::Defaults;
use crate::value::{Data, Value};

/// The value with the defaults of its type filled in; `evaluate` gives the value of a default.
pub(super) fn fill(defaults: &Defaults, value: &Value, evaluate: &dyn Fn(&Expr) -> Option<Value>) -> Value {
    if defaults.is_empty() || value.is_null() {
        return value.clone();
    }
    let marks = value.marks();
    let filled = match value.data() {
        Data::Map(_, entries) | Data::Object(entries) if defaults.elements.is_none() => {
            let mut entries: BTreeMap<Arc<str>, Value> = (***entries).clone();
            for (name, default) in &defaults.fields {
                if entries.get(name).is_none_or(Value::is_null)
                    && let Some(default) = evaluate(default)
                {
                    entries.insert(name.clone(), default);
                }
            }
            for (name, inner) in &defaults.inside {
                if let Some(item) = entries.get_mut(name) {
                    *item = fill(inner, item, evaluate);
                }
            }
            Value::object(entries)
        }
        Data::Map(_, entries) | Data::Object(entries) => {
            let inner = defaults.elements.as_deref().expect("the arm above has those without");
            Value::object(entries.iter().map(|(key, item)| (key.clone(), fill(inner, item, evaluate))))
        }
        Data::List(..) | Data::Set(..) | Data::Tuple(_) => {
            let items = value.items().unwrap_or_default();
            let inner = |item: &Value| match defaults.elements.as_deref() {
                Some(inner) => fill(inner, item, evaluate),
                None => item.clone(),
            };
            Value::tuple(items.iter().map(inner).collect())
        }
        _ => return value.clone(),
    };
    filled.mark(marks)
}
