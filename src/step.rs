//! Steps and change sets: plain data, the only currency of change. Pure.
//!
//! Invariant: a change set holds everything that apply needs except secrets: it can be printed, saved,
//! hashed, compared and counted, and two equal ones have equal digests on every machine.

mod check;
mod known;
mod origin;
mod standing;

pub use check::{Check, CheckResult, OnFailedCheck, When};
pub use known::{Adoption, Beside, Birth, Forgotten};
pub use origin::Origin;
pub use standing::Standing;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::approval::rules::Rules;
use crate::digest::Digest;
use crate::expression::Deferred;
use crate::migration::position::Position;
use crate::migration::range::SchemaNeeds;
use crate::migration::{Direction, Migration};
use crate::release::Carried;
use crate::release::gates::Gates;
use crate::release::image::Images;
use crate::value::{Object, Value};
use crate::world::Binding;

/// The version of the form of change sets that this build writes.
pub const FORMAT: u32 = 3;

/// The number of a step within its change set, from one, in the order of the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct StepId(pub u32);

impl fmt::Display for StepId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

/// One ordered, reversible change of one environment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ChangeSet {
    /// The version of this form.
    pub format: u32,
    /// The project's name.
    pub project: String,
    /// The environment's name.
    pub environment: String,
    /// What it is for.
    pub operation: Operation,
    /// The ledger chain it was planned against, absent before the first record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain: Option<String>,
    /// The spec it was planned from; a rollback has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spec_digest: Option<Digest>,
    /// The steps in order. A step comes after all those it waits for.
    pub steps: Vec<Step>,
    /// From this step on, not everything can be taken back exactly or recreated: what waits for it, or may
    /// as well come later, is ordered behind it; it starts only when everything before it is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub point_of_no_return: Option<StepId>,
    /// What is asked before, between and after the steps, by address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
    /// The environment's outputs afterwards.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outputs: BTreeMap<String, PlannedOutput>,
    /// What the environment asks of those who change it, as last applied.
    #[serde(default, skip_serializing_if = "Standing::is_plain")]
    pub standing: Standing,
    /// Who may sign changes of the environment, and what has to be signed, once this is applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval_rules: Option<Box<Rules>>,
    /// What a way back leaves as it is because it cannot be reached: it is owed, and the run is not whole.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub owed: BTreeSet<Address>,
    /// Whether a way back takes the schema back as well where the earlier revision would work with it as it is.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_schema: bool,
    /// What things are known as that a way back makes again, where the ledger knows them otherwise by now, or not at
    /// all.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub origins: BTreeMap<Address, Origin>,
    /// The release that it brings, or over which it changes the place's own values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Box<Carried>>,
    /// How the images of its containers are named: asked once when it was planned.
    #[serde(default, skip_serializing_if = "Images::is_empty")]
    pub images: Images,
    /// What a release has to wait for, and who may bring it, once this is applied.
    #[serde(default, skip_serializing_if = "Gates::is_empty")]
    pub gates: Gates,
}

/// What a change set is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// To what the spec wants.
    Apply,
    /// To nothing.
    Destroy,
    /// To the state right after an earlier run; 0 is before the first.
    Rollback {
        /// The run's number.
        to: u64,
    },
    /// To the same world, otherwise recorded.
    Edit(Edit),
}

/// A change of the ledger that leaves the world as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Edit {
    /// `import`.
    Import,
    /// `state mv`.
    Move,
    /// `state rm`.
    Remove,
    /// `migrate adopt`.
    Adopt,
    /// `migrate baseline`.
    Baseline,
    /// `migrate rebless`.
    Rebless,
    /// `migrate skip`.
    Skip,
}

/// An output as planned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlannedOutput {
    /// Its value, sealed, as far as known.
    pub value: Value,
    /// Its expression, where the value holds unknowns or secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deferred: Option<Deferred>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its number.
    pub id: StepId,
    /// What it changes.
    pub address: Address,
    /// Where in the world that is.
    pub binding: Binding,
    /// What is done.
    pub action: Action,
    /// Why it is done.
    pub reason: Reason,
    /// The way back.
    pub inverse: Inverse,
    /// The steps it waits for: only direct ones.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub after: BTreeSet<StepId>,
    /// The objects it rests on, beside the one it changes: those whose values flowed into it. Each is
    /// looked at again right before the effect.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub rests_on: BTreeMap<Address, Fingerprint>,
    /// The thing it changes, as it was when planned.
    pub found: Fingerprint,
    /// What the thing needs, remembered so that it can be removed in the right order without any source.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub needs: BTreeSet<Address>,
    /// The schema versions that the thing works with, remembered as what it needs is.
    #[serde(default, skip_serializing_if = "SchemaNeeds::is_empty")]
    pub needs_schema: SchemaNeeds,
    /// Of a database: the applied versions that what runs does not know, for a way back has left them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub ahead: BTreeSet<i64>,
}

/// An object of the world as it was when planned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fingerprint {
    /// It was not there.
    Absent,
    /// It was there; the digest of its sealed, normalised attributes without the volatile ones.
    Present(Digest),
    /// It could not be looked at, for its server is made by the same change set, or there is nothing to
    /// look at (a migration's database is compared by its history).
    Unasked,
}

/// What is done. Objects are sealed; what is unknown or sealed in `after` has its expression in `deferred`,
/// or (on a way back) is recalled by the provider.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case")]
pub enum Action {
    /// Make a thing where none is.
    Create {
        /// The kind.
        kind: String,
        /// All attributes as planned.
        after: Object,
        /// Expressions of those that are not known yet.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        deferred: BTreeMap<String, Deferred>,
    },
    /// Change a thing in place.
    Update {
        /// The kind.
        kind: String,
        /// As it is.
        before: Object,
        /// As planned.
        after: Object,
        /// Expressions of the attributes that are not known yet.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        deferred: BTreeMap<String, Deferred>,
    },
    /// Make a new thing beside the current one, which becomes an earlier one.
    Revise {
        /// The kind.
        kind: String,
        /// The current one.
        before: Object,
        /// The new one as planned.
        after: Object,
        /// Expressions of the attributes that are not known yet.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        deferred: BTreeMap<String, Deferred>,
    },
    /// Remove the current thing; the latest earlier one, which is still there, is current again.
    Return {
        /// The kind.
        kind: String,
        /// The current one, which goes.
        before: Object,
        /// The earlier one, which stays.
        after: Object,
    },
    /// Remove an earlier thing; the current one stays.
    Retire {
        /// The kind.
        kind: String,
        /// The earlier one.
        before: Object,
    },
    /// Remove a thing.
    Delete {
        /// The kind.
        kind: String,
        /// As it is.
        before: Object,
    },
    /// Strike a thing from the ledger; the world is not touched (it went with something else, or before).
    Forget {
        /// Why nothing needs to be done.
        why: String,
    },
    /// Record anew what a thing needs and how it is reached; the world is not touched.
    Remember {
        /// What is recorded otherwise.
        what: Vec<String>,
    },
    /// Take a thing into the ledger that is there already; the world is not touched.
    Import {
        /// The kind.
        kind: String,
        /// By which it was found.
        id: String,
        /// As it is.
        object: Object,
    },
    /// Take up again what the ledger had forgotten, or what somebody tells; the world is not touched.
    TakeUp {
        /// What was known of it.
        known: Forgotten,
    },
    /// Record a thing under another address, that of the step; the world is not touched.
    Move {
        /// Where it is recorded until now.
        from: Address,
        /// Whoever is recorded to need it, under the addresses they have before and after the change set.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        needed_by: BTreeSet<Address>,
    },
    /// Run one migration.
    Migrate {
        /// Which way.
        direction: Direction,
        /// The migration, both texts.
        migration: Box<Migration>,
        /// Longest wait for one lock, in milliseconds.
        lock_timeout_milliseconds: u64,
        /// How far it was when planned, if it was left in the middle.
        #[serde(default, skip_serializing_if = "Position::is_start")]
        from: Position,
    },
    /// Drop at last what a migration took away and what was kept since.
    Purge {
        /// The migration, with the text that drops.
        migration: Box<Migration>,
        /// Longest wait for one lock, in milliseconds.
        lock_timeout_milliseconds: u64,
    },
}

/// Why a step is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "snake_case")]
pub enum Reason {
    /// The spec has it, the ledger does not.
    New,
    /// The ledger has it, the world does not.
    Missing,
    /// Attributes differ.
    Changed {
        /// Those that the spec changed.
        attributes: Vec<String>,
        /// Those that somebody else changed in the world since the last apply.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        drifted: Vec<String>,
    },
    /// Attributes differ that cannot be changed in place.
    Replaced {
        /// Those attributes.
        attributes: Vec<String>,
    },
    /// The user asked for it with `--replace`.
    ReplaceAsked,
    /// The ledger has it, the spec does not.
    NotInSpec,
    /// A run that was cut left it beside what took its place.
    LeftOver,
    /// Everything goes.
    Destroyed,
    /// An earlier state is wanted back.
    TakenBack,
    /// A migration was not applied yet.
    Pending,
    /// What was taken away was kept as long as was asked for.
    KeptLongEnough {
        /// Until when.
        until: jiff::Timestamp,
    },
    /// What it needs, or how it is reached, is said otherwise now.
    SaidOtherwise,
    /// What it lived in goes.
    GoesWith {
        /// That.
        address: Address,
    },
    /// It is called otherwise: a `moved` block or `state mv`.
    Renamed,
    /// An `import` block or `import` asks for it.
    ImportAsked,
    /// `migrate adopt` and its like say so of a database's history.
    Told {
        /// What.
        what: Vec<String>,
    },
    /// A `removed` block or `state rm` leaves it to others.
    LetGo,
    /// It was imported, and goes all the same.
    Adopted {
        /// The run that imported it.
        run: u64,
        /// By which it was found.
        id: String,
        /// Why it goes.
        goes: Box<Reason>,
    },
}

/// The way back of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "class", rename_all = "snake_case")]
pub enum Inverse {
    /// It restores what was, until the first write to what was added.
    Exact {
        /// What is done.
        way: Way,
    },
    /// It brings back another thing with the same content.
    Recreates {
        /// What is done.
        way: Way,
        /// What is different.
        why: String,
    },
    /// It can be done, but data are lost.
    LosesData {
        /// What is done.
        way: Way,
        /// Which data.
        what: String,
    },
    /// There is no way back.
    Impossible {
        /// Why.
        why: String,
    },
}

/// What a way back does; its objects are the `before` of the step, concrete in the ledger's intent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// Remove what was made.
    Delete,
    /// Change it back in place.
    UpdateBack,
    /// Make again what was removed.
    CreateAgain,
    /// The earlier revision is current again, the later one goes.
    Return,
    /// A new revision with the content of the one that was removed.
    ReviseAgain,
    /// The ledger takes it up again; the world was not touched.
    Remember,
    /// The ledger forgets it, and it stays where it is.
    LetGo,
    /// It gets its earlier address again.
    MoveBack,
    /// Run the migration the other way.
    MigrateBack,
}

impl Inverse {
    /// Whether what was comes back, or at least its content.
    pub fn is_reversible(&self) -> bool {
        match self {
            Self::Exact { .. } | Self::Recreates { .. } => true,
            Self::LosesData { .. } | Self::Impossible { .. } => false,
        }
    }

    /// The class in one or two words, for people.
    pub fn class(&self) -> &'static str {
        match self {
            Self::Exact { .. } => "exact",
            Self::Recreates { .. } => "recreates",
            Self::LosesData { .. } => "loses data",
            Self::Impossible { .. } => "impossible",
        }
    }

    /// Why it is not exact.
    pub fn why(&self) -> Option<&str> {
        match self {
            Self::Exact { .. } => None,
            Self::Recreates { why, .. } | Self::Impossible { why } => Some(why),
            Self::LosesData { what, .. } => Some(what),
        }
    }
}

impl Action {
    /// The kind of resource; a migration and what is forgotten or moved have none.
    pub fn kind(&self) -> Option<&str> {
        match self {
            Self::Create { kind, .. }
            | Self::Update { kind, .. }
            | Self::Revise { kind, .. }
            | Self::Return { kind, .. }
            | Self::Retire { kind, .. }
            | Self::Delete { kind, .. }
            | Self::Import { kind, .. }
            | Self::TakeUp { known: Forgotten::Thing { kind, .. } } => Some(kind),
            Self::Forget { .. }
            | Self::Remember { .. }
            | Self::TakeUp { known: Forgotten::Database { .. } }
            | Self::Move { .. }
            | Self::Migrate { .. }
            | Self::Purge { .. } => None,
        }
    }

    /// The verb, for people.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Create { .. } => "create",
            Self::Update { .. } => "update",
            Self::Revise { .. } => "revise",
            Self::Return { .. } => "return",
            Self::Retire { .. } => "retire",
            Self::Delete { .. } => "delete",
            Self::Forget { .. } => "forget",
            Self::Remember { .. } => "remember",
            Self::Import { .. } => "import",
            Self::TakeUp { .. } => "take up",
            Self::Move { .. } => "move",
            Self::Migrate { direction: Direction::Up, .. } => "migrate",
            Self::Migrate { direction: Direction::Down, .. } => "migrate back",
            Self::Purge { .. } => "purge",
        }
    }

    /// What is there before, if anything is.
    pub fn before(&self) -> Option<&Object> {
        match self {
            Self::Update { before, .. }
            | Self::Revise { before, .. }
            | Self::Return { before, .. }
            | Self::Retire { before, .. }
            | Self::Delete { before, .. }
            | Self::Import { object: before, .. }
            | Self::TakeUp { known: Forgotten::Thing { object: before, .. } } => Some(before),
            Self::Create { .. }
            | Self::Forget { .. }
            | Self::Remember { .. }
            | Self::TakeUp { known: Forgotten::Database { .. } }
            | Self::Move { .. }
            | Self::Migrate { .. }
            | Self::Purge { .. } => None,
        }
    }

    /// What is planned to be there, if anything is.
    pub fn after(&self) -> Option<&Object> {
        match self {
            Self::Create { after, .. }
            | Self::Update { after, .. }
            | Self::Revise { after, .. }
            | Self::Return { after, .. } => Some(after),
            Self::Retire { .. }
            | Self::Delete { .. }
            | Self::Forget { .. }
            | Self::Remember { .. }
            | Self::Import { .. }
            | Self::TakeUp { .. }
            | Self::Move { .. }
            | Self::Migrate { .. }
            | Self::Purge { .. } => None,
        }
    }

    /// The expressions that are evaluated right before the effect.
    pub fn deferred(&self) -> Option<&BTreeMap<String, Deferred>> {
        match self {
            Self::Create { deferred, .. } | Self::Update { deferred, .. } | Self::Revise { deferred, .. } => {
                Some(deferred)
            }
            Self::Return { .. }
            | Self::Retire { .. }
            | Self::Delete { .. }
            | Self::Forget { .. }
            | Self::Remember { .. }
            | Self::Import { .. }
            | Self::TakeUp { .. }
            | Self::Move { .. }
            | Self::Migrate { .. }
            | Self::Purge { .. } => None,
        }
    }
}

impl Step {
    /// What people call the step: the address, and the version of a migration.
    pub fn title(&self) -> String {
        match &self.action {
            Action::Migrate { migration, from, .. } if !from.is_start() => {
                format!("{} {} ({} statements of it are done)", self.address, migration.label(), from.statements)
            }
            Action::Migrate { migration, .. } | Action::Purge { migration, .. } => {
                format!("{} {}", self.address, migration.label())
            }
            _ => self.address.to_string(),
        }
    }
}

impl ChangeSet {
    /// Its digest: deterministic, the same on every machine.
    pub fn digest(&self) -> Digest {
        Digest::of_json(self)
    }

    /// The step with this number.
    pub fn step(&self, id: StepId) -> Option<&Step> {
        self.steps.get((id.0 as usize).checked_sub(1)?).filter(|step| step.id == id)
    }

    /// The steps whose way back loses data or does not exist.
    pub fn irreversible(&self) -> impl Iterator<Item = &Step> {
        self.steps.iter().filter(|step| !step.inverse.is_reversible())
    }
}
