//! Secrets that only the edge can read: environment variables, files, and variables when there is no spec.
//!
//! Invariant: a secret leaves here marked, and its text is in no message.

use std::collections::BTreeMap;
use std::fmt;

use super::environment;
use crate::secret::{SecretError, SecretReference, Secrets};
use crate::value::Value;

/// Reads secrets at the moment of use.
#[derive(Clone, Default)]
pub struct EdgeSecrets {
    variables: BTreeMap<String, String>,
}

impl EdgeSecrets {
    /// With the texts that were given for variables.
    pub fn new(variables: BTreeMap<String, String>) -> Self {
        Self { variables }
    }
}

impl fmt::Debug for EdgeSecrets {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.variables.keys()).finish()
    }
}

impl Secrets for EdgeSecrets {
    fn reveal(&self, reference: &SecretReference) -> Result<Value, SecretError> {
        let refuse = |cause: String| SecretError { reference: reference.clone(), cause };
        let text = match reference {
            SecretReference::Variable { name } => self.variables.get(name).cloned().ok_or_else(|| {
                refuse(format!("it is not given; type `--var {name}=…` or set SWITCHBACK_VAR_{name}"))
            })?,
            SecretReference::Literal { .. } => {
                return Err(refuse(
                    "a literal lies in the checkout only; run this in the checkout that made the plan, or use a sensitive \
                     variable instead"
                        .to_owned(),
                ));
            }
            SecretReference::Environment { name } => {
                environment::secret(name).ok_or_else(|| refuse(format!("set the environment variable {name}")))?
            }
            SecretReference::File { path } => read(path).map_err(|error| refuse(error.to_string()))?,
        };
        Ok(Value::from(text).sensitive())
    }
}

fn read(path: &str) -> std::io::Result<String> {
    #[expect(clippy::disallowed_methods, reason = "this is the edge that reads files with secrets")]
    let text = std::fs::read_to_string(path)?;
    Ok(text.trim().to_owned())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make their own files")]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_marked_and_a_missing_one_says_how_to_give_it() {
        let secrets = EdgeSecrets::new(BTreeMap::from([("password".to_owned(), "hunter2".to_owned())]));
        let variable = |name: &str| SecretReference::Variable { name: name.to_owned() };
        let value = secrets.reveal(&variable("password")).expect("it was given");
        assert!(value.is_sensitive() && value.reveal().as_str() == Some("hunter2"));
        assert!(!format!("{secrets:?}").contains("hunter2"));
        let error = secrets.reveal(&variable("token")).unwrap_err().to_string();
        assert!(error.contains("SWITCHBACK_VAR_token"), "{error}");
    }

    #[test]
    fn a_file_is_read_trimmed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2\n").unwrap();
        let path = path.to_string_lossy().into_owned();
        let value = EdgeSecrets::default().reveal(&SecretReference::File { path }).expect("it is there");
        assert_eq!(value.reveal().as_str(), Some("hunter2"));
    }
}
