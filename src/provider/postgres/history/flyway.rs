//! Flyway's history table, `flyway_schema_history`. Talks to the server.
//!
//! Invariant: a row is what Flyway itself writes for a script (`SQL`); what is taken back is as if it had never run,
//! for Flyway without a licence does not know rows of an undo.

use tokio_postgres::Client;

use super::{Table, elapsed};
use crate::migration::layout::{Layout, repeatable_number};
use crate::migration::{Direction, HistoryRow, Migration, REPEATABLE};
use crate::provider::postgres::errors::{refused, world_error};
use crate::provider::postgres::quoting;
use crate::world::WorldError;

/// Reads the rows.
pub async fn read(client: &Client, table: &mut Table, tried: &str) -> Result<(), WorldError> {
    let name = table.name();
    let statement = format!(
        "select installed_rank::int4, version::text, description::text, type::text, script::text, checksum::int4, success \
         from {name} order by installed_rank"
    );
    for row in client.query(&statement, &[]).await.map_err(|error| world_error(tried, &error))? {
        let (rank, version, description): (i32, Option<String>, String) = (row.get(0), row.get(1), row.get(2));
        let (kind, script, checksum): (String, String, Option<i32>) = (row.get(3), row.get(4), row.get(5));
        if !row.get::<_, bool>(6) {
            return Err(refused(
                tried,
                format!("Flyway ran `{script}`, and it failed (row {rank})"),
                format!(
                    "look at what it left, mend that, then remove the row as Flyway's `repair` does: \
                     delete from {name} where installed_rank = {rank} and not success"
                ),
            ));
        }
        let number = match &version {
            Some(version) => {
                let cause = format!("version `{version}` of row {rank} cannot be told from others");
                Layout::Flyway.number(version).ok_or_else(|| refused(tried, cause, "see docs/migrations.md"))?
            }
            None => repeatable_number(&description),
        };
        match kind.as_str() {
            "SCHEMA" => {}
            "BASELINE" | "SQL_BASELINE" => table.counted.push((i64::MIN, number)),
            "DELETE" => table.rows.retain(|row| row.version != number),
            kind if kind.starts_with("UNDO_") => table.rows.retain(|row| row.version != number),
            _ => {
                table.rows.retain(|row| row.version != number);
                let spelling = version.or_else(|| Some(REPEATABLE.to_owned()));
                let checksum = checksum.map(|checksum| checksum.to_string());
                table.rows.push(HistoryRow { version: number, spelling, name: description, checksum });
            }
        }
    }
    Ok(())
}

/// Writes the row of a migration.
pub fn insert(table: &Table, migration: &Migration) -> String {
    let name = table.name();
    let made = match table.exists {
        true => String::new(),
        false => format!("{}; ", create(table)),
    };
    let version = match migration.is_repeatable() {
        true => "null".to_owned(),
        false => quoting::literal(&migration.version_text()),
    };
    let script = match migration.is_repeatable() {
        true => format!("{}.sql", migration.label()),
        false => Layout::Flyway.file_name(&migration.version_text(), &migration.name, Direction::Up),
    };
    format!(
        "{made}insert into {name} (installed_rank, version, description, type, script, checksum, installed_by, \
         execution_time, success) select coalesce(max(installed_rank), 0) + 1, {version}, {}, 'SQL', {}, {}, \
         current_user, {}, true from {name}",
        quoting::literal(&Layout::Flyway.row_name(migration)),
        quoting::literal(&script),
        Layout::Flyway.checksum(migration, false),
        elapsed("1000", "int4"),
    )
}

/// Removes the row of a migration.
pub fn delete(table: &Table, migration: &Migration) -> String {
    let spelled = table.row(migration.version).and_then(|row| row.spelling.clone());
    let spelled = spelled.unwrap_or_else(|| migration.version_text());
    format!("delete from {} where version = {}", table.name(), quoting::literal(&spelled))
}

/// As Flyway makes it.
pub fn create(table: &Table) -> String {
    let name = table.name();
    let schema = quoting::name(&table.schema);
    format!(
        "create table {name} (installed_rank int not null, version varchar(50), description varchar(200) not null, \
         type varchar(20) not null, script varchar(1000) not null, checksum integer, installed_by varchar(100) not null, \
         installed_on timestamp not null default now(), execution_time integer not null, success boolean not null); \
         alter table {name} add constraint flyway_schema_history_pk primary key (installed_rank); \
         create index flyway_schema_history_s_idx on {schema}.flyway_schema_history (success)"
    )
}
