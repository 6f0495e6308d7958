//! What expressions see while planning: planned objects, by address. Pure.
//!
//! Invariant: a thing that has no planned object yet is unknown, never an error.

use std::collections::BTreeMap;

use crate::address::{Address, InstanceKey};
use crate::diagnostic::Diagnostics;
use crate::resolve::evaluate::Lookup;
use crate::secret::{SecretError, SecretReference, Secrets};
use crate::value::Value;

/// Planned objects, gathered while the plan goes through the things in the order of their needs.
pub struct Planned<'a> {
    values: BTreeMap<Address, Value>,
    secrets: &'a dyn Secrets,
}

impl<'a> Planned<'a> {
    /// Nothing planned yet.
    pub fn new(secrets: &'a dyn Secrets) -> Self {
        Self { values: BTreeMap::new(), secrets }
    }

    /// A thing is planned to be this.
    pub fn insert(&mut self, address: Address, value: Value) {
        self.values.insert(address, value);
    }
}

impl Lookup for Planned<'_> {
    fn instance(&self, address: &Address) -> Option<Value> {
        self.values.get(address).cloned()
    }

    fn all_instances(&self, block: &Address) -> Option<Value> {
        let from = self.values.range(block..).take_while(|(address, _)| address.block() == *block);
        gather(from.map(|(address, value)| (address, Some(value.clone()))))
    }

    fn secret(&self, secret: &SecretReference) -> Result<Value, SecretError> {
        self.secrets.reveal(secret)
    }
}

/// All instances of a block as one value: a tuple by index, an object by key, nothing when one is missing.
pub fn gather<'a>(instances: impl Iterator<Item = (&'a Address, Option<Value>)>) -> Option<Value> {
    let (mut by_index, mut by_key) = (Vec::new(), Vec::new());
    for (address, value) in instances {
        match (&address.key, value?) {
            (None, value) => return Some(value),
            (Some(InstanceKey::Index(index)), value) => by_index.push((*index, value)),
            (Some(InstanceKey::Key(key)), value) => by_key.push((key.clone(), value)),
        }
    }
    by_index.sort_by_key(|(index, _)| *index);
    match (by_index.is_empty(), by_key.is_empty()) {
        (true, true) => None,
        (false, _) => Some(Value::tuple(by_index.into_iter().map(|(_, value)| value).collect())),
        (true, false) => Some(Value::object(by_key)),
    }
}

/// The first mistake in one line, for errors that have no source to show.
pub fn first_words(mistakes: &Diagnostics) -> String {
    mistakes.0.first().map_or_else(
        || "the expression failed".to_owned(),
        |mistake| match &mistake.detail {
            Some(detail) => format!("{}: {detail}", mistake.summary),
            None => mistake.summary.clone(),
        },
    )
}
