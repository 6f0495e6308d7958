//! What expressions see while planning: planned objects, by address. Pure.
//!
//! Invariant: a thing that has no planned object yet is unknown, never an error.

use std::collections::BTreeMap;

use crate::address::Address;
use crate::observe::sight::gather;
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
