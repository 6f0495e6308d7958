//! What estimates need to know of the target: what its relations consist of, how much they are read and written, its
//! settings. Talks to the server, read-only.
//!
//! Invariant: the session was told to be read-only before; nobody is waited for who holds a lock.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::errors::has_code;
use super::observation::written;
use crate::world::{IndexSize, Measure, ServerSettings, Since, Traffic, Width};

/// Between two looks at the counters: a server's sessions report what they did once a second.
const APART: Duration = Duration::from_millis(1100);
/// Traffic below this rate is not worth a second look.
const BUSY_PER_SECOND: f64 = 10.0;

/// The relations that were asked for and that hold rows or are read as if they did, and the rows of those that are there.
const ASKED: &str = "with asked as (select distinct on (c.oid) a.name, c.* from unnest($1::text[]) as a(name) \
     join pg_catalog.pg_class c on c.oid = pg_catalog.to_regclass(a.name) where c.relkind in ('r', 'm', 'p', 'v', 'f'))";
/// What a file holds, of the relation with an alias.
const MEASURED: &str = "pg_catalog.pg_relation_size(OF.oid)";
/// What it held when it was last looked through.
const REMEMBERED: &str = "(pg_catalog.current_setting('block_size')::int8 * OF.relpages)";

/// What each of these relations consists of, by itself; and its traffic.
///
/// # Errors
/// As the server says.
pub async fn of(client: &Client, relations: &BTreeSet<String>) -> Result<BTreeMap<String, Measure>, Error> {
    if relations.is_empty() {
        return Ok(BTreeMap::new());
    }
    // Whoever measures a file looks at its table as a reader does: not for long, when somebody keeps readers out.
    client.batch_execute("set lock_timeout = 200").await?;
    let mut found = match files(client, relations, MEASURED).await {
        Err(error) if has_code(&error, &SqlState::LOCK_NOT_AVAILABLE) => files(client, relations, REMEMBERED).await?,
        done => done?,
    };
    columns(client, relations, &mut found).await?;
    traffic(client, relations, &mut found).await?;
    Ok(found)
}

async fn files(client: &Client, relations: &BTreeSet<String>, bytes: &str) -> Result<BTreeMap<String, Measure>, Error> {
    let of = |alias: &str| bytes.replace("OF", alias);
    // As the planner does it: so many rows as there were on a page when it was last looked through, times the pages now.
    let statement = format!(
        "{ASKED} select c.name, {heap}::int8, coalesce({toast} + {toast_index}, 0)::int8, \
         case when c.relkind not in ('r', 'm') then 0 when c.reltuples < 0 then null when c.relpages = 0 then c.reltuples \
         else c.reltuples / c.relpages * ({heap} / pg_catalog.current_setting('block_size')::float8) end::float8, \
         pg_catalog.pg_stat_get_live_tuples(c.oid)::float8 \
         from asked c left join pg_catalog.pg_class t on t.oid = c.reltoastrelid \
         left join pg_catalog.pg_index ti on ti.indrelid = t.oid left join pg_catalog.pg_class tc on tc.oid = ti.indexrelid",
        heap = format!("case when c.relkind in ('r', 'm') then {} else 0 end", of("c")),
        toast = of("t"),
        toast_index = of("tc"),
    );
    let names: Vec<&String> = relations.iter().collect();
    let mut found = BTreeMap::new();
    for row in client.query(&statement, &[&names]).await? {
        let heap_bytes = natural(row.get(1));
        let counted: Option<f64> = row.get(3);
        let live: f64 = row.get::<_, Option<f64>>(4).unwrap_or(0.0);
        let rows = match counted {
            _ if heap_bytes == 0 => Some(0),
            Some(rows) => Some(whole(rows)),
            // Never looked through, but whoever wrote said how many.
            None if live > 0.0 => Some(whole(live)),
            None => None,
        };
        let measure = Measure { heap_bytes, toast_bytes: natural(row.get(2)), rows, ..Measure::default() };
        found.insert(row.get(0), measure);
    }
    let statement = format!(
        "{ASKED} select c.name, n.nspname::text, x.relname::text, m.amname::text, \
         (case when x.relkind = 'i' then {} else 0 end)::int8 from asked c \
         join pg_catalog.pg_index i on i.indrelid = c.oid join pg_catalog.pg_class x on x.oid = i.indexrelid \
         join pg_catalog.pg_namespace n on n.oid = x.relnamespace join pg_catalog.pg_am m on m.oid = x.relam",
        of("x")
    );
    for row in client.query(&statement, &[&names]).await? {
        let Some(measure) = found.get_mut(row.get::<_, &str>(0)) else { continue };
        let index = IndexSize { bytes: natural(row.get(4)), method: row.get(3) };
        measure.indexes.insert(written(row.get(1), row.get(2)), index);
    }
    Ok(found)
}

/// How wide columns are: by the statistics, as far as the login may see them, else by their types.
async fn columns(
    client: &Client,
    relations: &BTreeSet<String>,
    found: &mut BTreeMap<String, Measure>,
) -> Result<(), Error> {
    let statement = format!(
        "{ASKED} select c.name, a.attname::text, s.avg_width, a.attlen::int4 from asked c \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
         left join pg_catalog.pg_stats s on s.schemaname = n.nspname and s.tablename = c.relname \
         and s.attname = a.attname and not s.inherited"
    );
    found.values_mut().for_each(|measure| measure.all_columns = true);
    let names: Vec<&String> = relations.iter().collect();
    for row in client.query(&statement, &[&names]).await? {
        let Some(measure) = found.get_mut(row.get::<_, &str>(0)) else { continue };
        let (average, length): (Option<i32>, i32) = (row.get(2), row.get(3));
        let bytes = if length > 0 { Some(length) } else { average };
        match bytes.and_then(|bytes| u32::try_from(bytes).ok()) {
            Some(bytes) => drop(measure.columns.insert(row.get(1), Width { bytes, varies: length <= 0 })),
            None => measure.all_columns = false,
        }
    }
    Ok(())
}

/// What was read and written so far, by relation.
type Counted = BTreeMap<String, (f64, f64)>;

async fn counted(client: &Client, relations: &BTreeSet<String>) -> Result<Counted, Error> {
    let statement = format!(
        "{ASKED} select c.name, (coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0))::float8, \
         (s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::float8 \
         from asked c join pg_catalog.pg_stat_all_tables s on s.relid = c.oid"
    );
    let names: Vec<&String> = relations.iter().collect();
    let rows = client.query(&statement, &[&names]).await?;
    Ok(rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))).collect())
}

async fn traffic(
    client: &Client,
    relations: &BTreeSet<String>,
    found: &mut BTreeMap<String, Measure>,
) -> Result<(), Error> {
    let first = counted(client, relations).await?;
    let statement = "select extract(epoch from clock_timestamp() - d.stats_reset)::float8, \
         extract(epoch from clock_timestamp() - pg_catalog.pg_postmaster_start_time())::float8 \
         from pg_catalog.pg_stat_database d where d.datname = current_database()";
    let Some(row) = client.query_opt(statement, &[]).await? else { return Ok(()) };
    let (reset, started): (Option<f64>, f64) = (row.get(0), row.get::<_, f64>(1).max(1.0));
    let busy = first.values().any(|(reads, writes)| reads.max(*writes) / started >= BUSY_PER_SECOND);
    let (counts, seconds, since) = match reset.filter(|seconds| *seconds >= 1.0) {
        Some(seconds) => (first, seconds, Since::Reset { seconds: tenths(seconds) }),
        // A counter is zero when the server is new or has crashed: it cannot have counted for less than since then.
        None if !busy => (first, started, Since::Started { seconds: tenths(started) }),
        None => {
            let begun = Instant::now();
            tokio::time::sleep(APART).await;
            let second = counted(client, relations).await?;
            let seconds = begun.elapsed().as_secs_f64();
            (difference(&first, second), seconds, Since::Sampled { seconds: tenths(seconds) })
        }
    };
    for (name, (reads, writes)) in counts {
        let Some(measure) = found.get_mut(&name) else { continue };
        let rate = |count: f64| rounded(count / seconds);
        measure.traffic = Some(Traffic { reads_per_second: rate(reads), writes_per_second: rate(writes), since });
    }
    Ok(())
}

fn difference(first: &Counted, second: Counted) -> Counted {
    let since = |(name, (reads, writes)): (String, (f64, f64))| {
        let before = first.get(&name).copied().unwrap_or((reads, writes));
        // A reset in between makes them smaller.
        (name, ((reads - before.0).max(0.0), (writes - before.1).max(0.0)))
    };
    second.into_iter().map(since).collect()
}

/// The settings that matter.
///
/// # Errors
/// As the server says.
pub async fn settings(client: &Client) -> Result<ServerSettings, Error> {
    let statement = "select name, case when unit in ('B', 'kB', '8kB', '16kB', '32kB', 'MB') \
         then pg_catalog.pg_size_bytes(pg_catalog.current_setting(name))::text else setting end \
         from pg_catalog.pg_settings where name in ('max_wal_size', 'maintenance_work_mem', 'shared_buffers', \
         'max_parallel_maintenance_workers', 'wal_level', 'synchronous_standby_names', 'full_page_writes')";
    let mut found = ServerSettings::default();
    for row in client.query(statement, &[]).await? {
        let value: String = row.get::<_, Option<String>>(1).unwrap_or_default();
        match row.get::<_, &str>(0) {
            "max_wal_size" => found.max_wal_bytes = value.parse().ok(),
            "maintenance_work_mem" => found.maintenance_bytes = value.parse().ok(),
            "shared_buffers" => found.shared_buffers_bytes = value.parse().ok(),
            "max_parallel_maintenance_workers" => found.maintenance_workers = value.parse().ok(),
            "wal_level" => found.wal_level = value,
            "synchronous_standby_names" => found.synchronous_standby_names = value,
            "full_page_writes" => found.full_page_writes = Some(value == "on"),
            _ => {}
        }
    }
    Ok(found)
}

fn natural(bytes: i64) -> u64 {
    u64::try_from(bytes).unwrap_or(0)
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an estimate, and never below zero")]
fn whole(estimate: f64) -> u64 {
    estimate.max(0.0).round() as u64
}

/// More than that nobody reads, and what is saved comes back digit by digit.
fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

/// Three digits, for the same reason.
fn rounded(rate: f64) -> f64 {
    format!("{rate:.2e}").parse().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_in_between_is_never_below_zero() {
        let of = |name: &str, reads, writes| (name.to_owned(), (reads, writes));
        let first = BTreeMap::from([of("a", 5.0, 9.0), of("b", 100.0, 1.0)]);
        let second = BTreeMap::from([of("a", 8.0, 9.0), of("b", 2.0, 3.0), of("c", 7.0, 7.0)]);
        let found = difference(&first, second);
        assert_eq!(found, BTreeMap::from([of("a", 3.0, 0.0), of("b", 0.0, 2.0), of("c", 0.0, 0.0)]));
        assert_eq!((rounded(1234.567), rounded(0.0), tenths(1.26)), (1230.0, 0.0, 1.3));
    }
}
