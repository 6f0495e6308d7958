//! sqlx's history table, `_sqlx_migrations`. Talks to the server.
//!
//! Invariant: the checksum of a row is the SHA-384 of the file, as sqlx compares it.

use tokio_postgres::Client;

use super::{Extent, Table, elapsed};
use crate::migration::layout::Layout;
use crate::migration::{HistoryRow, Migration};
use crate::provider::postgres::errors::{refused, world_error};
use crate::provider::postgres::quoting;
use crate::world::WorldError;

/// Reads the rows.
pub async fn read(client: &Client, table: &mut Table, extent: Extent, tried: &str) -> Result<(), WorldError> {
    let name = table.name();
    let statement = format!(
        "select version::int8, description::text, success, pg_catalog.encode(checksum, 'hex') from {name} \
         where version >= $1::int8 or not success order by version"
    );
    for row in client.query(&statement, &[&extent.first()]).await.map_err(|error| world_error(tried, &error))? {
        let (version, description): (i64, String) = (row.get(0), row.get(1));
        if !row.get::<_, bool>(2) {
            return Err(refused(
                tried,
                format!("sqlx ran version {version} (`{description}`), and it is only partly done"),
                format!(
                    "look at what it left, mend that, then: update {name} set success = true where version = {version} \
                     when all of it is there, delete from {name} where version = {version} when nothing is"
                ),
            ));
        }
        table.rows.push(HistoryRow { version, spelling: None, name: description, checksum: row.get(3) });
    }
    Ok(())
}

/// Writes the row of a migration.
pub fn insert(table: &Table, migration: &Migration) -> String {
    let name = table.name();
    format!(
        "create table if not exists {name} (version bigint primary key, description text not null, \
         installed_on timestamptz not null default now(), success boolean not null, checksum bytea not null, \
         execution_time bigint not null); \
         insert into {name} (version, description, success, checksum, execution_time) values ({}, {}, true, \
         pg_catalog.decode('{}', 'hex'), {})",
        migration.version,
        quoting::literal(&Layout::Sqlx.row_name(migration)),
        Layout::Sqlx.checksum(migration, false),
        elapsed("1000000000", "int8"),
    )
}
