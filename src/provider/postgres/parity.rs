//! What a database is like, for comparing places. Talks to the server, read-only.
//!
//! Invariant: only catalogs are read; no table is opened, so nobody is waited for.

use tokio_postgres::{Client, Error, SimpleQueryMessage};

use crate::world::Parity;
use crate::world::parity::LARGE_BYTES;

/// More tables than that are not named one by one.
const MOST: usize = 200;

/// Reads it in one round trip. A table counts with its index and long values, as they were when the server last looked.
///
/// # Errors
/// As the server says.
pub async fn read(client: &Client) -> Result<Parity, Error> {
    let statement = format!(
        "select pg_catalog.current_setting('server_version_num')::int4 / 10000; \
         select extname, extversion from pg_catalog.pg_extension where extname <> 'plpgsql'; \
         select name, bytes from (select n.nspname || '.' || c.relname as name, \
         pg_catalog.current_setting('block_size')::int8 * (c.relpages + coalesce((select pg_catalog.sum(o.relpages) \
         from pg_catalog.pg_class o left join pg_catalog.pg_index i on i.indexrelid = o.oid \
         where i.indrelid = c.oid or o.oid = c.reltoastrelid), 0))::int8 as bytes \
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where c.relkind in ('r', 'm') and n.nspname <> 'information_schema' and n.nspname !~ '^pg_' \
         and c.relpages > 0) as sizes where bytes >= {LARGE_BYTES} order by bytes desc limit {MOST}"
    );
    let mut parity = Parity::default();
    let mut answer = 0;
    for message in client.simple_query(&statement).await? {
        let row = match message {
            SimpleQueryMessage::Row(row) => row,
            SimpleQueryMessage::CommandComplete(_) => {
                answer += 1;
                continue;
            }
            _ => continue,
        };
        let (first, second) = (row.get(0).unwrap_or_default(), row.try_get(1).ok().flatten().unwrap_or_default());
        match answer {
            0 => parity.major = first.parse().unwrap_or_default(),
            1 => drop(parity.extensions.insert(first.to_owned(), second.to_owned())),
            _ => drop(parity.large.insert(first.to_owned(), second.parse().unwrap_or_default())),
        }
    }
    Ok(parity)
}
