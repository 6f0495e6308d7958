//! `config` blocks: where values are kept, and what each key must be. Pure.
//!
//! Invariant: what is said of a key is plain text of the source; only values and rotations are expressions.

use super::Config;
use super::body::{Attribute, Block};
use super::repeat::{depends_on, take};
use super::settings::{Plain, Shape};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::expression::{Expr, Node, Reference};
use crate::value::{Object, Type, Value};

/// What a `key` block says of one key.
#[derive(Clone, Debug)]
pub struct Key {
    /// Where its label stands.
    pub span: Span,
    /// What its value must be.
    pub ty: Type,
    /// Whether it must have a value.
    pub required: bool,
    /// The values that it may have, if not any.
    pub allowed: Option<Vec<String>>,
    /// What its value must look like.
    pub pattern: Option<regex::Regex>,
    /// Whether its value is a secret, however it is given.
    pub secret: bool,
    /// What it is for, kept with it.
    pub description: Option<String>,
    /// How its value is made, when nobody gives it.
    pub generated: Option<Object>,
    /// Whether only a person gives its value, which is never written by us.
    pub manual: bool,
    /// Another text makes another generated value.
    pub rotation: Option<Attribute>,
}

impl Config {
    /// Every attribute of it that holds an expression.
    pub fn attributes(&self) -> impl Iterator<Item = &Attribute> {
        self.settings.iter().chain(self.keys.values().filter_map(|key| key.rotation.as_ref()))
    }
}

pub(super) fn read(mut block: Block, diagnostics: &mut Diagnostics) -> Config {
    let shape = Shape {
        what: "a `config` block",
        attributes: &[
            "store",
            "prefix",
            "values",
            "tier",
            "key_id",
            "kms_key_id",
            "path",
            "format",
            "template",
            "mode",
            "depends_on",
        ],
        blocks: &["key"],
        required: &["store"],
    };
    shape.check(&block, diagnostics);
    let depends_on = depends_on(&mut block.body, diagnostics);
    let mut config =
        Config { span: block.header, settings: block.body.attributes, depends_on, keys: indexmap::IndexMap::new() };
    for nested in block.body.blocks.into_iter().filter(|nested| &*nested.word == "key") {
        let [(name, span)] = &nested.labels[..] else {
            diagnostics.push(
                Diagnostic::error("a key needs its name")
                    .at(nested.header)
                    .detail("a `key` block has one label")
                    .help("write `key \"NAME\" { … }`"),
            );
            continue;
        };
        let (name, span) = (name.clone(), *span);
        if config.keys.contains_key(&name) {
            diagnostics.push(
                Diagnostic::error("a key is declared twice")
                    .at(span)
                    .detail(format!("there are two `key \"{name}\"` blocks"))
                    .help("keep one of them"),
            );
            continue;
        }
        config.keys.insert(name, key(nested, span, diagnostics));
    }
    if config.keys.is_empty() && !config.settings.iter().any(|setting| &*setting.name == "values") {
        diagnostics.push(
            Diagnostic::error("a required attribute is missing")
                .at(config.span)
                .detail("a `config` block without `key` blocks needs `values`")
                .help("add `values = { KEY = value }`"),
        );
    }
    config
}

fn key(mut block: Block, span: Span, diagnostics: &mut Diagnostics) -> Key {
    let shape = Shape {
        what: "a `key` block",
        attributes: &["type", "required", "allowed", "pattern", "secret", "description", "rotation", "manual"],
        blocks: &["generated"],
        required: &[],
    };
    shape.check(&block, diagnostics);
    let rotation = take(&mut block.body, "rotation");
    let ty = block.body.expr("type").map_or(Type::String, |expr| value_type(expr, diagnostics));
    let pattern_span = block.body.expr("pattern").map_or(span, |expr| expr.span);
    let generated = block.body.blocks("generated").next().map(|nested| how_generated(nested, diagnostics));
    let mut plain = Plain { body: &block.body, diagnostics };
    let manual = plain.truth("manual").unwrap_or(false);
    let pattern = plain.text("pattern").and_then(|pattern| whole_pattern(&pattern, pattern_span, plain.diagnostics));
    let key = Key {
        span,
        ty,
        required: plain.truth("required").unwrap_or(true),
        allowed: plain.texts("allowed"),
        pattern,
        secret: plain.truth("secret").unwrap_or(false) || generated.is_some() || manual,
        description: plain.text("description"),
        generated,
        manual,
        rotation,
    };
    let besides = ["allowed", "pattern", "type", "description"].iter().find_map(|name| block.body.attribute(name));
    let besides = besides.map(|attribute| attribute.name_span).or(key.generated.as_ref().map(|_| span));
    if let (true, Some(place)) = (key.manual, besides) {
        diagnostics.push(
            Diagnostic::error("what a person gives is never looked at")
                .at(place)
                .detail("a key with `manual` has neither a schema of its value, nor a description, nor `generated`")
                .help("keep `manual` alone, or leave it out"),
        );
    }
    if let (Some(rotation), None) = (&key.rotation, &key.generated) {
        diagnostics.push(
            Diagnostic::error("only a generated value is made anew")
                .at(rotation.name_span)
                .detail("`rotation` stands in a key without `generated`")
                .help("add `generated {}`, or remove `rotation`"),
        );
    }
    key
}

/// What a value in a store can be: all of it is text there.
fn value_type(expr: &Expr, diagnostics: &mut Diagnostics) -> Type {
    if let Node::Reference(Reference::Builtin(word)) = &expr.node {
        match &**word {
            "string" => return Type::String,
            "number" => return Type::Number,
            "bool" => return Type::Bool,
            _ => {}
        }
    }
    diagnostics.push(
        Diagnostic::error("this is not a type of a key")
            .at(expr.place())
            .detail("a key holds one text")
            .help("write `string`, `number` or `bool`; for more than that, `jsonencode(…)` into a string"),
    );
    Type::String
}

fn whole_pattern(pattern: &str, span: Span, diagnostics: &mut Diagnostics) -> Option<regex::Regex> {
    match regex::Regex::new(&format!("^(?:{pattern})$")) {
        Ok(pattern) => Some(pattern),
        Err(_) => {
            diagnostics.push(
                Diagnostic::error("this is not a pattern")
                    .at(span)
                    .detail(format!("`{pattern}` is no regular expression"))
                    .help("write one as `regex()` takes it; the whole value must match it"),
            );
            None
        }
    }
}

fn how_generated(block: &Block, diagnostics: &mut Diagnostics) -> Object {
    let shape =
        Shape { what: "a `generated` block", attributes: &["length", "characters"], blocks: &[], required: &[] };
    shape.check(block, diagnostics);
    let mut plain = Plain { body: &block.body, diagnostics };
    let length = plain.count("length").map(|length| ("length".to_owned(), Value::from(i64::from(length))));
    let characters = plain.text("characters").map(|name| ("characters".to_owned(), Value::from(name)));
    length.into_iter().chain(characters).collect()
}
