//! `moved`, `removed` and `import` blocks, read into their own types. Pure.
//!
//! Invariant: what they name is an address as it is written, relative to the module they stand in; it need not exist.

use super::body::Block;
use super::repeat::take;
use super::settings::{Plain, Shape, plain};
use super::{Addressed, ImportBlock, MovedBlock, RemovedBlock};
use crate::address::InstanceKey;
use crate::address::part::Part;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::{Expr, Node, Reference};

pub(super) fn moved(mut block: Block, diagnostics: &mut Diagnostics) -> Option<MovedBlock> {
    let required = &["from", "to"];
    Shape { what: "a `moved` block", attributes: required, blocks: &[], required }.check(&block, diagnostics);
    let from = end(&mut block, "from", diagnostics);
    let to = end(&mut block, "to", diagnostics);
    Some(MovedBlock { span: block.header, from: from?, to: to? })
}

pub(super) fn removed(mut block: Block, diagnostics: &mut Diagnostics) -> Option<RemovedBlock> {
    let shape = Shape { what: "a `removed` block", attributes: &["from"], blocks: &["lifecycle"], required: &["from"] };
    shape.check(&block, diagnostics);
    let mut destroy = true;
    for lifecycle in block.body.blocks("lifecycle") {
        let what = "the `lifecycle` block of a `removed` block";
        Shape { what, attributes: &["destroy"], blocks: &[], required: &["destroy"] }.check(lifecycle, diagnostics);
        destroy = Plain { body: &lifecycle.body, diagnostics: &mut *diagnostics }.truth("destroy").unwrap_or(true);
    }
    let from = end(&mut block, "from", diagnostics)?;
    Some(RemovedBlock { span: block.header, from, destroy })
}

pub(super) fn import(mut block: Block, diagnostics: &mut Diagnostics) -> Option<ImportBlock> {
    let required = &["to", "id"];
    for later in ["for_each", "provider", "identity"] {
        if let Some(attribute) = take(&mut block.body, later) {
            let (detail, help) = match later {
                "for_each" => ("an `import` block imports one thing", "write one block for each instance"),
                "provider" => ("a thing is looked for where its resource lives", "remove it"),
                _ => ("a thing is found by its id", "write `id = \"…\"`"),
            };
            let mistake = Diagnostic::error("this attribute is not built yet").at(attribute.name_span);
            diagnostics.push(mistake.detail(detail).help(help));
        }
    }
    Shape { what: "an `import` block", attributes: required, blocks: &[], required }.check(&block, diagnostics);
    let to = end(&mut block, "to", diagnostics);
    let id = take(&mut block.body, "id");
    Some(ImportBlock { span: block.header, to: to?, id: id?.expr })
}

/// One of the addresses of a block.
fn end(block: &mut Block, name: &str, diagnostics: &mut Diagnostics) -> Option<Addressed> {
    let expr = take(&mut block.body, name)?.expr;
    let mut text = String::new();
    let part = write(&expr, &mut text).and_then(|()| text.parse::<Part>().ok());
    if part.is_none() {
        diagnostics.push(
            Diagnostic::error("an address is wanted here")
                .at(expr.place())
                .detail(format!(
                    "`{name}` names a resource, one instance of it, a database or a module, as it is written"
                ))
                .help(format!(
                    "write it without quotes, as `{name} = aws_ssm_parameter.level[\"a\"]` or `{name} = module.web`"
                )),
        );
    }
    Some(Addressed { part: part?, span: expr.span })
}

/// An expression as the text of an address.
fn write(expr: &Expr, text: &mut String) -> Option<()> {
    match &expr.node {
        Node::Reference(Reference::Module(name)) => *text += &format!("module.{name}"),
        Node::Reference(Reference::Block { word, name }) => *text += &format!("{word}.{name}"),
        Node::Attribute(source, name) => {
            write(source, text)?;
            *text += &format!(".{name}");
        }
        Node::Index(source, key) => {
            write(source, text)?;
            let value = plain(key)?;
            let index = || value.as_i64().and_then(|index| u64::try_from(index).ok()).map(InstanceKey::Index);
            let key = value.as_str().map(|key| InstanceKey::Key(key.into())).or_else(index)?;
            *text += &key.to_string();
        }
        _ => return None,
    }
    Some(())
}
