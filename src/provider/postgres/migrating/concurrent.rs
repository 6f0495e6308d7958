//! Indexes that are built or dropped beside the running work, and the half-built ones that this can leave behind.
//! Talks to the server.
//!
//! Invariant: an INVALID index of the very name that a migration makes never outlives the migration's next step.

use tokio_postgres::{Client, Error};

use super::super::errors::{refused, world_error};
use super::super::quoting;
use crate::migration::concurrent::{ConcurrentIndex, Work};
use crate::world::{Progress, WorldError};

/// What is there under an index's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing, or no index.
    Absent,
    /// A whole index.
    Valid,
    /// The remains of a build or of a drop.
    Invalid,
}

/// Looks for an index.
///
/// # Errors
/// As the server says.
pub async fn state(client: &Client, index: &ConcurrentIndex) -> Result<State, Error> {
    let statement =
        "select indisvalid and indisready and indislive from pg_catalog.pg_index where indexrelid = to_regclass($1)";
    Ok(match client.query_opt(statement, &[&index.name]).await?.map(|row| row.get::<_, bool>(0)) {
        None => State::Absent,
        Some(true) => State::Valid,
        Some(false) => State::Invalid,
    })
}

/// Drops the remains of an interrupted build. `IF NOT EXISTS` would otherwise keep them for good.
///
/// # Errors
/// As the server says.
pub async fn clear(client: &Client, index: &ConcurrentIndex, progress: &dyn Progress) -> Result<(), Error> {
    let is_made = match index.work {
        Work::Make { .. } => true,
        Work::Drop => false,
    };
    if is_made && state(client, index).await? == State::Invalid {
        progress.say(&format!("dropping index {}, which an interrupted build left INVALID", index.name));
        client.batch_execute(&format!("drop index concurrently {}", quoting::written(&index.name))).await?;
    }
    Ok(())
}

/// Whether no half-built index stands under the name.
pub async fn is_clean(client: &Client, index: Option<&ConcurrentIndex>) -> bool {
    match index {
        Some(index) => matches!(state(client, index).await, Ok(State::Valid | State::Absent)),
        None => true,
    }
}

/// Whether a statement that failed left the index as it was before; drops what a build left.
pub async fn left_nothing(client: &Client, index: &ConcurrentIndex, progress: &dyn Progress) -> bool {
    match index.work {
        Work::Make { .. } => clear(client, index, progress).await.is_ok(),
        Work::Drop => is_clean(client, Some(index)).await,
    }
}

/// Finishes a drop that was interrupted half-way.
///
/// # Errors
/// As the server says.
pub async fn finish_drop(client: &Client, index: &ConcurrentIndex) -> Result<(), Error> {
    client.batch_execute(&format!("drop index concurrently if exists {}", quoting::written(&index.name))).await
}

/// Checks that the statement did what it says.
///
/// # Errors
/// When the index is not as it should be.
pub async fn assert_done(client: &Client, index: &ConcurrentIndex, tried: &str) -> Result<(), WorldError> {
    let found = state(client, index).await.map_err(|error| world_error(tried, &error))?;
    let wanted = match index.work {
        Work::Make { .. } => State::Valid,
        Work::Drop => State::Absent,
    };
    if found == wanted {
        return Ok(());
    }
    let cause = format!("the statement ended without an error, but index {} is {found:?}", index.name);
    Err(refused(tried, cause, "look at the index, drop it if it is INVALID, then go on"))
}
