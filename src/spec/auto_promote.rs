//! `auto_promote { when = … }` in an `environment` block: by which rule a release gets in by itself. Pure.
//!
//! Invariant: the rule names nothing but `release`, so that it can be asked wherever a release is known.

use super::body::Body;
use super::settings::Shape;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::{Expr, Node, Reference};
use crate::suggest::did_you_mean;

/// What `release` has.
pub const RELEASE: [&str; 5] = ["id", "from", "soaked_hours", "accepted", "tags"];

/// Reads the rule, if there is one.
pub(super) fn read(body: &Body, diagnostics: &mut Diagnostics) -> Option<Expr> {
    let mut blocks = body.blocks("auto_promote");
    let block = blocks.next()?;
    if let Some(second) = blocks.next() {
        diagnostics.push(
            Diagnostic::error("there are two `auto_promote` blocks")
                .at(second.header)
                .detail("there is one rule by which a release gets in by itself")
                .help("write `when = A || B` in one of them"),
        );
    }
    let shape = Shape { what: "an `auto_promote` block", attributes: &["when"], blocks: &[], required: &["when"] };
    shape.check(block, diagnostics);
    let when = block.body.expr("when")?;
    names(when, diagnostics);
    Some(when.clone())
}

/// Whether an expression names nothing but what there is of `release`.
fn names(expr: &Expr, diagnostics: &mut Diagnostics) {
    if let Node::Reference(reference) = &expr.node {
        let is_ours = match reference {
            Reference::Bound(_) => true,
            Reference::Block { word, name } => &**word == "release" && RELEASE.contains(&&**name),
            _ => false,
        };
        let name = match reference {
            Reference::Block { name, .. } => name.to_string(),
            _ => String::new(),
        };
        if !is_ours {
            diagnostics.push(
                Diagnostic::error("there is no such name in `auto_promote`")
                    .at(expr.span)
                    .detail("the rule is about a release, and names something else")
                    .help(did_you_mean(
                        &name,
                        RELEASE,
                        "name `release.` with `id`, `from`, `soaked_hours`, `accepted` or `tags`",
                    )),
            );
        }
    }
    expr.node.parts(&mut |part| names(part, diagnostics));
}
