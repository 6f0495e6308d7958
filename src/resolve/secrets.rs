//! The secrets that are at hand in this run, by reference. Pure.
//!
//! Invariant: a [`RevealedSecrets`] shows nothing of what it holds, neither in Debug output nor in errors.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::secret::{SecretError, SecretReference, Secrets};
use crate::value::Value;

/// Reveals what the spec and its variables gave, and asks others for the rest.
#[derive(Clone, Default)]
pub struct RevealedSecrets {
    known: BTreeMap<SecretReference, Value>,
    otherwise: Option<Arc<dyn Secrets>>,
}

impl RevealedSecrets {
    /// Nothing is known yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds one.
    pub fn insert(&mut self, reference: SecretReference, value: &Value) {
        self.known.insert(reference, value.clone().sensitive());
    }

    /// Asks this for references to environment variables and files, which only an edge can read.
    #[must_use]
    pub fn or_else(mut self, otherwise: Arc<dyn Secrets>) -> Self {
        self.otherwise = Some(otherwise);
        self
    }

    /// The references that it can reveal by itself.
    pub fn references(&self) -> impl Iterator<Item = &SecretReference> {
        self.known.keys()
    }
}

impl Secrets for RevealedSecrets {
    fn reveal(&self, reference: &SecretReference) -> Result<Value, SecretError> {
        if let Some(value) = self.known.get(reference) {
            return Ok(value.clone());
        }
        let refuse = |cause: String| Err(SecretError { reference: Box::new(reference.clone()), cause });
        match reference {
            SecretReference::Variable { name } => {
                refuse(format!("the variable is not set; give it with `--var {name}=…` or SWITCHBACK_VAR_{name}"))
            }
            SecretReference::Literal { .. } => refuse(
                "a literal lies in the checkout only; run this in the checkout that made the plan, or use a sensitive \
                 variable instead"
                    .to_owned(),
            ),
            SecretReference::Environment { .. }
            | SecretReference::File { .. }
            | SecretReference::Age { .. }
            | SecretReference::Stored(_) => match &self.otherwise {
                Some(otherwise) => otherwise.reveal(reference),
                None => refuse("nothing here can read it".to_owned()),
            },
        }
    }
}

impl fmt::Debug for RevealedSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.known.keys()).finish()
    }
}
