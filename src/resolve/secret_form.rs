//! Expressions made into secrets, and secrets taken apart before they are closed. Pure.
//!
//! Invariant: in a closed form that comes out of here, what is secret stands as a reference only.

use super::evaluate::evaluate;
use super::here::Here;
use crate::diagnostic::Span;
use crate::expression::{Call, Expr, Node, Reference};
use crate::value::{Data, Value};

/// The expression, as a secret when it is to be one.
pub(super) fn secret_if(secret: bool, expr: &Expr) -> Expr {
    if !secret {
        return expr.clone();
    }
    let call = Call { function: "sensitive".into(), arguments: vec![expr.clone()], expand_last: false };
    Expr { node: Node::Call(call), span: expr.span }
}

/// The value of the part of an expression that stands at a place.
pub(super) fn literal_at(expr: &Expr, span: Span, here: &Here<'_>) -> Option<Value> {
    let mut found = None;
    expr.visit(&mut |part| {
        if found.is_none() && part.span == span {
            found = Some(part);
        }
    });
    evaluate(found?, here).ok()
}

/// The expression with each `sensitive(…)` that is not wholly known taken apart: what is known in it becomes a
/// secret of its own, since a closed form would show it.
pub(super) fn secrets_apart(expr: &Expr, here: &Here<'_>) -> Expr {
    let rewritten = expr.rewrite::<std::convert::Infallible>(&mut |part| {
        let Node::Call(call) = &part.node else { return Ok(None) };
        let is_whole = |argument: &Expr| evaluate(argument, here).is_ok_and(|value| value.is_known());
        if &*call.function != "sensitive" || call.arguments.iter().all(is_whole) {
            return Ok(None);
        }
        let arguments = call.arguments.iter().map(|argument| leaves_secret(argument, here)).collect();
        let call = Call { arguments, ..call.clone() };
        Ok(Some(Expr { node: Node::Call(call), span: part.span }))
    });
    rewritten.unwrap_or_else(|never| match never {})
}

fn leaves_secret(expr: &Expr, here: &Here<'_>) -> Expr {
    let rewritten = expr.rewrite::<std::convert::Infallible>(&mut |part| {
        // A reference to a secret is none itself.
        if matches!(&part.node, Node::Call(call) if &*call.function == "secret") {
            return Ok(Some(part.clone()));
        }
        let is_leaf = match &part.node {
            Node::Literal(value) => matches!(value.data(), Data::String(_) | Data::Number(_)),
            Node::Reference(
                Reference::Variable(_) | Reference::Local(_) | Reference::EachKey | Reference::EachValue,
            ) => evaluate(part, here).is_ok_and(|value| value.is_known() && !value.is_sensitive()),
            _ => false,
        };
        Ok(is_leaf.then(|| secret_if(true, part)))
    });
    rewritten.unwrap_or_else(|never| match never {})
}

/// A secret that is marked as one by a function needs no function: it is one anyway.
pub(super) fn plainly(closed: Expr) -> Expr {
    match &closed.node {
        Node::Call(call) if &*call.function == "sensitive" => match &call.arguments[..] {
            [only @ Expr { node: Node::Reference(Reference::Secret(_)), .. }] => only.clone(),
            _ => closed,
        },
        _ => closed,
    }
}
