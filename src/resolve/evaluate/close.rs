//! Closing: an expression of the spec becomes one over resources and secrets only. Pure.
//!
//! Invariant: whatever is known and open when planning is a literal afterwards; nothing secret ever is.

use super::access::instance_key;
use super::each::names_bound;
use super::{ClosingScope, Scope, evaluate, secret_call};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::expression::{Call, Expr, Node, Reference};
use crate::resolve::functions::READING;
use crate::value::{Data, Value};

/// The closed form of an expression that evaluates without mistakes in this scope.
///
/// # Errors
/// When a part has no closed form: a file whose name is not known yet, a name that the scope cannot close.
pub fn close(expr: &Expr, scope: &dyn ClosingScope) -> Result<Expr, Diagnostics> {
    expr.rewrite(&mut |part| closed(part, scope)).map_err(|mistake| Diagnostics(vec![mistake]))
}

fn known(expr: &Expr, scope: &dyn ClosingScope) -> Option<Value> {
    if names_bound(expr) {
        return None;
    }
    let scope: &dyn Scope = scope;
    evaluate(expr, scope).ok().filter(|value| value.is_known() && !holds_sealed(value))
}

fn holds_sealed(value: &Value) -> bool {
    let mut found = false;
    value.visit(&mut |inner| found |= matches!(inner.data(), Data::Sealed(_)));
    found
}

/// The closed form of a part; nothing where it is that of its own parts.
fn closed(expr: &Expr, scope: &dyn ClosingScope) -> Result<Option<Expr>, Diagnostic> {
    let value = known(expr, scope);
    if let Some(value) = value.filter(|value| !value.is_sensitive()) {
        return Ok(Some(Expr::literal(value)));
    }
    match &expr.node {
        Node::Reference(Reference::Bound(_)) => Ok(Some(expr.clone())),
        Node::Reference(reference) => scope.close(reference, expr.span).map(Some),
        Node::Attribute(inner, name) => close_attribute(inner, name, expr, scope),
        Node::Index(inner, key) => close_index(inner, key, expr, scope),
        Node::Call(call) => close_call(call, expr, scope),
        Node::Conditional(condition, yes, no) => close_conditional(condition, yes, no, expr, scope),
        Node::Literal(value) if value.is_sensitive() => {
            Ok(Some(Expr::reference(Reference::Secret(scope.literal_secret(expr.span)))))
        }
        Node::Literal(_)
        | Node::Template(_)
        | Node::Join(_)
        | Node::Tuple(_)
        | Node::Object(_)
        | Node::Splat(..)
        | Node::Unary(..)
        | Node::Binary(..)
        | Node::For(_) => Ok(None),
    }
}

fn block_of(expr: &Expr) -> Option<&Reference> {
    match &expr.node {
        Node::Reference(reference @ (Reference::Block { .. } | Reference::Module(_))) => Some(reference),
        _ => None,
    }
}

fn close_attribute(
    inner: &Expr,
    name: &str,
    expr: &Expr,
    scope: &dyn ClosingScope,
) -> Result<Option<Expr>, Diagnostic> {
    if let Some(block) = block_of(inner) {
        return scope.close_member(block, None, name, expr.span).transpose();
    }
    if let Node::Index(source, key_expr) = &inner.node
        && let Some(block) = block_of(source)
        && let Some(key) = known(key_expr, scope).as_ref().and_then(instance_key)
    {
        return scope.close_member(block, Some(&key), name, expr.span).transpose();
    }
    Ok(None)
}

fn close_index(inner: &Expr, key: &Expr, expr: &Expr, scope: &dyn ClosingScope) -> Result<Option<Expr>, Diagnostic> {
    let Some(block) = block_of(inner) else {
        return Ok(None);
    };
    match known(key, scope).as_ref().and_then(instance_key) {
        Some(key) => scope.close_instance(block, &key, expr.span).transpose(),
        None => Ok(None),
    }
}

fn close_call(call: &Call, expr: &Expr, scope: &dyn ClosingScope) -> Result<Option<Expr>, Diagnostic> {
    let first = call.arguments.first();
    match (&*call.function, first) {
        // A secret that stands in the spec itself: only the checkout has it.
        ("sensitive", Some(argument)) if known(argument, scope).is_some_and(|value| !value.is_sensitive()) => {
            Ok(Some(Expr::reference(Reference::Secret(scope.literal_secret(expr.span)))))
        }
        ("secret", Some(_)) => {
            let values: Option<Vec<Value>> = call.arguments.iter().map(|argument| known(argument, scope)).collect();
            let values = values.ok_or_else(|| unknown_secret(expr, "its reference is not known now"))?;
            match secret_call::reference(&values, scope.surroundings()) {
                Ok(reference) => Ok(Some(Expr::reference(Reference::Secret(reference)))),
                Err((_, why)) => Err(unknown_secret(expr, &why)),
            }
        }
        ("templatefile", Some(path)) => {
            let read = Call { function: "file".into(), arguments: vec![path.clone()], expand_last: false };
            let text = known(&Expr { node: Node::Call(read), span: expr.span }, scope);
            let text = text.filter(|text| !text.is_sensitive()).ok_or_else(|| unknown_file(call, expr))?;
            let mut arguments = vec![Expr::literal(text)];
            for argument in &call.arguments[1..] {
                arguments.push(argument.rewrite(&mut |part| closed(part, scope))?);
            }
            let call = Call { function: "templatestring".into(), arguments, expand_last: false };
            Ok(Some(Expr::nowhere(Node::Call(call))))
        }
        (name, _) if READING.contains(&name) => Err(unknown_file(call, expr)),
        _ => Ok(None),
    }
}

fn unknown_secret(expr: &Expr, why: &str) -> Diagnostic {
    Diagnostic::error("a secret must be named by what is known when planning")
        .at(expr.place())
        .detail(format!("`secret`: {why}"))
        .help("write the reference as a text, or from variables and local values")
}

fn unknown_file(call: &Call, expr: &Expr) -> Diagnostic {
    Diagnostic::error("a file must be known when planning")
        .at(expr.place())
        .detail(format!("`{}` depends on something that is known only after apply, or is secret", call.function))
        .help("give it a path that is known, and without a `for` around whose other parts are not")
}

/// Where it is known which branch is taken, the other one goes: it may not even have a value. Its type stays,
/// because the type of the whole depends on it.
fn close_conditional(
    condition: &Expr,
    yes: &Expr,
    no: &Expr,
    expr: &Expr,
    scope: &dyn ClosingScope,
) -> Result<Option<Expr>, Diagnostic> {
    let Some(decision) = known(condition, scope).filter(|value| !value.is_sensitive()) else {
        return Ok(None);
    };
    let taken = decision.convert(&crate::value::Type::Bool).ok().and_then(|decision| decision.as_bool());
    let close = |branch: &Expr| branch.rewrite(&mut |part| closed(part, scope)).map(Box::new);
    let placeholder = |branch: &Expr| {
        let scope: &dyn Scope = scope;
        let ty = evaluate(branch, scope).map_or(crate::value::Type::Any, |value| value.ty());
        Box::new(Expr::literal(Value::from(Data::Null(ty))))
    };
    let (yes, no) = match taken {
        Some(true) => (close(yes)?, placeholder(no)),
        Some(false) => (placeholder(yes), close(no)?),
        None => return Ok(None),
    };
    let chosen = Expr { node: Node::Conditional(Box::new(Expr::literal(decision)), yes, no), span: expr.span };
    let scope: &dyn Scope = scope;
    if evaluate(expr, scope).is_ok_and(|value| value.marks().sensitive) {
        // The mark may come from the branch that goes.
        let call = Call { function: "sensitive".into(), arguments: vec![chosen], expand_last: false };
        return Ok(Some(Expr { node: Node::Call(call), span: expr.span }));
    }
    Ok(Some(chosen))
}
