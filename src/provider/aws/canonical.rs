//! The form in which values are compared: defaults of nested blocks filled in, what is empty left out. Pure.
//!
//! Invariant: two values that AWS treats alike have one canonical form; the form is for comparing, never for sending.

use crate::kind::{Attribute, Shape};
use crate::value::{Data, Object, Type, Value};

/// The canonical form of a value of one of these attributes.
pub fn canonical(attributes: &[Attribute], name: &str, value: &Value) -> Value {
    match attributes.iter().find(|attribute| attribute.name == name) {
        Some(attribute) => shaped(&attribute.shape, value),
        None => value.clone(),
    }
}

fn shaped(shape: &Shape, value: &Value) -> Value {
    match (shape, value.data()) {
        (_, Data::Unknown(_) | Data::Sealed(_)) => value.clone(),
        (Shape::Value(ty), _) => scalar(ty, value),
        (Shape::Blocks { attributes, unordered, .. }, _) => {
            let mut blocks: Vec<Value> =
                value.items().into_iter().flatten().map(|item| block(attributes, item)).collect();
            if *unordered {
                blocks.sort_by(Value::order);
            }
            if blocks.is_empty() { Value::null() } else { Value::tuple(blocks).mark(value.marks()) }
        }
    }
}

fn block(attributes: &[Attribute], item: &Value) -> Value {
    if item.entries().is_none() {
        return item.clone();
    }
    let members = attributes.iter().filter_map(|attribute| {
        let given = item.get(attribute.name).filter(|value| !value.is_null()).or(attribute.default.as_ref())?;
        let value = shaped(&attribute.shape, given);
        (!value.is_null()).then_some((attribute.name, value))
    });
    Value::object(members).mark(item.marks())
}

fn scalar(ty: &Type, value: &Value) -> Value {
    let plain = match value.data() {
        Data::Null(_) => Value::null(),
        Data::String(text) if text.is_empty() => Value::null(),
        Data::List(_, items) | Data::Set(_, items) | Data::Tuple(items) => {
            let mut items = items.to_vec();
            if matches!(ty, Type::Set(_)) {
                items.sort_by(Value::order);
                items.dedup();
            }
            if items.is_empty() { Value::null() } else { Value::tuple(items) }
        }
        Data::Map(_, entries) | Data::Object(entries) => {
            let entries: Vec<_> = entries.iter().filter(|(_, item)| !item.is_null()).collect();
            match entries.is_empty() {
                true => Value::null(),
                false => Value::object(entries.into_iter().map(|(name, item)| (name.clone(), item.clone()))),
            }
        }
        Data::Bool(_) | Data::Number(_) | Data::String(_) | Data::Unknown(_) | Data::Sealed(_) => return value.clone(),
    };
    if plain.is_null() { plain } else { plain.mark(value.marks()) }
}

/// Whether a block's only content is false switches (and empty lists): AWS gives such blocks where nothing was said.
pub fn is_switched_off(value: &Value) -> bool {
    let Some(blocks) = value.items() else { return value.is_null() };
    blocks.iter().all(|block| {
        block.entries().is_some_and(|entries| {
            entries.values().all(|item| item.is_null() || item.as_bool() == Some(false) || item.items() == Some(&[]))
        })
    })
}

/// The attributes in which two objects differ, in the order of the reference.
pub fn differences<'a>(
    attributes: &'a [Attribute],
    normalise: &'a dyn Fn(&str, &Value) -> Value,
    left: &'a Object,
    right: &'a Object,
) -> impl Iterator<Item = &'static str> + 'a {
    let form = |object: &Object, name: &str| {
        object.get(name).map_or_else(Value::null, |value| normalise(name, &value.reveal()))
    };
    attributes.iter().map(|attribute| attribute.name).filter(move |name| {
        let (left, right) = (form(left, name), form(right, name));
        !(left.is_null() && right.is_null()) && left != right
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_and_absent_are_one_and_defaults_are_filled_in() {
        let attributes = vec![
            Attribute::optional("tags", Type::map(Type::String), ""),
            Attribute::blocks(
                "rule",
                vec![
                    Attribute::required("name", Type::String, ""),
                    Attribute::optional("on", Type::Bool, "").default(true),
                ],
                "",
            )
            .unordered(),
        ];
        let form = |name: &str, value: &Value| canonical(&attributes, name, value);
        assert_eq!(form("tags", &Value::map(Type::String, [] as [(&str, Value); 0])), form("tags", &Value::null()));
        let rule = |name: &str, on: Value| Value::object([("name", Value::from(name)), ("on", on)]);
        let one = Value::tuple(vec![rule("b", Value::null()), rule("a", false.into())]);
        let other = Value::tuple(vec![rule("a", false.into()), rule("b", true.into())]);
        assert_eq!(form("rule", &one), form("rule", &other));
        let third = Value::tuple(vec![rule("a", true.into()), rule("b", true.into())]);
        assert_ne!(form("rule", &one), form("rule", &third));
    }

    #[test]
    fn a_secret_stays_marked() {
        let attributes = vec![Attribute::optional("list", Type::list(Type::String), "")];
        assert!(canonical(&attributes, "list", &Value::strings(["x"]).sensitive()).is_sensitive());
    }
}
