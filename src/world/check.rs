//! Checks: what is asked of the world to see that something works. Pure (a trait and plain data).
//!
//! Invariant: asking again with the same token has no further effect, so that it can be done at any time.

use std::time::Duration;

use async_trait::async_trait;

use super::{Connection, Fence};
use crate::value::Object;

/// One question, all of whose values are known, secrets among them (marked sensitive).
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// The kind of check.
    pub kind: String,
    /// What is given of it, defaults among it.
    pub settings: Object,
    /// How that is reached which it asks, where its settings do not say it.
    pub connection: Option<Connection>,
    /// Since when it is being asked: what restarted before does not count.
    pub since: jiff::Timestamp,
    /// Since when it is as it should be, where it has to stay so.
    pub holds_since: Option<jiff::Timestamp>,
    /// The same for every try of the same check of the same run, until that has failed: at most 32 characters of
    /// `[a-z0-9]`.
    pub token: String,
    /// The lease that it is asked under: asked right before anything is sent that changes something.
    pub fence: Fence,
    /// What was seen of it before the first effect, where that is compared.
    pub before: Option<Object>,
    /// How long an answer may take.
    pub patience: Duration,
}

/// What was seen.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Whether that is as it should be.
    pub reply: Reply,
    /// In one line, for people.
    pub words: String,
    /// Numbers and short texts worth recording.
    pub facts: Object,
}

/// Whether something is as it should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It is.
    Holds,
    /// It is not; it may be later.
    Fails,
    /// It is not, and asking again is of no use.
    Hopeless,
}

impl Seen {
    /// It is as it should be.
    pub fn holds(words: impl Into<String>) -> Self {
        Self { reply: Reply::Holds, words: words.into(), facts: Object::new() }
    }

    /// It is not as it should be; it may be later.
    pub fn fails(words: impl Into<String>) -> Self {
        Self { reply: Reply::Fails, words: words.into(), facts: Object::new() }
    }

    /// It is not as it should be, and asking again is of no use.
    pub fn hopeless(words: impl Into<String>) -> Self {
        Self { reply: Reply::Hopeless, words: words.into(), facts: Object::new() }
    }

    /// Adds a fact.
    #[must_use]
    pub fn fact(mut self, name: &str, value: impl Into<crate::value::Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}

/// Asks questions of every kind there is.
#[async_trait]
pub trait Checks: Send + Sync {
    /// Asks once. Never takes much longer than the patience of the question.
    async fn ask(&self, probe: &Probe) -> Seen;

    /// Ends what asking may have begun: nobody waits for it any more. Gives what was ended, in one line.
    async fn call_off(&self, _probe: &Probe) -> Option<String> {
        None
    }
}
