//! What is asked before, between and after the steps, in words. Pure.
//!
//! Invariant: every form shows these lines, in the order in which they are asked.

use serde::Serialize;

use super::words::harmless;
use crate::step::{ChangeSet, Check, OnFailedCheck, When};

/// One check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckView {
    /// Its name.
    pub check: String,
    /// When it is asked.
    pub when: When,
    /// What is asked, in one line.
    pub question: String,
    /// How long, and how often, in words.
    pub patience: String,
    /// What follows when it fails.
    pub on_failure: OnFailedCheck,
    /// Why it is left out this time: what is not there yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_yet: Vec<String>,
}

impl CheckView {
    /// All of a change set, as they are asked.
    pub fn all(change_set: &ChangeSet) -> Vec<Self> {
        let in_order = When::ALL.iter().flat_map(|when| change_set.checks_at(*when));
        in_order.chain(change_set.told_checks()).map(Self::of).collect()
    }

    fn of(check: &Check) -> Self {
        Self {
            check: check.address.to_string(),
            when: check.when,
            question: check.question(),
            patience: check.patience(),
            on_failure: check.on_failure,
            not_yet: check.not_yet.iter().map(ToString::to_string).collect(),
        }
    }

    /// When it is asked, and what follows when it fails.
    pub fn course(&self) -> String {
        if !self.not_yet.is_empty() {
            return format!("left out this time: {} is not there yet", harmless(&self.not_yet.join(", ")));
        }
        let (when, then) = (self.when.meaning(), self.on_failure.meaning(self.when));
        format!("{when}, {}; else {then}", self.patience)
    }

    /// What it is called, and what is asked.
    pub fn head(&self) -> String {
        format!("{}  {}", harmless(&self.check), harmless(&self.question))
    }
}
