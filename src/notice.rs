//! What people are told about an environment, and who is told. Pure.
//!
//! Invariant: a notice holds names, counts and digests, never a value of the spec or a text of the world; the same
//! event has the same id whoever tells it.

pub mod body;
pub mod receiver;
pub mod signature;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// What a notice is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// A plan was made. Planning records nothing, so this is told once, if at all.
    Planned,
    /// A change set waits for signatures.
    ApprovalWanted,
    /// A run waits.
    Parked,
    /// A run is done.
    Applied,
    /// A run failed, was stopped, or lost its runner.
    Failed,
    /// A run was taken back.
    RolledBack,
    /// A run begins that has steps which cannot be taken back.
    WayBackClosing,
    /// The world is not as it was applied.
    Drift,
}

impl Topic {
    /// All of them, in the order of the documentation.
    pub const ALL: [Self; 8] = [
        Self::Planned,
        Self::ApprovalWanted,
        Self::Parked,
        Self::Applied,
        Self::Failed,
        Self::RolledBack,
        Self::WayBackClosing,
        Self::Drift,
    ];

    /// As `events` of a `notify` block and the `type` of a message spell it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::ApprovalWanted => "approval_wanted",
            Self::Parked => "parked",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::RolledBack => "rolled_back",
            Self::WayBackClosing => "way_back_closing",
            Self::Drift => "drift",
        }
    }

    /// The topic of a word.
    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|topic| topic.word() == word)
    }

    /// As people read it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::ApprovalWanted => "approval wanted",
            Self::Parked => "parked",
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::RolledBack => "rolled back",
            Self::WayBackClosing => "the way back is closing",
            Self::Drift => "drift",
        }
    }
}

/// How many steps of a run are where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// All of them.
    pub all: usize,
    /// Those that are done.
    pub done: usize,
    /// Those that failed, or of which nobody knows whether they had their effect.
    pub failed: usize,
}

/// Something to tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The same for the same event, however often and by whomever it is told.
    #[serde(skip)]
    pub id: String,
    /// What about.
    #[serde(skip)]
    pub topic: Topic,
    /// When it happened.
    #[serde(skip)]
    pub at: Timestamp,
    /// The project.
    pub project: String,
    /// The environment.
    pub environment: String,
    /// What happened, in one line.
    pub summary: String,
    /// More, a line each.
    pub details: Vec<String>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<u64>,
    /// The release that it brings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The change set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub change_set: Option<Digest>,
    /// Who did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// How far it came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<Counts>,
    /// Whether planning again was empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verified: Option<bool>,
    /// The command that shows more.
    pub next: String,
}

impl Notice {
    /// A notice that says this; `key` is what tells this event from every other one of its chain and topic.
    pub fn new<K: Serialize>(topic: Topic, at: Timestamp, of: Place<'_>, key: &K, summary: String) -> Self {
        let Place { chain, project, environment } = of;
        let digest = Digest::of_json(&(chain, environment, topic, key)).to_string();
        let letters: String = digest.chars().filter(char::is_ascii_hexdigit).rev().take(32).collect();
        Self {
            id: format!("msg_{letters}"),
            topic,
            at,
            project: project.to_owned(),
            environment: environment.to_owned(),
            summary,
            details: Vec::new(),
            run: None,
            release: None,
            change_set: None,
            actor: None,
            steps: None,
            verified: None,
            next: format!("switchback status {environment}"),
        }
    }
}

/// Where something happened.
#[derive(Clone, Copy, Debug)]
pub struct Place<'a> {
    /// The chain's random name; empty before there is a chain.
    pub chain: &'a str,
    /// The project.
    pub project: &'a str,
    /// The environment.
    pub environment: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_event_has_the_same_id_and_another_one_has_not() {
        let place = |chain| Place { chain, project: "shop", environment: "prod" };
        let id =
            |topic, chain, key: u64| Notice::new(topic, Timestamp::UNIX_EPOCH, place(chain), &key, String::new()).id;
        let one = id(Topic::Failed, "a", 4);
        assert_eq!(one, id(Topic::Failed, "a", 4));
        assert_eq!(one.len(), 36, "{one}");
        for other in [id(Topic::Applied, "a", 4), id(Topic::Failed, "b", 4), id(Topic::Failed, "a", 5)] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn a_word_is_read_as_it_is_written() {
        for topic in Topic::ALL {
            assert_eq!(Topic::of(topic.word()), Some(topic));
            assert_eq!(serde_json::to_value(topic).unwrap(), topic.word());
        }
        assert_eq!(Topic::of("nothing"), None);
    }
}
