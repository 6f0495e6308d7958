//! Values and types as Terraform's console shows them. Pure.
//!
//! Invariant: a secret is named, never shown.

use std::collections::BTreeMap;

use super::evaluate::{Scope, evaluate};
use crate::diagnostic::Diagnostics;
use crate::expression::{Expr, Node};
use crate::value::{Data, Type, Value, convert::plain_name};

/// What the console answers to an expression: its value, or the type that `type(…)` asks for.
///
/// # Errors
/// All mistakes of the expression.
pub fn answer(expr: &Expr, scope: &dyn Scope) -> Result<String, Diagnostics> {
    if let Node::Call(call) = &expr.node
        && &*call.function == "type"
        && let [argument] = &call.arguments[..]
    {
        return evaluate(argument, scope).map(|value| display_type(&value.ty()));
    }
    evaluate(expr, scope).map(|value| display(&value))
}

/// A value in the form that the language reads back, over several lines where it has several parts.
pub fn display(value: &Value) -> String {
    let mut text = String::new();
    write_value(value, 0, &mut text);
    text
}

fn write_value(value: &Value, indent: usize, text: &mut String) {
    match value.data() {
        Data::Unknown(_) => text.push_str("(known after apply)"),
        _ if value.marks().sensitive => text.push_str("(sensitive value)"),
        _ if value.marks().ephemeral => text.push_str("(ephemeral value)"),
        Data::Sealed(_) => text.push_str("(sensitive value)"),
        Data::Null(ty) => text.push_str(&null_of(ty)),
        Data::Bool(truth) => text.push_str(&truth.to_string()),
        Data::Number(number) => text.push_str(&number.to_string()),
        Data::String(string) => write_string(string, indent, text),
        Data::Tuple(items) => write_sequence(items, indent, text),
        Data::List(_, items) => wrapped("tolist", text, |text| write_sequence(items, indent, text)),
        Data::Set(_, items) => wrapped("toset", text, |text| write_sequence(items, indent, text)),
        Data::Object(entries) => write_entries(entries, indent, text),
        Data::Map(_, entries) => wrapped("tomap", text, |text| write_entries(entries, indent, text)),
    }
}

fn wrapped(function: &str, text: &mut String, inside: impl FnOnce(&mut String)) {
    text.push_str(function);
    text.push('(');
    inside(text);
    text.push(')');
}

fn null_of(ty: &Type) -> String {
    let element = |ty: &Type| if *ty == Type::Any { "dynamic".to_owned() } else { plain_name(ty) };
    match ty {
        Type::Any => "null".to_owned(),
        Type::Bool => "tobool(null)".to_owned(),
        Type::Number => "tonumber(null)".to_owned(),
        Type::String => "tostring(null)".to_owned(),
        Type::List(inner) => format!("tolist(null) /* of {} */", element(inner)),
        Type::Set(inner) => format!("toset(null) /* of {} */", element(inner)),
        Type::Map(inner) => format!("tomap(null) /* of {} */", element(inner)),
        Type::Tuple(_) | Type::Object(_) => format!("null /* {} */", plain_name(ty)),
    }
}

fn new_line(indent: usize, text: &mut String) {
    text.push('\n');
    text.extend(std::iter::repeat_n(' ', indent));
}

fn write_sequence(items: &[Value], indent: usize, text: &mut String) {
    text.push('[');
    for item in items {
        new_line(indent + 2, text);
        write_value(item, indent + 2, text);
        text.push(',');
    }
    if !items.is_empty() {
        new_line(indent, text);
    }
    text.push(']');
}

fn write_entries(entries: &BTreeMap<std::sync::Arc<str>, Value>, indent: usize, text: &mut String) {
    text.push('{');
    for (key, item) in entries {
        new_line(indent + 2, text);
        text.push_str(&quote(key));
        text.push_str(" = ");
        write_value(item, indent + 2, text);
    }
    if !entries.is_empty() {
        new_line(indent, text);
    }
    text.push('}');
}

/// One line in quotes; several lines as a heredoc whose end is no line of its own.
fn write_string(string: &str, indent: usize, text: &mut String) {
    if !string.contains('\n') {
        return text.push_str(&quote(string));
    }
    let mut delimiter = "EOT".to_owned();
    while string.split('\n').any(|line| line.trim() == delimiter) {
        delimiter.push('_');
    }
    text.push_str(if indent > 0 { "<<-" } else { "<<" });
    text.push_str(&delimiter);
    for line in string.split('\n').chain([delimiter.as_str()]) {
        new_line(indent, text);
        text.push_str(line);
    }
}

fn quote(string: &str) -> String {
    let mut text = String::from("\"");
    for letter in string.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{7}' => text.push_str("\\a"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            '\u{b}' => text.push_str("\\v"),
            letter if invisible(letter) => {
                let code = letter as u32;
                text.push_str(&match code {
                    0..=0x7f => format!("\\x{code:02x}"),
                    0x80..=0xffff => format!("\\u{code:04x}"),
                    _ => format!("\\U{code:08x}"),
                });
            }
            letter => text.push(letter),
        }
    }
    text.push('"');
    text
}

/// Letters that leave no trace on a page: controls, joiners, odd spaces, private use.
fn invisible(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{a0}' | '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{1680}' | '\u{180e}'
            | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{3000}'
            | '\u{e000}'..='\u{f8ff}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
            | '\u{f0000}'..='\u{10ffff}')
}

/// A type over several lines where it has several parts.
pub fn display_type(ty: &Type) -> String {
    let mut text = String::new();
    write_type(ty, 0, &mut text);
    text
}

fn write_type(ty: &Type, indent: usize, text: &mut String) {
    match ty {
        Type::Any => text.push_str("dynamic"),
        Type::Bool => text.push_str("bool"),
        Type::Number => text.push_str("number"),
        Type::String => text.push_str("string"),
        Type::List(element) => write_collection("list", element, indent, text),
        Type::Set(element) => write_collection("set", element, indent, text),
        Type::Map(element) => write_collection("map", element, indent, text),
        Type::Tuple(types) => {
            text.push_str("tuple([");
            for ty in types.iter() {
                new_line(indent + 4, text);
                write_type(ty, indent + 4, text);
                text.push(',');
            }
            if !types.is_empty() {
                new_line(indent, text);
            }
            text.push_str("])");
        }
        Type::Object(fields) => {
            text.push_str("object({");
            for (name, field) in fields.iter() {
                new_line(indent + 4, text);
                text.push_str(name);
                text.push_str(": ");
                write_type(&field.ty, indent + 4, text);
                text.push(',');
            }
            if !fields.is_empty() {
                new_line(indent, text);
            }
            text.push_str("})");
        }
    }
}

fn write_collection(word: &str, element: &Type, indent: usize, text: &mut String) {
    text.push_str(word);
    text.push('(');
    if matches!(element, Type::Tuple(_) | Type::Object(_)) {
        new_line(indent + 4, text);
        write_type(element, indent + 4, text);
        text.push(',');
        new_line(indent, text);
    } else {
        write_type(element, indent, text);
    }
    text.push(')');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_shown_as_the_console_does() {
        let value = Value::object([
            ("list", Value::strings(["a"])),
            ("lines", "one\nEOT".into()),
            ("null", Data::Null(Type::list(Type::Number)).into()),
            ("secret", Value::from("x").sensitive()),
            ("joiner", "a\u{200d}b".into()),
        ]);
        assert_eq!(
            display(&value),
            "{\n  \"joiner\" = \"a\\u200db\"\n  \"lines\" = <<-EOT_\n  one\n  EOT\n  EOT_\n  \"list\" = tolist([\n    \"a\",\n  ])\n  \
             \"null\" = tolist(null) /* of number */\n  \"secret\" = (sensitive value)\n}"
        );
        assert_eq!(
            display_type(&Type::list(Type::object([("a", Type::Bool)]))),
            "list(\n    object({\n        a: bool,\n    }),\n)"
        );
        assert_eq!(display_type(&Type::Tuple([].into())), "tuple([])");
    }
}
