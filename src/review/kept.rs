//! What a migration sets aside instead of dropping, or gives back. Pure.
//!
//! Invariant: what is copied says how large it is, or that this is not known and why.

use serde::Serialize;

use super::words;
use crate::migration::{Direction, KeptWhen, Migration};
use crate::rehearse::target::{Answer, Target};

/// What is set aside instead of dropped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeptView {
    /// What.
    pub what: Vec<String>,
    /// How long, in words.
    pub long: String,
    /// What is to be known of it.
    pub notes: Vec<&'static str>,
    /// Whether it comes back by this step.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub comes_back: bool,
    /// What is copied first, and how large that is at most.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub copied: Vec<CopiedView>,
}

/// A table of which something is copied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CopiedView {
    /// The table.
    pub table: String,
    /// How large it is as a whole, by the target's catalog, in words; or that this is not known, and why.
    pub size: String,
}

impl KeptView {
    pub(super) fn of(migration: &Migration, direction: Direction) -> Option<Self> {
        let kept = migration.kept.as_ref()?;
        let seconds = migration.said.keep_seconds.unwrap_or_default();
        let comes_back = match kept.when {
            KeptWhen::There | KeptWhen::ThereByFile => direction == Direction::Down,
            KeptWhen::Back => direction == Direction::Up,
        };
        let notes = match comes_back {
            _ if !kept.copied.is_empty() => &words::COPIED[..],
            false => &words::KEPT[..],
            true => &words::GIVEN_BACK[..],
        };
        let copied = kept.copied.iter().filter(|_| !comes_back);
        let copied = copied.map(|table| CopiedView { table: table.clone(), size: String::new() }).collect();
        let long = words::keeping(seconds);
        Some(Self { what: kept.what.clone(), long, notes: notes.to_vec(), comes_back, copied })
    }

    /// Says how large what is copied is.
    pub(super) fn measure(&mut self, target: Option<&Target>) {
        for copied in &mut self.copied {
            copied.size = match target.map(|target| &target.answer) {
                Some(Answer::Facts(facts)) => match facts.sizes.get(&copied.table) {
                    Some(size) => format!("{} as a whole, by the target's catalog", size.words()),
                    None => "the target has no such table yet".to_owned(),
                },
                Some(Answer::Unreadable(why)) => {
                    format!("how large is not known, for the target could not be read: {why}")
                }
                None => "how large is not known, for the target was not read".to_owned(),
            };
        }
    }

    /// What is kept, or comes back, in one line.
    pub fn heading(&self) -> String {
        let what = self.what.join(", ");
        match (self.comes_back, self.copied.is_empty()) {
            (true, _) => format!("comes back from where it was kept: {what}"),
            (false, true) => format!("kept for {} instead of dropped: {what}", self.long),
            (false, false) => format!("kept for {}: {what}", self.long),
        }
    }

    /// What is copied, in lines.
    pub fn sizes(&self) -> Vec<String> {
        self.copied.iter().map(|copied| format!("copied first, from {}: {}", copied.table, copied.size)).collect()
    }
}
