//! A resource block held against its kind: what it may hold, and one expression per attribute. Pure.
//!
//! Invariant: nested blocks, `dynamic` ones too, become one expression, so that all that follows knows
//! attributes only.

use std::sync::Arc;

use super::conform::absent_value;
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::expression::{Call, Expr, For, Node, Reference};
use crate::kind::{Attribute, Kind, Mode, Shape};
use crate::spec::body::{Block, Body};
use crate::spec::suggest::{did_you_mean, listed};
use crate::value::Value;

/// The expression of one attribute.
#[derive(Clone, Debug)]
pub(super) struct Given {
    /// Which attribute of the kind.
    pub attribute: usize,
    /// Where its name stands.
    pub name_span: Span,
    /// Its value.
    pub expr: Expr,
}

/// Reads the body of a block that is described by these attributes.
pub(super) fn given(
    what: &str,
    attributes: &[Attribute],
    body: &Body,
    header: Span,
    diagnostics: &mut Diagnostics,
) -> Vec<Given> {
    let mut reader = Reader { diagnostics };
    let mut found = Vec::new();
    for attribute in &body.attributes {
        let place = reader.place(what, attributes, &attribute.name, attribute.name_span, Syntax::Attribute);
        if let Some(index) = place {
            found.push(Given { attribute: index, name_span: attribute.name_span, expr: attribute.expr.clone() });
        }
    }
    let mut words: Vec<(&str, Span)> = Vec::new();
    for block in &body.blocks {
        let word = word_of(block);
        if !words.iter().any(|(known, _)| *known == word) {
            words.push((word, block.header));
        }
    }
    for (word, span) in words {
        if let Some(index) = reader.place(what, attributes, word, span, Syntax::Block)
            && let Shape::Blocks { attributes: inner, .. } = &attributes[index].shape
        {
            let expr = reader.group(&attributes[index], inner, body, span);
            found.push(Given { attribute: index, name_span: span, expr });
        }
    }
    let is_given =
        |name: &str| body.attribute(name).is_some() || body.blocks.iter().any(|block| word_of(block) == name);
    for attribute in attributes {
        if is_required(attribute) && !is_given(attribute.name) {
            reader.diagnostics.push(missing(what, attribute, header));
        }
    }
    found
}

/// How messages call a resource of a kind.
pub(super) fn spoken(kind: &Kind) -> String {
    format!("`{}`", kind.name)
}

fn is_required(attribute: &Attribute) -> bool {
    match attribute.shape {
        Shape::Value(_) => attribute.mode == Mode::Required,
        Shape::Blocks { minimum, .. } => minimum > 0 || attribute.mode == Mode::Required,
    }
}

fn missing(what: &str, attribute: &Attribute, header: Span) -> Diagnostic {
    let name = attribute.name;
    let (noun, help) = match attribute.shape {
        Shape::Value(_) => ("attribute", format!("add `{name} = …`: {}", attribute.documentation)),
        Shape::Blocks { .. } => ("block", format!("add `{name} {{ … }}`: {}", attribute.documentation)),
    };
    Diagnostic::error(format!("a required {noun} is missing"))
        .at(header)
        .detail(format!("{what} needs `{name}`"))
        .help(help)
}

/// The word of a nested block; of a `dynamic` one, the word of what it makes.
fn word_of(block: &Block) -> &str {
    match &*block.word {
        "dynamic" => block.label(0),
        word => word,
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Syntax {
    Attribute,
    Block,
}

struct Reader<'a> {
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    /// Which attribute a name means; reports what cannot be given, or not like that.
    fn place(&mut self, what: &str, attributes: &[Attribute], name: &str, span: Span, syntax: Syntax) -> Option<usize> {
        let Some(index) = attributes.iter().position(|attribute| attribute.name == name) else {
            let names = || {
                let settable = attributes.iter().filter(|attribute| attribute.mode != Mode::Computed);
                settable.map(|attribute| attribute.name)
            };
            let (summary, noun) = match syntax {
                Syntax::Attribute => ("there is no such attribute", "attribute"),
                Syntax::Block => ("there is no such block here", "block"),
            };
            let otherwise = match names().next() {
                Some(_) => format!("it may have {}", listed(names())),
                None => "remove it".to_owned(),
            };
            self.diagnostics.push(
                Diagnostic::error(summary)
                    .at(span)
                    .detail(format!("{what} has no {noun} `{name}`"))
                    .help(did_you_mean(name, names(), otherwise)),
            );
            return None;
        };
        let attribute = &attributes[index];
        let mistake = match (attribute.mode, &attribute.shape, syntax) {
            (Mode::Computed, _, _) => Diagnostic::error("this attribute cannot be set")
                .detail(format!("`{name}` of {what} is known only after it is made"))
                .help("remove it; refer to it where its value is needed"),
            (_, Shape::Value(_), Syntax::Block) => Diagnostic::error("an attribute is written as a block")
                .detail(format!("`{name}` of {what} is an attribute"))
                .help(format!("write `{name} = …`")),
            (_, Shape::Blocks { .. }, Syntax::Attribute) => Diagnostic::error("a block is written as an attribute")
                .detail(format!("`{name}` of {what} is a block"))
                .help(format!("write `{name} {{ … }}`, or `dynamic \"{name}\" {{ … }}` for one per element")),
            _ => return Some(index),
        };
        self.diagnostics.push(mistake.at(span));
        None
    }

    /// All blocks of one word as one expression.
    fn group(&mut self, attribute: &Attribute, inner: &[Attribute], body: &Body, span: Span) -> Expr {
        let what = format!("a `{}` block", attribute.name);
        let mut parts: Vec<Expr> = Vec::new();
        let mut still: Vec<Expr> = Vec::new();
        for block in body.blocks.iter().filter(|block| word_of(block) == attribute.name) {
            if &*block.word == "dynamic" {
                if !still.is_empty() {
                    parts.push(Expr { node: Node::Tuple(std::mem::take(&mut still)), span });
                }
                parts.extend(self.dynamic(&what, inner, block));
            } else {
                if let Some((_, label)) = block.labels.first() {
                    self.diagnostics.push(
                        Diagnostic::error("a block has the wrong number of labels")
                            .at(*label)
                            .detail(format!("{what} takes none"))
                            .help(format!("write `{} {{ … }}`", attribute.name)),
                    );
                }
                still.push(self.block(&what, inner, &block.body, block.header));
            }
        }
        if !still.is_empty() || parts.is_empty() {
            parts.push(Expr { node: Node::Tuple(still), span });
        }
        match parts.len() {
            1 => parts.remove(0),
            _ => {
                let call = Call { function: "concat".into(), arguments: parts, expand_last: false };
                Expr { node: Node::Call(call), span }
            }
        }
    }

    /// One block as an object of all its attributes, so that its closed form has the block's type by itself.
    fn block(&mut self, what: &str, attributes: &[Attribute], body: &Body, header: Span) -> Expr {
        let given = given(what, attributes, body, header, self.diagnostics);
        let pair = |attribute: &Attribute, span: Span, expr: Expr| {
            let name: Arc<str> = attribute.name.into();
            (Expr { span, ..Expr::literal(Value::string(name)) }, expr)
        };
        let absent = attributes.iter().enumerate().filter(|(index, attribute)| {
            !is_required(attribute) && given.iter().all(|given| given.attribute != *index)
        });
        let filled: Vec<_> = absent
            .map(|(_, attribute)| {
                pair(attribute, header, Expr { span: header, ..Expr::literal(absent_value(attribute)) })
            })
            .collect();
        let pairs = given.into_iter().map(|given| pair(&attributes[given.attribute], given.name_span, given.expr));
        Expr { node: Node::Object(pairs.chain(filled).collect()), span: header }
    }

    /// `dynamic "word" { for_each = …, content { … } }` as a `for`.
    fn dynamic(&mut self, what: &str, attributes: &[Attribute], block: &Block) -> Option<Expr> {
        let mut complain = |span: Span, detail: &str| {
            self.diagnostics.push(
                Diagnostic::error("a `dynamic` block is incomplete")
                    .at(span)
                    .detail(detail)
                    .help("write `dynamic \"NAME\" { for_each = …, content { … } }`"),
            );
        };
        for attribute in &block.body.attributes {
            if !matches!(&*attribute.name, "for_each" | "iterator" | "labels") {
                complain(attribute.name_span, &format!("`{}` belongs into `content`", attribute.name));
            }
        }
        let Some(collection) = block.body.expr("for_each") else {
            complain(block.header, "it has no `for_each`");
            return None;
        };
        let mut contents = block.body.blocks("content");
        let Some(content) = contents.next() else {
            complain(block.header, "it has no `content`");
            return None;
        };
        if let Some(second) = contents.next() {
            complain(second.header, "it has two `content` blocks");
        }
        let iterator: Arc<str> = match block.body.expr("iterator").map(|expr| &expr.node) {
            Some(Node::Reference(Reference::Builtin(word))) => word.clone(),
            _ => block.label(0).into(),
        };
        let made = self.block(what, attributes, &content.body, content.header);
        let (key, value): (Arc<str>, Arc<str>) = (format!("{iterator}.key").into(), format!("{iterator}.value").into());
        let bound = made.rewrite::<std::convert::Infallible>(&mut |part| {
            Ok(match &part.node {
                Node::Reference(Reference::Block { word, name }) if *word == iterator => match &**name {
                    "key" => Some(Expr { node: Node::Reference(Reference::Bound(key.clone())), span: part.span }),
                    "value" => Some(Expr { node: Node::Reference(Reference::Bound(value.clone())), span: part.span }),
                    _ => None,
                },
                _ => None,
            })
        });
        let value_expr = bound.unwrap_or_else(|never| match never {});
        let each = For {
            key: Some(key),
            value,
            collection: collection.clone(),
            key_expr: None,
            value_expr,
            condition: None,
            grouping: false,
        };
        Some(Expr { node: Node::For(Box::new(each)), span: block.header })
    }
}
