//! Values as YAML, in the form that Terraform's `yamlencode` writes. Pure.
//!
//! Invariant: every text is quoted or a literal block, so that no reader takes it for something else.

use crate::value::{Data, Value};

/// A whole document.
pub(super) fn document(value: &Value) -> String {
    let mut text = String::new();
    match value.data() {
        // A lone plain word needs the end of the document behind it.
        Data::Null(_) | Data::Bool(_) | Data::Number(_) => {
            text.push_str(&scalar(value, 0));
            text.push_str("\n...\n");
        }
        _ => write(value, 0, true, &mut text),
    }
    text
}

/// Writes a value whose lines start at `indent`; `inline` says that its first line's start is already written.
fn write(value: &Value, indent: usize, inline: bool, text: &mut String) {
    let margin = " ".repeat(indent);
    let mut first = inline;
    let mut start = |text: &mut String| {
        if !std::mem::take(&mut first) {
            text.push_str(&margin);
        }
    };
    match (value.items(), value.entries()) {
        (Some(items), _) if !items.is_empty() => {
            for item in items {
                start(text);
                text.push_str("- ");
                write(item, indent + 2, true, text);
            }
        }
        (_, Some(entries)) if !entries.is_empty() => {
            for (key, item) in entries {
                start(text);
                text.push_str(&quoted(key));
                text.push(':');
                let is_filled = |value: &Value| {
                    value.items().is_some_and(|items| !items.is_empty())
                        || value.entries().is_some_and(|entries| !entries.is_empty())
                };
                match (is_filled(item), item.items().is_some()) {
                    // A sequence stands under its key, without indentation of its own.
                    (true, true) => {
                        text.push('\n');
                        write(item, indent, false, text);
                    }
                    (true, false) => {
                        text.push('\n');
                        write(item, indent + 2, false, text);
                    }
                    (false, _) => {
                        text.push(' ');
                        write(item, indent + 2, true, text);
                    }
                }
            }
        }
        _ => {
            start(text);
            text.push_str(&scalar(value, indent.max(2)));
            text.push('\n');
        }
    }
}

fn scalar(value: &Value, indent: usize) -> String {
    match value.data() {
        Data::Bool(truth) => truth.to_string(),
        Data::Number(number) => number.to_string(),
        Data::String(text) => block(text, indent).unwrap_or_else(|| quoted(text)),
        Data::List(..) | Data::Set(..) | Data::Tuple(_) => "[]".to_owned(),
        Data::Map(..) | Data::Object(_) => "{}".to_owned(),
        Data::Null(_) | Data::Unknown(_) | Data::Sealed(_) => "null".to_owned(),
    }
}

/// A text of several lines as a literal block, where that form can hold it.
fn block(text: &str, indent: usize) -> Option<String> {
    let printable =
        text.chars().all(|letter| letter == '\n' || (letter >= ' ' && letter != '\u{7f}' && letter != '\u{feff}'));
    let awkward = text.ends_with(' ') || text.contains(" \n");
    if !text.contains('\n') || !printable || awkward {
        return None;
    }
    let body = text.trim_end_matches('\n');
    // Where the first line does not show the margin, it is said.
    let digit = if text.starts_with([' ', '\n']) { "2" } else { "" };
    let keep = match text.len() - body.len() {
        0 => "-",
        1 => "",
        _ => "+",
    };
    let margin = " ".repeat(indent);
    let lines: Vec<String> =
        body.split('\n').map(|line| if line.is_empty() { String::new() } else { format!("{margin}{line}") }).collect();
    let trailing = "\n".repeat((text.len() - body.len()).saturating_sub(1));
    Some(format!("|{digit}{keep}\n{}{trailing}", lines.join("\n")))
}

fn quoted(text: &str) -> String {
    let mut made = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' => made.push_str("\\\""),
            '\\' => made.push_str("\\\\"),
            '\n' => made.push_str("\\n"),
            '\t' => made.push_str("\\t"),
            '\r' => made.push_str("\\r"),
            '\0' => made.push_str("\\0"),
            '\u{7}' => made.push_str("\\a"),
            '\u{8}' => made.push_str("\\b"),
            '\u{b}' => made.push_str("\\v"),
            '\u{c}' => made.push_str("\\f"),
            '\u{1b}' => made.push_str("\\e"),
            '\u{85}' => made.push_str("\\N"),
            '\u{a0}' => made.push_str("\\_"),
            '\u{2028}' => made.push_str("\\L"),
            '\u{2029}' => made.push_str("\\P"),
            '\u{feff}' => made.push_str("\\uFEFF"),
            control if control < ' ' || control == '\u{7f}' => made.push_str(&format!("\\x{:02X}", control as u32)),
            other => made.push(other),
        }
    }
    made.push('"');
    made
}
