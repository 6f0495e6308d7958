//! Functions of texts. Pure.
//!
//! Invariant: letters are counted as people see them (grapheme clusters).

use unicode_segmentation::UnicodeSegmentation as _;

use super::{
    Arguments, Function, FunctionError, Kind, LARGEST, Outcome, Parameter, normalised, nullable, parameter, row,
};
use crate::value::Value;

const TEXT: Parameter = parameter("string", Kind::Text);

pub(super) static ROWS: &[Function] = &[
    row("chomp", &[TEXT], Kind::Text, |a| Ok(a.text(0).trim_end_matches(['\n', '\r']).into())),
    row("endswith", &[TEXT, parameter("suffix", Kind::Text)], Kind::Bool, |a| {
        Ok(a.text(0).ends_with(a.text(1)).into())
    }),
    row("startswith", &[TEXT, parameter("prefix", Kind::Text)], Kind::Bool, starts_with).raw(),
    row("indent", &[parameter("spaces", Kind::Number), TEXT], Kind::Text, indent),
    row("join", &[parameter("separator", Kind::Text)], Kind::Text, join).variadic(parameter("lists", Kind::Texts)),
    row("lower", &[TEXT], Kind::Text, |a| Ok(normalised(a.text(0).chars().map(lower).collect()))),
    row("upper", &[TEXT], Kind::Text, |a| Ok(normalised(a.text(0).chars().map(upper).collect()))),
    row("title", &[TEXT], Kind::Text, |a| Ok(normalised(title(a.text(0))))),
    row("split", &[parameter("separator", Kind::Text), TEXT], Kind::Texts, split),
    row("strcontains", &[TEXT, parameter("substring", Kind::Text)], Kind::Bool, |a| {
        Ok(a.text(0).contains(a.text(1)).into())
    }),
    row("strrev", &[TEXT], Kind::Text, |a| Ok(normalised(a.text(0).graphemes(true).rev().collect()))),
    row("substr", &[TEXT, parameter("offset", Kind::Number), parameter("length", Kind::Number)], Kind::Text, substr),
    row("trim", &[TEXT, parameter("letters", Kind::Text)], Kind::Text, |a| {
        Ok(a.text(0).trim_matches(|letter| a.text(1).contains(letter)).into())
    }),
    row("trimprefix", &[TEXT, parameter("prefix", Kind::Text)], Kind::Text, |a| {
        Ok(a.text(0).strip_prefix(a.text(1)).unwrap_or(a.text(0)).into())
    }),
    row("trimsuffix", &[TEXT, parameter("suffix", Kind::Text)], Kind::Text, |a| {
        Ok(a.text(0).strip_suffix(a.text(1)).unwrap_or(a.text(0)).into())
    }),
    row("trimspace", &[TEXT], Kind::Text, |a| Ok(a.text(0).trim().into())),
    row("coalesce", &[], Kind::Any, coalesce).variadic(nullable("values", Kind::Any)).raw(),
];

/// One letter for one letter, as in Go: `ß` stays.
fn upper(letter: char) -> char {
    let mut letters = letter.to_uppercase();
    letters.next().filter(|_| letters.next().is_none()).unwrap_or(letter)
}

/// One letter for one letter.
fn lower(letter: char) -> char {
    let mut letters = letter.to_lowercase();
    letters.next().filter(|_| letters.next().is_none()).unwrap_or(letter)
}

/// A prefix that an unknown is known to have may decide.
fn starts_with(arguments: &Arguments<'_>) -> Outcome {
    use crate::value::{Data, Type};
    use crate::value::{marks_of, unknown_from};
    let marks = marks_of(arguments.all());
    let verdict = match (arguments.value(0).data(), arguments.value(1).as_str()) {
        (Data::String(text), Some(prefix)) => Some(text.starts_with(prefix)),
        (_, Some("")) => Some(true),
        (Data::Unknown(unknown), Some(prefix)) => match unknown.prefix.as_deref() {
            Some(known) if known.starts_with(prefix) => Some(true),
            Some(known) if !prefix.starts_with(known) => Some(false),
            _ => None,
        },
        _ => None,
    };
    Ok(match verdict {
        Some(verdict) => Value::from(verdict).mark(marks),
        None => unknown_from(Type::Bool, arguments.all()),
    })
}

fn indent(arguments: &Arguments<'_>) -> Outcome {
    let spaces = usize::try_from(arguments.integer(0)?).map_err(|_| FunctionError::at(0, "it cannot be negative"))?;
    let lines = arguments.text(1).matches('\n').count();
    if spaces.checked_mul(lines.max(1)).is_none_or(|size| size > LARGEST) {
        return Err(FunctionError::at(0, "the result is too large"));
    }
    Ok(arguments.text(1).replace('\n', &format!("\n{}", " ".repeat(spaces))).into())
}

fn join(arguments: &Arguments<'_>) -> Outcome {
    if arguments.all().len() < 2 {
        return Err(FunctionError::whole("it needs at least one list"));
    }
    let mut texts = Vec::new();
    for index in 1..arguments.all().len() {
        for item in arguments.items(index)? {
            texts.push(item.as_str().ok_or_else(|| FunctionError::at(index, "an element is null"))?);
        }
    }
    Ok(normalised(texts.join(arguments.text(0))))
}

/// Each word's first letter in its title case; `_` is part of a word, `-` is not.
fn title(text: &str) -> String {
    let mut inside_word = false;
    let mut made = String::with_capacity(text.len());
    for letter in text.chars() {
        match inside_word {
            true => made.push(letter),
            false => made.push(upper(letter)),
        }
        inside_word = letter.is_alphanumeric() || letter == '_' || (!letter.is_ascii() && !letter.is_whitespace());
    }
    made
}

fn split(arguments: &Arguments<'_>) -> Outcome {
    let (separator, text) = (arguments.text(0), arguments.text(1));
    Ok(match separator {
        "" => Value::strings(text.graphemes(true)),
        _ => Value::strings(text.split(separator)),
    })
}

fn substr(arguments: &Arguments<'_>) -> Outcome {
    let letters: Vec<&str> = arguments.text(0).graphemes(true).collect();
    let count = i64::try_from(letters.len()).unwrap_or(i64::MAX);
    let (offset, length) = (arguments.integer(1)?, arguments.integer(2)?);
    let start = if offset < 0 { (count.saturating_add(offset)).max(0) } else { offset.min(count) };
    let end = if length < 0 { count } else { start.saturating_add(length).min(count) };
    let at = |index: i64| usize::try_from(index).unwrap_or_default();
    Ok(normalised(letters[at(start)..at(end).max(at(start))].concat()))
}

/// The first argument that is neither null nor an empty text, as the type that all share.
fn coalesce(arguments: &Arguments<'_>) -> Outcome {
    use crate::value::{Data, Type, Unknown, unify::unify};
    use crate::value::{marks_of, unknown_from};
    let types: Vec<Type> = arguments.all().iter().map(Value::ty).collect();
    let ty = unify(&types).ok_or_else(|| FunctionError::whole("all values must be of one type, and these are not"))?;
    for (index, value) in arguments.all().iter().enumerate() {
        let converted = value.convert(&ty).map_err(|error| FunctionError::at(index, error.to_string()))?;
        match converted.data() {
            Data::Unknown(unknown) if unknown.not_null && unknown.prefix.is_some() => return Ok(converted),
            Data::Unknown(_) => {
                let rest = &arguments.all()[index..];
                let unknown = unknown_from(ty, rest);
                return Ok(match unknown.data() {
                    Data::Unknown(inner) => {
                        Value::unknown(Unknown { not_null: true, ..(**inner).clone() }).mark(marks_of(rest))
                    }
                    _ => unknown,
                });
            }
            Data::Null(_) => {}
            Data::String(text) if text.is_empty() => {}
            _ => return Ok(converted),
        }
    }
    Err(FunctionError::whole("all values are null or empty texts"))
}
