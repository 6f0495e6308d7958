//! What a rule is: its name and level, why it is there, an example of both sorts, and the function that looks. Plain data.
//!
//! Invariant: a rule of the table has a bad example that it finds and a good one that it does not; what its rewrite claims is
//! measured on a server by a test.

use super::finding::{Finding, Level};
use super::sight::Sight;
use crate::migration::observation::LockMode;
use crate::step::ChangeSet;

/// A rule.
#[derive(Clone, Copy)]
pub struct Rule {
    /// Its name, which the spec and comments know it by.
    pub name: &'static str,
    /// How heavy it weighs where nobody says otherwise.
    pub level: Level,
    /// What it says, in one line.
    pub title: &'static str,
    /// Why.
    pub reason: &'static str,
    /// What it looks at, and how.
    pub check: Check,
    /// What it finds and what it does not.
    pub example: Example,
}

/// What a rule looks at.
#[derive(Clone, Copy)]
pub enum Check {
    /// One statement of a migration.
    Statement(Sort, fn(&Sight<'_>) -> Vec<Found>),
    /// The comments of a migration that silence rules; nobody can silence this.
    Comments,
    /// A migration as a whole; it is looked at by whoever applies the rules.
    Whole,
    /// The steps of a change set.
    Steps(Sort, fn(&ChangeSet) -> Vec<Finding>),
}

/// What sort of harm a rule speaks of. A way back chooses nothing anew: no habit is told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sort {
    /// Work on whole tables while others wait: it weighs little where the table is small.
    Work,
    /// The same, where no other rule has said it already of the statement.
    Rest,
    /// A lock, however short.
    Lock,
    /// It fails, or leaves something broken.
    Fails,
    /// Data are lost, or a running program no longer finds what it knows: said of the way that is planned only.
    Breaks,
    /// What one would do otherwise: said of the way that is planned only.
    Habit,
}

impl Sort {
    /// Whether it is said of the way back as well.
    pub fn both_ways(self) -> bool {
        match self {
            Self::Work | Self::Rest | Self::Lock | Self::Fails => true,
            Self::Breaks | Self::Habit => false,
        }
    }
}

/// What a rule found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The relation that it is about: its size weighs.
    pub relation: Option<String>,
    /// What is the matter, in one sentence that names the thing.
    pub message: String,
    /// Why that is bad here, beyond the reason of the rule.
    pub here: String,
    /// What to do instead, in one sentence.
    pub help: String,
    /// A safer way to the same end, as SQL.
    pub rewrite: Option<String>,
    /// A lighter or heavier level than the rule's own, if it is one.
    pub level: Option<Level>,
}

impl Found {
    /// What is the matter.
    pub fn that(message: impl Into<String>) -> Self {
        Self { message: message.into(), ..Self::default() }
    }

    /// The relation that it is about.
    #[must_use]
    pub fn about(self, relation: impl Into<String>) -> Self {
        Self { relation: Some(relation.into()), ..self }
    }

    /// Why that is bad here.
    #[must_use]
    pub fn here(self, here: impl Into<String>) -> Self {
        Self { here: here.into(), ..self }
    }

    /// What to do instead.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: help.into(), ..self }
    }

    /// A safer way to the same end.
    #[must_use]
    pub fn rewrite(self, sql: impl Into<String>) -> Self {
        Self { rewrite: Some(sql.into()), ..self }
    }

    /// Another level than the rule's own.
    #[must_use]
    pub fn level(self, level: Level) -> Self {
        Self { level: Some(level), ..self }
    }
}

/// What a rule finds and what it does not.
#[derive(Clone, Copy, Debug)]
pub enum Example {
    /// SQL.
    Sql {
        /// What is there before.
        before: &'static str,
        /// What it finds something in.
        bad: &'static str,
        /// What it finds nothing in, with the same intent.
        good: &'static str,
        /// What the rewrite of the bad one claims.
        claim: Claim,
    },
    /// The spec of an environment as it was applied, and two changes of it.
    Change {
        /// As it was applied.
        before: &'static str,
        /// What it finds something in.
        bad: &'static str,
        /// What it finds nothing in.
        good: &'static str,
    },
    /// The spec of an environment.
    Spec {
        /// What it finds something in.
        bad: &'static str,
        /// What it finds nothing in.
        good: &'static str,
    },
}

/// What the rewrite of a rule's bad example claims. A test runs both and measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    /// There is no rewrite to the same end.
    Nothing,
    /// The same schema, with work on whole tables under this lock at most, and under a weaker one than before.
    Work(LockMode),
    /// The same schema, with this lock at most on this relation, and a weaker one than before.
    Lock(&'static str, LockMode),
    /// The same schema, with whole tables no longer worked on under a lock that keeps writers waiting.
    Quick,
    /// The same schema; what is better is nothing that a lock shows.
    Same,
    /// The same schema but for the order of columns, in several migrations with a rollout between.
    Apart,
    /// The bad one is refused by the server, the rewrite is not.
    Works,
}

/// `public.orders` has about 3 million rows here (1.2 GB)`; empty where its size is not known.
pub fn size_words(sight: &Sight<'_>, relation: &str) -> String {
    sight.size(relation).map(|size| format!("`{relation}` is {} here", size.words())).unwrap_or_default()
}
