//! Our own table beside those that know nothing but versions: `switchback_texts`. Talks to the server.
//!
//! Invariant: the other tool does not look at it, and nothing depends on it: without its rows less is known, and
//! nothing else is concluded.

use std::collections::BTreeMap;

use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::Table;
use crate::migration::Migration;
use crate::provider::postgres::errors::{has_code, world_error};
use crate::provider::postgres::quoting;
use crate::world::WorldError;

/// The table's name.
const TABLE: &str = "switchback_texts";

/// What is known of a version that we ran.
pub struct Text {
    /// The name.
    pub name: String,
    /// The checksum of the text, ours.
    pub checksum: String,
    /// The version that was the newest before.
    pub after: Option<i64>,
}

/// What is known, by version.
pub async fn read(client: &Client, table: &Table, tried: &str) -> Result<BTreeMap<i64, Text>, WorldError> {
    let statement = format!("select version, name, checksum, after from {}", name(table));
    match client.query(&statement, &[]).await {
        Ok(rows) => {
            let text = |row: &tokio_postgres::Row| Text { name: row.get(1), checksum: row.get(2), after: row.get(3) };
            Ok(rows.iter().map(|row| (row.get(0), text(row))).collect())
        }
        Err(error) if has_code(&error, &SqlState::UNDEFINED_TABLE) => Ok(BTreeMap::new()),
        Err(error) => Err(world_error(tried, &error)),
    }
}

/// Notes a version.
pub fn insert(table: &Table, migration: &Migration) -> String {
    let after = table.newest().map_or_else(|| "null".to_owned(), |after| after.to_string());
    insert_after(table, migration, &after)
}

/// Notes a version; `after` is SQL that gives the one that was the newest before.
pub fn insert_after(table: &Table, migration: &Migration, after: &str) -> String {
    let name = name(table);
    format!(
        "{}; delete from {name} where version = {version}; \
         insert into {name} (version, name, checksum, after) values ({version}, {}, '{}', {after})",
        create(table),
        quoting::literal(&migration.name),
        table.layout.checksum(migration, false),
        version = migration.version,
    )
}

/// Makes the table.
pub fn create(table: &Table) -> String {
    format!(
        "create table if not exists {} (version bigint primary key, name text not null, checksum text not null, \
         after bigint)",
        name(table)
    )
}

/// The table's name with its schema.
pub fn name(table: &Table) -> String {
    format!("{}.{TABLE}", quoting::name(&table.schema))
}

/// Forgets a version.
pub fn delete(table: &Table, migration: &Migration) -> String {
    let name = name(table);
    match table.after.contains_key(&migration.version) {
        true => format!("; delete from {name} where version = {}", migration.version),
        false => String::new(),
    }
}
