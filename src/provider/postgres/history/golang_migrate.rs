//! golang-migrate's history table, `schema_migrations`: one row, the newest version. Talks to the server.
//!
//! Invariant: everything up to that version counts as applied, as golang-migrate takes it; only where we ran what came
//! after a version ourselves is it known that nothing lies between.

use tokio_postgres::Client;

use super::{Table, texts};
use crate::migration::{HistoryRow, Migration};
use crate::provider::postgres::errors::{refused, world_error};
use crate::world::WorldError;

/// Reads the row, and what we know of those before.
pub async fn read(client: &Client, table: &mut Table, tried: &str) -> Result<(), WorldError> {
    let name = table.name();
    let statement = format!("select version::int8, dirty from {name} order by version");
    let rows = client.query(&statement, &[]).await.map_err(|error| world_error(tried, &error))?;
    let [row] = rows.as_slice() else {
        let many = format!("it has {} rows, and golang-migrate keeps one", rows.len());
        return if rows.is_empty() { Ok(()) } else { Err(refused(tried, many, "remove all but the right one")) };
    };
    let current: i64 = row.get(0);
    if row.get(1) {
        return Err(refused(
            tried,
            format!(
                "golang-migrate was running version {current}, and it is dirty: nobody knows how much of it is there"
            ),
            format!(
                "look at what it left and mend that, then say which version the schema has, as `migrate force VERSION` \
                 does: update {name} set version = {current}, dirty = false when all of it is there"
            ),
        ));
    }
    let mut known = texts::read(client, table, tried).await?;
    // What golang-migrate took back since is not there any more.
    known.retain(|version, _| *version <= current);
    let mut from = i64::MIN;
    for (version, text) in &known {
        if let Some(after) = text.after.filter(|after| *after >= from) {
            table.counted.push((from, after));
        }
        from = version.saturating_add(1);
    }
    if from <= current {
        table.counted.push((from, current));
    }
    table.after = known.iter().map(|(version, text)| (*version, text.after)).collect();
    table.rows = known.into_iter().map(|(version, text)| row_of(version, Some(text))).collect();
    if table.row(current).is_none() {
        table.rows.push(row_of(current, None));
    }
    Ok(())
}

/// A row; where the text is not known, with the version alone.
pub fn row_of(version: i64, text: Option<texts::Text>) -> HistoryRow {
    let (name, checksum) = text.map(|text| (text.name, Some(text.checksum))).unwrap_or_default();
    HistoryRow { version, spelling: None, name, checksum }
}

/// Puts a version in the place of the one before.
pub fn insert(table: &Table, migration: &Migration) -> String {
    format!("{}; {}; {}", create(table), put(table, migration.version), texts::insert(table, migration))
}

/// Makes the table as golang-migrate does.
pub fn create(table: &Table) -> String {
    format!("create table if not exists {} (version bigint not null primary key, dirty boolean not null)", table.name())
}

/// Makes a version the one that is there.
pub fn put(table: &Table, version: i64) -> String {
    let name = table.name();
    format!("delete from {name}; insert into {name} (version, dirty) values ({version}, false)")
}

/// Puts the version before in the place of this one; none when it was the first.
pub fn delete(table: &Table, migration: &Migration) -> String {
    let name = table.name();
    let before = table.after.get(&migration.version).copied().flatten().or(migration.follows);
    let put = before.map(|before| format!("; insert into {name} (version, dirty) values ({before}, false)"));
    format!("delete from {name}{}{}", put.unwrap_or_default(), texts::delete(table, migration))
}
