//! What is in the tables: a hash of each column and of the rows as wholes, and the positions of sequences. Talks to the
//! server.
//!
//! Invariant: the order of rows and of columns plays no part; everything that can be read of a value does.

use std::collections::BTreeMap;

use tokio_postgres::Client;

use super::super::errors::world_error;
use super::super::fingerprint::HIDDEN;
use super::super::quoting;
use crate::world::WorldError;

/// What is in the tables.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    tables: BTreeMap<String, Rows>,
    sequences: BTreeMap<String, Position>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rows {
    count: i64,
    whole: String,
    columns: BTreeMap<String, String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    last: i64,
    is_called: bool,
    falls: bool,
}

const TABLES: &str = "select quote_ident(n.nspname) || '.' || quote_ident(c.relname), array_agg(quote_ident(a.attname) order by a.attname) \
    filter (where a.attname is not null) from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
    left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
    where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and c.relname <> all ($1) \
    and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e') \
    group by 1";

const SEQUENCES: &str = "select quote_ident(n.nspname) || '.' || quote_ident(c.relname), s.seqincrement < 0 from pg_catalog.pg_sequence s \
    join pg_catalog.pg_class c on c.oid = s.seqrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname !~ '^pg_'";

impl Contents {
    /// Of the database that the session, a superuser's, is in.
    ///
    /// # Errors
    /// As the server says.
    pub async fn of(client: &Client) -> Result<Self, WorldError> {
        let failed = |error| world_error("look at the rows", &error);
        let mut found = Self::default();
        for row in client.query(TABLES, &[&HIDDEN]).await.map_err(failed)? {
            let (table, columns): (String, Option<Vec<String>>) = (row.get(0), row.get(1));
            let columns = columns.unwrap_or_default();
            let sums: String = columns
                .iter()
                .map(|column| {
                    format!(", sum(hashtextextended(coalesce('=' || t.{column}::text, ''), 0)::numeric)::text")
                })
                .collect();
            let query = format!(
                "select count(*), sum(hashtextextended(to_jsonb(t)::text, 0)::numeric)::text{sums} from only {table} t"
            );
            let row = client.query_one(&query, &[]).await.map_err(failed)?;
            let sum = |place: usize| row.get::<_, Option<String>>(place).unwrap_or_default();
            let columns = columns.into_iter().enumerate().map(|(place, column)| (column, sum(place + 2))).collect();
            found.tables.insert(table, Rows { count: row.get(0), whole: sum(1), columns });
        }
        for row in client.query(SEQUENCES, &[]).await.map_err(failed)? {
            let name: String = row.get(0);
            let query = format!("select last_value, is_called from {name}");
            let position = client.query_one(&query, &[]).await.map_err(failed)?;
            let position = Position { last: position.get(0), is_called: position.get(1), falls: row.get(1) };
            found.sequences.insert(name, position);
        }
        Ok(found)
    }

    /// How many rows there are.
    pub fn rows(&self) -> u64 {
        self.tables.values().map(|rows| u64::try_from(rows.count).unwrap_or_default()).sum()
    }

    /// What of it is not there any more, or not as it was.
    pub fn lost(&self, after: &Self) -> Vec<String> {
        let mut lost = Vec::new();
        for (table, was) in &self.tables {
            let Some(is) = after.tables.get(table) else {
                if was.count > 0 {
                    lost.push(format!("all {} rows of {table}", was.count));
                }
                continue;
            };
            if was.count != is.count {
                lost.push(format!("{table} has {} rows, had {}", is.count, was.count));
                continue;
            }
            let changed: Vec<&String> = was
                .columns
                .iter()
                .filter(|(name, hash)| is.columns.get(*name).is_none_or(|now| now != *hash))
                .map(|(name, _)| name)
                .collect();
            lost.extend(changed.iter().map(|column| format!("the values of {table}.{column}")));
            if changed.is_empty() && was.columns.len() == is.columns.len() && was.whole != is.whole {
                lost.push(format!("which values of {table} belong to one row"));
            }
        }
        for (name, was) in &self.sequences {
            let Some(is) = after.sequences.get(name) else { continue };
            let fell_back = if was.falls { is.last > was.last } else { is.last < was.last };
            if fell_back || (was.is_called && !is.is_called && was.last == is.last) {
                lost.push(format!("the position of sequence {name}: {}, was {}", is.last, was.last));
            }
        }
        lost
    }
}

/// Takes rows of the target's tables along: so many of each, and only those whose foreign keys they can keep. Sequences
/// stand where the target's stand.
///
/// # Errors
/// As the servers say.
pub async fn sample(target: &Client, here: &Client, rows: u64) -> Result<(), WorldError> {
    use futures_util::{SinkExt as _, StreamExt as _};
    let failed = |error| world_error("take rows of the target along", &error);
    here.batch_execute("begin; set local session_replication_role = replica; set local row_security = off")
        .await
        .map_err(failed)?;
    let statement = "select c.oid::regclass::text, string_agg(quote_ident(a.attname), ', ' order by a.attnum) from pg_catalog.pg_class c \
        join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' \
        join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_' \
        and n.nspname <> 'information_schema' and c.relname <> all ($1) \
        and not exists (select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::regclass and d.objid = c.oid and d.deptype = 'e') group by c.oid";
    for session in [target, here] {
        session.batch_execute("set search_path = ''").await.map_err(failed)?;
    }
    for row in here.query(statement, &[&HIDDEN]).await.map_err(failed)? {
        let (table, columns): (String, String) = (row.get(0), row.get(1));
        let copy = format!("copy (select {columns} from only {table} limit {rows}) to stdout");
        let mut from = std::pin::pin!(target.copy_out(&copy).await.map_err(failed)?);
        let mut into =
            std::pin::pin!(here.copy_in(&format!("copy {table} ({columns}) from stdin")).await.map_err(failed)?);
        while let Some(piece) = from.next().await {
            into.send(piece.map_err(failed)?).await.map_err(failed)?;
        }
        into.as_mut().finish().await.map_err(failed)?;
    }
    keep_whole(here).await?;
    for row in here.query(SEQUENCES, &[]).await.map_err(failed)? {
        let name: String = row.get(0);
        let at = target.query_one(&format!("select last_value, is_called from {name}"), &[]).await.map_err(failed)?;
        let statement =
            format!("select setval({}, {}, {})", quoting::literal(&name), at.get::<_, i64>(0), at.get::<_, bool>(1));
        here.batch_execute(&statement).await.map_err(failed)?;
    }
    here.batch_execute("commit; reset search_path").await.map_err(failed)
}

/// Removes rows whose foreign key leads to a row that was not taken along, until there are none.
async fn keep_whole(here: &Client) -> Result<(), WorldError> {
    let failed = |error| world_error("take rows of the target along", &error);
    let statement = "select format('delete from %s c where %s and not exists (select from %s p where %s)', c.conrelid::regclass, \
        string_agg(format('c.%I is not null', f.attname), ' and '), c.confrelid::regclass, string_agg(format('p.%I = c.%I', k.attname, f.attname), ' and ')) \
        from pg_catalog.pg_constraint c cross join lateral unnest(c.conkey, c.confkey) as u(own, other) \
        join pg_catalog.pg_attribute f on f.attrelid = c.conrelid and f.attnum = u.own join pg_catalog.pg_attribute k on k.attrelid = c.confrelid and k.attnum = u.other \
        where c.contype = 'f' and c.conparentid = 0 group by c.oid, c.conrelid, c.confrelid";
    let deletes: Vec<String> = here.query(statement, &[]).await.map_err(failed)?.iter().map(|row| row.get(0)).collect();
    loop {
        let mut gone = 0;
        for delete in &deletes {
            gone += here.execute(delete, &[]).await.map_err(failed)?;
        }
        if gone == 0 {
            return Ok(());
        }
    }
}
