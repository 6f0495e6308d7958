//! What is asked of whoever can rehearse migrations. Pure (a trait and plain data).
//!
//! Invariant: the target is read at most; what is rehearsed happens on a server that nobody else uses.

use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::proposal::{Proposal, ProposalJob};
use super::rates::Rates;
use super::schema::{Compared, SchemaDifference, SchemaSite};
use super::{Connection, ErrorClass, Progress, WorldError};
use crate::migration::certificate::Certificate;
use crate::migration::{Direction, Migration};

/// What the spec says about where and with what migrations are rehearsed: the `rehearsal` block.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RehearsalSettings {
    /// The major version of the server; the target's where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// Extensions that must be there to begin with.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub extensions: Vec<String>,
    /// Roles that the migrations name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub roles: Vec<String>,
    /// SQL that fills the tables before the pending migrations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// How many rows of each of the target's tables are taken along.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sample: Option<u64>,
    /// How long one statement may take; five minutes where nothing is said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement_timeout_milliseconds: Option<u64>,
}

/// Migrations of one database that are to be rehearsed.
#[derive(Clone, Debug, PartialEq)]
pub struct RehearsalJob {
    /// What the spec says.
    pub settings: RehearsalSettings,
    /// A server that the spec names for rehearsals; a throw-away one of our own otherwise.
    pub server: Option<Connection>,
    /// The database itself, to be read: its version, its fingerprint, its schema when that did not come from these
    /// migrations. Absent when the plan makes it.
    pub target: Option<Connection>,
    /// What is applied already, in its order.
    pub applied: Vec<Arc<Migration>>,
    /// Whether the target has a schema that `applied` does not explain: it was adopted.
    pub adopted: bool,
    /// What is to be rehearsed, one after the other: which way first, then back, then again.
    pub steps: Vec<(Direction, Arc<Migration>)>,
}

/// Rehearses migrations on a throw-away PostgreSQL.
#[async_trait]
pub trait Rehearsals: Send + Sync {
    /// One certificate for each step, in order. What cannot be rehearsed is certified as just that.
    ///
    /// # Errors
    /// When the target cannot be read that must be.
    async fn rehearse(&self, job: &RehearsalJob, progress: &dyn Progress) -> Result<Vec<Certificate>, WorldError>;

    /// Measures how fast a throw-away server of this major version works here. Nothing where nobody measures.
    ///
    /// # Errors
    /// When there is no such server, or it fails.
    async fn calibrate(&self, major: Option<u32>, progress: &dyn Progress) -> Result<Option<Rates>, WorldError> {
        let _ = (major, progress);
        Ok(None)
    }

    /// The migration between two schemas, tried on a throw-away server both ways.
    ///
    /// # Errors
    /// When one of them cannot be made there, or it is not known how to propose.
    async fn propose(&self, job: &ProposalJob, progress: &dyn Progress) -> Result<Proposal, WorldError> {
        let _ = (job, progress);
        Err(WorldError {
            tried: "propose a migration".to_owned(),
            cause: "whoever rehearses here cannot do that".to_owned(),
            help: None,
            class: ErrorClass::Refused,
        })
    }

    /// In what the schema of a job's target differs from the one that its applied migrations make on a throw-away server.
    /// `migrated_by` is how the target is reached by whoever migrates it.
    ///
    /// # Errors
    /// When the target cannot be read.
    async fn departures(
        &self,
        job: &RehearsalJob,
        migrated_by: Option<&Connection>,
        progress: &dyn Progress,
    ) -> Result<Compared, WorldError> {
        let _ = (job, migrated_by, progress);
        Ok(Compared::Untold("whoever rehearses here cannot compare schemas".to_owned()))
    }

    /// In what the schemas of two databases differ, which are only read. Who migrates each of them counts as the same.
    ///
    /// # Errors
    /// When one of them cannot be read.
    async fn tell_apart(&self, left: &SchemaSite, right: &SchemaSite) -> Result<Vec<SchemaDifference>, WorldError> {
        let _ = (left, right);
        Err(WorldError {
            tried: "compare two schemas".to_owned(),
            cause: "whoever rehearses here cannot do that".to_owned(),
            help: None,
            class: ErrorClass::Refused,
        })
    }
}
