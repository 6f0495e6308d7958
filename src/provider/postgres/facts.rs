//! What the target itself says: sizes, who waits, who takes long, which replicas lag; and what its catalogs foretell of a
//! statement. Talks to the server, read-only.
//!
//! Invariant: every transaction is read-only, and literals of other people's statements stay where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use regex::Regex;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::connection::open;
use super::errors::{has_code, world_error};
use super::measures;
use super::observation::view;
use super::settings::Target;
use crate::migration::catalog::Catalog;
use crate::migration::catalog::slice::matters;
use crate::migration::predict::{self, Foreseen};
use crate::migration::statements::Script;
use crate::world::{LongTransaction, Replica, Size, TargetFacts, WaitingSession, WorldError};

/// A transaction that is open for longer than this many seconds is told of.
const LONG_SECONDS: f64 = 5.0;

/// Who asks is in nobody's way, and does not wait for who is.
const MODEST: &str = "set default_transaction_read_only = on; set statement_timeout = 5000; set lock_timeout = 1000";

/// Literals of other people's statements may be secrets.
static LITERAL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"'(?:[^']|'')*'?|\$\w*\$.*").expect("the pattern is right"));

/// Reads the facts about these relations, and about who is at work.
///
/// # Errors
/// As the way to the server or the server says.
pub async fn read(target: &Target, relations: &BTreeSet<String>) -> Result<TargetFacts, WorldError> {
    let tried = format!("read what {target} says about itself");
    let failed = |error| world_error(&tried, &error);
    let client = open(target).await?;
    client.batch_execute(MODEST).await.map_err(failed)?;
    let server = client.query_one("select current_setting('server_version')", &[]).await.map_err(failed)?;
    let server: String = server.get(0);
    let measures = measures::of(&client, relations).await.map_err(failed)?;
    Ok(TargetFacts {
        measures,
        settings: measures::settings(&client).await.map_err(failed)?,
        server: server.split(' ').next().unwrap_or_default().to_owned(),
        sizes: sizes(&client, relations).await.map_err(failed)?,
        waiting: waiting(&client).await.map_err(failed)?,
        long: long(&client).await.map_err(failed)?,
        replicas: replicas(&client).await.map_err(failed)?,
    })
}

/// What the catalogs foretell of the statements of each text.
///
/// # Errors
/// As the way to the server or the server says.
pub async fn foresee(target: &Target, texts: &[&str]) -> Result<Vec<Vec<Foreseen>>, WorldError> {
    let tried = format!("read the catalogs of {target}");
    let failed = |error| world_error(&tried, &error);
    let client = open(target).await?;
    client.batch_execute(MODEST).await.map_err(failed)?;
    let row = client.query_one("select current_setting('server_version_num')::int4 / 10000", &[]).await;
    let version: i32 = row.map_err(failed)?.get(0);
    let catalog = view::read(&client).await.map_err(failed)?;
    let version = u32::try_from(version).unwrap_or_default();
    Ok(texts.iter().map(|text| told(text, &catalog, version)).collect())
}

/// What is foretold of a text, each statement with what the catalogs say of what it names.
fn told(text: &str, catalog: &Catalog, version: u32) -> Vec<Foreseen> {
    let mut found = predict::predict_text(text, catalog, version);
    let statements = Script::parse(text).map(|script| script.statements).unwrap_or_default();
    for (seen, statement) in found.iter_mut().zip(&statements).filter(|(_, statement)| matters(statement)) {
        if let Ok(seen) = seen {
            seen.before = Some(Box::new(catalog.slice(statement)));
        }
    }
    found
}

/// Whoever measures a file looks at its table as a reader does: not for long, when somebody keeps readers out.
const PATIENCE: &str = "set lock_timeout = 200";
/// What the files hold.
const MEASURED: &str = "pg_total_relation_size(c.oid)";
/// What they held when they were last looked through; nobody is waited for.
const REMEMBERED: &str = "current_setting('block_size')::int8 * (c.relpages + coalesce((select sum(o.relpages) from pg_class o \
     left join pg_index i on i.indexrelid = o.oid \
     where i.indrelid in (c.oid, c.reltoastrelid) or o.oid = c.reltoastrelid), 0))";

async fn sizes(client: &Client, relations: &BTreeSet<String>) -> Result<BTreeMap<String, Size>, Error> {
    client.batch_execute(PATIENCE).await?;
    match sizes_by(client, relations, MEASURED).await {
        Err(error) if has_code(&error, &SqlState::LOCK_NOT_AVAILABLE) => sizes_by(client, relations, REMEMBERED).await,
        done => done,
    }
}

/// Sizes with those of partitions; rows are the estimates of the last ANALYZE or VACUUM.
async fn sizes_by(client: &Client, relations: &BTreeSet<String>, bytes: &str) -> Result<BTreeMap<String, Size>, Error> {
    let statement = format!(
        "with recursive asked as (select name, to_regclass(name) as root from unnest($1::text[]) as a(name)), \
         parts as (select name, root::oid as part from asked where root is not null union all \
         select p.name, i.inhrelid from parts p join pg_inherits i on i.inhparent = p.part) \
         select p.name, coalesce(sum({bytes}), 0)::int8, \
         sum(c.reltuples) filter (where c.relkind in ('r', 'm'))::float8, \
         coalesce(bool_or(c.reltuples < 0) filter (where c.relkind in ('r', 'm')), true) \
         from parts p join pg_class c on c.oid = p.part group by p.name"
    );
    let names: Vec<&String> = relations.iter().collect();
    let rows = client.query(&statement, &[&names]).await?;
    let size = |row: &tokio_postgres::Row| {
        let rows = row.get::<_, Option<f64>>(2).filter(|_| !row.get::<_, bool>(3));
        Size { rows: rows.map(whole), bytes: u64::try_from(row.get::<_, i64>(1)).unwrap_or(0) }
    };
    Ok(rows.iter().map(|row| (row.get(0), size(row))).collect())
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate, and never below zero")]
fn whole(estimate: f64) -> u64 {
    estimate.max(0.0) as u64
}

/// More than that nobody reads, and what is saved comes back digit by digit.
fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

async fn waiting(client: &Client) -> Result<Vec<WaitingSession>, Error> {
    let statement = "select a.pid, extract(epoch from clock_timestamp() - coalesce(a.query_start, now()))::float8, \
         pg_blocking_pids(a.pid), coalesce(a.query, '') from pg_stat_activity a \
         where a.datname = current_database() and a.wait_event_type = 'Lock' order by a.query_start limit 20";
    let rows = client.query(statement, &[]).await?;
    let session = |row: &tokio_postgres::Row| WaitingSession {
        process: row.get(0),
        seconds: tenths(row.get(1)),
        waits_for: row.get(2),
        query: shown(row.get(3)),
    };
    Ok(rows.iter().map(session).collect())
}

async fn long(client: &Client) -> Result<Vec<LongTransaction>, Error> {
    let statement = "select a.pid, coalesce(a.usename::text, '?'), coalesce(a.application_name, ''), \
         extract(epoch from clock_timestamp() - a.xact_start)::float8, coalesce(a.query, '') from pg_stat_activity a \
         where a.datname = current_database() and a.pid <> pg_backend_pid() \
         and a.xact_start < clock_timestamp() - make_interval(secs => $1) order by a.xact_start limit 20";
    let rows = client.query(statement, &[&LONG_SECONDS]).await?;
    let transaction = |row: &tokio_postgres::Row| LongTransaction {
        process: row.get(0),
        user: row.get(1),
        application: row.get(2),
        seconds: tenths(row.get(3)),
        query: shown(row.get(4)),
    };
    Ok(rows.iter().map(transaction).collect())
}

async fn replicas(client: &Client) -> Result<Vec<Replica>, Error> {
    // Who may not see the replicas sees rows without places; a replica itself has no place of its own to compare with.
    let statement = "select coalesce(application_name, ''), \
         case when pg_is_in_recovery() then null else pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)::float8 end, \
         extract(epoch from replay_lag)::float8 from pg_stat_replication order by 1 limit 20";
    let rows = client.query(statement, &[]).await?;
    let replica = |row: &tokio_postgres::Row| Replica {
        name: row.get(0),
        lag_bytes: row.get::<_, Option<f64>>(1).map(whole),
        lag_seconds: row.get::<_, Option<f64>>(2).map(tenths),
    };
    Ok(rows.iter().map(replica).collect())
}

fn shown(query: String) -> String {
    let line = query.split_whitespace().collect::<Vec<_>>().join(" ");
    LITERAL.replace_all(&line, "'…'").chars().take(120).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_not_shown() {
        let query = "update t set\n a = 'se''cret', b = $x$more$x$ where c = 1".to_owned();
        assert_eq!(shown(query), "update t set a = '…', b = '…'");
    }
}
