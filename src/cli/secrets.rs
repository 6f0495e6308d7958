//! Secrets that only the edge can read: environment variables, files, what stores keep.
//!
//! Invariant: a secret leaves here marked, and its text is in no message.

use std::path::PathBuf;

use super::{aged, environment};
use crate::secret::{SecretError, SecretReference, Secrets, StoredSecret};
use crate::value::Value;

/// Reads secrets at the moment of use.
#[derive(Clone, Debug, Default)]
pub struct EdgeSecrets {
    /// What the paths of encrypted files begin at: the project's folder.
    folder: PathBuf,
}

impl EdgeSecrets {
    /// Encrypted files begin at this folder.
    pub fn below(folder: PathBuf) -> Self {
        Self { folder }
    }
}

impl Secrets for EdgeSecrets {
    fn reveal(&self, reference: &SecretReference) -> Result<Value, SecretError> {
        let refuse = |cause: String| SecretError { reference: Box::new(reference.clone()), cause };
        let text = match reference {
            SecretReference::Environment { name } => {
                environment::secret(name).ok_or_else(|| refuse(format!("set the environment variable {name}")))?
            }
            SecretReference::File { path } => read(path).map_err(|error| refuse(error.to_string()))?,
            SecretReference::Age { path, key } => {
                aged::value(&self.folder.join(path), key.as_deref()).map_err(refuse)?
            }
            SecretReference::Stored(stored) => stored_value(stored).map_err(refuse)?,
            SecretReference::Variable { .. } | SecretReference::Literal { .. } => {
                return Err(refuse("only the spec and what was typed can give it".to_owned()));
            }
        };
        Ok(Value::from(text).sensitive())
    }
}

/// Asks AWS, on a thread of its own: whoever needs a secret may be inside a runtime already.
#[cfg(feature = "aws")]
fn stored_value(stored: &StoredSecret) -> Result<String, String> {
    let asked = std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.map_err(|error| error.to_string())?.block_on(crate::provider::aws::stored::value(stored))
        });
        asking.join()
    });
    asked.unwrap_or_else(|_| Err("asking for it panicked".to_owned()))
}

#[cfg(not(feature = "aws"))]
fn stored_value(_stored: &StoredSecret) -> Result<String, String> {
    Err("this program was built without `aws`".to_owned())
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
        let name = "SWITCHBACK_TEST_OF_A_VARIABLE_THAT_NOBODY_SETS".to_owned();
        let error = EdgeSecrets::default().reveal(&SecretReference::Environment { name: name.clone() }).unwrap_err();
        assert!(error.to_string().contains(&format!("set the environment variable {name}")), "{error}");
    }

    #[test]
    fn a_file_is_read_trimmed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("password");
        std::fs::write(&path, "hunter2\n").unwrap();
        let path = path.to_string_lossy().into_owned();
        let value = EdgeSecrets::default().reveal(&SecretReference::File { path }).expect("it is there");
        assert!(value.is_sensitive());
        assert_eq!(value.reveal().as_str(), Some("hunter2"));
    }
}
