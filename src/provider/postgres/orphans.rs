//! Sessions that outlived the run that opened them: a server works on for a while after its client was killed, and a
//! client that was stopped keeps its session. Talks to the server.
//!
//! Invariant: only sessions that carry the token of the very effect that is being settled are ever ended here.

use std::time::Duration;

use tokio_postgres::Client;

use super::connection::application_of;
use super::errors::world_error;
use crate::world::{ErrorClass, WorldError};

/// How long an orphan may finish by itself.
const GRACE: Duration = Duration::from_secs(5);
/// How long the server may take to end one.
const ENDING: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(50);

/// Waits until no session of the effect with this token is left, and ends those that stay. After it, what the
/// catalogs say about the effect is final.
///
/// # Errors
/// When the server does not answer, or a session cannot be ended.
pub async fn end(client: &Client, token: &str) -> Result<(), WorldError> {
    let tried = "wait for the interrupted session of this step to end";
    let application = application_of(token);
    if wait(client, &application, GRACE, tried).await?.is_empty() {
        return Ok(());
    }
    let statement = "select pg_terminate_backend(pid) from pg_stat_activity \
                     where application_name = $1 and pid <> pg_backend_pid()";
    client.query(statement, &[&application]).await.map_err(|error| world_error(tried, &error))?;
    let left = wait(client, &application, ENDING, tried).await?;
    if left.is_empty() {
        return Ok(());
    }
    Err(WorldError {
        tried: tried.to_owned(),
        cause: format!("sessions with process ids {left:?} do not end"),
        help: Some("end them at the server, then try again".to_owned()),
        class: ErrorClass::Transient,
    })
}

async fn wait(client: &Client, application: &str, patience: Duration, tried: &str) -> Result<Vec<i32>, WorldError> {
    let statement = "select pid from pg_stat_activity where application_name = $1 and pid <> pg_backend_pid()";
    let mut waited = Duration::ZERO;
    loop {
        let rows = client.query(statement, &[&application]).await.map_err(|error| world_error(tried, &error))?;
        let left: Vec<i32> = rows.iter().map(|row| row.get(0)).collect();
        if left.is_empty() || waited >= patience {
            return Ok(left);
        }
        tokio::time::sleep(PAUSE).await;
        waited += PAUSE;
    }
}
