//! Reading the attributes of our own blocks: which there may be, and those that must be plain values. Pure.
//!
//! Invariant: an attribute or block that is not known here is reported, never ignored.

use super::body::{Attribute, Block, Body};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::expression::{Expr, Node};
use crate::suggest::{did_you_mean, listed};
use crate::value::{Data, Value};

/// What a block may hold.
pub(super) struct Shape<'a> {
    /// How messages call it: "a `variable` block".
    pub what: &'a str,
    /// Its attributes.
    pub attributes: &'a [&'a str],
    /// Its nested blocks.
    pub blocks: &'a [&'a str],
    /// The attributes that must be there.
    pub required: &'a [&'a str],
}

impl Shape<'_> {
    /// Reports what does not belong, and what is missing.
    pub fn check(&self, block: &Block, diagnostics: &mut Diagnostics) {
        for attribute in &block.body.attributes {
            if !self.attributes.contains(&&*attribute.name) {
                diagnostics.push(self.unknown_attribute(attribute));
            }
        }
        for nested in &block.body.blocks {
            if !self.blocks.contains(&&*nested.word) {
                diagnostics.push(self.unknown_block(nested));
            }
        }
        for required in self.required {
            if block.body.attribute(required).is_none() {
                diagnostics.push(
                    Diagnostic::error("a required attribute is missing")
                        .at(block.header)
                        .detail(format!("{} needs `{required}`", self.what))
                        .help(format!("add `{required} = …`")),
                );
            }
        }
    }

    fn unknown_attribute(&self, attribute: &Attribute) -> Diagnostic {
        let otherwise = match (self.attributes, self.blocks.contains(&&*attribute.name)) {
            (_, true) => format!("`{0}` is a block: write `{0} {{ … }}`", attribute.name),
            ([], false) => "remove it".to_owned(),
            (names, false) => format!("it may have {}", listed(names.iter().copied())),
        };
        Diagnostic::error("there is no such attribute")
            .at(attribute.name_span)
            .detail(format!("{} has no attribute `{}`", self.what, attribute.name))
            .help(did_you_mean(&attribute.name, self.attributes.iter().copied(), otherwise))
    }

    fn unknown_block(&self, nested: &Block) -> Diagnostic {
        let otherwise = match (self.blocks, self.attributes.contains(&&*nested.word)) {
            (_, true) => format!("`{0}` is an attribute: write `{0} = …`", nested.word),
            ([], false) => "it holds no blocks; remove it, or write it as an attribute".to_owned(),
            (names, false) => format!("it may hold {}", listed(names.iter().copied())),
        };
        Diagnostic::error("there is no such block here")
            .at(nested.header)
            .detail(format!("{} has no block `{}`", self.what, nested.word))
            .help(did_you_mean(&nested.word, self.blocks.iter().copied(), otherwise))
    }
}

/// The value of an expression that refers to nothing.
pub(super) fn plain(expr: &Expr) -> Option<Value> {
    match &expr.node {
        Node::Literal(value) => Some(value.clone()),
        Node::Template(parts) if parts.is_empty() => Some(Value::from("")),
        Node::Template(parts) => {
            let texts = parts.iter().map(text).collect::<Option<Vec<_>>>()?;
            Some(Value::from(texts.concat()))
        }
        Node::Tuple(items) => Some(Value::tuple(items.iter().map(plain).collect::<Option<_>>()?)),
        Node::Join(_)
        | Node::Object(_)
        | Node::Reference(_)
        | Node::Attribute(..)
        | Node::Index(..)
        | Node::Splat(..)
        | Node::Unary(..)
        | Node::Binary(..)
        | Node::Conditional(..)
        | Node::Call(_)
        | Node::For(_) => None,
    }
}

/// The text of a plain string.
pub(super) fn text(expr: &Expr) -> Option<String> {
    plain(expr)?.as_str().map(str::to_owned)
}

/// Reads plain values of one body, each mistake once.
pub(super) struct Plain<'a> {
    pub body: &'a Body,
    pub diagnostics: &'a mut Diagnostics,
}

impl Plain<'_> {
    fn read<T>(&mut self, name: &str, wanted: &str, take: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let expr = self.body.expr(name)?;
        let value = plain(expr);
        if let Some(taken) = value.as_ref().and_then(take) {
            return Some(taken);
        }
        let absent = value.as_ref().is_some_and(|value| matches!(value.data(), Data::Null(_)));
        if !absent {
            self.diagnostics.push(not_plain(expr.span, name, wanted));
        }
        None
    }

    /// A string.
    pub fn text(&mut self, name: &str) -> Option<String> {
        self.read(name, "a plain string", |value| value.as_str().map(str::to_owned))
    }

    /// `true` or `false`.
    pub fn truth(&mut self, name: &str) -> Option<bool> {
        self.read(name, "`true` or `false`", Value::as_bool)
    }

    /// A whole number that is not negative.
    pub fn count(&mut self, name: &str) -> Option<u32> {
        self.read(name, "a whole number", |value| value.as_i64().and_then(|number| u32::try_from(number).ok()))
    }

    /// A list of strings.
    pub fn texts(&mut self, name: &str) -> Option<Vec<String>> {
        self.read(name, "a list of plain strings", |value| {
            value.items()?.iter().map(|item| item.as_str().map(str::to_owned)).collect()
        })
    }
}

fn not_plain(span: Span, name: &str, wanted: &str) -> Diagnostic {
    Diagnostic::error("a plain value is wanted here")
        .at(span)
        .detail(format!("`{name}` takes {wanted}, without references or functions"))
        .help(format!("write {wanted}"))
}
