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
    /// What a file holds that is encrypted with `age`.
    Age {
        /// Its path; one that is not absolute begins at the project's folder.
        path: String,
        /// The key in it; otherwise the whole text.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        key: Option<String>,
    },
    /// What a store of AWS keeps.
    Stored(StoredSecret),
}

/// A secret that a store of AWS keeps, reached as its own tools reach it, unless said otherwise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StoredSecret {
    /// Where it is kept.
    pub store: SecretStore,
    /// What it is called there, or its ARN.
    pub name: String,
    /// The one version that is meant; otherwise the current one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// A URL other than AWS's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// A profile of the AWS configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
}

/// A store of secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SecretStore {
    /// The Parameter Store of Systems Manager.
    Ssm,
    /// Secrets Manager.
    SecretsManager,
}

impl SecretReference {
    /// Reads what `secret(…)` of the language takes: `environment:NAME`, `file:PATH` (below `folder`, where it is not
    /// absolute), `age:PATH` with `#KEY` behind it if one key of the file is meant, `ssm:NAME` or `secretsmanager:NAME`, the last two with `#VERSION` behind it if a version is meant.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str, folder: &std::path::Path) -> Result<Self, String> {
        let (scheme, rest) = text.split_once(':').unwrap_or((text, ""));
        let store = match scheme {
            "environment" => {
                let first = rest.chars().next().is_some_and(|letter| letter.is_ascii_alphabetic() || letter == '_');
                let all = rest.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_');
                return match first && all {
                    true => Ok(Self::Environment { name: rest.to_owned() }),
                    false => Err(format!("`{rest}` is no name of an environment variable")),
                };
            }
            "file" if !rest.is_empty() => return Ok(Self::File { path: folder.join(rest).display().to_string() }),
            "age" => {
                let (path, key) = match rest.rsplit_once('#') {
                    Some((path, key)) => (path, Some(key.to_owned())),
                    None => (rest, None),
                };
                return match path.is_empty() || key.as_ref().is_some_and(String::is_empty) {
                    true => Err("behind `age:` stand the path of a file and, after a `#`, a key in it".to_owned()),
                    false => Ok(Self::Age { path: path.to_owned(), key }),
                };
            }
            "ssm" if !rest.is_empty() => SecretStore::Ssm,
            "secretsmanager" if !rest.is_empty() => SecretStore::SecretsManager,
            "file" | "ssm" | "secretsmanager" => return Err(format!("nothing stands behind `{scheme}:`")),
            _ => {
                return Err(
                    "it must begin with `environment:`, `file:`, `age:`, `ssm:` or `secretsmanager:`".to_owned()
                );
            }
        };
        let (name, version) = match rest.rsplit_once('#') {
            Some((name, version)) => (name.to_owned(), Some(version.to_owned())),
            None => (rest.to_owned(), None),
        };
        Ok(Self::Stored(StoredSecret { store, name, version, region: None, endpoint: None, profile: None }))
    }
}

impl StoredSecret {
    /// What a person types to put it there.
    pub fn command(&self) -> String {
        match self.store {
            SecretStore::Ssm => {
                format!("aws ssm put-parameter --type SecureString --name {} --value file:///dev/stdin", self.name)
            }
            SecretStore::SecretsManager => {
                format!("aws secretsmanager create-secret --name {} --secret-string file:///dev/stdin", self.name)
            }
        }
    }
}

impl std::fmt::Display for StoredSecret {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let store = match self.store {
            SecretStore::Ssm => "ssm",
            SecretStore::SecretsManager => "secretsmanager",
        };
        write!(formatter, "{store}:{}", self.name)?;
        self.version.iter().try_for_each(|version| write!(formatter, "#{version}"))
    }
}

impl std::fmt::Display for SecretReference {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Variable { name } => write!(formatter, "var.{name}"),
            Self::Literal { file, .. } => write!(formatter, "the sensitive(…) in {file}"),
            Self::Environment { name } => write!(formatter, "environment variable {name}"),
            Self::File { path } => write!(formatter, "file {path}"),
            Self::Age { path, key } => {
                write!(formatter, "age:{path}")?;
                key.iter().try_for_each(|key| write!(formatter, "#{key}"))
            }
            Self::Stored(stored) => stored.fmt(formatter),
        }
    }
}

/// Why a secret cannot be had now.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the secret from {reference} is not at hand: {cause}")]
pub struct SecretError {
    /// Which.
    pub reference: Box<SecretReference>,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_read() {
        let folder = std::path::Path::new("/shop");
        let read = |text: &str| SecretReference::parse(text, folder).map(|reference| reference.to_string());
        for (text, shown) in [
            ("environment:STRIPE_KEY", "environment variable STRIPE_KEY"),
            ("file:secret/key", "file /shop/secret/key"),
            ("file:/run/key", "file /run/key"),
            ("age:secrets/prod.age#KEY", "age:secrets/prod.age#KEY"),
            ("age:secrets/key.age", "age:secrets/key.age"),
            ("ssm:/shared/key", "ssm:/shared/key"),
            ("ssm:/shared/key#3", "ssm:/shared/key#3"),
            (
                "secretsmanager:arn:aws:secretsmanager:r:1:secret:k-1",
                "secretsmanager:arn:aws:secretsmanager:r:1:secret:k-1",
            ),
        ] {
            assert_eq!(read(text).as_deref(), Ok(shown));
        }
        for wrong in
            ["STRIPE_KEY", "environment:a b", "environment:", "file:", "age:", "age:#K", "age:f#", "ssm:", "vault:x"]
        {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_stored_reference_says_only_what_is_given() {
        let reference = SecretReference::parse("secretsmanager:shop/key", std::path::Path::new("")).expect("it is one");
        let text = serde_json::to_string(&reference).expect("it is JSON");
        assert_eq!(text, r#"{"from":"stored","store":"secretsmanager","name":"shop/key"}"#);
        assert_eq!(serde_json::from_str::<SecretReference>(&text).expect("it is read"), reference);
    }
}
