//! dbmate's history table, `schema_migrations`: versions as texts. Talks to the server.
//!
//! Invariant: a version is written as the file's name has it, leading zeros included.

use tokio_postgres::Client;

use super::golang_migrate::row_of;
use super::{Table, texts};
use crate::migration::layout::Layout;
use crate::migration::{HistoryRow, Migration};
use crate::provider::postgres::errors::{refused, world_error};
use crate::provider::postgres::quoting;
use crate::world::WorldError;

/// Reads the rows, and what we know of their texts.
pub async fn read(client: &Client, table: &mut Table, tried: &str) -> Result<(), WorldError> {
    let mut known = texts::read(client, table, tried).await?;
    let statement = format!("select version::text from {}", table.name());
    for row in client.query(&statement, &[]).await.map_err(|error| world_error(tried, &error))? {
        let text: String = row.get(0);
        let version = Layout::Dbmate.number(&text).ok_or_else(|| {
            let cause = format!("version `{text}` is no number");
            refused(tried, cause, "dbmate's versions are; correct the row by hand")
        })?;
        let spelling = (version.to_string() != text).then_some(text);
        let (found, after) = match known.remove(&version) {
            Some(text) => (Some(text), true),
            None => (None, false),
        };
        if after {
            table.after.insert(version, None);
        }
        table.rows.push(HistoryRow { spelling, ..row_of(version, found) });
    }
    Ok(())
}

/// Writes the row of a migration.
pub fn insert(table: &Table, migration: &Migration) -> String {
    format!("{}; {}; {}", create(table), put(table, migration), texts::insert(table, migration))
}

/// Makes the table as dbmate does.
pub fn create(table: &Table) -> String {
    format!("create table if not exists {} (version varchar not null primary key)", table.name())
}

/// Adds a version.
pub fn put(table: &Table, migration: &Migration) -> String {
    format!("insert into {} (version) values ({})", table.name(), quoting::literal(&migration.version_text()))
}

/// Removes the row of a migration.
pub fn delete(table: &Table, migration: &Migration) -> String {
    let spelled = table.row(migration.version).and_then(|row| row.spelling.clone());
    let spelled = spelled.unwrap_or_else(|| migration.version.to_string());
    format!(
        "delete from {} where version = {}{}",
        table.name(),
        quoting::literal(&spelled),
        texts::delete(table, migration)
    )
}
