//! Secrets by reference: where a secret comes from is stored, never what it is. Pure.
//!
//! Invariant: nothing here holds a secret; revealing one is asked of [`Secrets`], at the moment of use.

use serde::{Deserialize, Serialize};

use crate::value::Value;

/// Where a secret comes from, so that it can be had again at apply and at rollback.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum SecretReference {
    /// A root variable that is `sensitive`: `--var`, `--var-file` or `SWITCHBACK_VAR_name`.
    Variable {
        /// Its name.
        name: String,
    },
    /// A literal inside a `sensitive(…)` of the spec: only the checkout has it.
    Literal {
        /// The file, relative to the project.
        file: String,
        /// The byte where the expression starts.
        start: u32,
        /// What stands there, since one place of a module or of a `for_each` stands for many: an address, or a
        /// name with its module.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        instance: String,
    },
    /// An environment variable of the process.
    Environment {
        /// Its name.
        name: String,
    },
    /// The trimmed content of a file.
    File {
        /// Its absolute path.
        path: String,
    },
}

impl std::fmt::Display for SecretReference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable { name } => write!(formatter, "var.{name}"),
            Self::Literal { file, .. } => write!(formatter, "the sensitive(…) in {file}"),
            Self::Environment { name } => write!(formatter, "environment variable {name}"),
            Self::File { path } => write!(formatter, "file {path}"),
        }
    }
}

/// Why a secret cannot be had now.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the secret from {reference} is not at hand: {cause}")]
pub struct SecretError {
    /// Which.
    pub reference: SecretReference,
    /// Why, and what to do.
    pub cause: String,
}

/// Gives out secrets at the moment of use.
pub trait Secrets: Send + Sync {
    /// The secret, marked sensitive.
    ///
    /// # Errors
    /// When its source does not have it.
    fn reveal(&self, reference: &SecretReference) -> Result<Value, SecretError>;
}
