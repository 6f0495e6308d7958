//! The fingerprint of a schema: everything that its catalogs say, as lines. Talks to the server.
//!
//! Invariant: two databases with the same lines cannot be told apart by their schema; an empty answer is an error,
//! never a fingerprint.

use super::connection::{open, target};
use super::errors::{refused, world_error};
use crate::world::{Connection, WorldError};

const QUERY: &str = include_str!("fingerprint.sql");

/// The lines of a database's fingerprint, for showing what differs.
///
/// # Errors
/// As the server says, or when there is nothing to see.
pub async fn fingerprint_text(connection: &Connection) -> Result<String, WorldError> {
    let target = target(&connection.settings)?;
    let client = open(&target).await?;
    let tried = format!("fingerprint the schema at {target}");
    let failed = |error| world_error(&tried, &error);
    // Under an empty search path every name comes out with its schema, whoever asks.
    let settings = "begin isolation level repeatable read read only; set local search_path = ''; \
                    set local timezone = 'UTC'; set local datestyle = 'ISO'; set local intervalstyle = 'postgres'; \
                    set local extra_float_digits = 1; set local quote_all_identifiers = off; set local bytea_output = 'hex'";
    client.batch_execute(settings).await.map_err(failed)?;
    let rows = client.query(QUERY, &[]).await.map_err(failed)?;
    client.batch_execute("commit").await.map_err(failed)?;
    let lines: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    if lines.is_empty() {
        let help = "check that the user may read the catalogs";
        return Err(refused(tried, "the catalogs show nothing at all, which cannot be", help));
    }
    Ok(lines.join("\n"))
}
