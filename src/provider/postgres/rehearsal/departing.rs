//! Compares schemas: a target's with what its applied migrations make on a throw-away server, and those of two databases.
//! Talks to servers.
//!
//! Invariant: a database that is compared is only read; what cannot be made again is told as just that.

use super::super::connection::{open, target as read_target};
use super::super::errors::world_error;
use super::super::fingerprint::{Fingerprint, Taker};
use super::departures::{departures, without_migrator};
use super::sandbox::{Original, Refusal, rerun};
use super::servers::Lease;
use super::surroundings::Surroundings;
use crate::world::{Compared, RehearsalJob, SchemaDifference, SchemaSite, WorldError};

/// In what a target differs from what its applied migrations make.
///
/// # Errors
/// When the throw-away server fails.
pub async fn depart(
    lease: &mut Lease,
    job: &RehearsalJob,
    original: &Original,
    surroundings: &Surroundings,
) -> Result<Compared, WorldError> {
    surroundings.make(lease, &job.settings.roles).await?;
    let database = match rerun(lease, job, surroundings).await {
        Ok(Ok(database)) => database,
        Ok(Err(why)) | Err(Refusal::Not(why)) => return Ok(Compared::Untold(why)),
        Err(Refusal::World(error)) => return Err(error),
    };
    let client = open(&lease.login.with_dbname(&database)).await?;
    let expected = Taker::of(&client).await?.take(&client).await?;
    Ok(Compared::Told(departures(&expected, original.fingerprint())))
}

/// In what two databases differ.
///
/// # Errors
/// When one of them cannot be read.
pub async fn apart(left: &SchemaSite, right: &SchemaSite) -> Result<Vec<SchemaDifference>, WorldError> {
    Ok(departures(&look(left).await?, &look(right).await?))
}

async fn look(site: &SchemaSite) -> Result<Fingerprint, WorldError> {
    let target = read_target(&site.connection.settings)?;
    let client = open(&target).await?;
    let read_only = client.batch_execute("set default_transaction_read_only = on").await;
    read_only.map_err(|error| world_error(format!("read {target}"), &error))?;
    let fingerprint = Taker::of(&client).await?.take(&client).await?;
    let migrator = site.migrated_by.as_ref().and_then(|connection| read_target(&connection.settings).ok());
    let migrator = migrator.unwrap_or(target);
    let migrator = migrator.set_role.unwrap_or(migrator.user);
    Ok(without_migrator(fingerprint, &migrator))
}
