//! What is not as it should be: the world beside what the ledger recorded last, and beside what the spec asks for; and
//! two environments beside one another. Pure.
//!
//! Invariant: nothing here asks or writes; a secret is compared, and never shown.

pub mod declared;
pub mod history;
pub mod known;
pub mod resources;
pub mod schema;
pub mod sides;

use std::fmt;

use serde::Serialize;

use crate::address::Address;
use crate::approval::class::Part;
use crate::kind::Kinds;
use crate::review::difference::Difference;

/// What sort of departure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// The world differs from what the ledger recorded last.
    OutOfBand,
    /// The spec asks for something that no apply has done yet.
    Declared,
    /// The ledger or the spec itself says why it is so.
    Expected,
}

impl Class {
    /// All of them, in the order of their weight.
    pub const ALL: [Self; 3] = [Self::OutOfBand, Self::Declared, Self::Expected];

    /// As people read it.
    pub fn words(self) -> &'static str {
        match self {
            Self::OutOfBand => "out of band",
            Self::Declared => "declared but not applied",
            Self::Expected => "expected",
        }
    }

    /// What that means.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::OutOfBand => "the world is not what the ledger recorded last",
            Self::Declared => "the spec asks for it, and no apply has done it yet",
            Self::Expected => "the ledger or the spec itself says why",
        }
    }
}

/// What of an environment it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Resources, servers' roles and databases among them.
    Infrastructure,
    /// Configuration.
    Configuration,
    /// Schemas, and the histories of their migrations.
    Schema,
    /// What the ledger itself says.
    Ledger,
}

impl Area {
    /// That of a kind of resource.
    pub fn of(kinds: &Kinds, kind: &str) -> Self {
        match kinds.get(kind).map(|kind| kind.rules.part()) {
            Some(Part::Configuration) => Self::Configuration,
            Some(Part::Database | Part::Infrastructure | Part::Rules | Part::Whole) | None => Self::Infrastructure,
        }
    }

    /// As people read it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Infrastructure => "infrastructure",
            Self::Configuration => "configuration",
            Self::Schema => "schema",
            Self::Ledger => "ledger",
        }
    }
}

impl fmt::Display for Area {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.word())
    }
}

/// How a thing departs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// It is not there.
    Missing,
    /// It is there, and should not be.
    Extra,
    /// It is otherwise.
    Changed,
    /// It is to be made.
    ToMake,
    /// It is to be changed.
    ToChange,
    /// It is to go.
    ToRemove,
    /// A migration is to run.
    ToRun,
    /// Only the ledger is to say something else.
    ToRecord,
    /// A run did not end, or left something out.
    Unfinished,
}

impl What {
    /// As people read it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Missing => "is not there",
            Self::Extra => "is there, and nobody recorded it",
            Self::Changed => "was changed",
            Self::ToMake => "is to be made",
            Self::ToChange => "is to be changed",
            Self::ToRemove => "is to be removed",
            Self::ToRun => "is to run",
            Self::ToRecord => "is to be recorded otherwise",
            Self::Unfinished => "is unfinished",
        }
    }
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Departure {
    /// What sort it is.
    pub class: Class,
    /// What it belongs to.
    pub area: Area,
    /// The address of the resource or database; of what belongs to the ledger, the run.
    pub address: String,
    /// What of it: an object of the schema, a row of the history, an earlier revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// How it departs.
    pub what: What,
    /// Why it is expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// Attribute by attribute: `before` is what should be, `after` what is (of what is declared: what will be).
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

impl Departure {
    /// Of a thing as a whole, out of band.
    pub fn out_of_band(area: Area, address: &Address, what: What) -> Self {
        Self {
            class: Class::OutOfBand,
            area,
            address: address.to_string(),
            object: None,
            what,
            because: None,
            differences: Vec::new(),
        }
    }

    /// Of a part of the thing.
    #[must_use]
    pub fn of(mut self, object: impl Into<String>) -> Self {
        self.object = Some(object.into());
        self
    }

    /// Attribute by attribute.
    #[must_use]
    pub fn by(mut self, differences: Vec<Difference>) -> Self {
        self.differences = differences;
        self
    }

    /// Expected, where there is a reason.
    #[must_use]
    pub fn expected(mut self, because: Option<String>) -> Self {
        if because.is_some() {
            (self.class, self.because) = (Class::Expected, because);
        }
        self
    }
}

/// What could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Unseen {
    /// What it belongs to.
    pub area: Area,
    /// The address.
    pub address: String,
    /// Why not.
    pub why: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

/// Everything that is not as it should be.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// By class, area and address.
    pub departures: Vec<Departure>,
    /// What could not be looked at.
    pub unseen: Vec<Unseen>,
}

impl Report {
    /// How many there are of a class.
    pub fn count(&self, class: Class) -> usize {
        self.departures.iter().filter(|departure| departure.class == class).count()
    }

    /// In the order in which they are shown.
    pub fn sort(&mut self) {
        self.departures.sort_by(|left, right| {
            let key = |one: &Departure| (one.class, one.area, one.address.clone(), one.object.clone(), one.what);
            key(left).cmp(&key(right))
        });
    }
}
