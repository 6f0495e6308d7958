//! Runs statements as one transaction, and says of every failure whether it left a trace. Talks to the server.
//!
//! Invariant: a trace is unknown only when COMMIT was sent and its answer did not come.

use tokio_postgres::{Client, Error};

use super::errors::{is_refusal, nothing, unknown, world_error};
use super::fence::Guard;
use crate::world::EffectError;

/// Runs all statements in one transaction, under the fence of the database if it has one.
///
/// # Errors
/// Of the statement that failed, with what is known about its trace.
pub async fn run(
    client: &Client,
    tried: &str,
    statements: &[String],
    guard: Option<&Guard>,
) -> Result<(), EffectError> {
    let begun = async {
        client.batch_execute("begin").await?;
        for statement in statements {
            client.batch_execute(statement).await?;
        }
        Ok::<_, Error>(())
    };
    if let Err(error) = begun.await {
        roll_back(client).await;
        return Err(nothing(world_error(tried, &error)));
    }
    if let Some(guard) = guard
        && let Err(closed) = guard.lock(client).await
    {
        roll_back(client).await;
        return Err(nothing(closed.into_world(tried)));
    }
    commit(client).await.map_err(|(error, certain)| {
        let error = world_error(tried, &error);
        if certain { nothing(error) } else { unknown(error) }
    })
}

/// Sends COMMIT.
///
/// # Errors
/// The error, and whether it is certain that nothing was committed.
pub async fn commit(client: &Client) -> Result<(), (Error, bool)> {
    client.batch_execute("commit").await.map_err(|error| {
        let certain = is_refusal(&error);
        (error, certain)
    })
}

/// Ends a transaction that failed. When even that fails the session is gone, and its transaction with it.
pub async fn roll_back(client: &Client) {
    if let Err(error) = client.batch_execute("rollback").await {
        tracing::debug!(%error, "the transaction ended with its session");
    }
}
