//! Runs a text of statements and counts the rows that they touched. Talks to the server.
//!
//! Invariant: rows are counted, never kept.

use std::pin::pin;

use futures_util::StreamExt as _;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

/// Runs the statements and gives how many rows they inserted, changed, removed or returned, all together.
///
/// # Errors
/// As the server or the way to it says.
pub async fn counted(client: &Client, text: &str) -> Result<u64, Error> {
    let mut answers = pin!(client.simple_query_raw(text).await?);
    let mut rows = 0;
    while let Some(answer) = answers.next().await {
        if let SimpleQueryMessage::CommandComplete(touched) = answer? {
            rows += touched;
        }
    }
    Ok(rows)
}
