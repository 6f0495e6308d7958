//! `verify` blocks: what is asked of what was applied. Pure.
//!
//! Invariant: which kinds of checks there are is not known here; every block inside is taken for one.

use std::sync::Arc;

use super::body::{Block, Body};
use super::repeat::{depends_on, take};
use super::settings::Shape;
use super::{Asks, Verify};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::expression::{Node, Reference};

/// What a `verify` block says itself.
const SETTINGS: [&str; 8] =
    ["when", "on_failure", "within", "interval", "tries", "holds_for", "parks_after", "depends_on"];

pub(super) fn verify(mut block: Block, diagnostics: &mut Diagnostics) -> Verify {
    let words: Vec<Arc<str>> = block.body.blocks.iter().map(|nested| nested.word.clone()).collect();
    let words: Vec<&str> = words.iter().map(|word| &**word).collect();
    Shape { what: "a `verify` block", attributes: &SETTINGS, blocks: &words, required: &[] }.check(&block, diagnostics);
    let depends_on = depends_on(&mut block.body, diagnostics);
    let mut nested = std::mem::take(&mut block.body.blocks).into_iter();
    let asks = nested.next().map(|asked| asks(asked, diagnostics));
    if asks.is_none() {
        diagnostics.push(
            Diagnostic::error("a `verify` block asks nothing")
                .at(block.header)
                .detail("the block that says what is asked is missing")
                .help("write what is asked inside, like `http { url = \"http://…\" }`"),
        );
    }
    for other in nested {
        diagnostics.push(
            Diagnostic::error("a `verify` block asks two things")
                .at(other.header)
                .detail("each asks one, so that its name says what failed")
                .help("give it a `verify` block of its own"),
        );
    }
    Verify { span: block.header, settings: block.body.attributes, depends_on, asks }
}

fn asks(mut block: Block, diagnostics: &mut Diagnostics) -> Asks {
    if let Some((_, label)) = block.labels.first() {
        diagnostics.push(
            Diagnostic::error("a block has the wrong number of labels")
                .at(*label)
                .detail(format!("`{}` takes none", block.word))
                .help(format!("write `{} {{ … }}`", block.word)),
        );
    }
    let database = database(&mut block.body, diagnostics);
    Asks { kind: block.word.clone(), span: block.header, body: block.body, database }
}

/// The database is named as in `needs_schema`: it is one of the environment's, also in a module.
fn database(body: &mut Body, diagnostics: &mut Diagnostics) -> Option<(Arc<str>, Span)> {
    let attribute = take(body, "database")?;
    match &attribute.expr.node {
        Node::Reference(Reference::Block { word, name }) if &**word == "database" => {
            Some((name.clone(), attribute.expr.span))
        }
        _ => {
            diagnostics.push(
                Diagnostic::error("`database` names a block")
                    .at(attribute.expr.span)
                    .detail("a check asks a database of the spec, as its migrations do")
                    .help("write `database = database.app`, without quotes"),
            );
            None
        }
    }
}
