//! The stores of `config` blocks, and what a block's `key` blocks ask of its values. Pure.
//!
//! Invariant: no message shows the value of a secret.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Span};
use crate::expression::Expr;
use crate::spec::Config;
use crate::spec::body::Attribute;
use crate::spec::config_block::Key;
use crate::spec::suggest::{did_you_mean, listed};
use crate::value::{Object, Type, Value};

/// Where configuration is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Store {
    /// Parameters of Systems Manager.
    Parameters,
    /// Secrets of Secrets Manager.
    Secrets,
    /// One file for all values.
    File,
}

impl Store {
    /// How the stores are called.
    pub const NAMES: [&'static str; 3] = ["ssm", "secretsmanager", "file"];

    /// The store of this name.
    pub fn of(name: &str) -> Option<Self> {
        match name {
            "ssm" => Some(Self::Parameters),
            "secretsmanager" => Some(Self::Secrets),
            "file" => Some(Self::File),
            _ => None,
        }
    }

    /// The kind that a value becomes.
    pub fn kind(self) -> &'static str {
        match self {
            Self::Parameters => "aws_ssm_parameter",
            Self::Secrets => "aws_secretsmanager_secret",
            Self::File => "local_file",
        }
    }

    /// The kind that a key becomes whose value a person gives; a file has no such keys.
    pub fn kind_of_given(self) -> Option<&'static str> {
        match self {
            Self::Parameters => Some("aws_ssm_given_parameter"),
            Self::Secrets => Some("aws_secretsmanager_given_secret"),
            Self::File => None,
        }
    }

    /// What may be said of it in a block, beside its values.
    pub fn takes(self) -> &'static [&'static str] {
        match self {
            Self::Parameters => &["prefix", "tier", "key_id"],
            Self::Secrets => &["prefix", "kms_key_id"],
            Self::File => &["path", "format", "template", "mode"],
        }
    }

    /// The attribute that holds a value.
    pub fn value(self) -> &'static str {
        match self {
            Self::Parameters => "value",
            Self::Secrets => "secret_string",
            Self::File => "content",
        }
    }

    /// Whether everything in it is a secret.
    pub fn is_secret(self) -> bool {
        match self {
            Self::Parameters | Self::File => false,
            Self::Secrets => true,
        }
    }

    /// What is wrong with a prefix, and how to mend it.
    pub fn check_prefix(self, prefix: &str) -> Result<(), (String, String)> {
        let bare = prefix.trim_matches('/');
        match self {
            Self::Parameters if !prefix.starts_with('/') || prefix.ends_with('/') => {
                Err((format!("`{prefix}` must begin with `/` and not end with it"), format!("write `\"/{bare}\"`")))
            }
            Self::Secrets if bare.is_empty() || prefix.ends_with('/') => {
                Err((format!("`{prefix}` must not be empty and not end with `/`"), format!("write `\"{bare}\"`")))
            }
            Self::Parameters | Self::Secrets | Self::File => Ok(()),
        }
    }

    /// What a key's thing is called, and what is said of it besides its value.
    pub fn settings(self, prefix: &str, name: &str, secret: bool, key: Option<&Key>) -> Vec<(&'static str, Value)> {
        let mut settings = vec![("name", Value::from(format!("{prefix}/{name}")))];
        if self == Self::Parameters {
            settings.push(("type", if secret { "SecureString" } else { "String" }.into()));
        }
        let description = key.and_then(|key| key.description.as_deref());
        settings.extend(description.map(|text| ("description", Value::from(text))));
        settings
    }
}

/// The settings that each store takes, beside `store`, `values` and `depends_on`.
pub(super) fn misplaced(store: Store, settings: &[Attribute]) -> impl Iterator<Item = Diagnostic> + '_ {
    let takes = store.takes();
    let general = ["store", "values", "depends_on"];
    let misplaced = settings.iter().filter(move |setting| {
        let name = &*setting.name;
        !general.contains(&name) && !takes.contains(&name)
    });
    misplaced.map(move |setting| {
        Diagnostic::error("this is not said of such a store")
            .at(setting.name_span)
            .detail(format!("`{}` is no attribute of a `config` block in this store", setting.name))
            .help(format!("such a block may have {}", listed(takes.iter().copied())))
    })
}

/// How a value is generated, as the block that the kinds have.
pub(super) fn as_block(how: &Object) -> Value {
    Value::object(how.iter().map(|(name, value)| (name.as_str(), value.clone())))
}

/// Keys that nobody declared, and declared ones that are missing. Without `key` blocks, everything goes.
pub(super) fn check_names(config: &Config, given: &BTreeMap<Arc<str>, Expr>) -> Vec<Diagnostic> {
    if config.keys.is_empty() {
        return Vec::new();
    }
    let names = || config.keys.keys().map(|name| &**name);
    let unknown = given.iter().filter(|(name, _)| !config.keys.contains_key(*name)).map(|(name, expr)| {
        let otherwise = format!("declare it with `key \"{name}\" {{}}`; declared are {}", listed(names()));
        Diagnostic::error("a key of configuration is not declared")
            .at(expr.place().unwrap_or(config.span))
            .detail(format!("there is no `key \"{name}\"` block"))
            .help(did_you_mean(name, names(), otherwise))
    });
    let is_given = |key: &Key| key.generated.is_none() && !key.manual;
    let missing = config.keys.iter().filter(|(name, key)| key.required && is_given(key) && !given.contains_key(*name));
    let missing = missing.map(|(name, key)| {
        Diagnostic::error("a key of configuration has no value")
            .at(key.span)
            .detail(format!("`{name}` is required"))
            .help(format!("add `{name} = …` to `values`, or `required = false` to the key"))
    });
    unknown.chain(missing).collect()
}

/// What is wrong with the value of a key. What is not known yet counts as right.
pub(super) fn check_value(name: &str, key: &Key, value: &Value, place: Option<Span>) -> Option<Diagnostic> {
    let wrong = |detail: String, help: String| {
        let place = place.unwrap_or(key.span);
        Some(Diagnostic::error("a key of configuration has the wrong value").at(place).detail(detail).help(help))
    };
    if value.is_null() {
        return match key.required && key.generated.is_none() && !key.manual {
            true => wrong(format!("`{name}` is required, and null"), "give it a value, or `required = false`".into()),
            false => None,
        };
    }
    if key.generated.is_some() {
        let help = "remove it from `values`, or remove `generated`".to_owned();
        return wrong(format!("`{name}` is generated, and given as well"), help);
    }
    if key.manual {
        let help = "remove it from `values`, or remove `manual`".to_owned();
        return wrong(format!("`{name}` is given by a person, and in `values` as well"), help);
    }
    let open = value.reveal();
    let converted = match open.is_known() {
        true => open.convert(&key.ty).and_then(|value| value.convert(&Type::String)).ok(),
        false => return None,
    };
    let Some(text) = converted.as_ref().and_then(Value::as_str) else {
        return wrong(format!("`{name}` must be a {}", key.ty), format!("give a value of type `{}`", key.ty));
    };
    let shown = if value.is_sensitive() { "its value (a secret)".to_owned() } else { format!("`{text}`") };
    if let Some(allowed) = key.allowed.as_ref().filter(|allowed| allowed.iter().all(|one| one != text)) {
        let help = format!("allowed are {}", listed(allowed.iter().map(String::as_str)));
        return wrong(format!("`{name}`: {shown} is not allowed"), help);
    }
    match key.pattern.as_ref().filter(|pattern| !pattern.is_match(text)) {
        Some(pattern) => wrong(
            format!("`{name}`: {shown} does not look as it must"),
            format!("give a value that matches `{}`", pattern.as_str()),
        ),
        None => None,
    }
}
