//! Findings: what a rule has to say about one place of a change. Plain data.
//!
//! Invariant: a finding is silenced only with a reason, and is kept with it.

use serde::{Deserialize, Serialize};

use crate::rehearse::target::Along;
use crate::step::StepId;

/// Everything that rules found.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Findings {
    /// What stands, the heaviest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub found: Vec<Finding>,
    /// What somebody silenced, with the reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Ignored>,
}

/// What one rule has to say about one place.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// The rule's name: `add-not-null-column-without-default`.
    pub rule: String,
    /// How heavy it weighs here.
    pub level: Level,
    /// What it is about.
    pub place: Place,
    /// What is the matter, in one sentence that names the thing.
    pub message: String,
    /// Why that is bad here: sizes, locks, who waits.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub reason: String,
    /// What to do instead, in one sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// A safer way to the same end, as SQL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<String>,
}

/// How heavy a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Worth knowing.
    Note,
    /// Worth a second look.
    Warning,
    /// It is refused: apply ends before the first effect.
    Error,
}

/// What a finding is about; as much of it as there is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Place {
    /// The step of the change set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<StepId>,
    /// The thing, or the database.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The version of the migration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<i64>,
    /// The file, as it is found from the project's folder: `migrations/app/V3__add.sql`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Which way of the migration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub way: Option<Along>,
    /// The number of the statement in its text, from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<usize>,
    /// The line, from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The statement on one line, shortened; or the attribute.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub excerpt: String,
}

/// A finding that somebody silenced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ignored {
    /// What was found.
    pub finding: Finding,
    /// Why it does not count.
    pub reason: String,
}

impl Findings {
    /// Whether no rule had anything to say.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty() && self.ignored.is_empty()
    }

    /// How many stand of this level.
    pub fn count(&self, level: Level) -> usize {
        self.found.iter().filter(|finding| finding.level == level).count()
    }

    /// Those that stand about a step.
    pub fn of_step(&self, step: StepId) -> impl Iterator<Item = &Finding> {
        self.found.iter().filter(move |finding| finding.place.step == Some(step))
    }
}

impl Level {
    /// All of them, lightest first.
    pub const ALL: [Self; 3] = [Self::Note, Self::Warning, Self::Error];

    /// As people write it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}
