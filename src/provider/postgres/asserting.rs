//! Asking whether something is true. Talks to the server.
//!
//! Invariant: nothing is written: the statement is one, its transaction is read-only, and it is always rolled back.

use std::time::Duration;

use tokio_postgres::types::Type;
use tokio_postgres::{Client, Row};

use super::connection;
use super::errors::world_error;
use crate::value::Object;
use crate::world::{ErrorClass, WorldError};

/// How long a query gets at least.
const SHORTEST: Duration = Duration::from_millis(100);

/// Why it is not true.
#[derive(Debug)]
pub struct NotTrue {
    /// For people.
    pub words: String,
    /// Whether asking again is of no use.
    pub lasts: bool,
}

/// Asks; gives what was seen, in words, when it is true.
///
/// # Errors
/// When it is not, or cannot be asked.
pub async fn ask(settings: &Object, query: &str, limit: Duration) -> Result<String, NotTrue> {
    let target = connection::target(settings).map_err(refused)?;
    let tried = || format!("ask {target}");
    let asking = async {
        let client = connection::open(&target).await.map_err(refused)?;
        begin(&client, limit).await.map_err(|error| refused(world_error(tried(), &error)))?;
        // The extended protocol takes one statement: nothing can follow it outside of the transaction.
        let rows = client.query(query, &[]).await.map_err(|error| {
            let lasts = error.code().is_some_and(|code| ["0A", "22", "25", "42"].contains(&&code.code()[..2]));
            NotTrue { words: world_error(tried(), &error).to_string(), lasts }
        })?;
        let judged = judge(&rows);
        // Whether that is heard changes nothing: the session ends here.
        drop(client.batch_execute("rollback").await);
        judged
    };
    let longest = limit.max(SHORTEST) + target.connect_timeout;
    match tokio::time::timeout(longest, asking).await {
        Ok(judged) => judged,
        Err(_) => Err(NotTrue { words: format!("{target}: no answer within {} s", longest.as_secs()), lasts: false }),
    }
}

async fn begin(client: &Client, limit: Duration) -> Result<(), tokio_postgres::Error> {
    let milliseconds = limit.max(SHORTEST).as_millis().min(i32::MAX as u128);
    let text = format!(
        "set session characteristics as transaction read only; set statement_timeout = {milliseconds}; \
         set lock_timeout = {milliseconds}; begin transaction read only"
    );
    client.batch_execute(&text).await
}

fn refused(error: WorldError) -> NotTrue {
    let lasts = match error.class {
        ErrorClass::Denied | ErrorClass::Refused | ErrorClass::Expired | ErrorClass::Fenced => true,
        ErrorClass::Unreachable | ErrorClass::Transient | ErrorClass::Pending => false,
    };
    NotTrue { words: error.to_string(), lasts }
}

fn judge(rows: &[Row]) -> Result<String, NotTrue> {
    let no = |words: String, lasts| Err(NotTrue { words, lasts });
    let row = match rows {
        [row] => row,
        [] => return no("the query gives no row".to_owned(), false),
        rows => return no(format!("the query gives {} rows, wanted is one", rows.len()), false),
    };
    let Some(column) = row.columns().first() else {
        return no("the query gives a row without columns".to_owned(), true);
    };
    // An expression that nobody named is called so by the server, and that tells people nothing.
    let name = match column.name() {
        "?column?" => "the answer".to_owned(),
        name => format!("`{name}`"),
    };
    if *column.type_() != Type::BOOL {
        return no(format!("{name} is of type {}, wanted is boolean", column.type_()), true);
    }
    match row.get::<_, Option<bool>>(0) {
        Some(true) => Ok(format!("{name} is true")),
        Some(false) => no(format!("{name} is false"), false),
        None => no(format!("{name} is null"), false),
    }
}
