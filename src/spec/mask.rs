//! Secrets that stand in the text of a spec, blotted out of what diagnostics show. Pure.
//!
//! Invariant: a masked text has every line, column and byte offset where the original has it.

use super::body::{self, Block, Body};
use super::{schema_need, settings};
use crate::diagnostic::{Diagnostics, SourceId, Span};
use crate::expression::{Expr, Node};
use crate::kind::{Attribute, Kinds, Secrecy};
use crate::value::Data;

/// Whether a text holds literal secrets, as far as it parses as a spec.
pub fn literal_secrets(text: &str, kinds: &Kinds) -> bool {
    let text = schema_need::rewrite(&text.replace('\u{feff}', "   "));
    let read = body::read(&text, SourceId(0), &mut Diagnostics::default());
    read.is_ok_and(|body| !places(&body, kinds).is_empty())
}

/// The places of secret literals in a file that parses.
pub(super) fn places(body: &Body, kinds: &Kinds) -> Vec<Span> {
    let mut found = Vec::new();
    body.visit(&mut |expr| match &expr.node {
        Node::Call(call) if &*call.function == "sensitive" => {
            call.arguments.iter().for_each(|argument| literals(argument, &mut found));
        }
        Node::Literal(value) if value.as_str().is_some_and(holds_password) => found.push(expr.span),
        _ => {}
    });
    for block in &body.blocks {
        of_block(block, kinds, &mut found);
    }
    found
}

fn of_block(block: &Block, kinds: &Kinds, found: &mut Vec<Span>) {
    let expr = |name: &str| block.body.expr(name);
    let names: Vec<&str> = match &*block.word {
        "variable" if expr("sensitive").and_then(settings::plain).and_then(|value| value.as_bool()) == Some(true) => {
            vec!["default"]
        }
        "database" => vec!["password"],
        "resource" => kinds.get(block.label(0)).map_or_else(Vec::new, |kind| secret_names(&kind.attributes, block)),
        "provider" => {
            kinds.provider(block.label(0)).map_or_else(Vec::new, |schema| secret_names(&schema.attributes, block))
        }
        _ => Vec::new(),
    };
    for name in names {
        expr(name).into_iter().for_each(|expr| literals(expr, found));
    }
}

fn secret_names(attributes: &[Attribute], block: &Block) -> Vec<&'static str> {
    let is_secret = |attribute: &&Attribute| match attribute.secrecy {
        Secrecy::Open => false,
        Secrecy::Secret => true,
        // Where the deciding attribute is no plain value here, the secret one counts as one.
        Secrecy::When(other, value) => {
            block.body.expr(other).is_some_and(|expr| settings::text(expr).is_none_or(|text| text == value))
        }
    };
    attributes.iter().filter(is_secret).map(|attribute| attribute.name).collect()
}

fn literals(expr: &Expr, found: &mut Vec<Span>) {
    expr.visit(&mut |part| {
        if let Node::Literal(value) = &part.node
            && matches!(value.data(), Data::String(_) | Data::Number(_))
        {
            found.extend(part.place());
        }
    });
}

/// `scheme://user:password@host`.
fn holds_password(text: &str) -> bool {
    let Some((_, rest)) = text.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit_once('@').is_some_and(|(user, _)| user.contains(':'))
}

/// The text with these places blotted out.
pub(super) fn blot(text: &str, places: &[Span]) -> String {
    let mut bytes = text.as_bytes().to_vec();
    for place in places {
        let end = (place.end as usize).min(bytes.len());
        for byte in &mut bytes[(place.start as usize).min(end)..end] {
            if !matches!(byte, b'\n' | b'\r' | b'"') {
                *byte = b'*';
            }
        }
    }
    String::from_utf8(bytes).expect("literals begin and end between characters")
}

/// The same for a file that does not parse, by looking for words that announce a secret: what follows them on
/// the line is blotted out.
pub(super) fn blot_unparsed(text: &str) -> String {
    const ANNOUNCE: [&str; 5] = ["sensitive(", "password", "secret", "token", "://"];
    let mut masked = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let lower = line.to_ascii_lowercase();
        let announced = ANNOUNCE.iter().filter_map(|word| lower.find(word).map(|at| at + word.len())).min();
        let quote = announced.and_then(|at| line[at..].find('"').map(|quote| at + quote));
        match quote {
            Some(quote) => {
                masked.push_str(&line[..quote]);
                let blot = |letter: char| match letter {
                    '\n' | '\r' | '"' => letter.to_string(),
                    other => "*".repeat(other.len_utf8()),
                };
                masked.extend(line[quote..].chars().map(blot));
            }
            None => masked.push_str(line),
        }
    }
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offsets_stay_and_the_secret_goes() {
        let text = "a = sensitive(\"hünter2\")\n";
        let start = u32::try_from(text.find('"').unwrap()).unwrap();
        let masked = blot(text, &[Span { source: SourceId(0), start, end: start + 10 }]);
        assert_eq!(masked, "a = sensitive(\"********\")\n");
        assert_eq!(masked.len(), text.len());
        assert_eq!(blot_unparsed("x = { password = \"p w\" \ny = \"z\"\n"), "x = { password = \"***\"*\ny = \"z\"\n");
    }

    #[test]
    fn a_password_in_a_url_is_seen() {
        assert!(holds_password("postgres://a:b@host/db"));
        assert!(!holds_password("postgres://a@host:5432/db"));
        assert!(!holds_password("arn:aws:x"));
    }
}
