//! refinery's history table: where it is, how wide it is, what it says. Talks to the server.
//!
//! Invariant: a table keeps the width that it was made with, and every row its own build's checksum.

use std::sync::LazyLock;

use regex::Regex;
use tokio_postgres::Client;

use super::errors::{refused, world_error};
use super::quoting;
use crate::migration::{HistoryRow, Migration, checksum::checksum};
use crate::world::WorldError;

/// The table's name.
pub const TABLE: &str = "refinery_schema_history";

/// The history table as found, or as it will be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its schema.
    pub schema: String,
    /// Whether it is there.
    pub exists: bool,
    /// Whether its version column is `int8`.
    pub wide: bool,
    /// Its rows by version.
    pub rows: Vec<HistoryRow>,
    /// Whether the table that says how far a migration has got is there beside it.
    pub has_progress: bool,
}

impl Table {
    /// Its name with its schema, so that a migration that changes the search path does not lose it.
    pub fn name(&self) -> String {
        format!("{}.{TABLE}", quoting::name(&self.schema))
    }

    /// The row of a version.
    pub fn row(&self, version: i64) -> Option<&HistoryRow> {
        self.rows.iter().find(|row| row.version == version)
    }

    /// Whether a row was written for just this migration.
    pub fn fits(&self, row: &HistoryRow, migration: &Migration) -> bool {
        row.name == migration.name && row.checksum == checksum(migration, self.wide)
    }

    /// Makes the table as refinery's build with `int8-versions` does.
    pub fn create_wide(&self) -> String {
        format!(
            "create table if not exists {} (version int8 primary key, name varchar(255), applied_on varchar(255), checksum varchar(255))",
            self.name()
        )
    }

    /// Writes the row of a migration as refinery does.
    pub fn insert(&self, migration: &Migration) -> String {
        format!(
            "insert into {} (version, name, applied_on, checksum) values ({}, {}, \
             pg_catalog.to_char(pg_catalog.clock_timestamp() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), '{}')",
            self.name(),
            migration.version,
            quoting::literal(&migration.name),
            checksum(migration, self.wide)
        )
    }

    /// Removes the row of a migration.
    pub fn delete(&self, migration: &Migration) -> String {
        format!("delete from {} where version = {}", self.name(), migration.version)
    }
}

/// The schema where the table is, or where it would be made.
///
/// # Errors
/// As [`find`].
pub async fn place(client: &Client) -> Result<String, WorldError> {
    let tried = format!("look for {TABLE}");
    let statement = "select coalesce((select n.nspname from pg_catalog.pg_class c join pg_catalog.pg_namespace n \
                     on n.oid = c.relnamespace where c.oid = to_regclass($1)), current_schema())::text";
    let row = client.query_one(statement, &[&TABLE]).await.map_err(|error| world_error(&tried, &error))?;
    row.get::<_, Option<String>>(0).ok_or_else(|| no_place(&tried))
}

fn no_place(tried: &str) -> WorldError {
    let help = "create a schema of the search path, or set the role's search_path";
    refused(tried, "no schema of the search path exists, so there is no place for the table", help)
}

/// Finds the table through the search path, as refinery does; says where it would be made when there is none.
///
/// # Errors
/// As the server says, or when the table is not refinery's.
pub async fn find(client: &Client) -> Result<Table, WorldError> {
    let tried = format!("read {TABLE}");
    let failed = |error| world_error(&tried, &error);
    let statement = "select n.nspname::text, a.atttypid::regtype::text, \
                     to_regclass(format('%I.switchback_progress', n.nspname)) is not null from pg_catalog.pg_class c \
                     join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
                     left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'version' and not a.attisdropped \
                     where c.oid = to_regclass($1)";
    let Some(found) = client.query_opt(statement, &[&TABLE]).await.map_err(failed)? else {
        let statement = "select current_schema()::text, \
                         to_regclass(format('%I.switchback_progress', current_schema())) is not null";
        let row = client.query_one(statement, &[]).await.map_err(failed)?;
        let schema: Option<String> = row.get(0);
        let schema = schema.ok_or_else(|| no_place(&tried))?;
        return Ok(Table { schema, exists: false, wide: false, rows: Vec::new(), has_progress: row.get(1) });
    };
    let wide = match found.get::<_, Option<String>>(1).as_deref() {
        Some("integer") => false,
        Some("bigint") => true,
        other => {
            let cause = format!("its column `version` is of type {}", other.unwrap_or("(none)"));
            return Err(refused(
                tried,
                cause,
                "refinery makes it `int4` or `int8`; rename the table that stands in its place",
            ));
        }
    };
    let mut table = Table { schema: found.get(0), exists: true, wide, rows: Vec::new(), has_progress: found.get(2) };
    let statement = format!("select version::int8, name, applied_on, checksum from {} order by version", table.name());
    for row in client.query(&statement, &[]).await.map_err(failed)? {
        table.rows.push(read(&row, &tried)?);
    }
    Ok(table)
}

fn read(row: &tokio_postgres::Row, tried: &str) -> Result<HistoryRow, WorldError> {
    // refinery itself panics on anything else.
    static TIME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$")
            .expect("the expression is a constant")
    });
    let version: i64 = row.get(0);
    let column = |at: usize| row.get::<_, Option<String>>(at);
    let (name, applied_on, sum) = (column(1), column(2), column(3));
    let time_is_good =
        applied_on.as_deref().is_some_and(|time| TIME.is_match(time) && time.parse::<jiff::Timestamp>().is_ok());
    let sum = sum.as_deref().and_then(|text| text.parse().ok());
    match (name, sum) {
        (Some(name), Some(checksum)) if time_is_good => Ok(HistoryRow { version, name, checksum }),
        (name, sum) => {
            let cause = format!(
                "the row of version {version} is not as refinery writes it (name {name:?}, applied_on {applied_on:?}, checksum {})",
                if sum.is_some() { "good" } else { "not a number" }
            );
            Err(refused(tried, cause, "correct the row by hand"))
        }
    }
}
