//! Conversion of values between types, with the results people know from Terraform. Pure.
//!
//! Invariant: a conversion keeps marks; nothing that was marked comes out unmarked.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::unify::{convertible, unify};
use super::{Data, Type, Unknown, Value};
use crate::number::Number;

/// Why a value cannot be had as another type.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if path.is_empty() { String::new() } else { format!("`{path}`: ") })]
pub struct ConversionError {
    /// Where inside the value: `[0].name`; empty for the value itself.
    pub path: String,
    /// What is needed and what there is.
    pub message: String,
}

impl ConversionError {
    fn new(message: impl Into<String>) -> Self {
        Self { path: String::new(), message: message.into() }
    }

    fn mismatch(value: &Value, ty: &Type) -> Self {
        Self::new(format!("{} is needed, this is {}", a(&plain_name(ty)), a(&plain_name(&value.ty()))))
    }

    fn under(mut self, step: &str) -> Self {
        self.path.insert_str(0, step);
        self
    }
}

/// The name of a type without its inside, for messages.
pub fn plain_name(ty: &Type) -> String {
    match ty {
        Type::Any => "value of any type".to_owned(),
        Type::Bool | Type::Number | Type::String => ty.to_string(),
        Type::List(element) if **element != Type::Any => format!("list of {}", plural(element)),
        Type::Set(element) if **element != Type::Any => format!("set of {}", plural(element)),
        Type::Map(element) if **element != Type::Any => format!("map of {}", plural(element)),
        Type::List(_) => "list".to_owned(),
        Type::Set(_) => "set".to_owned(),
        Type::Map(_) => "map".to_owned(),
        Type::Tuple(_) => "tuple".to_owned(),
        Type::Object(_) => "object".to_owned(),
    }
}

fn plural(ty: &Type) -> String {
    match ty {
        Type::Any => "values".to_owned(),
        Type::Bool => "bools".to_owned(),
        Type::Number => "numbers".to_owned(),
        Type::String => "strings".to_owned(),
        Type::List(_) => "lists".to_owned(),
        Type::Set(_) => "sets".to_owned(),
        Type::Map(_) => "maps".to_owned(),
        Type::Tuple(_) => "tuples".to_owned(),
        Type::Object(_) => "objects".to_owned(),
    }
}

/// A noun with its article.
pub fn a(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o']) { "an" } else { "a" };
    format!("{article} {noun}")
}

/// A text that has to be a number, with the digits and signs that the language writes.
fn parse_number(text: &str) -> Option<Number> {
    text.parse().ok()
}

impl Value {
    /// The value as this type. Null and unknown become null and unknown of the type; an attribute that is
    /// optional and absent becomes null; attributes that the type does not have are dropped.
    ///
    /// # Errors
    /// When it cannot be had as that type, with the path inside the value.
    pub fn convert(&self, ty: &Type) -> Result<Self, ConversionError> {
        if *ty == Type::Any || (self.is_plain() && self.ty() == *ty) {
            return Ok(self.clone());
        }
        let of_that_type = match (&self.data, ty) {
            (Data::List(element, _), Type::List(wanted))
            | (Data::Set(element, _), Type::Set(wanted))
            | (Data::Map(element, _), Type::Map(wanted)) => *element == **wanted && *element != Type::Any,
            _ => false,
        };
        if of_that_type {
            return Ok(self.clone());
        }
        let converted = match &self.data {
            Data::Null(from) if convertible(from, ty) => Data::Null(ty.clone()).into(),
            Data::Unknown(unknown) if convertible(&unknown.ty, ty) => convert_unknown(unknown, ty),
            Data::Sealed(_) => return Ok(self.clone()),
            Data::Null(_) | Data::Unknown(_) => return Err(ConversionError::mismatch(self, ty)),
            Data::Bool(_) | Data::Number(_) | Data::String(_) => self.convert_primitive(ty)?,
            Data::List(..) | Data::Set(..) | Data::Tuple(_) => self.convert_sequence(ty)?,
            Data::Map(..) | Data::Object(_) => self.convert_entries(ty)?,
        };
        Ok(converted.mark(self.marks))
    }

    fn is_plain(&self) -> bool {
        matches!(self.data, Data::Null(_) | Data::Bool(_) | Data::Number(_) | Data::String(_) | Data::Unknown(_))
    }

    fn convert_primitive(&self, ty: &Type) -> Result<Self, ConversionError> {
        match (&self.data, ty) {
            (Data::Bool(_), Type::Bool) | (Data::Number(_), Type::Number) | (Data::String(_), Type::String) => {
                Ok(self.data.clone().into())
            }
            (Data::Bool(truth), Type::String) => Ok(truth.to_string().into()),
            (Data::Number(number), Type::String) => Ok(number.to_string().into()),
            (Data::String(text), Type::Bool) => match &**text {
                "true" => Ok(true.into()),
                "false" => Ok(false.into()),
                _ => Err(ConversionError::new("a bool is needed: `true` or `false`")),
            },
            (Data::String(text), Type::Number) => parse_number(text)
                .map(Into::into)
                .ok_or_else(|| ConversionError::new("a number is needed, this string is not one")),
            _ => Err(ConversionError::mismatch(self, ty)),
        }
    }

    fn convert_sequence(&self, ty: &Type) -> Result<Self, ConversionError> {
        let items = self.items().unwrap_or_default();
        match ty {
            Type::List(element) => {
                let (element, items) = convert_all(items, element)?;
                Ok(Self::list(element, items))
            }
            Type::Set(element) => {
                let (element, items) = convert_all(items, element)?;
                Ok(Self::set_of(element, &items))
            }
            Type::Tuple(types) => {
                if items.len() != types.len() {
                    let message = format!("{} elements are needed, these are {}", types.len(), items.len());
                    return Err(ConversionError::new(message));
                }
                let each = items.iter().zip(types.iter()).enumerate();
                let items =
                    each.map(|(index, (item, ty))| item.convert(ty).map_err(|e| e.under(&format!("[{index}]"))));
                Ok(Self::tuple(items.collect::<Result<_, _>>()?))
            }
            Type::Any | Type::Bool | Type::Number | Type::String | Type::Map(_) | Type::Object(_) => {
                Err(ConversionError::mismatch(self, ty))
            }
        }
    }

    fn convert_entries(&self, ty: &Type) -> Result<Self, ConversionError> {
        let empty = BTreeMap::new();
        let entries = self.entries().unwrap_or(&empty);
        match ty {
            Type::Map(element) => {
                let values: Vec<Self> = entries.values().cloned().collect();
                let element = common_element(&values, element)?;
                let mut converted = Vec::with_capacity(entries.len());
                for (key, item) in entries {
                    let item = item.convert(&element).map_err(|error| error.under(&step(key)))?;
                    converted.push((key.clone(), item));
                }
                Ok(Self::map(element, converted))
            }
            Type::Object(fields) => {
                let mut converted: Vec<(Arc<str>, Self)> = Vec::with_capacity(fields.len());
                for (name, field) in fields.iter() {
                    let item = match entries.get(name) {
                        Some(item) => item.convert(&field.ty).map_err(|error| error.under(&step(name)))?,
                        None if field.optional => Data::Null(field.ty.clone()).into(),
                        None => return Err(ConversionError::new(format!("attribute `{name}` is required"))),
                    };
                    converted.push((name.clone(), item));
                }
                Ok(Self::object(converted))
            }
            Type::Any | Type::Bool | Type::Number | Type::String | Type::List(_) | Type::Set(_) | Type::Tuple(_) => {
                Err(ConversionError::mismatch(self, ty))
            }
        }
    }

    /// A set whose elements' marks are lifted to the set itself: which of them is secret cannot be told apart.
    pub fn set_of(element: Type, items: &[Self]) -> Self {
        let summary = items.iter().fold((false, false), |(sensitive, ephemeral), item| {
            let inside = item.summary();
            (sensitive || inside.sensitive, ephemeral || inside.ephemeral)
        });
        let items = items.iter().map(Self::reveal).collect();
        Self::set(element, items).mark(super::Marks { sensitive: summary.0, ephemeral: summary.1 })
    }
}

fn step(key: &str) -> String {
    let word = key.chars().all(|letter| letter.is_alphanumeric() || letter == '_' || letter == '-');
    if word { format!(".{key}") } else { format!("[{}]", serde_json::Value::from(key)) }
}

fn convert_all(items: &[Value], element: &Type) -> Result<(Type, Vec<Value>), ConversionError> {
    let element = common_element(items, element)?;
    let converted = items.iter().enumerate();
    let converted = converted.map(|(index, item)| item.convert(&element).map_err(|e| e.under(&format!("[{index}]"))));
    let converted = converted.collect::<Result<_, _>>()?;
    Ok((element, converted))
}

/// The element type that is asked for; where that is `any`, the one that all elements can be had as.
fn common_element(items: &[Value], wanted: &Type) -> Result<Type, ConversionError> {
    if *wanted != Type::Any {
        return Ok(wanted.clone());
    }
    let types: Vec<Type> = items.iter().map(Value::ty).collect();
    unify(&types).ok_or_else(|| ConversionError::new("all elements must be of one type, and these are not"))
}

fn convert_unknown(unknown: &Unknown, ty: &Type) -> Value {
    let same_shape = unknown.ty == *ty;
    let sequence = |ty: &Type| matches!(ty, Type::List(_) | Type::Map(_));
    Value::unknown(Unknown {
        ty: ty.clone(),
        not_null: unknown.not_null,
        prefix: unknown.prefix.clone().filter(|_| same_shape),
        length: unknown.length.filter(|_| same_shape || (sequence(&unknown.ty) && sequence(ty))),
        waits_for: unknown.waits_for.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_convert_as_in_terraform() {
        let list = Value::tuple(vec![1.into(), "a".into(), Value::null()]).convert(&Type::list(Type::Any));
        assert_eq!(list, Ok(Value::list(Type::String, vec!["1".into(), "a".into(), Data::Null(Type::String).into()])));
        assert_eq!(Value::from("1e2").convert(&Type::Number), Ok(100.into()));
        assert_eq!(Value::from(true).convert(&Type::String), Ok("true".into()));
        let error = Value::object([("a", Value::tuple(vec!["x".into()]))])
            .convert(&Type::object([("a", Type::list(Type::Number))]))
            .expect_err("no number");
        assert_eq!(error.to_string(), "`.a[0]`: a number is needed, this string is not one");
        assert!(Value::from(1).convert(&Type::Bool).is_err());
    }

    #[test]
    fn marks_survive_conversion_and_rise_to_the_set() {
        let secret = Value::tuple(vec![Value::from(1).sensitive()]);
        let list = secret.convert(&Type::list(Type::String)).expect("converts");
        assert!(list.is_sensitive() && !list.marks().sensitive);
        let set = secret.convert(&Type::set(Type::String)).expect("converts");
        assert!(set.marks().sensitive);
    }

    #[test]
    fn an_unknown_keeps_what_still_holds() {
        let unknown = Unknown { not_null: true, ..Unknown::of(Type::Number) };
        let converted = Value::unknown(unknown).convert(&Type::String).expect("can be");
        assert_eq!(converted, Value::unknown(Unknown { not_null: true, ..Unknown::of(Type::String) }));
        assert!(Value::unknown(Unknown::of(Type::Bool)).convert(&Type::Number).is_err());
    }
}
