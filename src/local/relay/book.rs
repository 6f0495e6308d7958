//! What the relay remembers beyond the emulator: rollouts under way, tokens, what AWS would still show. An edge (it
//! keeps a file).
//!
//! Invariant: every change is on disk before it is answered for, and the file is always a whole one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::super::{LocalError, disk};
use super::rollout::Rollout;
use super::tasks::Task;
use crate::digest::Digest;

const FORMAT: u32 = 1;

/// The book.
pub(super) struct Book {
    path: PathBuf,
    pages: Mutex<Pages>,
}

/// What is in it; services, tasks and clusters by ARN.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Pages {
    format: u32,
    /// How long rollouts take that begin now.
    #[serde(skip)]
    pub rollout_seconds: f64,
    /// Services whose next rollout is to fail.
    #[serde(default)]
    pub fail_next: BTreeSet<String>,
    /// For how many seconds the replaced tasks of a service drain in rollouts that begin now, where that was ordered.
    #[serde(default)]
    pub drains: BTreeMap<String, f64>,
    /// Rollouts under way.
    #[serde(default)]
    pub rollouts: BTreeMap<String, Rollout>,
    /// Services that are deleted, and until when (milliseconds) their tasks drain.
    #[serde(default)]
    pub draining: BTreeMap<String, i64>,
    /// Attributes of services that the emulator drops.
    #[serde(default)]
    pub dropped: BTreeMap<String, Map<String, Value>>,
    /// Idempotency tokens, with what they were used for.
    #[serde(default)]
    pub tokens: BTreeMap<String, Token>,
    /// Tasks that were run by themselves.
    #[serde(default)]
    pub tasks: BTreeMap<String, Task>,
    /// Deleted clusters, as AWS goes on to describe them.
    #[serde(default)]
    pub inactive_clusters: BTreeMap<String, Value>,
}

/// What an idempotency token was used for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Token {
    /// The digest of all parameters but the token.
    pub parameters: Digest,
    /// The service or the task that was begun.
    pub service: String,
}

impl Book {
    /// Opens the book of a file, a new one when there is none.
    pub(super) fn open(path: &Path, rollout_seconds: f64) -> Result<Self, LocalError> {
        let refuse = |cause: String| LocalError::Memory { path: path.to_owned(), cause };
        let mut pages = match disk::read(path)? {
            Some(text) => serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?,
            None => Pages::new(),
        };
        if pages.format > FORMAT {
            return Err(refuse(format!("it has format {}, this version knows formats up to {FORMAT}", pages.format)));
        }
        pages.rollout_seconds = rollout_seconds;
        Ok(Self { path: path.to_owned(), pages: Mutex::new(pages) })
    }

    /// Reads.
    pub(super) fn read<T>(&self, look: impl FnOnce(&Pages) -> T) -> T {
        look(&self.pages.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Changes, and keeps the change.
    pub(super) fn change<T>(&self, change: impl FnOnce(&mut Pages) -> T) -> T {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        let result = change(&mut pages);
        let text = serde_json::to_string(&*pages).expect("plain data");
        if let Err(error) = disk::replace(&self.path, &text, 0o644) {
            // A full disk: the relay goes on from memory.
            tracing::warn!("{error}");
        }
        result
    }

    /// The orders in force, for `GET rollout`.
    pub(super) fn orders(&self) -> Value {
        self.read(|pages| {
            let under_way: Vec<&String> = pages.rollouts.keys().collect();
            json!({ "seconds": pages.rollout_seconds, "fail": pages.fail_next, "drains": pages.drains, "under_way": under_way })
        })
    }
}

impl Pages {
    fn new() -> Self {
        Self {
            format: FORMAT,
            rollout_seconds: 0.0,
            fail_next: BTreeSet::new(),
            drains: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            draining: BTreeMap::new(),
            dropped: BTreeMap::new(),
            tokens: BTreeMap::new(),
            tasks: BTreeMap::new(),
            inactive_clusters: BTreeMap::new(),
        }
    }

    /// Makes a service's rollout fail: the one under way, else the next.
    pub(super) fn order_failure(&mut self, service: &str, now: i64) {
        let under_way = self.rollouts.values_mut().find(|rollout| rollout.service == service && rollout.can_fail(now));
        match under_way {
            Some(rollout) => rollout.fail(),
            None => {
                self.fail_next.insert(service.to_owned());
            }
        }
    }

    /// What a token was used for: the digest of all parameters but the token, and what was begun.
    pub(super) fn known(&self, token: &str) -> Option<(Digest, String)> {
        self.tokens.get(token).map(|known| (known.parameters, known.service.clone()))
    }

    /// Remembers what a token was used for.
    pub(super) fn remember(&mut self, token: &str, parameters: Digest, arn: &str) {
        self.tokens.insert(token.to_owned(), Token { parameters, service: arn.to_owned() });
    }

    /// Whether a deleted service still drains.
    pub(super) fn is_draining(&self, service: &str, now: i64) -> bool {
        self.draining.get(service).is_some_and(|until| now < *until)
    }
}
