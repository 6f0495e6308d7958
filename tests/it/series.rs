//! Many migrations right after one another: they share a session, and nothing else.

use std::time::Duration;

use switchback::migration::Direction;
use switchback::provider::postgres::Migrator;
use switchback::value::Object;
use switchback::world::{Databases as _, EffectError, Series, Trace};

use crate::postgres::{Heard, connection, effect, migration, session, up, value};
use crate::stack;

/// One migration of a series.
async fn next(series: &mut Box<dyn Series>, url: &str, version: i64, text: &str) -> Result<Object, EffectError> {
    let one = migration(version, &format!("m{version}"), text, Some("select 1"));
    let effect = effect(&one, Direction::Up, &format!("series{version}"));
    series.migrate(&connection(url), &effect, &Heard::default()).await
}

fn series() -> Box<dyn Series> {
    Migrator::default().series().unwrap()
}

/// Notes the session that a migration runs in.
const NOTE: &str = "insert into public.ran select pg_backend_pid(), current_setting('application_name')";

/// A database with a table for notes, which the first migration of a series has made.
async fn begun(prefix: &str) -> (String, Box<dyn Series>) {
    let url = stack::shared().new_database(prefix);
    let mut series = series();
    next(&mut series, &url, 1, &format!("create table ran (process int, name text); {NOTE}")).await.unwrap();
    (url, series)
}

#[tokio::test]
async fn nothing_of_a_migration_is_left_in_the_session_of_the_next() {
    let (url, mut series) = begun("series_clean").await;
    let leaves = format!(
        "create schema app; set search_path = app; create temp table rest (a int); prepare it as select 1; \
         set work_mem = '3MB'; select pg_advisory_lock(4711); listen it; \
         declare rest cursor with hold for select 1; {NOTE}"
    );
    next(&mut series, &url, 2, &leaves).await.unwrap();
    let looks = format!(
        "create table found as select current_setting('search_path') path, current_setting('work_mem') memory, \
         to_regclass('rest') is not null temporary, (select count(*) from pg_prepared_statements where name = 'it') prepared, \
         (select count(*) from pg_cursors) cursors, (select count(*) from pg_listening_channels()) channels; {NOTE}"
    );
    next(&mut series, &url, 3, &looks).await.unwrap();
    let found = "select concat_ws('|', path, memory, temporary, prepared, cursors, channels) from public.found";
    assert_eq!(value(&url, found).await, "\"$user\", public|4MB|f|0|0|0");
    assert_eq!(value(&url, "select count(*) from pg_locks where locktype = 'advisory' and objid = 4711").await, "0");
    assert_eq!(value(&url, "select count(distinct process) from ran").await, "1", "they share a session");
    let names = "select string_agg(name, ',' order by name) from ran";
    assert_eq!(value(&url, names).await, "switchback series1,switchback series2,switchback series3");
    assert_eq!(value(&url, "select count(*) from refinery_schema_history").await, "3");
    // Who is not the turn's holder between two of them keeps nobody waiting.
    let other = migration(4, "other", "select 1", None);
    tokio::time::timeout(Duration::from_secs(20), up(&url, &other)).await.unwrap();
}

#[tokio::test]
async fn what_new_sessions_are_told_reaches_the_next_migration() {
    let (url, mut series) = begun("series_told").await;
    let database = value(&url, "select current_database()").await;
    let tells = format!("create schema app; alter database {database} set search_path = app, public; {NOTE}");
    next(&mut series, &url, 2, &tells).await.unwrap();
    // The history stays where it was found first: the search path of the database leads there as well.
    next(&mut series, &url, 3, &format!("create table here (); {NOTE}")).await.unwrap();
    assert_eq!(value(&url, "select to_regclass('app.here') is not null").await, "true");
    assert_eq!(value(&url, "select count(distinct process) from ran").await, "2");
}

#[tokio::test]
async fn what_others_did_in_between_is_seen() {
    let (url, mut series) = begun("series_others").await;
    for version in [2, 3] {
        next(&mut series, &url, version, NOTE).await.unwrap();
    }
    up(&url, &migration(4, "m4", "create table four ()", None)).await;
    let error = next(&mut series, &url, 4, "create table four ()").await.unwrap_err();
    assert_eq!(error.trace, Trace::Nothing);
    assert!(error.error.cause.contains("is applied already"), "{error}");
    up(&url, &migration(6, "m6", NOTE, None)).await;
    let error = next(&mut series, &url, 5, NOTE).await.unwrap_err();
    assert!(error.error.cause.contains("version 6 is applied already, and versions go upwards"), "{error}");
    // A table that is not the one that was looked at is looked at anew.
    next(&mut series, &url, 7, NOTE).await.unwrap();
    next(&mut series, &url, 8, NOTE).await.unwrap();
    let moved = "create table kept (like refinery_schema_history including all); \
                 insert into kept select * from refinery_schema_history where version < 3; \
                 drop table refinery_schema_history; alter table kept rename to refinery_schema_history; \
                 alter table refinery_schema_history alter version type int8";
    session(&url).await.batch_execute(moved).await.unwrap();
    let version = 1 + i64::from(i32::MAX);
    next(&mut series, &url, version, NOTE).await.unwrap();
    assert_eq!(value(&url, "select max(version) from refinery_schema_history").await, version.to_string());
}

#[tokio::test]
async fn a_session_that_is_gone_is_replaced() {
    let (url, mut series) = begun("series_gone").await;
    let ended = "select count(*) from (select pg_terminate_backend(process) from ran) t";
    assert_eq!(value(&url, ended).await, "1");
    while value(&url, "select count(*) from pg_stat_activity a join ran on a.pid = process").await != "0" {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    next(&mut series, &url, 2, NOTE).await.unwrap();
    assert_eq!(value(&url, "select count(distinct process) from ran").await, "2");
    // A migration that fails leaves a session that nobody uses any more, and the turn is free.
    let error = next(&mut series, &url, 3, "select nothing").await.unwrap_err();
    assert_eq!(error.trace, Trace::Nothing, "{error}");
    up(&url, &migration(3, "m3", "select 1", None)).await;
    next(&mut series, &url, 4, NOTE).await.unwrap();
    assert_eq!(value(&url, "select count(distinct process) from ran").await, "3");
}
