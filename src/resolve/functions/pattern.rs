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
    RegexBuilder::new(&translate(pattern)).size_limit(1 << 22).build().map_err(|error| {
        let text = error.to_string();
        let cause = text.lines().last().unwrap_or("it does not parse").trim_start_matches("error: ").to_owned();
        FunctionError::at(argument, format!("this is not a regular expression: {cause}"))
    })
}

/// A pattern of RE2 as one of our engine: `\w`, `\d`, `\s` and `\b` mean ASCII there, and a bracket or an
/// ampersand inside of brackets is no operator.
fn translate(pattern: &str) -> String {
    let mut translated = String::with_capacity(pattern.len());
    let mut letters = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some('w') => translated.push_str("[0-9A-Za-z_]"),
                Some('W') => translated.push_str("[^0-9A-Za-z_]"),
                Some('d') => translated.push_str("[0-9]"),
                Some('D') => translated.push_str("[^0-9]"),
                Some('s') => translated.push_str("[\\t\\n\\f\\r ]"),
                Some('S') => translated.push_str("[^\\t\\n\\f\\r ]"),
                Some('b') if !in_class => translated.push_str("(?-u:\\b)"),
                other => {
                    translated.push('\\');
                    translated.extend(other);
                }
            },
            '[' if in_class && letters.peek() == Some(&':') => {
                // A named class, `[:alpha:]`, as it stands.
                translated.push('[');
                for inner in letters.by_ref() {
                    translated.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
            }
            '[' | '&' | '~' if in_class => {
                translated.push('\\');
                translated.push(letter);
            }
            '[' => {
                in_class = true;
                translated.push('[');
                translated.extend(letters.next_if_eq(&'^'));
                // The first bracket inside is a letter.
                if letters.next_if_eq(&']').is_some() {
                    translated.push_str("\\]");
                }
            }
            ']' if in_class => {
                in_class = false;
                translated.push(']');
            }
            other => translated.push(other),
        }
    }
    translated
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
