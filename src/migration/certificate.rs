//! What a rehearsal proved of a migration: that the way back restores what was, or what it does instead. Pure data.
//!
//! Invariant: a certificate can lower the class that the texts imply, never raise it; what was not rehearsed is no pass.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Direction;
use super::observation::Observation;
use crate::address::Address;
use crate::digest::Digest;
use crate::kind::Judgement;

/// What was found when a migration went its way, back, and its way again, on a throw-away server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// What it is about: everything that the rehearsal rests on, so that equal evidence is found again.
    pub key: Digest,
    /// The version of the server, `15.18`; empty when there was none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub server: String,
    /// What was in the tables.
    pub basis: Basis,
    /// What came out.
    pub verdict: Verdict,
    /// The way back that was rehearsed although there is no file for it: derived from the statements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub derived: Option<String>,
    /// The group of migrations as which it was rehearsed: it may be exact only together with the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// What writes after the step would be undone by the way back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub undone: Vec<String>,
    /// What each statement did on the way that is planned.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub forth: Vec<Observation>,
    /// What each statement did on the way back from there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub back: Vec<Observation>,
}

/// What was in the tables while it was rehearsed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "data", rename_all = "snake_case")]
pub enum Basis {
    /// Nothing: a schema alone.
    Empty,
    /// So many rows of the rehearsal's own seed.
    Seeded {
        /// Their number.
        rows: u64,
    },
    /// So many rows of the target's own.
    Sampled {
        /// Their number.
        rows: u64,
    },
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// The way back restores the schema, and the data where there were any.
    Exact,
    /// It restores everything but the order of columns.
    Reordered {
        /// What differs, line by line.
        difference: Vec<String>,
    },
    /// It restores something else.
    Otherwise {
        /// What differs, line by line.
        difference: Vec<String>,
    },
    /// It restores the schema, and not the data.
    LosesData {
        /// Which data.
        what: Vec<String>,
    },
    /// A way fails.
    Fails {
        /// Which way.
        direction: Direction,
        /// The error, with the line.
        error: String,
    },
    /// There is no way back.
    NoWayBack {
        /// Why.
        why: String,
    },
    /// It could not be rehearsed. Never a pass.
    NotRehearsed {
        /// Why.
        why: String,
    },
}

impl Certificate {
    /// Leaves out what the catalogs said before each statement.
    pub fn forget_catalogs(&mut self) {
        self.forth.iter_mut().chain(&mut self.back).for_each(|seen| seen.before = None);
    }
}

impl Verdict {
    /// Its name for people.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Reordered { .. } => "reordered columns",
            Self::Otherwise { .. } => "restores something else",
            Self::LosesData { .. } => "loses data",
            Self::Fails { .. } => "fails",
            Self::NoWayBack { .. } => "no way back",
            Self::NotRehearsed { .. } => "not rehearsed",
        }
    }

    /// What is to be said beside its name.
    pub fn detail(&self) -> String {
        match self {
            Self::Exact => String::new(),
            Self::Reordered { difference } | Self::Otherwise { difference } => difference.join("; "),
            Self::LosesData { what } => what.join(", "),
            Self::Fails { direction: Direction::Up, error } => format!("up: {error}"),
            Self::Fails { direction: Direction::Down, error } => format!("down: {error}"),
            Self::NoWayBack { why } | Self::NotRehearsed { why } => why.clone(),
        }
    }

    /// The same in a few words: the first two lines of a long difference.
    pub fn brief(&self) -> String {
        if let Self::Reordered { difference } | Self::Otherwise { difference } = self
            && difference.len() > 2
        {
            return format!("{}; and {} more", difference[..2].join("; "), difference.len() - 2);
        }
        self.detail()
    }

    /// The class of way back that it allows at best.
    pub fn judgement(&self) -> Judgement {
        let said = || format!("{}: {}", self.word(), self.brief());
        match self {
            Self::Exact => Judgement::Exact,
            Self::Reordered { .. } => Judgement::Recreates(said()),
            Self::LosesData { .. } => Judgement::LosesData(self.detail()),
            Self::Otherwise { .. } | Self::Fails { .. } | Self::NoWayBack { .. } | Self::NotRehearsed { .. } => {
                Judgement::Impossible(said())
            }
        }
    }
}

/// The certificates of a plan, by database and version.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Evidence(pub BTreeMap<Address, BTreeMap<i64, Certificate>>);

impl Evidence {
    /// The certificate of a migration.
    pub fn of(&self, database: &Address, version: i64) -> Option<&Certificate> {
        self.0.get(database)?.get(&version)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Leaves out what the catalogs said before each statement.
    pub fn forget_catalogs(&mut self) {
        for certificate in self.0.values_mut().flat_map(BTreeMap::values_mut) {
            certificate.forget_catalogs();
        }
    }
}
