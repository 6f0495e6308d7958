//! refinery's history table: how wide it is, what it says. Talks to the server.
//!
//! Invariant: a table keeps the width that it was made with, and every row its own build's checksum.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;
use tokio_postgres::Client;

use super::{Extent, Table};
use crate::migration::{HistoryRow, Migration};
use crate::provider::postgres::errors::{refused, world_error};
use crate::provider::postgres::quoting;
use crate::world::WorldError;

impl Table {
    /// Makes the table as refinery's build with `int8-versions` does.
    pub fn create_wide(&self) -> String {
        format!(
            "create table if not exists {} (version int8 primary key, name varchar(255), applied_on varchar(255), checksum varchar(255))",
            self.name()
        )
    }
}

/// Writes the row of a migration as refinery does. The table is made before, by refinery itself or as it does.
pub fn insert(table: &Table, migration: &Migration) -> String {
    format!(
        "insert into {} (version, name, applied_on, checksum) values ({}, {}, \
         pg_catalog.to_char(pg_catalog.clock_timestamp() at time zone 'utc', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), '{}')",
        table.name(),
        migration.version,
        quoting::literal(&migration.name),
        table.layout.checksum(migration, table.wide)
    )
}

/// Reads the rows.
pub async fn read(
    client: &Client,
    table: &mut Table,
    columns: &BTreeMap<String, String>,
    extent: Extent,
    tried: &str,
) -> Result<(), WorldError> {
    table.wide = match columns.get("version").map(String::as_str) {
        Some("integer") => false,
        Some("bigint") => true,
        other => {
            let cause = format!("its column `version` is of type {}", other.unwrap_or("(none)"));
            let help = "refinery makes it `int4` or `int8`; rename the table that stands in its place";
            return Err(refused(tried, cause, help));
        }
    };
    let statement = format!(
        "select version::int8, name, applied_on, checksum from {} where version >= $1::int8 order by version",
        table.name()
    );
    for row in client.query(&statement, &[&extent.first()]).await.map_err(|error| world_error(tried, &error))? {
        table.rows.push(read_row(&row, tried)?);
    }
    Ok(())
}

fn read_row(row: &tokio_postgres::Row, tried: &str) -> Result<HistoryRow, WorldError> {
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
    let sum = sum.filter(|text| text.parse::<u64>().is_ok());
    match (name, sum) {
        (Some(name), Some(sum)) if time_is_good => {
            Ok(HistoryRow { version, spelling: None, name, checksum: Some(sum) })
        }
        (name, sum) => {
            let cause = format!(
                "the row of version {version} is not as refinery writes it (name {name:?}, applied_on {applied_on:?}, checksum {})",
                if sum.is_some() { "good" } else { "not a number" }
            );
            Err(refused(tried, cause, "correct the row by hand"))
        }
    }
}
