//! Who may sign what, and what has to be signed. Plain data.
//!
//! Invariant: it is kept in the ledger with what was applied, so that a change cannot give itself leave.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::class::{Class, Part};
use super::key::Key;

/// The rules of one environment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// Who may sign, by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub approvers: BTreeMap<String, Approver>,
    /// What has to be signed, by class.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub required: BTreeMap<Class, Requirement>,
    /// Who may go back at a loss without signatures, by the name of an approver.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub break_glass: BTreeSet<String>,
}

/// Somebody who may sign.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Approver {
    /// Their keys.
    pub keys: BTreeSet<Key>,
    /// As what they may sign.
    pub classes: BTreeSet<Class>,
    /// What shells and CI call them, beside their name here.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub actors: BTreeSet<String>,
}

/// That a class has to sign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requirement {
    /// How many of them.
    pub count: u32,
    /// Whether whoever made the plan does not count.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub not_the_author: bool,
    /// For how long a signature is good, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_seconds: Option<u64>,
    /// The parts of a change that it is required for; none where the class itself says.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub parts: BTreeSet<Part>,
}

impl Rules {
    /// Whether nobody ever has to sign.
    pub fn asks_for_nothing(&self) -> bool {
        self.required.is_empty()
    }

    /// Whose key this is.
    pub fn owner_of(&self, key: &Key) -> Option<(&str, &Approver)> {
        let mut approvers = self.approvers.iter();
        approvers.find(|(_, approver)| approver.keys.contains(key)).map(|(name, approver)| (&**name, approver))
    }

    /// Who may sign as this.
    pub fn may_sign(&self, class: Class) -> impl Iterator<Item = &str> {
        self.approvers.iter().filter(move |(_, one)| one.classes.contains(&class)).map(|(name, _)| &**name)
    }

    /// The approver that an actor is: by name, or by what shells and CI call them.
    pub fn person(&self, actor: &str) -> Option<&str> {
        let mut names = self.approvers.iter();
        names.find(|(name, approver)| approver.is(name, actor)).map(|(name, _)| &**name)
    }

    /// What is otherwise than in other rules, line by line.
    pub fn difference(&self, other: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let names: BTreeSet<&String> = self.approvers.keys().chain(other.approvers.keys()).collect();
        for name in names {
            match (self.approvers.get(name), other.approvers.get(name)) {
                (None, Some(new)) => lines.push(format!("+ approver {name}: {}", new.words())),
                (Some(old), None) => lines.push(format!("- approver {name}: {}", old.words())),
                (Some(old), Some(new)) if old != new => {
                    lines.push(format!("~ approver {name}: {} -> {}", old.words(), new.words()));
                }
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        for class in Class::ALL {
            match (self.required.get(&class), other.required.get(&class)) {
                (None, Some(new)) => lines.push(format!("+ {} has to sign: {}", class.word(), new.words())),
                (Some(old), None) => lines.push(format!("- {} has to sign: {}", class.word(), old.words())),
                (Some(old), Some(new)) if old != new => {
                    lines.push(format!("~ {} has to sign: {} -> {}", class.word(), old.words(), new.words()));
                }
                (Some(_), Some(_)) | (None, None) => {}
            }
        }
        if self.break_glass != other.break_glass {
            let words = |names: &BTreeSet<String>| {
                let names: Vec<&str> = names.iter().map(String::as_str).collect();
                if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
            };
            lines.push(format!("~ may break the glass: {} -> {}", words(&self.break_glass), words(&other.break_glass)));
        }
        lines
    }
}

impl Approver {
    /// Whether an actor is this person: `alice`, also as `alice (GitHub Actions, run 7)`.
    pub fn is(&self, name: &str, actor: &str) -> bool {
        let bare = actor.split_once(" (").map_or(actor, |(bare, _)| bare);
        [actor, bare].into_iter().any(|actor| actor == name || self.actors.contains(actor))
    }

    fn words(&self) -> String {
        let classes: Vec<&str> = self.classes.iter().map(|class| class.word()).collect();
        let keys: Vec<String> = self.keys.iter().map(Key::fingerprint).collect();
        let mut words = format!("{} by {}", classes.join(", "), keys.join(", "));
        if !self.actors.is_empty() {
            let actors: Vec<&str> = self.actors.iter().map(String::as_str).collect();
            words += &format!(", known as {}", actors.join(", "));
        }
        words
    }
}

impl Requirement {
    /// So many, with nothing else said.
    pub fn of(count: u32) -> Self {
        Self { count, not_the_author: false, expires_seconds: None, parts: BTreeSet::new() }
    }

    fn words(&self) -> String {
        let mut words = self.count.to_string();
        if self.not_the_author {
            words += ", not the author";
        }
        if let Some(seconds) = self.expires_seconds {
            words += &format!(", good for {}", length(seconds));
        }
        if !self.parts.is_empty() {
            let parts: Vec<&str> = self.parts.iter().map(|part| part.word()).collect();
            words += &format!(", for {}", parts.join(", "));
        }
        words
    }
}

/// A length of time in the largest unit that it is whole in.
fn length(seconds: u64) -> String {
    match seconds {
        _ if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        _ if seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        _ => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_known_by_the_name_of_a_shell_or_ci() {
        let alice = Approver { actors: BTreeSet::from(["a.smith".to_owned()]), ..Approver::default() };
        let rules = Rules { approvers: BTreeMap::from([("alice".to_owned(), alice)]), ..Rules::default() };
        for actor in ["alice", "a.smith", "alice (GitHub Actions, run 7)", "a.smith (GitLab CI)"] {
            assert_eq!(rules.person(actor), Some("alice"), "{actor}");
        }
        for actor in ["alic", "alice smith", "mallory (alice)", ""] {
            assert_eq!(rules.person(actor), None, "{actor}");
        }
    }

    #[test]
    fn every_change_of_the_rules_is_a_line() {
        let mut old = Rules::default();
        old.approvers.insert("alice".into(), Approver::default());
        old.required.insert(Class::Dba, Requirement::of(1));
        let mut new = old.clone();
        assert!(old.difference(&new).is_empty());
        new.approvers.insert("bob".into(), Approver::default());
        new.required.insert(Class::Dba, Requirement { not_the_author: true, ..Requirement::of(2) });
        new.break_glass.insert("bob".into());
        let lines = old.difference(&new);
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(lines[1].contains("1 -> 2, not the author"), "{lines:?}");
        assert_eq!(new.difference(&old).len(), 3);
    }
}
