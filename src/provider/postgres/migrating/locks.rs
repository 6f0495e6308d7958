//! Taking turns, and naming who stands in the way. Talks to the server.
//!
//! Invariant: nobody ever blocks in `pg_advisory_lock`: whoever waits there deadlocks with a concurrent index build.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use regex::Regex;
use tokio_postgres::{Client, SimpleQueryMessage};

use super::super::errors::world_error;
use crate::world::{ErrorClass, Progress, WorldError};

/// The key of the advisory lock that runners of one database take turns with: `switchba` in ASCII.
pub const KEY: i64 = 0x7377_6974_6368_6261;

static LITERAL: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"'[^']*'?|\$\w*\$.*").expect("the expression is a constant"));

const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LONGEST_PAUSE: Duration = Duration::from_millis(500);
const SAY_EVERY: Duration = Duration::from_secs(5);

/// Polls for our turn, and gives how long that took.
///
/// # Errors
/// When the turn does not come within `patience`: names who has it.
pub async fn take_turn(client: &Client, patience: Duration, progress: &dyn Progress) -> Result<Duration, WorldError> {
    let tried = "take the turn of migrations in this database";
    let failed = |error| world_error(tried, &error);
    let started = Instant::now();
    let mut said: Option<Instant> = None;
    let mut pause = FIRST_PAUSE;
    loop {
        if try_turn(client).await.map_err(failed)? {
            return Ok(started.elapsed());
        }
        let holder = holder(client).await.map_err(failed)?;
        if started.elapsed() >= patience {
            return Err(WorldError {
                tried: tried.to_owned(),
                cause: format!("another runner has it for longer than {} seconds: {holder}", patience.as_secs()),
                help: Some("wait for it, or end its session with pg_terminate_backend when it is dead".to_owned()),
                // It was waited for here: nobody needs to be patient once more.
                class: ErrorClass::Refused,
            });
        }
        if said.is_none_or(|said| said.elapsed() >= SAY_EVERY) {
            progress.say(&format!("waiting for another runner of migrations: {holder}"));
            said = Some(Instant::now());
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether our turn is to be had at once. Asked without a prepared statement: each migration asks at least once.
///
/// # Errors
/// As the server says.
pub async fn try_turn(client: &Client) -> Result<bool, tokio_postgres::Error> {
    let answer = client.simple_query(&format!("select pg_catalog.pg_try_advisory_lock({KEY})")).await?;
    Ok(answer.iter().any(|message| matches!(message, SimpleQueryMessage::Row(row) if row.get(0) == Some("t"))))
}

/// Gives the turn back at once, instead of when the session ends.
pub async fn give_turn_back(client: &Client) {
    if let Err(error) = client.query_one("select pg_advisory_unlock($1)", &[&KEY]).await {
        tracing::debug!(%error, "the turn was given back by the end of the session");
    }
}

async fn holder(client: &Client) -> Result<String, tokio_postgres::Error> {
    let statement = "select a.pid, coalesce(a.usename::text, '?'), coalesce(a.application_name, ''), \
                     coalesce(a.client_addr::text, 'local'), \
                     coalesce(extract(epoch from clock_timestamp() - a.query_start), 0)::float8, coalesce(a.query, '') \
                     from pg_locks l left join pg_stat_activity a on a.pid = l.pid \
                     where l.locktype = 'advisory' and l.granted and l.objsubid = 1 \
                     and l.database = (select oid from pg_database where datname = current_database()) \
                     and l.classid::int8 = $1 and l.objid::int8 = $2 limit 1";
    let (high, low) = (KEY >> 32, KEY & 0xffff_ffff);
    Ok(client
        .query_opt(statement, &[&high, &low])
        .await?
        .map_or_else(|| "who just gave it back".to_owned(), |row| describe(&row)))
}

/// Who keeps the session with this process id waiting; `None` when nobody does.
///
/// # Errors
/// As the server says.
pub async fn blockers(client: &Client, pid: i32) -> Result<Option<String>, tokio_postgres::Error> {
    let statement = "select a.pid, coalesce(a.usename::text, '?'), coalesce(a.application_name, ''), \
                     coalesce(a.client_addr::text, 'local'), \
                     coalesce(extract(epoch from clock_timestamp() - coalesce(a.xact_start, a.query_start)), 0)::float8, \
                     coalesce(a.query, '') \
                     from unnest(pg_blocking_pids($1)) as b(pid) join pg_stat_activity a on a.pid = b.pid \
                     order by a.xact_start nulls last limit 3";
    let rows = client.query(statement, &[&pid]).await?;
    let list = rows.iter().map(describe).collect::<Vec<_>>().join("; ");
    Ok((!rows.is_empty()).then_some(list))
}

/// Process, user, application, origin, age in seconds, query.
fn describe(row: &tokio_postgres::Row) -> String {
    let pid = row.get::<_, Option<i32>>(0).unwrap_or_default();
    let (user, application, from) = (row.get::<_, String>(1), row.get::<_, String>(2), row.get::<_, String>(3));
    let query = row.get::<_, String>(5).split_whitespace().collect::<Vec<_>>().join(" ");
    // Literals of other people's statements may be secrets.
    let query: String = LITERAL.replace_all(&query, "'…'").chars().take(120).collect();
    format!(
        "process {pid} of user {user}, application `{application}`, from {from}, for {:.1} s: `{query}`",
        row.get::<_, f64>(4)
    )
}
