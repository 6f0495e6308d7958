//! The tree of blocks and attributes that a file holds, expressions in their compact form. Pure.
//!
//! Invariant: nothing past this module knows the parser's own tree.

use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::structure as parsed;

use super::{lower, unclosed};
use crate::diagnostic::{Diagnostic, Diagnostics, SourceId, Span};
use crate::expression::Expr;

/// What stands between two braces, or in a whole file.
#[derive(Clone, Debug)]
pub struct Body {
    /// `name = expression`, in order.
    pub attributes: Vec<Attribute>,
    /// Blocks, in order.
    pub blocks: Vec<Block>,
}

/// `name = expression`.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// The name.
    pub name: Arc<str>,
    /// Where the name stands.
    pub name_span: Span,
    /// The expression.
    pub expr: Expr,
}

/// `word "label" { … }`.
#[derive(Clone, Debug)]
pub struct Block {
    /// The word in front.
    pub word: Arc<str>,
    /// The labels, each with its place.
    pub labels: Vec<(Arc<str>, Span)>,
    /// Where word and labels stand.
    pub header: Span,
    /// What it holds.
    pub body: Body,
}

impl Body {
    /// The attribute with this name.
    pub fn attribute(&self, name: &str) -> Option<&Attribute> {
        self.attributes.iter().find(|attribute| &*attribute.name == name)
    }

    /// The expression of the attribute with this name.
    pub fn expr(&self, name: &str) -> Option<&Expr> {
        self.attribute(name).map(|attribute| &attribute.expr)
    }

    /// The blocks with this word.
    pub fn blocks<'a>(&'a self, word: &'a str) -> impl Iterator<Item = &'a Block> {
        self.blocks.iter().filter(move |block| &*block.word == word)
    }

    /// Every expression in it, at any depth.
    pub fn visit(&self, look: &mut dyn FnMut(&Expr)) {
        for attribute in &self.attributes {
            attribute.expr.visit(&mut *look);
        }
        for block in &self.blocks {
            block.body.visit(look);
        }
    }
}

impl Block {
    /// The label at a position, or an empty text.
    pub fn label(&self, index: usize) -> &str {
        self.labels.get(index).map_or("", |(text, _)| text)
    }

    /// Where the label at a position stands, or else the header.
    pub fn label_span(&self, index: usize) -> Span {
        self.labels.get(index).map_or(self.header, |(_, span)| *span)
    }
}

/// Reads one file.
///
/// # Errors
/// The one syntax error at which the parser stopped.
pub fn read(text: &str, source: SourceId, diagnostics: &mut Diagnostics) -> Result<Body, Box<Diagnostic>> {
    match hcl_edit::parser::parse_body(text) {
        Ok(body) => Ok(Reader { text, source, diagnostics }.body(&body)),
        Err(error) => Err(Box::new(syntax_error(text, source, &error))),
    }
}

fn syntax_error(text: &str, source: SourceId, error: &hcl_edit::parser::Error) -> Diagnostic {
    let offset = error.location().offset().min(text.len());
    let end = text[offset..].chars().next().map_or(offset, |letter| offset + letter.len_utf8());
    let mistake = Diagnostic::error("the file does not parse");
    let help = "mend the syntax here (a brace, a quote, an operator); the rest of this file is checked once it parses";
    let detail = error.message().replace('\n', "; ");
    match unclosed::find(text) {
        // The parser noticed only where the text is over.
        Some(open) if text[offset..].trim().is_empty() => mistake
            .at(span_of(source, Some(open.header.clone())))
            .detail(format!("{} that begins in line {} is never closed", open.what, open.line))
            .help(open.help()),
        Some(open) if open.header.start < offset => mistake
            .at(span_of(source, Some(offset..end)))
            .detail(detail)
            .help(format!("{help}\n{} that begins in line {} is never closed: {}", open.what, open.line, open.help())),
        Some(_) | None => mistake.at(span_of(source, Some(offset..end))).detail(detail).help(help),
    }
}

fn span_of(source: SourceId, range: Option<std::ops::Range<usize>>) -> Span {
    let narrow = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    range.map_or(Span { source, start: 0, end: 0 }, |range| Span {
        source,
        start: narrow(range.start),
        end: narrow(range.end),
    })
}

struct Reader<'a> {
    text: &'a str,
    source: SourceId,
    diagnostics: &'a mut Diagnostics,
}

impl Reader<'_> {
    fn body(&mut self, body: &parsed::Body) -> Body {
        let mut read = Body { attributes: Vec::new(), blocks: Vec::new() };
        for structure in body {
            match structure {
                parsed::Structure::Attribute(attribute) => read.attributes.push(Attribute {
                    name: attribute.key.as_str().into(),
                    name_span: span_of(self.source, attribute.key.span()),
                    expr: lower::lower(&attribute.value, self.text, self.source, self.diagnostics),
                }),
                parsed::Structure::Block(block) => read.blocks.push(self.block(block)),
            }
        }
        read
    }

    fn block(&mut self, block: &parsed::Block) -> Block {
        let word = span_of(self.source, block.ident.span());
        let labels: Vec<(Arc<str>, Span)> = block
            .labels
            .iter()
            .map(|label| {
                let range = match label {
                    parsed::BlockLabel::Ident(ident) => ident.span(),
                    parsed::BlockLabel::String(string) => string.span(),
                };
                (label.as_str().into(), span_of(self.source, range))
            })
            .collect();
        let end = labels.last().map_or(word.end, |(_, span)| span.end.max(word.end));
        Block { word: block.ident.as_str().into(), labels, header: Span { end, ..word }, body: self.body(&block.body) }
    }
}
