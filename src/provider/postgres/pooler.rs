//! Notices a proxy between us and the server that gives each transaction another session. Talks to the server.
//!
//! Invariant: whoever passes has one session of the server for as long as the client lives; advisory locks, settings and
//! statements outside of a transaction rest on that.

use std::collections::BTreeSet;
use std::sync::{LazyLock, Mutex, PoisonError};

use tokio_postgres::{Client, SimpleQueryMessage};

use super::connection::open;
use super::errors::{refused, world_error};
use super::settings::Target;
use crate::world::WorldError;

/// How often it is looked: a proxy under load may give the same session back by chance.
const LOOKS: usize = 3;

/// The places that were found to give one session.
static PASSED: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

/// Refuses a place where a client has no session of its own. Each place is looked at once per process.
///
/// # Errors
/// When there is such a proxy, or the server says no.
pub async fn refuse(client: &Client, target: &Target) -> Result<(), WorldError> {
    let place = target.to_string();
    if PASSED.lock().unwrap_or_else(PoisonError::into_inner).contains(&place) {
        return Ok(());
    }
    let tried = format!("find out whether {target} gives one session");
    // While the other one is in a transaction, the session that it holds cannot be ours.
    let other = open(target).await?;
    let failed = |error| world_error(&tried, &error);
    for _ in 0..LOOKS {
        let before = process(client).await.map_err(failed)?;
        if let Err(error) = other.batch_execute("begin").await {
            return Err(match error.as_db_error() {
                // pgbouncer with `pool_mode = statement`.
                Some(said) if said.message().contains("transaction") => proxied(&tried),
                _ => failed(error),
            });
        }
        let others = process(&other).await.map_err(failed)?;
        let after = process(client).await.map_err(failed)?;
        other.batch_execute("commit").await.map_err(failed)?;
        if before != after || before == others || after == others {
            return Err(proxied(&tried));
        }
    }
    PASSED.lock().unwrap_or_else(PoisonError::into_inner).insert(place);
    Ok(())
}

fn proxied(tried: &str) -> WorldError {
    refused(
        tried,
        "a proxy gives each transaction another session of the server (pgbouncer with `pool_mode = transaction`, or \
         the like): locks and settings of a session would be lost between two statements",
        "name the server itself (its own port), or a pool with `pool_mode = session`",
    )
}

/// The server's process behind this client, asked without a prepared statement.
async fn process(client: &Client) -> Result<Option<String>, tokio_postgres::Error> {
    let answer = client.simple_query("select pg_backend_pid()").await?;
    Ok(answer.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
        _ => None,
    }))
}
