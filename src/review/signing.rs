//! Who has to sign a change set, who did, and what to type for it: as the review shows it. Plain data.
//!
//! Invariant: it says what counts at the moment of the review; apply judges again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// What the review says about signatures.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Signing {
    /// What each signature has to cover, and whether it does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub needed: Vec<Needed>,
    /// Where the rules of who may sign come from, in words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub rules: String,
    /// The line to type to sign it; nothing when nothing is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<String>,
}

/// A signature that is needed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Needed {
    /// The class of whoever signs: `dba`.
    pub class: String,
    /// The part that it covers: `database`.
    pub part: String,
    /// The digest of this part.
    pub digest: String,
    /// Why it is needed.
    pub why: String,
    /// Who may give it.
    pub by: Vec<String>,
    /// Who gave it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub given: Vec<Given>,
    /// How many have to.
    pub count: usize,
}

/// A signature that was given, or a refusal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Given {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// Until when it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why it does not count; nothing when it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub void: Option<String>,
}

impl Signing {
    /// Whether nobody has to sign.
    pub fn is_empty(&self) -> bool {
        self.needed.is_empty()
    }

    /// Whether everybody did who has to.
    pub fn is_complete(&self) -> bool {
        self.needed.iter().all(Needed::is_given)
    }
}

impl Needed {
    /// Whether enough signatures count.
    pub fn is_given(&self) -> bool {
        self.given.iter().filter(|given| given.void.is_none()).count() >= self.count
    }
}
