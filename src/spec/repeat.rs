//! What several blocks have in common: `count`, `for_each`, `depends_on`. Pure.
//!
//! Invariant: what is read here is no longer among a block's own attributes.

use super::body::{Attribute, Body};
use super::{Repeat, Target};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::{Expr, Node, Reference};

/// Takes an attribute out.
pub(super) fn take(body: &mut Body, name: &str) -> Option<Attribute> {
    let at = body.attributes.iter().position(|attribute| &*attribute.name == name)?;
    Some(body.attributes.remove(at))
}

/// Takes `count` and `for_each` out.
pub(super) fn repeat(body: &mut Body, diagnostics: &mut Diagnostics) -> Repeat {
    match (take(body, "count"), take(body, "for_each")) {
        (None, None) => Repeat::Once,
        (Some(count), None) => Repeat::Count(count.expr),
        (None, Some(each)) => Repeat::ForEach(each.expr),
        (Some(_), Some(each)) => {
            diagnostics.push(
                Diagnostic::error("a block has either `count` or `for_each`")
                    .at(each.name_span)
                    .detail("this block has both")
                    .help("remove one of the two"),
            );
            Repeat::ForEach(each.expr)
        }
    }
}

/// Takes `depends_on` out.
pub(super) fn depends_on(body: &mut Body, diagnostics: &mut Diagnostics) -> Vec<Target> {
    let Some(attribute) = take(body, "depends_on") else {
        return Vec::new();
    };
    let Node::Tuple(items) = attribute.expr.node else {
        diagnostics.push(bad_target(&attribute.expr));
        return Vec::new();
    };
    let mut targets = Vec::new();
    for expr in items {
        match is_target(&expr) {
            true => targets.push(Target { expr }),
            false => diagnostics.push(bad_target(&expr)),
        }
    }
    targets
}

fn is_target(expr: &Expr) -> bool {
    match &expr.node {
        Node::Reference(Reference::Block { .. } | Reference::Module(_)) => true,
        Node::Index(source, key) => {
            matches!(source.node, Node::Reference(Reference::Block { .. } | Reference::Module(_)))
                && super::settings::plain(key).is_some()
        }
        _ => false,
    }
}

fn bad_target(expr: &Expr) -> Diagnostic {
    Diagnostic::error("`depends_on` takes a list of blocks")
        .at(expr.place())
        .detail("each element names a block, or one instance of it, and nothing of what it holds")
        .help("write `depends_on = [aws_ecs_cluster.main, module.web, database.app]`, without quotes")
}
