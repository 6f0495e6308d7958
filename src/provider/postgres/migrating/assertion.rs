//! What must be true of the data before or after a migration. Talks to the server.
//!
//! Invariant: whatever is not `true` fails: `false`, null, no row, more than one.

use tokio_postgres::{Client, Error};

use crate::migration::said::{Assertion, When};

/// How to mend a failed assertion.
pub const HELP: &str = "bring the data to where the assertion holds, or correct it, then go on";

/// Asks; gives why it does not hold, if it does not.
///
/// # Errors
/// As the server says.
pub async fn ask(client: &Client, assertion: &Assertion) -> Result<Option<String>, Error> {
    let statement = client.prepare(&assertion.sql).await?;
    let rows = client.query(&statement, &[]).await?;
    let answer = match rows.as_slice() {
        [row] if row.len() == 1 => match row.try_get::<_, Option<bool>>(0) {
            Ok(Some(true)) => return Ok(None),
            Ok(Some(false)) => "is false".to_owned(),
            Ok(None) => "is null".to_owned(),
            Err(_) => format!("gives a `{}` instead of a boolean", row.columns()[0].type_()),
        },
        [row] => format!("gives {} columns instead of one", row.len()),
        rows => format!("gives {} rows instead of one", rows.len()),
    };
    let when = match assertion.when {
        When::Before => "before",
        When::After => "after",
    };
    Ok(Some(format!("line {}: what must be true {when} it {answer}: `{}`", assertion.line, assertion.sql)))
}
