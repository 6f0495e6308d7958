//! Using a session once more, as if it were new. Talks to the server.
//!
//! Invariant: nothing of what was said in it before is left; and where its role or database tells new sessions something
//! else by now, it is not used.

use tokio_postgres::{Client, Error, SimpleQueryMessage, SimpleQueryRow};

use super::quoting;

/// What a role or a database tells new sessions: one that is open does not hear of it.
const SETTINGS: &str = "select setdatabase, setrole, setconfig from pg_catalog.pg_db_role_setting";

/// By what it is known whether a new session would be told the same; asked right after one was opened.
///
/// # Errors
/// As the server says.
pub async fn settings(client: &Client) -> Result<String, Error> {
    Ok(told_by(&client.simple_query(SETTINGS).await?))
}

/// Takes away what was left in a session, its advisory locks included.
///
/// # Errors
/// As the server says; then it is not to be used any more.
pub async fn tidy(client: &Client) -> Result<(), Error> {
    client.batch_execute("discard all").await
}

/// Makes a session that was tidied what a new one would be, under this name and in this role. Gives whether it is.
///
/// # Errors
/// As the server says; then it is not to be used any more.
pub async fn welcome(client: &Client, name: Option<&str>, role: Option<&str>, told: &str) -> Result<bool, Error> {
    let mut text = String::new();
    if let Some(name) = name {
        text += &format!("set application_name = {}; ", quoting::literal(name));
    }
    if let Some(role) = role {
        text += &format!("set role {}; ", quoting::name(role));
    }
    Ok(told_by(&client.simple_query(&(text + SETTINGS)).await?) == told)
}

/// All rows in one text, in an order of their own; the server is not asked to sort or to join them, which takes it longer.
fn told_by(answer: &[SimpleQueryMessage]) -> String {
    let mut rows: Vec<String> = answer.iter().filter_map(whole).collect();
    rows.sort_unstable();
    rows.concat()
}

fn whole(message: &SimpleQueryMessage) -> Option<String> {
    match message {
        SimpleQueryMessage::Row(row) => {
            Some((0..row.len()).fold(String::new(), |text, place| text + row.get(place).unwrap_or_default() + "\n"))
        }
        _ => None,
    }
}

/// The first row of an answer, asked for without a prepared statement.
///
/// # Errors
/// As the server says.
pub async fn first_row(client: &Client, text: &str) -> Result<Option<SimpleQueryRow>, Error> {
    let answer = client.simple_query(text).await?;
    Ok(answer.into_iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    }))
}
