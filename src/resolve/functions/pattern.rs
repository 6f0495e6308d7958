//! Functions of regular expressions, of RE2's family: no look-around, linear time. Pure.
//!
//! Invariant: a pattern that is known tells the type of a result that is not.

use regex::{Captures, Regex, RegexBuilder};

use super::{Arguments, Function, FunctionError, Kind, Outcome, parameter, row};
use crate::value::{Data, Type, Value};
use crate::value::{marks_of, unknown_from};

pub(super) static ROWS: &[Function] = &[
    row("regex", &[parameter("pattern", Kind::Text), parameter("string", Kind::Text)], Kind::Any, first).raw(),
    row("regexall", &[parameter("pattern", Kind::Text), parameter("string", Kind::Text)], Kind::Any, all).raw(),
    row(
        "replace",
        &[parameter("string", Kind::Text), parameter("substring", Kind::Text), parameter("replacement", Kind::Text)],
        Kind::Text,
        replace,
    ),
];

fn compile(pattern: &str, argument: usize) -> Result<Regex, FunctionError> {
    RegexBuilder::new(pattern).size_limit(1 << 22).build().map_err(|error| {
        let text = error.to_string();
        let cause = text.lines().last().unwrap_or("it does not parse").trim_start_matches("error: ").to_owned();
        FunctionError::at(argument, format!("this is not a regular expression: {cause}"))
    })
}

fn result_type(regex: &Regex) -> Result<Type, FunctionError> {
    let names: Vec<Option<&str>> = regex.capture_names().skip(1).collect();
    let named = names.iter().flatten().count();
    match (names.len(), named) {
        (0, _) => Ok(Type::String),
        (count, 0) => Ok(Type::Tuple(vec![Type::String; count].into())),
        (count, named) if count == named => {
            Ok(Type::object(names.into_iter().flatten().map(|name| (name, Type::String))))
        }
        _ => Err(FunctionError::at(0, "its groups must all have names, or none of them")),
    }
}

fn captured(regex: &Regex, captures: &Captures<'_>, ty: &Type) -> Value {
    let group = |found: Option<regex::Match<'_>>| {
        found.map_or_else(|| Data::Null(Type::String).into(), |found| Value::from(found.as_str()))
    };
    match ty {
        Type::Tuple(_) => Value::tuple(captures.iter().skip(1).map(group).collect()),
        Type::Object(_) => {
            Value::object(regex.capture_names().flatten().map(|name| (name, group(captures.name(name)))))
        }
        _ => group(captures.get(0)),
    }
}

fn first(arguments: &Arguments<'_>) -> Outcome {
    let Some(pattern) = arguments.value(0).as_str() else {
        return Ok(unknown_from(Type::Any, arguments.all()));
    };
    let regex = compile(pattern, 0)?;
    let ty = result_type(&regex)?;
    let Some(text) = arguments.value(1).as_str() else {
        return Ok(unknown_from(ty, arguments.all()));
    };
    let found = regex.captures(text).ok_or_else(|| FunctionError::at(1, "the pattern does not match this text"))?;
    Ok(captured(&regex, &found, &ty).mark(marks_of(arguments.all())))
}

fn all(arguments: &Arguments<'_>) -> Outcome {
    let Some(pattern) = arguments.value(0).as_str() else {
        return Ok(unknown_from(Type::list(Type::Any), arguments.all()));
    };
    let regex = compile(pattern, 0)?;
    let ty = result_type(&regex)?;
    let Some(text) = arguments.value(1).as_str() else {
        return Ok(unknown_from(Type::list(ty), arguments.all()));
    };
    let found = regex.captures_iter(text).map(|captures| captured(&regex, &captures, &ty)).collect();
    Ok(Value::list(ty, found).mark(marks_of(arguments.all())))
}

fn replace(arguments: &Arguments<'_>) -> Outcome {
    let (text, what, with) = (arguments.text(0), arguments.text(1), arguments.text(2));
    let pattern = what.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
    let largest = text.len().saturating_add(1).saturating_mul(with.len().max(1));
    if largest > super::LARGEST && with.len() > 64 {
        return Err(FunctionError::at(2, "the result could be too large"));
    }
    super::collection::made(match pattern {
        Some(pattern) => compile(pattern, 1)?.replace_all(text, with).into_owned(),
        None => text.replace(what, with),
    })
}
