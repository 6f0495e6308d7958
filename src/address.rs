//! Addresses: the name by which the spec, the plan, the ledger and people call a thing. Pure.
//!
//! Invariant: an address and its text are the same thing, both ways.

pub mod part;

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// `["key"]` of a `for_each`, `[0]` of a `count`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceKey {
    /// Position, from `count`.
    Index(u64),
    /// Key, from `for_each`.
    Key(Arc<str>),
}

/// One step into a module: `module.web["eu"]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleStep {
    /// The name of the `module` block.
    pub name: Arc<str>,
    /// Its instance key, if it has `count` or `for_each`.
    pub key: Option<InstanceKey>,
}

/// The path of modules from the environment's spec, outermost first; empty in the spec itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModulePath(pub Arc<[ModuleStep]>);

impl ModulePath {
    /// The spec itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// One module further in.
    #[must_use]
    pub fn child(&self, name: &str, key: Option<InstanceKey>) -> Self {
        let step = ModuleStep { name: name.into(), key };
        Self(self.0.iter().cloned().chain([step]).collect())
    }
}

/// What a thing is called: `module.web.aws_ecs_service.web["eu"]`, `database.app`, `config.web["LOG_LEVEL"]`.
///
/// Serialised as its text.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    /// The module it stands in.
    pub module: ModulePath,
    /// The first word: a kind (`aws_ecs_service`), or `database`, or `config`.
    pub word: Arc<str>,
    /// The name.
    pub name: Arc<str>,
    /// The instance key, if any.
    pub key: Option<InstanceKey>,
}

impl Address {
    /// An address in the spec itself, without a key.
    pub fn root(word: &str, name: &str) -> Self {
        Self { module: ModulePath::root(), word: word.into(), name: name.into(), key: None }
    }

    /// The same block without its instance key.
    #[must_use]
    pub fn block(&self) -> Self {
        Self { key: None, ..self.clone() }
    }

    /// The same block with this instance key.
    #[must_use]
    pub fn with_key(&self, key: Option<InstanceKey>) -> Self {
        Self { key, ..self.clone() }
    }
}

impl fmt::Display for InstanceKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(formatter, "[{index}]"),
            Self::Key(key) => write!(formatter, "[{}]", serde_json::Value::from(&**key)),
        }
    }
}

impl fmt::Display for ModulePath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for step in self.0.iter() {
            write!(formatter, "module.{}", step.name)?;
            if let Some(key) = &step.key {
                write!(formatter, "{key}")?;
            }
            formatter.write_str(".")?;
        }
        Ok(())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}{}.{}", self.module, self.word, self.name)?;
        self.key.as_ref().map_or(Ok(()), |key| write!(formatter, "{key}"))
    }
}

/// Why a text is not an address.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an address; one looks like `aws_ecs_service.web` or `module.web.aws_ssm_parameter.flag[\"a\"]`")]
pub struct NotAnAddress(String);

impl FromStr for Address {
    type Err = NotAnAddress;

    fn from_str(text: &str) -> Result<Self, NotAnAddress> {
        parse(text).ok_or_else(|| NotAnAddress(text.to_owned()))
    }
}

fn parse(text: &str) -> Option<Address> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let end = rest.find(['.', '[']).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        if word.is_empty() || !word.chars().all(|letter| letter.is_alphanumeric() || "_-".contains(letter)) {
            return None;
        }
        let (key, after) = parse_key(after)?;
        parts.push((word, key));
        match after.strip_prefix('.') {
            Some(next) => rest = next,
            None if after.is_empty() => break,
            None => return None,
        }
    }
    let mut module = Vec::new();
    let mut parts = parts.into_iter().peekable();
    while parts.next_if(|(word, key)| *word == "module" && key.is_none()).is_some() {
        let (name, key) = parts.next()?;
        module.push(ModuleStep { name: name.into(), key });
    }
    let (word, no_key) = parts.next()?;
    let (name, key) = parts.next()?;
    (no_key.is_none() && parts.next().is_none()).then(|| Address {
        module: ModulePath(module.into()),
        word: word.into(),
        name: name.into(),
        key,
    })
}

fn parse_key(text: &str) -> Option<(Option<InstanceKey>, &str)> {
    let Some(inside) = text.strip_prefix('[') else {
        return Some((None, text));
    };
    if inside.starts_with('"') {
        let mut stream = serde_json::Deserializer::from_str(inside).into_iter::<String>();
        let key = stream.next()?.ok()?;
        let rest = inside[stream.byte_offset()..].strip_prefix(']')?;
        return Some((Some(InstanceKey::Key(key.into())), rest));
    }
    let (digits, rest) = inside.split_once(']')?;
    Some((Some(InstanceKey::Index(digits.parse().ok()?)), rest))
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_and_its_text_are_the_same_thing() {
        for text in [
            "terraform_data.a",
            "terraform_data.a[3]",
            "module.web.aws_ecs_service.web[\"e.u]\\\"\"]",
            "module.a[0].module.b[\"x\"].database.app",
        ] {
            assert_eq!(text.parse::<Address>().expect("a good address").to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in ["", "a", "a.", "a.b.c", "a.b[", "a.b[x]", "module.a", "a[0].b", "a.b[0]c"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
    }
}
