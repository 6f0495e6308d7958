//! Rehearsing migrations: on a throw-away server with the target's schema, each goes its way, back, and its way again.
//! Talks to servers.
//!
//! Invariant: the target is only read; a certificate is given only for what really ran, and everything else is
//! certified as not rehearsed.

mod pinned;
mod server;
mod servers;
mod surroundings;
mod difference;
mod departures;
mod contents;
mod dump;
pub mod observer;
mod beside;
mod way;
mod sandbox;
mod departing;
mod certify;
mod proposing;
mod calibration;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::connection::target;
use super::errors::refused;
use super::settings::Target;
use crate::migration::certificate::Certificate;
use crate::world::{
    Compared, Connection, Progress, Proposal, ProposalJob, Rates, RehearsalJob, Rehearsals, SchemaDifference,
    SchemaSite, WorldError,
};

pub use beside::Beside;

use certify::{Certifier, not_rehearsed};
use observer::Observer;
use sandbox::{Original, Refusal, Sandbox};
use servers::{Lease, Servers};
use surroundings::Surroundings;

/// Rehearses on throw-away servers, which it keeps running between two jobs.
pub struct Rehearser {
    servers: Servers,
    observer: Option<Arc<dyn Observer>>,
}

impl Rehearser {
    /// What can be made again, programs and prepared clusters, is kept in a folder of this cache. What each statement does
    /// is looked at from beside.
    pub fn new(cache: PathBuf) -> Self {
        Self { servers: Servers::new(cache), observer: Some(Arc::new(Beside)) }
    }

    /// Lets somebody look on.
    #[must_use]
    pub fn observed_by(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer: Some(observer), ..self }
    }

    async fn lend(
        &self,
        job: &RehearsalJob,
        major: Option<u32>,
        progress: &dyn Progress,
    ) -> Result<Result<Lease, String>, WorldError> {
        let Some(given) = &job.server else {
            let with_rows = job.settings.seed.is_some() || job.settings.sample.is_some();
            return self.servers.lend(major, with_rows, progress).await;
        };
        let lease = Lease::of_given(target(&given.settings)?).await?;
        Ok(match major {
            Some(major) if major != lease.major => {
                Err(format!("the server for rehearsals is of version {}, the target of {major}", lease.version))
            }
            _ => match changes_server(job) {
                Some(label) => {
                    Err(format!("{label} changes the server as a whole, and the one for rehearsals is not ours alone"))
                }
                None => Ok(lease),
            },
        })
    }
}

#[async_trait]
impl Rehearsals for Rehearser {
    async fn rehearse(&self, job: &RehearsalJob, progress: &dyn Progress) -> Result<Vec<Certificate>, WorldError> {
        let refuse = |why: &str, version: &str| -> Vec<Certificate> {
            let certificate = Certificate { server: version.to_owned(), ..not_rehearsed(why) };
            let keyed = |place| Certificate { key: certify::key(job, place, version), ..certificate.clone() };
            (0..job.steps.len()).map(keyed).collect()
        };
        let (original, surroundings) = match Original::of(job).await? {
            Some((original, surroundings)) => (Some(original), surroundings),
            None => (None, Surroundings::none()),
        };
        // From here on nothing is the target's fault: what goes wrong only means that nothing is proved.
        let lease = match self.lend(job, job.settings.version.or(surroundings.major), progress).await {
            Ok(Ok(lease)) => lease,
            Ok(Err(why)) => return Ok(refuse(&why, "")),
            Err(error) => return Ok(refuse(&error.to_string(), "")),
        };
        let version = lease.version.clone();
        let sandbox = match Sandbox::make(lease, job, original.as_ref(), surroundings).await {
            Ok(sandbox) => sandbox,
            Err(refused) => {
                let (lease, refusal) = *refused;
                self.servers.give_back(lease).await;
                return Ok(match refusal {
                    Refusal::Not(why) => refuse(&why, &version),
                    Refusal::World(error) => refuse(&error.to_string(), &version),
                });
            }
        };
        let mut certifier = Certifier { sandbox, job, observer: self.observer.as_deref(), progress };
        let certified = certifier.certify().await;
        self.servers.give_back(certifier.sandbox.close()).await;
        Ok(certified.unwrap_or_else(|error| refuse(&error.to_string(), &version)))
    }

    async fn calibrate(&self, major: Option<u32>, progress: &dyn Progress) -> Result<Option<Rates>, WorldError> {
        // Always on a server of our own: whoever shares one has other things to do than to be measured.
        let Ok(mut lease) = self.servers.lend(major, true, progress).await? else { return Ok(None) };
        let measured = calibration::calibrate(&mut lease).await;
        self.servers.give_back(lease).await;
        measured.map(Some)
    }

    async fn propose(&self, job: &ProposalJob, progress: &dyn Progress) -> Result<Proposal, WorldError> {
        let lent = self.servers.lend(job.settings.version, false, progress).await?;
        let tried = "propose a migration";
        let mut lease = lent.map_err(|cause| refused(tried, cause, "`apt-get install postgresql` gives one"))?;
        let proposed = proposing::propose(&mut lease, job, progress).await;
        self.servers.give_back(lease).await;
        proposed
    }

    async fn departures(
        &self,
        job: &RehearsalJob,
        migrated_by: Option<&Connection>,
        progress: &dyn Progress,
    ) -> Result<Compared, WorldError> {
        let Some((original, surroundings)) = Original::of(job).await? else {
            return Ok(Compared::Untold("there is no database to compare".to_owned()));
        };
        let migrator = migrated_by.and_then(|connection| target(&connection.settings).ok());
        let surroundings = match migrator {
            Some(migrator) => surroundings.migrated_by(&migrator),
            None => surroundings,
        };
        // From here on nothing is the target's fault: what goes wrong only means that nothing is compared.
        let mut lease = match self.servers.lend(surroundings.major, false, progress).await {
            Ok(Ok(lease)) => lease,
            Ok(Err(why)) => return Ok(Compared::Untold(why)),
            Err(error) => return Ok(Compared::Untold(error.to_string())),
        };
        let compared = departing::depart(&mut lease, job, &original, &surroundings).await;
        self.servers.give_back(lease).await;
        Ok(compared.unwrap_or_else(|error| Compared::Untold(error.to_string())))
    }

    async fn tell_apart(&self, left: &SchemaSite, right: &SchemaSite) -> Result<Vec<SchemaDifference>, WorldError> {
        departing::apart(left, right).await
    }
}

/// A throw-away server of ours, for as long as this lives.
pub struct ThrowAway(Lease);

impl ThrowAway {
    /// Starts one of this major version.
    ///
    /// # Errors
    /// When there is none of it, or it does not start.
    pub async fn start(cache: PathBuf, major: u32, progress: &dyn Progress) -> Result<Self, WorldError> {
        let lent = Servers::new(cache).lend(Some(major), true, progress).await?;
        let tried = format!("start a PostgreSQL {major} of our own");
        lent.map(Self).map_err(|cause| refused(tried, cause, "install it, or see that npm's registry is reached"))
    }

    /// How its superuser reaches it.
    pub fn login(&self) -> &Target {
        &self.0.login
    }
}

/// A migration that touches more than its database: roles, tablespaces, other databases, the server's settings.
fn changes_server(job: &RehearsalJob) -> Option<String> {
    static WORDS: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
        regex::Regex::new(
            r"(?i)\b((create|alter|drop)\s+(role|user|group|database|tablespace|system)\b|reassign\s+owned)",
        )
        .expect("the expression is a constant")
    });
    let steps = job.steps.iter().map(|(_, migration)| migration);
    let texts = |migration: &crate::migration::Migration| {
        [Some(migration.up.clone()), migration.down.clone()].into_iter().flatten().any(|text| WORDS.is_match(&text))
    };
    job.applied.iter().chain(steps).find(|migration| texts(migration)).map(|migration| migration.label())
}
