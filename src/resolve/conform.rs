//! Values brought into the shape that a kind's attribute has. Pure.
//!
//! Invariant: what comes out has the attribute's type, nested defaults filled in; marks stay.

use std::sync::Arc;

use crate::kind::{Attribute, Shape};
use crate::value::convert::ConversionError;
use crate::value::{Data, Type, Unknown, Value};

/// The value as this attribute holds it: converted, defaults of nested blocks filled in. Null stays null.
///
/// Whoever evaluates a [`crate::expression::Deferred`] of an attribute brings its result through here.
///
/// # Errors
/// When the value cannot be had in that shape, with the path inside it.
pub fn conform(attribute: &Attribute, value: &Value) -> Result<Value, ConversionError> {
    match &attribute.shape {
        Shape::Value(ty) => value.convert(ty),
        Shape::Blocks { attributes, minimum, maximum, unordered } => {
            let blocks = blocks(&attribute.shape, attributes, *unordered, value)?;
            if let Some(items) = blocks.items().filter(|_| blocks.is_known()) {
                check_count(items.len(), *minimum, *maximum)?;
            }
            Ok(blocks)
        }
    }
}

fn mistake(message: impl Into<String>) -> ConversionError {
    ConversionError { path: String::new(), message: message.into() }
}

fn check_count(count: usize, minimum: usize, maximum: Option<usize>) -> Result<(), ConversionError> {
    if count < minimum {
        return Err(mistake(format!("at least {minimum} such blocks are needed, {count} are given")));
    }
    match maximum.filter(|maximum| count > *maximum) {
        Some(maximum) => Err(mistake(format!("at most {maximum} such blocks may be given, {count} are"))),
        None => Ok(()),
    }
}

fn blocks(shape: &Shape, attributes: &[Attribute], unordered: bool, value: &Value) -> Result<Value, ConversionError> {
    let ty = shape.ty();
    let marks = value.marks();
    let items = match value.data() {
        Data::Unknown(unknown) => {
            return Ok(Value::unknown(Unknown { ty, ..(**unknown).clone() }).mark(marks));
        }
        Data::Null(_) => return Ok(Value::from(Data::Null(ty)).mark(marks)),
        _ => value.items().ok_or_else(|| mistake("blocks are needed, or a list of objects"))?,
    };
    let (Type::List(element) | Type::Set(element)) = ty else {
        unreachable!("the type of blocks is a list or a set");
    };
    let mut made = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        made.push(block(&element, attributes, item).map_err(|error| under(&format!("[{index}]"), error))?);
    }
    let element = (*element).clone();
    Ok(if unordered { Value::set(element, made) } else { Value::list(element, made) }.mark(marks))
}

fn block(element: &Type, attributes: &[Attribute], value: &Value) -> Result<Value, ConversionError> {
    if let Data::Unknown(unknown) = value.data() {
        let unknown = Unknown { ty: element.clone(), ..(**unknown).clone() };
        return Ok(Value::unknown(unknown).mark(value.marks()));
    }
    let Some(given) = value.entries() else {
        return Err(mistake("an object with the attributes of the block is needed"));
    };
    if let Some(name) = given.keys().find(|name| attributes.iter().all(|attribute| attribute.name != &***name)) {
        return Err(mistake(format!("the block has no attribute `{name}`")));
    }
    let mut made: Vec<(Arc<str>, Value)> = Vec::with_capacity(attributes.len());
    for attribute in attributes {
        let given = given.get(attribute.name).filter(|value| !value.is_null());
        let value = match given {
            Some(value) => conform(attribute, value).map_err(|error| under(&format!(".{}", attribute.name), error))?,
            None => absent_value(attribute),
        };
        made.push((attribute.name.into(), value));
    }
    Ok(Value::object(made).mark(value.marks()))
}

/// What an attribute of a nested block is when nobody gives it: its default, no blocks, or null of its type.
pub(super) fn absent_value(attribute: &Attribute) -> Value {
    if let Some(default) = &attribute.default {
        return default.clone();
    }
    match &attribute.shape {
        Shape::Value(ty) => Data::Null(ty.clone()).into(),
        Shape::Blocks { unordered, .. } => match attribute.shape.ty() {
            Type::Set(element) if *unordered => Value::set((*element).clone(), Vec::new()),
            Type::List(element) => Value::list((*element).clone(), Vec::new()),
            ty => Data::Null(ty).into(),
        },
    }
}

fn under(step: &str, mut error: ConversionError) -> ConversionError {
    error.path.insert_str(0, step);
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute() -> Attribute {
        Attribute::blocks(
            "setting",
            vec![
                Attribute::required("name", Type::String, "A name."),
                Attribute::optional("value", Type::Number, "A value.").default(3_i64),
                Attribute::blocks("inner", vec![Attribute::optional("x", Type::Bool, "X.")], "Inner."),
            ],
            "Settings.",
        )
    }

    #[test]
    fn nested_values_are_converted_and_filled_in() {
        let given = Value::tuple(vec![Value::object([("name", Value::from(7_i64))])]);
        let made = conform(&attribute(), &given).expect("conforms");
        assert_eq!(made.to_string(), r#"[{ "inner" = [], "name" = "7", "value" = 3 }]"#);
        assert_eq!(made.ty(), attribute().shape.ty());
    }

    #[test]
    fn mistakes_name_their_path() {
        let given = Value::tuple(vec![Value::object([("value", Value::from("x"))])]);
        assert_eq!(conform(&attribute(), &given).expect_err("no number").path, "[0].value");
        let given = Value::tuple(vec![Value::object([("nmae", Value::from("x"))])]);
        assert!(conform(&attribute(), &given).is_err());
        assert!(
            conform(
                &Attribute::block("one", Vec::new(), "One."),
                &Value::tuple(vec![Value::object::<Arc<str>>([]), Value::object::<Arc<str>>([]),])
            )
            .is_err()
        );
    }

    #[test]
    fn unknown_blocks_wait_on() {
        let unknown =
            Value::unknown(Unknown { waits_for: vec!["a.b".parse().expect("an address")], ..Unknown::of(Type::Any) });
        let made = conform(&attribute(), &unknown).expect("conforms");
        assert_eq!(made.waits_for().len(), 1);
        assert_eq!(made.ty(), attribute().shape.ty());
    }
}
