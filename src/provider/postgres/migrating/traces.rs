//! What a statement that runs outside of a transaction has left in the catalogs, and the remains that an interruption
//! leaves there. Talks to the server.
//!
//! Invariant: an INVALID index that such a statement left never outlives the look at it: it is dropped or completed.

use tokio_postgres::{Client, Error};

use super::super::errors::{refused, world_error};
use super::super::quoting;
use super::progress::Before;
use crate::migration::outside::Outside;
use crate::world::{Progress, WorldError};

/// What became of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It had its effect.
    Done,
    /// It had none, or may run again; what it had left is gone.
    NotDone,
    /// Nothing tells.
    Untold,
}

/// What is there under an index's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing, or no index.
    Absent,
    /// A whole index.
    Valid,
    /// The remains of a build or of a drop.
    Invalid,
}

/// Looks at what is there before the statement runs. What an earlier build has left INVALID under the name of the
/// index goes: `IF NOT EXISTS` would otherwise keep it for good.
///
/// # Errors
/// As the server says.
pub async fn before(client: &Client, outside: &Outside, progress: &dyn Progress) -> Result<Before, Error> {
    let there = match outside {
        Outside::MakeIndex { index, .. } => match state(client, index).await? {
            State::Invalid => {
                clear(client, index, progress).await?;
                false
            }
            found => found == State::Valid,
        },
        Outside::DropIndex { index } => state(client, index).await? != State::Absent,
        Outside::Global { list, name, .. } => client.query_one(list.query(), &[name]).await?.get(0),
        Outside::MakeUnnamed { .. } | Outside::Detach { .. } => false,
        Outside::Reindex | Outside::Repeatable | Outside::Untold => false,
    };
    let indexes = match outside {
        Outside::MakeUnnamed { table } => indexes_of(client, table).await?.into_iter().map(|(oid, ..)| oid).collect(),
        Outside::Reindex => leftovers(client).await?.into_iter().map(|(oid, _)| oid).collect(),
        _ => Vec::new(),
    };
    Ok(Before { there, indexes })
}

/// Tells what became of a statement that was interrupted, or whose answer nobody heard; repairs what it left. No
/// session may be at work on it any more.
///
/// # Errors
/// As the server says.
pub async fn settle(
    client: &Client,
    outside: &Outside,
    before: &Before,
    progress: &dyn Progress,
) -> Result<Verdict, Error> {
    let done = match outside {
        Outside::MakeIndex { index, if_not_exists } => match state(client, index).await? {
            State::Valid => !before.there || *if_not_exists,
            State::Absent => false,
            State::Invalid => {
                clear(client, index, progress).await?;
                false
            }
        },
        Outside::MakeUnnamed { table } => {
            let new = indexes_of(client, table).await?;
            let new: Vec<_> = new.into_iter().filter(|(oid, ..)| !before.indexes.contains(oid)).collect();
            for (_, name, _) in new.iter().filter(|(.., is_valid)| !is_valid) {
                clear(client, name, progress).await?;
            }
            new.iter().any(|(.., is_valid)| *is_valid)
        }
        Outside::DropIndex { index } => match state(client, index).await? {
            State::Absent => true,
            State::Valid => false,
            State::Invalid => {
                progress.say(&format!("finishing the drop of index {index}, which was interrupted"));
                drop_index(client, index).await?;
                true
            }
        },
        Outside::Detach { table, partition } => detached(client, table, partition, progress).await?,
        Outside::Global { list, name, makes } => {
            let is_there: bool = client.query_one(list.query(), &[name]).await?.get(0);
            is_there == *makes && before.there != *makes
        }
        Outside::Reindex => {
            for (_, name) in leftovers(client).await?.into_iter().filter(|(oid, _)| !before.indexes.contains(oid)) {
                clear(client, &name, progress).await?;
            }
            false
        }
        Outside::Repeatable => false,
        Outside::Untold => return Ok(Verdict::Untold),
    };
    Ok(if done { Verdict::Done } else { Verdict::NotDone })
}

/// Checks that a statement that ended without an error did what it says.
///
/// # Errors
/// When an index is not as it should be.
pub async fn assert_done(client: &Client, outside: &Outside, tried: &str) -> Result<(), WorldError> {
    let (index, wanted) = match outside {
        Outside::MakeIndex { index, .. } => (index, State::Valid),
        Outside::DropIndex { index } => (index, State::Absent),
        Outside::MakeUnnamed { .. }
        | Outside::Detach { .. }
        | Outside::Global { .. }
        | Outside::Reindex
        | Outside::Repeatable
        | Outside::Untold => return Ok(()),
    };
    let found = state(client, index).await.map_err(|error| world_error(tried, &error))?;
    if found == wanted {
        return Ok(());
    }
    let cause = format!("the statement ended without an error, but index {index} is {found:?}");
    Err(refused(tried, cause, "look at the index, drop it if it is INVALID, then go on"))
}

async fn state(client: &Client, index: &str) -> Result<State, Error> {
    let statement =
        "select indisvalid and indisready and indislive from pg_catalog.pg_index where indexrelid = to_regclass($1)";
    Ok(match client.query_opt(statement, &[&index]).await?.map(|row| row.get::<_, bool>(0)) {
        None => State::Absent,
        Some(true) => State::Valid,
        Some(false) => State::Invalid,
    })
}

/// The indexes of a table: number, name as it is written, whether it is whole.
async fn indexes_of(client: &Client, table: &str) -> Result<Vec<(u32, String, bool)>, Error> {
    let statement = "select indexrelid, indexrelid::regclass::text, indisvalid and indisready and indislive \
                     from pg_catalog.pg_index where indrelid = to_regclass($1)";
    let rows = client.query(statement, &[&quoting::written(table)]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect())
}

/// What `REINDEX CONCURRENTLY` leaves when it is interrupted.
async fn leftovers(client: &Client) -> Result<Vec<(u32, String)>, Error> {
    let statement = "select i.indexrelid, i.indexrelid::regclass::text from pg_catalog.pg_index i \
                     join pg_catalog.pg_class c on c.oid = i.indexrelid \
                     where not i.indisvalid and c.relname ~ '_cc(new|old)[0-9]*$'";
    let rows = client.query(statement, &[]).await?;
    Ok(rows.iter().map(|row| (row.get(0), row.get(1))).collect())
}

async fn clear(client: &Client, index: &str, progress: &dyn Progress) -> Result<(), Error> {
    progress.say(&format!("dropping index {index}, which an interrupted build left INVALID"));
    drop_index(client, index).await
}

async fn drop_index(client: &Client, index: &str) -> Result<(), Error> {
    client.batch_execute(&format!("drop index concurrently if exists {}", quoting::written(index))).await
}

/// Whether a partition is let go; one that is half-way is let go whole.
async fn detached(client: &Client, table: &str, partition: &str, progress: &dyn Progress) -> Result<bool, Error> {
    let (table, partition) = (quoting::written(table), quoting::written(partition));
    let statement = "select inhdetachpending from pg_catalog.pg_inherits \
                     where inhrelid = to_regclass($1) and inhparent = to_regclass($2)";
    match client.query_opt(statement, &[&partition, &table]).await?.map(|row| row.get::<_, bool>(0)) {
        None => Ok(true),
        Some(false) => Ok(false),
        Some(true) => {
            progress.say(&format!("finishing to let partition {partition} go, which was interrupted"));
            client.batch_execute(&format!("alter table {table} detach partition {partition} finalize")).await?;
            Ok(true)
        }
    }
}
