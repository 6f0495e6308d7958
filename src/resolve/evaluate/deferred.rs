//! Evaluating what was stored: the same evaluator, over recorded outcomes. Pure.
//!
//! Invariant: each shared part is evaluated at most once, before anything that names it.

use std::path::Path;

use super::{Lookup, Scope, Surroundings, evaluate};
use crate::address::{Address, InstanceKey};
use crate::diagnostic::{Diagnostic, Diagnostics, Span};
use crate::expression::{Deferred, Reference};
use crate::value::{Type, Unknown, Value};

/// Evaluates a stored expression as far as its resources are known.
///
/// # Errors
/// Its mistakes, without places: the source is not at hand.
pub fn evaluate_deferred(deferred: &Deferred, lookup: &dyn Lookup) -> Result<Value, Diagnostics> {
    let mut scope = Stored { lookup, cells: Vec::with_capacity(deferred.cells.len()) };
    for cell in &deferred.cells {
        let outcome = evaluate(cell, &scope);
        scope.cells.push(outcome);
    }
    evaluate(&deferred.root, &scope)
}

struct Stored<'a> {
    lookup: &'a dyn Lookup,
    cells: Vec<Result<Value, Diagnostics>>,
}

fn waiting(address: &Address) -> Value {
    Value::unknown(Unknown { waits_for: vec![address.clone()], not_null: true, ..Unknown::of(Type::Any) })
}

impl Scope for Stored<'_> {
    fn reference(&self, reference: &Reference, _: Span) -> Result<Value, Diagnostic> {
        match reference {
            Reference::Instance(address) => Ok(self.lookup.instance(address).unwrap_or_else(|| waiting(address))),
            Reference::AllInstances(block) => Ok(self.lookup.all_instances(block).unwrap_or_else(|| waiting(block))),
            Reference::Secret(secret) => self.lookup.secret(secret).map(Value::sensitive).map_err(|error| {
                Diagnostic::error("a secret is not at hand")
                    .detail(error.to_string())
                    .help("give it again, the way it was given when this was planned")
            }),
            Reference::Cell(index) => match self.cells.get(*index as usize) {
                Some(Ok(value)) => Ok(value.clone()),
                Some(Err(mistakes)) => {
                    Err(mistakes.0.first().cloned().unwrap_or_else(|| damaged("a part has no value")))
                }
                None => Err(damaged("a part is missing")),
            },
            Reference::Variable(_)
            | Reference::Local(_)
            | Reference::Module(_)
            | Reference::Block { .. }
            | Reference::EachKey
            | Reference::EachValue
            | Reference::CountIndex
            | Reference::Path(_)
            | Reference::Builtin(_)
            | Reference::Bound(_) => Err(damaged("it refers to the spec")),
        }
    }

    fn instance(&self, block: &Reference, key: &InstanceKey, _: Span) -> Option<Result<Value, Diagnostic>> {
        match block {
            Reference::AllInstances(block) => {
                let address = block.with_key(Some(key.clone()));
                Some(Ok(self.lookup.instance(&address).unwrap_or_else(|| waiting(&address))))
            }
            _ => None,
        }
    }

    fn surroundings(&self) -> Surroundings<'_> {
        Surroundings { files: None, folder: Path::new(""), home: None, planned_at: None, now: self.lookup.now() }
    }
}

fn damaged(cause: &str) -> Diagnostic {
    Diagnostic::error("a stored expression cannot be evaluated").detail(cause).help("plan again")
}
