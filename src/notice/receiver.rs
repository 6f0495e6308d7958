//! Who is told: a `notify` block, as the ledger keeps it, so that any runner can tell. Pure.
//!
//! Invariant: no secret is in it, only where it comes from.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::Topic;
use crate::secret::SecretReference;

/// How long a receiver is given in one command, when nobody says.
pub const DEFAULT_MILLISECONDS: u64 = 5_000;

/// The longest that a receiver may be given.
pub const MOST_MILLISECONDS: u64 = 30_000;

/// What a message looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// JSON with the headers of Standard Webhooks.
    Webhook,
    /// What Slack's incoming webhooks take, and those who understand the same.
    Slack,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Webhook, Self::Slack];

    /// As the spec spells it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Slack => "slack",
        }
    }
}

/// Where messages go.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// To this URL.
    Url(String),
    /// To a URL that is a secret itself.
    From(SecretReference),
}

/// A receiver of notices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receiver {
    /// Its name.
    pub name: String,
    /// What a message looks like.
    pub form: Form,
    /// Where it goes.
    pub target: Target,
    /// Where the key comes from that messages are signed with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretReference>,
    /// What it wants to hear of.
    pub topics: BTreeSet<Topic>,
    /// How long it is given in one command, in milliseconds.
    pub milliseconds: u64,
}

impl Receiver {
    /// Whether it wants to hear of this.
    pub fn hears(&self, topic: Topic) -> bool {
        self.topics.contains(&topic)
    }
}

/// That a notice was delivered.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Delivery {
    /// The notice's id.
    pub id: String,
    /// The receiver's name.
    pub to: String,
}
