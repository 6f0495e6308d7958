//! `jsonencode` and `jsondecode`. Pure.
//!
//! Invariant: numbers keep all of their digits both ways.

use super::{Arguments, Function, FunctionError, Kind, Outcome, nullable, parameter, row};
use crate::value::{Data, Type, Unknown, Value};
use crate::value::{marks_of, unknown_from};

pub(super) static ROWS: &[Function] = &[
    row("jsonencode", &[nullable("value", Kind::Any)], Kind::Text, json_encode).raw(),
    row("jsondecode", &[parameter("text", Kind::Text)], Kind::Any, |a| decode(a.text(0))),
];

fn json_encode(arguments: &Arguments<'_>) -> Outcome {
    let value = arguments.value(0);
    let marks = marks_of([value]);
    if value.is_known() && !holds_sealed(value) {
        return Ok(Value::string(encode(&value.reveal())).mark(marks));
    }
    let opening = match value.ty() {
        Type::Map(_) | Type::Object(_) => Some("{"),
        Type::List(_) | Type::Set(_) | Type::Tuple(_) => Some("["),
        Type::String => Some("\""),
        Type::Any | Type::Bool | Type::Number => None,
    };
    // An unknown may yet be null, whose text starts with `n`.
    let sure = !matches!(value.data(), Data::Unknown(unknown) if !unknown.not_null);
    let unknown = unknown_from(Type::String, [value]);
    Ok(match unknown.data() {
        Data::Unknown(inner) => {
            let prefix = opening.filter(|_| sure).map(str::to_owned);
            Value::unknown(Unknown { not_null: true, prefix, ..(**inner).clone() }).mark(marks)
        }
        _ => unknown,
    })
}

fn holds_sealed(value: &Value) -> bool {
    let mut found = false;
    if value.is_sensitive() {
        value.visit(&mut |inner| found |= matches!(inner.data(), Data::Sealed(_)));
    }
    found
}

/// Compact JSON with Go's escapes, which are safe inside HTML.
pub(super) fn encode(value: &Value) -> String {
    let plain = value.to_json_text();
    // These letters have no meaning in JSON itself, so they stand in strings only.
    let mut text = String::with_capacity(plain.len());
    for letter in plain.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => text.push_str(&format!("\\u{:04x}", letter as u32)),
            other => text.push(other),
        }
    }
    text
}

/// Reads JSON.
pub(super) fn decode(text: &str) -> Outcome {
    let mut reader = Reader { rest: text, whole: text.len() };
    let value = reader.value(0)?;
    reader.space();
    if reader.rest.is_empty() { Ok(value) } else { Err(reader.refuse("there is more after the end of the value")) }
}

struct Reader<'t> {
    rest: &'t str,
    whole: usize,
}

const DEEPEST: u32 = 200;

impl<'t> Reader<'t> {
    fn refuse(&self, cause: &str) -> FunctionError {
        FunctionError::at(0, format!("this is not JSON: {cause}, at byte {}", self.whole - self.rest.len()))
    }

    fn space(&mut self) {
        self.rest = self.rest.trim_start_matches([' ', '\t', '\n', '\r']);
    }

    fn take(&mut self, token: &str) -> bool {
        self.space();
        let after = self.rest.strip_prefix(token);
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn value(&mut self, depth: u32) -> Outcome {
        if depth > DEEPEST {
            return Err(self.refuse("it is nested too deep"));
        }
        self.space();
        for (word, value) in [("null", Value::null()), ("true", true.into()), ("false", false.into())] {
            if self.take(word) {
                return Ok(value);
            }
        }
        match self.rest.bytes().next() {
            Some(b'"') => self.string().map(super::normalised),
            Some(b'[') => self.array(depth),
            Some(b'{') => self.object(depth),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.refuse("a value is needed")),
            None => Err(self.refuse("it ends too early")),
        }
    }

    fn number(&mut self) -> Outcome {
        let end = self.rest.find(|letter: char| !letter.is_ascii_digit() && !"+-.eE".contains(letter));
        let (digits, rest) = self.rest.split_at(end.unwrap_or(self.rest.len()));
        let unsigned = digits.trim_start_matches('-');
        if digits.starts_with('+')
            || (unsigned.starts_with('0') && unsigned[1..].starts_with(|next: char| next.is_ascii_digit()))
        {
            return Err(self.refuse("this is not a number"));
        }
        let number = digits.parse::<crate::number::Number>().map_err(|_| self.refuse("this is not a number"))?;
        self.rest = rest;
        Ok(number.into())
    }

    fn string(&mut self) -> Result<String, FunctionError> {
        let bytes = self.rest.as_bytes();
        let mut at = 1;
        while at < bytes.len() && bytes[at] != b'"' {
            at += if bytes[at] == b'\\' { 2 } else { 1 };
        }
        if at >= bytes.len() {
            return Err(self.refuse("a string has no end"));
        }
        let quoted: &'t str = &self.rest[..=at];
        let text = serde_json::from_str(quoted).map_err(|_| self.refuse("this string does not parse"))?;
        self.rest = &self.rest[at + 1..];
        Ok(text)
    }

    fn array(&mut self, depth: u32) -> Outcome {
        self.take("[");
        let mut items = Vec::new();
        if self.take("]") {
            return Ok(Value::tuple(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            if self.take("]") {
                return Ok(Value::tuple(items));
            }
            if !self.take(",") {
                return Err(self.refuse("`,` or `]` is needed"));
            }
        }
    }

    fn object(&mut self, depth: u32) -> Outcome {
        self.take("{");
        let mut entries: Vec<(String, Value)> = Vec::new();
        if self.take("}") {
            return Ok(Value::object(entries));
        }
        loop {
            self.space();
            if !self.rest.starts_with('"') {
                return Err(self.refuse("a key in quotes is needed"));
            }
            let key = self.string()?;
            if !self.take(":") {
                return Err(self.refuse("`:` is needed"));
            }
            entries.push((key, self.value(depth + 1)?));
            if self.take("}") {
                return Ok(Value::object(entries));
            }
            if !self.take(",") {
                return Err(self.refuse("`,` or `}` is needed"));
            }
        }
    }
}
