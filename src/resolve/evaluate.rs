//! The evaluator: expressions × a scope → values. Pure.
//!
//! Invariant: every input ends in a value or in diagnostics, never in a panic.

mod scope;

pub use scope::{ClosingScope, Lookup, Scope, Surroundings};
/// stand-in
pub fn evaluate_deferred(
    d: &crate::expression::Deferred,
    l: &dyn Lookup,
) -> Result<crate::value::Value, crate::diagnostic::Diagnostics> {
    use crate::expression::{Node, Reference};
    if let Node::Attribute(of, name) = &d.root.node
        && let Node::Reference(Reference::Instance(a)) = &of.node
    {
        let u = || {
            crate::value::Value::unknown(crate::value::Unknown {
                waits_for: vec![a.clone()],
                ..crate::value::Unknown::of(crate::value::Type::Any)
            })
        };
        return Ok(l.instance(a).map_or_else(u, |v| v.get(name).cloned().unwrap_or_else(crate::value::Value::null)));
    }
    unimplemented!()
}
