//! `envencode` and `propertiesencode`: settings as files of lines, in the order of their keys. Pure.
//!
//! Invariant: whoever reads such a file by its own rules gets exactly the texts that were given; what cannot be written
//! so is refused.

use super::{Arguments, Function, FunctionError, Kind, Outcome, parameter, row};
use crate::value::{Type, Value};

pub(super) static ROWS: &[Function] = &[
    row("envencode", &[parameter("values", Kind::Any)], Kind::Text, env_encode),
    row("propertiesencode", &[parameter("values", Kind::Any)], Kind::Text, properties_encode),
];

fn env_encode(arguments: &Arguments<'_>) -> Outcome {
    let mut lines = String::new();
    for (key, text) in settings(arguments)? {
        if !is_name(&key) {
            return Err(FunctionError::at(0, format!("`{key}` is no name of an environment variable")));
        }
        if text.contains('\0') {
            return Err(FunctionError::at(0, format!("`{key}` holds a NUL, which no environment variable can")));
        }
        lines.push_str(&format!("{key}={}\n", quoted(&text)));
    }
    Ok(Value::string(lines))
}

fn properties_encode(arguments: &Arguments<'_>) -> Outcome {
    let mut lines = String::new();
    for (key, text) in settings(arguments)? {
        if key.is_empty() {
            return Err(FunctionError::at(0, "a key is empty"));
        }
        lines.push_str(&format!("{}={}\n", escaped(&key, true), escaped(&text, false)));
    }
    Ok(Value::string(lines))
}

/// The keys with their texts; what is null is not there.
fn settings(arguments: &Arguments<'_>) -> Result<Vec<(String, String)>, FunctionError> {
    let given = arguments.entries(0)?.iter().filter(|(_, value)| !value.is_null());
    let text = |(key, value): (&std::sync::Arc<str>, &Value)| {
        let text = value.convert(&Type::String).ok().and_then(|value| value.as_str().map(str::to_owned));
        let wrong =
            || FunctionError::at(0, format!("`{key}` is no text, number or bool; put `jsonencode(…)` around it"));
        Ok((key.to_string(), text.ok_or_else(wrong)?))
    };
    given.map(text).collect()
}

fn is_name(key: &str) -> bool {
    let first = key.chars().next().is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_');
    first && key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
}

/// As a shell reads it. What needs no quotes has none, so that readers without a shell get it as well.
fn quoted(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "_-./:@%+,=".contains(letter);
    match text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

/// As `java.util.Properties` stores it: readable in Latin-1 and in UTF-8.
fn escaped(text: &str, is_key: bool) -> String {
    let mut escaped = String::with_capacity(text.len());
    for (index, letter) in text.chars().enumerate() {
        match letter {
            ' ' if is_key || index == 0 => escaped.push_str("\\ "),
            '\\' | '=' | ':' | '#' | '!' => escaped.extend(['\\', letter]),
            '\t' => escaped.push_str("\\t"),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\u{c}' => escaped.push_str("\\f"),
            ' '..='~' => escaped.push(letter),
            other => {
                let mut units = [0; 2];
                other.encode_utf16(&mut units).iter().for_each(|unit| escaped.push_str(&format!("\\u{unit:04X}")));
            }
        }
    }
    escaped
}
