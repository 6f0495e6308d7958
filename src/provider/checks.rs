//! The kinds of checks: one file and one line each. An edge.
//!
//! Invariant: what may be given of each is always compiled; what asks may stand behind a feature, and says so when it is
//! not there.

pub mod alarm;
pub mod command;
pub mod ecs;
pub mod http;
pub mod run_task;
pub mod sql;
pub mod tcp;

use async_trait::async_trait;

use crate::kind::CheckKind;
use crate::value::Value;
use crate::world::{Checks, Probe, Seen};

/// One kind of check.
#[async_trait]
pub trait Asks: Send + Sync {
    /// What may be given of it.
    fn kind(&self) -> CheckKind;

    /// Asks once.
    async fn ask(&self, probe: &Probe) -> Seen;

    /// Ends what asking may have begun, and says what was ended.
    async fn call_off(&self, _probe: &Probe) -> Option<String> {
        None
    }
}

/// The table.
fn all() -> Vec<Box<dyn Asks>> {
    vec![
        Box::new(alarm::Alarm::default()),
        Box::new(command::Command),
        Box::new(ecs::Ecs::default()),
        Box::new(http::Http),
        Box::new(run_task::RunTask::default()),
        Box::new(sql::Sql),
        Box::new(tcp::Tcp),
    ]
}

/// What may be given of each kind.
pub fn kinds() -> impl Iterator<Item = CheckKind> {
    all().into_iter().map(|asks| asks.kind())
}

/// Asks all of them.
pub struct Asker(Vec<(&'static str, Box<dyn Asks>)>);

impl Default for Asker {
    fn default() -> Self {
        Self(all().into_iter().map(|asks| (asks.kind().name, asks)).collect())
    }
}

#[async_trait]
impl Checks for Asker {
    async fn ask(&self, probe: &Probe) -> Seen {
        match self.0.iter().find(|(name, _)| *name == probe.kind) {
            Some((_, asks)) => asks.ask(probe).await,
            None => Seen::hopeless(format!("this build knows no check `{}`", probe.kind)),
        }
    }

    async fn call_off(&self, probe: &Probe) -> Option<String> {
        let (_, asks) = self.0.iter().find(|(name, _)| *name == probe.kind)?;
        asks.call_off(probe).await
    }
}

/// A text that is given, secret or not; nothing where it is absent.
fn text(probe: &Probe, name: &str) -> Option<String> {
    probe.settings.get(name).map(Value::reveal).as_ref().and_then(Value::as_str).map(str::to_owned)
}

/// A whole number that is given.
fn number(probe: &Probe, name: &str) -> Option<i64> {
    probe.settings.get(name).map(Value::reveal).as_ref().and_then(Value::as_i64)
}

/// A length of time that is given, but no longer than the patience of the question.
fn time_limit(probe: &Probe, name: &str) -> std::time::Duration {
    let given = text(probe, name).and_then(|text| crate::migration::length::milliseconds(&text));
    given.map_or(probe.patience, std::time::Duration::from_millis).min(probe.patience)
}

/// The texts of a list that is given.
fn texts(probe: &Probe, name: &str) -> Vec<String> {
    let list = probe.settings.get(name).map(Value::reveal);
    let items = list.as_ref().and_then(Value::items).into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The entries of a map that is given.
fn entries(probe: &Probe, name: &str) -> Vec<(String, String)> {
    let map = probe.settings.get(name).map(Value::reveal);
    let pairs = map.as_ref().and_then(Value::entries).into_iter().flatten();
    pairs.filter_map(|(key, value)| Some((key.to_string(), value.as_str()?.to_owned()))).collect()
}

/// The beginning of a text, as a part of a line.
fn excerpt(text: &str) -> String {
    const CHARACTERS: usize = 120;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.chars().count() > CHARACTERS {
        true => line.chars().take(CHARACTERS).chain(['…']).collect(),
        false => line,
    }
}

/// A mistake where a text that is given is no length of time.
fn no_length(object: &crate::value::Object, name: &str) -> Option<crate::kind::Mistake> {
    let text = object.get(name).and_then(Value::as_str)?;
    crate::migration::length::milliseconds(text).is_none().then(|| crate::kind::Mistake {
        attribute: Some(name.to_owned()),
        text: format!("`{name}` is no length of time: `{text}`"),
        help: "write a number and a unit, like `\"500ms\"` or `\"10s\"`".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_and_attribute_is_documented_and_named_once() {
        let kinds: Vec<CheckKind> = kinds().collect();
        assert_eq!(kinds.len(), 7);
        for (index, kind) in kinds.iter().enumerate() {
            assert!(kinds[..index].iter().all(|other| other.name != kind.name), "{} is there twice", kind.name);
            assert!(kind.summary.ends_with('.'), "{} has no sentence", kind.name);
            for attribute in &kind.attributes {
                assert!(attribute.documentation.ends_with('.'), "{}.{}", kind.name, attribute.name);
                if let Some(default) = &attribute.default {
                    assert_eq!(default.ty(), attribute.shape.ty(), "{}.{}", kind.name, attribute.name);
                }
            }
        }
    }

    #[test]
    fn the_table_has_each_file_of_its_folder() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/provider/checks");
        let files = std::fs::read_dir(folder)
            .expect("the folder is there")
            .filter_map(|entry| Some(entry.ok()?.path().file_stem()?.to_str()?.to_owned()));
        let names: Vec<&str> = kinds().map(|kind| kind.name).collect();
        for file in files {
            assert!(names.contains(&&*file), "{file} is not in the table");
        }
    }
}
