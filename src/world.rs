//! What the stages may ask of the world, as traits. Pure (traits and plain data).
//!
//! Invariant: a provider decides nothing; it reads, or carries out one effect that a change set holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::address::Address;
use crate::expression::Deferred;
use crate::migration::addition::{Addition, Written};
use crate::migration::layout::Layout;
use crate::migration::position::{Partial, Position};
use crate::migration::predict::Foreseen;
use crate::migration::{Direction, HistoryRow, Migration};
use crate::value::Object;

mod budget;
mod check;
mod measure;
mod facts;
pub mod parity;
mod fence;
mod rates;
mod proposal;
mod rehearsal;
mod schema;

pub use budget::{Above, Budget, Limit, Quantity, bytes};
pub use check::{Checks, Probe, Reply, Seen};
pub use facts::{LongTransaction, Replica, Size, TargetFacts, WaitingSession, bytes_in_words, count_in_words};
pub use fence::Fence;
pub use measure::{IndexSize, Measure, ServerSettings, Since, Traffic, Width};
pub use parity::Parity;
pub use proposal::{Proposal, ProposalJob, SchemaSource, Trial};
pub use rates::{FORMAT as RATES_FORMAT, Rates};
pub use rehearsal::{RehearsalJob, RehearsalSettings, Rehearsals};
pub use schema::{Compared, FactChange, SchemaChange, SchemaDifference, SchemaSite};

/// Which provider, reached how: as recorded, so that a rollback finds the world again without any source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Binding {
    /// `aws`, `postgres`, `terraform`.
    pub provider: String,
    /// The `alias` of its `provider` block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alias: Option<String>,
    /// Known, open settings: region, endpoint, account, profile; host, port, user, dbname, tls.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub settings: Object,
    /// Settings that are secret or not known yet.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub deferred: BTreeMap<String, Deferred>,
}

/// A binding whose settings are all at hand, secrets among them (marked sensitive).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// `aws`, `postgres`, `terraform`.
    pub provider: String,
    /// The `alias` of its `provider` block.
    pub alias: Option<String>,
    /// The settings.
    pub settings: Object,
}

/// What to look for.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// Who asks.
    pub address: Address,
    /// The kind.
    pub kind: String,
    /// What is known of it: the recorded object, or the desired one.
    pub object: Object,
}

/// A change of one thing, to be carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct Effect {
    /// Idempotency token: the same for every try of the same step of the same run; at most 32 characters of
    /// `[a-z0-9]`.
    pub token: String,
    /// The lease that it is carried out under: asked right before anything is sent.
    pub fence: Fence,
    /// The environment, for tags.
    pub environment: String,
    /// The address, for tags.
    pub address: Address,
    /// The kind.
    pub kind: String,
    /// The change.
    pub change: EffectChange,
}

/// The change of an [`Effect`]; every value is known. A secret of an earlier state may be sealed: then the
/// provider gets it from where the world keeps it (an earlier version), or refuses.
#[derive(Clone, Debug, PartialEq)]
pub enum EffectChange {
    /// Make it; refuse when it exists.
    Create {
        /// All attributes.
        after: Object,
    },
    /// Change it in place.
    Update {
        /// As it is recorded or observed.
        before: Object,
        /// All attributes.
        after: Object,
    },
    /// Remove it; what is gone already is removed.
    Delete {
        /// As it is recorded or observed.
        before: Object,
    },
}

/// What became of an effect whose outcome nobody heard of.
#[derive(Clone, Debug, PartialEq)]
pub enum Settlement {
    /// It happened; the object as it is now (for a removal: empty).
    Done(Object),
    /// It happened and stands, but it is not good: a rollout that failed, or only a part of a change. A failed step
    /// whose object is there; the object as it is now, and why it is not good.
    Stands(Object, String),
    /// It happened, and goes on in the world for longer than anybody should wait: a rollout that is not steady yet, a
    /// removal that drains. The object as it is now (for a removal: empty), and what it waits for.
    GoesOn(Object, String),
    /// It did not happen.
    NotDone,
    /// Neither before nor after: a person has to look. Says what is there now.
    Doubt(String),
}

/// What sort of error it is, which decides what happens next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorClass {
    /// No connection: an endpoint that is down, a name that does not resolve.
    Unreachable,
    /// Wrong credentials, account or rights.
    Denied,
    /// Credentials that were good once.
    Expired,
    /// Worth trying again: throttling, serialization failure, lock time-out.
    Transient,
    /// The world refuses what is asked.
    Refused,
    /// It was begun and goes on in the world for longer than anybody should wait: the run parks.
    Pending,
    /// The lease is over, so nothing was sent.
    Fenced,
}

/// An error of the world: what was tried, what it said, what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{tried}: {cause}")]
pub struct WorldError {
    /// What was tried, with the endpoint.
    pub tried: String,
    /// What the world said, with its code.
    pub cause: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// What sort it is.
    pub class: ErrorClass,
}

/// Whether a failed effect left a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Trace {
    /// Nothing happened.
    Nothing,
    /// Something may have happened: it has to be settled by asking.
    Unknown,
}

/// A failed effect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{error}")]
pub struct EffectError {
    /// The error.
    pub error: WorldError,
    /// Whether it left a trace.
    pub trace: Trace,
}

/// Hears how a long effect gets on; lines are for people.
pub trait Progress: Send + Sync {
    /// Says what is being waited for.
    fn say(&self, message: &str);

    /// Notes an operation that was sent to the world, as its API calls it (`ecs:CreateService`), for the ledger.
    fn called(&self, _operation: &str) {}

    /// Notes how far a migration has got that does not run in one transaction, for the ledger. What is noted is
    /// committed; that it is noted late or not at all does no harm, for the database knows it as well.
    fn advanced(&self, _position: &Position) {}

    /// Whether long work should stop where it can go on later, and say so with [`ErrorClass::Pending`].
    fn wants_pause(&self) -> bool {
        false
    }
}

/// Carries out effects of some kinds, and reads them.
#[async_trait]
pub trait Provider: Send + Sync {
    /// Checks that the connection leads where the settings say (credentials, account). Gives facts worth
    /// recording in the binding (account, region, server version).
    async fn check(&self, connection: &Connection) -> Result<Object, WorldError>;

    /// Reads many things, batched where the service can: one answer per query, in order; `None` is absent.
    async fn observe(&self, connection: &Connection, queries: &[Query]) -> Vec<Result<Option<Object>, WorldError>>;

    /// For earlier things whose secrets are withheld: why those cannot be had from the world again, or nothing when they
    /// can. One answer per query, in order. Only reads.
    async fn recallable(&self, _connection: &Connection, queries: &[Query]) -> Vec<Result<Option<String>, WorldError>> {
        queries.iter().map(|_| Ok(None)).collect()
    }

    /// What the tags of images stand for now: their digests (`sha256:…`); nothing for what lies in no registry that this
    /// provider asks. A digest in the place of a tag is given back when it is there. One answer per image, in order.
    async fn digests(&self, _connection: &Connection, images: &[String]) -> Vec<Result<Option<String>, WorldError>> {
        images.iter().map(|_| Ok(None)).collect()
    }

    /// Carries out one effect and gives the object with all computed attributes (empty after a removal).
    async fn carry_out(
        &self,
        connection: &Connection,
        effect: &Effect,
        progress: &dyn Progress,
    ) -> Result<Object, EffectError>;

    /// Asks the world what became of an effect, by token, tag or name.
    async fn settle(&self, connection: &Connection, effect: &Effect) -> Result<Settlement, WorldError>;

    /// How long something that was sent under such a lease may be under way, so that it can still have its effect
    /// although whoever sent it is dead. Nothing, where [`Provider::settle`] sees what is under way.
    fn flight(&self, _fence: &Fence) -> Duration {
        Duration::ZERO
    }
}

/// One migration to be carried out.
#[derive(Clone, Debug, PartialEq)]
pub struct MigrationEffect {
    /// Idempotency token.
    pub token: String,
    /// The lease that it is carried out under: asked right before anything is sent, and in the database before
    /// its commit.
    pub fence: Fence,
    /// Which way.
    pub direction: Direction,
    /// The migration.
    pub migration: Migration,
    /// Longest wait for one lock.
    pub lock_timeout: Duration,
    /// What becomes of what was written into what the migration added, on the way down.
    pub content: Content,
    /// How far it was when this was planned. Up: what is done is not done again. Down: only so much of it is there to
    /// be taken back; nothing done means that it is there as a whole.
    pub from: Position,
}

/// What becomes of what was written into what a migration added, when that is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// There was none when the way back was planned: if there is some by now, nothing is done.
    MustBeNone,
    /// It goes; that was shown and accepted.
    Goes,
}

/// The history table as found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// Its rows by version, those of what has no version last; empty when there is no table.
    pub rows: Vec<HistoryRow>,
    /// Whether the version column is `int8` (refinery's `int8-versions`).
    pub wide: bool,
    /// A migration that was left in the middle.
    pub partial: Option<Partial>,
    /// Whose table it is.
    pub layout: Layout,
    /// From which to which version everything counts as applied although no row tells it.
    pub counted: Vec<(i64, i64)>,
    /// What the database is like, where it said so.
    pub parity: Option<Box<Parity>>,
}

impl History {
    /// Whether a row was written for just this migration, as far as the row can tell.
    pub fn fits(&self, row: &HistoryRow, migration: &Migration) -> bool {
        self.layout.fits(row, migration, self.wide)
    }

    /// Whether a version counts as applied although no row tells it.
    pub fn counts(&self, version: i64) -> bool {
        self.counted.iter().any(|(first, last)| (*first..=*last).contains(&version))
    }
}

/// Runs migrations that come right after one another. As long as it lives it may hold a session of the database, which
/// then cannot be dropped.
#[async_trait]
pub trait Series: Send {
    /// As [`Databases::migrate`].
    async fn migrate(
        &mut self,
        connection: &Connection,
        effect: &MigrationEffect,
        progress: &dyn Progress,
    ) -> Result<Object, EffectError>;
}

/// Reads and runs migrations. The connection is that of the database itself.
#[async_trait]
pub trait Databases: Send + Sync {
    /// The history; `None` when the database does not exist.
    async fn history(&self, connection: &Connection) -> Result<Option<History>, WorldError>;

    /// The layouts whose history tables are there.
    async fn layouts(&self, _connection: &Connection) -> Result<Vec<Layout>, WorldError> {
        Ok(Vec::new())
    }

    /// Runs one migration and its history row. Gives facts worth recording (duration, lock wait, statements).
    async fn migrate(
        &self,
        connection: &Connection,
        effect: &MigrationEffect,
        progress: &dyn Progress,
    ) -> Result<Object, EffectError>;

    /// For many migrations that run right after one another: whoever runs them need not begin anew each time. Nothing
    /// where nobody saves anything by that.
    fn series(&self) -> Option<Box<dyn Series>> {
        None
    }

    /// Asks what became of a migration.
    async fn settle(&self, connection: &Connection, effect: &MigrationEffect) -> Result<Settlement, WorldError>;

    /// Drops at last what a migration took away and what was kept since; the migration stays applied. What is gone
    /// already is no mistake. Gives facts worth recording.
    async fn purge(
        &self,
        _connection: &Connection,
        effect: &MigrationEffect,
        _progress: &dyn Progress,
    ) -> Result<Object, EffectError> {
        let error = WorldError {
            tried: format!("purge what {} took away", effect.migration.label()),
            cause: "this runner of migrations keeps nothing".to_owned(),
            help: None,
            class: ErrorClass::Refused,
        };
        Err(EffectError { error, trace: Trace::Nothing })
    }

    /// Asks what became of a purge. It can be run again at any time.
    async fn settle_purge(
        &self,
        _connection: &Connection,
        _effect: &MigrationEffect,
    ) -> Result<Settlement, WorldError> {
        Ok(Settlement::NotDone)
    }

    /// Looks into what migrations added, in the order in which it is asked: whether anything was written into it.
    /// Whoever cannot tell says so.
    async fn written(&self, _connection: &Connection, additions: &[Addition]) -> Result<Vec<Written>, WorldError> {
        let untold = || Written::Untold("this runner of migrations does not look".to_owned());
        Ok(additions.iter().map(|_| untold()).collect())
    }

    /// The digest of the whole catalog, for comparing schemas.
    async fn fingerprint(&self, connection: &Connection) -> Result<crate::digest::Digest, WorldError>;

    /// What only the database itself can say, without changing anything: how large these relations are
    /// (`schema.name`), who waits, who takes long, which replicas lag. Nothing where nobody looks.
    async fn facts(
        &self,
        _connection: &Connection,
        _relations: &BTreeSet<String>,
    ) -> Result<Option<TargetFacts>, WorldError> {
        Ok(None)
    }

    /// What each statement of these texts will lock, rewrite and read in the database as it is, by its catalogs; or why
    /// that is not known. Nothing where nobody looks.
    async fn foresee(&self, _connection: &Connection, texts: &[&str]) -> Result<Vec<Vec<Foreseen>>, WorldError> {
        Ok(texts.iter().map(|_| Vec::new()).collect())
    }
}

/// Tells the time; there is one place that reads the machine's clock.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> jiff::Timestamp;

    /// Time since the machine started, its sleep included: never set, never going backwards.
    fn uptime(&self) -> Duration;
}

/// Everything that is not us.
#[derive(Clone)]
pub struct World {
    /// Providers by name.
    pub providers: BTreeMap<String, Arc<dyn Provider>>,
    /// The runner of migrations; absent without the feature `postgres`.
    pub databases: Option<Arc<dyn Databases>>,
    /// Who rehearses migrations; absent without the feature `postgres`.
    pub rehearsals: Option<Arc<dyn Rehearsals>>,
    /// Who asks what `verify` blocks ask; absent where nobody does.
    pub checks: Option<Arc<dyn Checks>>,
    /// The time.
    pub clock: Arc<dyn Clock>,
}
