//! Functions of lists, maps and objects: asking for what is inside. Pure.
//!
//! Invariant: an element that is unknown or secret stays so and makes nothing else so.

use super::{Arguments, Function, FunctionError, Kind, Outcome, Parameter, normalised, nullable, parameter, row};
use crate::value::{Data, Type, Value, unify::unify};
use crate::value::{equal, marks_of, unknown_from};

const LIST: Parameter = parameter("list", Kind::Any);
const MAP: Parameter = parameter("map", Kind::Any);
const VALUE: Parameter = nullable("value", Kind::Any);

pub(super) static ROWS: &[Function] = &[
    row("alltrue", &[parameter("list", Kind::Bools)], Kind::Bool, |a| truths(a, false)).raw(),
    row("anytrue", &[parameter("list", Kind::Bools)], Kind::Bool, |a| truths(a, true)).raw(),
    row("contains", &[LIST, parameter("value", Kind::Any)], Kind::Bool, contains).raw(),
    row("element", &[LIST, parameter("index", Kind::Number)], Kind::Any, element).structure(),
    row("index", &[LIST, VALUE], Kind::Number, index),
    row("keys", &[MAP], Kind::Texts, keys).structure(),
    row("values", &[MAP], Kind::Any, values).structure(),
    row("length", &[parameter("value", Kind::Any)], Kind::Number, length).raw(),
    row("lookup", &[MAP, parameter("key", Kind::Text)], Kind::Any, lookup)
        .variadic(nullable("default", Kind::Any))
        .structure(),
    row("one", &[LIST], Kind::Any, one).structure(),
];

/// `decisive` is the truth that decides: false for `alltrue`, true for `anytrue`.
fn truths(arguments: &Arguments<'_>, decisive: bool) -> Outcome {
    let list = arguments.value(0);
    let marks = marks_of([list]);
    let Some(items) = list.items() else {
        return Ok(unknown_from(Type::Bool, [list]));
    };
    let mut known = true;
    for item in items {
        match item.as_bool() {
            Some(truth) if truth == decisive => return Ok(Value::from(decisive).mark(marks)),
            Some(_) => {}
            // Null is not true.
            None if item.is_null() && !decisive => return Ok(Value::from(false).mark(marks)),
            None if item.is_null() => {}
            None => known = false,
        }
    }
    Ok(if known { Value::from(!decisive).mark(marks) } else { unknown_from(Type::Bool, [list]) })
}

fn contains(arguments: &Arguments<'_>) -> Outcome {
    let (list, wanted) = (arguments.value(0), arguments.value(1));
    if let Data::Unknown(_) | Data::Sealed(_) = list.data() {
        return Ok(unknown_from(Type::Bool, arguments.all()));
    }
    let marks = marks_of(arguments.all());
    let mut known = true;
    for item in arguments.items(0)? {
        match equal(item, wanted) {
            Some(true) => return Ok(Value::from(true).mark(marks)),
            Some(false) => {}
            None => known = false,
        }
    }
    Ok(if known { Value::from(false).mark(marks) } else { unknown_from(Type::Bool, arguments.all()) })
}

fn element(arguments: &Arguments<'_>) -> Outcome {
    let items = arguments.ordered(0)?;
    let index = usize::try_from(arguments.integer(1)?).map_err(|_| {
        FunctionError::at(1, "the index cannot be negative; for the last element use `l[length(l) - 1]`")
    })?;
    match items.len() {
        0 => Err(FunctionError::at(0, "the list is empty")),
        length => Ok(items[index % length].clone()),
    }
}

fn index(arguments: &Arguments<'_>) -> Outcome {
    let found = arguments.ordered(0)?.iter().position(|item| equal(item, arguments.value(1)) == Some(true));
    let found = found.and_then(|index| i64::try_from(index).ok());
    found.map(Into::into).ok_or_else(|| FunctionError::at(1, "it is not in the list"))
}

fn keys(arguments: &Arguments<'_>) -> Outcome {
    let names: Vec<Value> = arguments.entries(0)?.keys().map(|key| Value::string(key.clone())).collect();
    Ok(match arguments.value(0).data() {
        Data::Map(..) => Value::list(Type::String, names),
        _ => Value::tuple(names),
    })
}

fn values(arguments: &Arguments<'_>) -> Outcome {
    let items: Vec<Value> = arguments.entries(0)?.values().cloned().collect();
    Ok(match arguments.value(0).data() {
        Data::Map(element, _) => Value::list(element.clone(), items),
        _ => Value::tuple(items),
    })
}

fn length(arguments: &Arguments<'_>) -> Outcome {
    use unicode_segmentation::UnicodeSegmentation as _;
    let value = arguments.value(0);
    let marks = value.marks();
    let count = match value.data() {
        Data::String(text) => text.graphemes(true).count(),
        Data::List(_, items) | Data::Tuple(items) => items.len(),
        // Elements that are not known yet may turn out to be equal.
        Data::Set(_, items) if items.iter().any(|item| !item.is_known()) && items.len() > 1 => {
            return Ok(unknown_from(Type::Number, [value]));
        }
        Data::Set(_, items) => items.len(),
        Data::Map(_, entries) | Data::Object(entries) => entries.len(),
        Data::Unknown(unknown) => {
            return match (&unknown.ty, unknown.length) {
                (_, Some((least, Some(most)))) if least == most => {
                    Ok(count_of(usize::try_from(least).unwrap_or(0)).mark(marks))
                }
                (Type::Tuple(types), _) => Ok(count_of(types.len()).mark(marks)),
                (Type::Object(fields), _) => Ok(count_of(fields.len()).mark(marks)),
                (Type::Bool | Type::Number, _) => Err(FunctionError::at(0, arguments.not_a("string or collection", 0))),
                _ => Ok(unknown_from(Type::Number, [value])),
            };
        }
        Data::Sealed(_) => return Ok(unknown_from(Type::Number, [value])),
        Data::Null(_) | Data::Bool(_) | Data::Number(_) => {
            return Err(FunctionError::at(0, arguments.not_a("string or collection", 0)));
        }
    };
    Ok(count_of(count).mark(marks))
}

fn count_of(count: usize) -> Value {
    i64::try_from(count).unwrap_or(i64::MAX).into()
}

fn lookup(arguments: &Arguments<'_>) -> Outcome {
    if arguments.all().len() > 3 {
        return Err(FunctionError::at(3, "it takes a map, a key and one default"));
    }
    let (entries, key) = (arguments.entries(0)?, arguments.text(1));
    let default = match (arguments.given(2), arguments.value(0).data()) {
        (Some(default), Data::Map(element, _)) => {
            Some(default.convert(element).map_err(|error| FunctionError::at(2, error.to_string()))?)
        }
        (default, _) => default.cloned(),
    };
    entries.get(key).cloned().or(default).ok_or_else(|| {
        let key = if arguments.secret { "this key" } else { key };
        FunctionError::at(1, format!("`{key}` is not in the map, and there is no default"))
    })
}

fn one(arguments: &Arguments<'_>) -> Outcome {
    match arguments.items(0)? {
        [] => Ok(match arguments.value(0).data() {
            Data::List(element, _) | Data::Set(element, _) => Data::Null(element.clone()).into(),
            _ => Value::null(),
        }),
        [only] => Ok(only.clone()),
        items => Err(FunctionError::at(0, format!("it has {} elements, at most one may be there", items.len()))),
    }
}

/// Elements as a list of the one type that they share.
pub(super) fn list_of(items: &[Value], argument: usize) -> Outcome {
    Value::tuple(items.to_vec())
        .convert(&Type::list(Type::Any))
        .map_err(|error| FunctionError::at(argument, error.to_string()))
}

/// The type that elements share.
pub(super) fn shared_type(items: &[Value], argument: usize) -> Result<Type, FunctionError> {
    let types: Vec<Type> = items.iter().map(Value::ty).collect();
    unify(&types).ok_or_else(|| FunctionError::at(argument, "all elements must be of one type, and these are not"))
}

/// A text element.
pub(super) fn text_of(item: &Value, argument: usize) -> Result<&str, FunctionError> {
    item.as_str().ok_or_else(|| FunctionError::at(argument, "an element is null"))
}

/// A made text.
pub(super) fn made(text: String) -> Outcome {
    Ok(normalised(text))
}
