//! What each statement of a text did: how many rows, and how long. Talks to the server.
//!
//! Invariant: rows that a statement only showed are never counted, nor kept.

use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use tokio_postgres::{Client, Error, SimpleQueryMessage};

use crate::migration::statements::Statement;
use crate::value::{Object, Value};

/// What one statement did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Done {
    /// How long it took.
    took: Duration,
    /// How many rows it wrote.
    rows: u64,
}

impl Done {
    /// So many rows in this time.
    pub fn of(took: Duration, rows: u64) -> Self {
        Self { took, rows }
    }
}

/// Whether a statement that shows rows has written them as well (`RETURNING`).
pub fn writes(statement: &Statement) -> bool {
    ["insert", "update", "delete", "merge"].iter().any(|word| statement.starts_with(&[word]))
}

/// Runs a text; `writes` says of each of its statements whether rows that it shows were written. The first so many of
/// its statements are ours, and are not counted.
///
/// # Errors
/// As the server says.
pub async fn run(client: &Client, text: &str, mut ours: usize, writes: &[bool]) -> Result<Vec<Done>, Error> {
    let mut messages = pin!(client.simple_query_raw(text).await?);
    let mut done = Vec::with_capacity(writes.len());
    let (mut shows, mut since) = (false, Instant::now());
    while let Some(message) = messages.next().await {
        match message? {
            SimpleQueryMessage::RowDescription(_) => shows = true,
            SimpleQueryMessage::CommandComplete(_) if ours > 0 => (ours, since) = (ours - 1, Instant::now()),
            SimpleQueryMessage::CommandComplete(tag) => {
                let written = !shows || writes.get(done.len()).copied().unwrap_or_default();
                done.push(Done { took: since.elapsed(), rows: if written { tag } else { 0 } });
                (shows, since) = (false, Instant::now());
            }
            _ => {}
        }
    }
    Ok(done)
}

/// The facts for the ledger: the sum of the rows, and each statement by its number in the text, where so many were done
/// before.
pub fn facts(done: &[Done], before: usize) -> Object {
    let number = |number: u64| Value::from(i64::try_from(number).unwrap_or(i64::MAX));
    let milliseconds = |time: Duration| number(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    let each = (before as u64 + 1..).zip(done).map(|(place, done)| {
        Value::object([
            ("statement", number(place)),
            ("duration_ms", milliseconds(done.took)),
            ("rows", number(done.rows)),
        ])
    });
    let each = Value::tuple(each.collect());
    let rows = done.iter().fold(0_u64, |sum, done| sum.saturating_add(done.rows));
    Object::from([("rows".to_owned(), number(rows)), ("each".to_owned(), each)])
}
