//! The row itself, with real sessions on a real server.

use std::sync::Arc;
use std::time::Duration;

use switchback::migration::{Direction, Migration};
use switchback::provider::postgres::{Migrator, fingerprint_text};
use switchback::value::{Object, Value};
use switchback::world::{
    Clock, Databases as _, EffectError, ErrorClass, Fence, MigrationEffect, Settlement, Trace, WorldError,
};

use crate::postgres::{Heard, connection, effect, migration, session, value};
use crate::stack;

/// A clock that stands still: what it measures never runs out.
struct Still;

impl Clock for Still {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn uptime(&self) -> Duration {
        Duration::from_secs(1_000)
    }
}

fn lease(chain: &str, number: u64) -> Fence {
    let minute = Duration::from_secs(60);
    Fence::new(chain, number, &format!("holder {number}"), Still.uptime(), minute, Arc::new(Still))
}

fn under(fence: &Fence, one: &Migration, direction: Direction) -> MigrationEffect {
    let token = format!("{}n{}v{}", fence.chain(), fence.number(), one.version);
    MigrationEffect { fence: fence.clone(), ..effect(one, direction, &token) }
}

async fn run(url: &str, fence: &Fence, one: &Migration) -> Result<Object, EffectError> {
    Migrator::default().migrate(&connection(url), &under(fence, one, Direction::Up), &Heard::default()).await
}

async fn settle(url: &str, fence: &Fence, one: &Migration) -> Result<Settlement, WorldError> {
    Migrator::default().settle(&connection(url), &under(fence, one, Direction::Up)).await
}

fn table(version: i64) -> Migration {
    migration(version, "made", &format!("create table t{version} (a int)"), Some(&format!("drop table t{version}")))
}

const ROW: &str = "select chain || ' ' || number || ' ' || holder from switchback_fence";
const COUNT: &str = "select count(*) from refinery_schema_history";

/// Waits until a condition on `pg_stat_activity` holds, and gives the process.
async fn busy(url: &str, condition: &str) -> i32 {
    let client = session(url).await;
    let statement = format!(
        "select pid from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid() and {condition}"
    );
    for _ in 0..250 {
        if let Some(row) = client.query_opt(&statement, &[]).await.unwrap() {
            return row.get(0);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("never: {condition}");
}

#[tokio::test]
async fn a_lower_lease_sends_nothing_more() {
    let url = stack::shared().new_database("fence");
    run(&url, &lease("c", 7), &table(1)).await.unwrap();
    assert_eq!(value(&url, ROW).await, "c 7 holder 7");
    let before = fingerprint_text(&connection(&url)).await.unwrap();
    assert!(!before.contains("switchback_fence"), "{before}");
    let late = run(&url, &lease("c", 6), &table(2)).await.expect_err("a later lease is in force");
    assert_eq!((late.trace, late.error.class), (Trace::Nothing, ErrorClass::Fenced), "{late}");
    assert!(late.error.cause.contains("lease 7, which holder 7 took"), "{late}");
    let late = settle(&url, &lease("c", 6), &table(1)).await.expect_err("a later lease is in force");
    assert_eq!(late.class, ErrorClass::Fenced, "{late}");
    assert_eq!(value(&url, ROW).await, "c 7 holder 7", "it is never lowered");
    assert_eq!(value(&url, "select to_regclass('t2')").await, "");
    // A later one raises it, also when it only settles; the same one again leaves it.
    assert_eq!(settle(&url, &lease("c", 9), &table(1)).await.unwrap(), Settlement::Done(Object::new()));
    run(&url, &lease("c", 9), &table(2)).await.unwrap();
    assert_eq!(value(&url, ROW).await, "c 9 holder 9");
    // What has no lease, as a test or another tool's run, is in nobody's way.
    Migrator::default()
        .migrate(&connection(&url), &effect(&table(3), Direction::Up, "open"), &Heard::default())
        .await
        .unwrap();
    assert_eq!(value(&url, COUNT).await, "3");
}

#[tokio::test]
async fn a_lease_that_is_over_sends_nothing() {
    let url = stack::shared().new_database("over");
    let fence = lease("c", 1);
    fence.close();
    let late = run(&url, &fence, &table(1)).await.expect_err("it is over");
    assert_eq!((late.trace, late.error.class), (Trace::Nothing, ErrorClass::Fenced), "{late}");
    assert_eq!(value(&url, "select to_regclass('switchback_fence')").await, "");
}

#[tokio::test]
async fn the_row_is_compared_right_before_the_commit() {
    let url = stack::shared().new_database("commit");
    let slow = migration(1, "slow", "create table slow (); select pg_sleep(1)", Some("drop table slow"));
    let task = tokio::spawn({
        let (url, slow) = (url.clone(), slow.clone());
        async move { run(&url, &lease("c", 3), &slow).await }
    });
    busy(&url, "wait_event = 'PgSleep'").await;
    // As a later holder does, who could not end the session yet.
    session(&url).await.batch_execute("update switchback_fence set number = 4, holder = 'another'").await.unwrap();
    let fenced = task.await.unwrap().expect_err("it must not commit");
    assert_eq!((fenced.trace, fenced.error.class), (Trace::Nothing, ErrorClass::Fenced), "{fenced}");
    assert!(fenced.error.cause.contains("lease 4, which another took"), "{fenced}");
    assert_eq!(value(&url, "select to_regclass('slow')").await, "", "nothing of it was committed");
    assert_eq!(value(&url, COUNT).await, "0");
}

#[tokio::test]
async fn outside_of_a_transaction_it_is_compared_before_and_after() {
    let url = stack::shared().new_database("outside");
    session(&url).await.batch_execute("create table t (a int)").await.unwrap();
    let text = "-- switchback: transaction off\ncreate index concurrently i on t (a)";
    let index = migration(1, "index", text, None);
    let writer = session(&url).await;
    writer.batch_execute("begin; insert into t values (1)").await.unwrap();
    let task = tokio::spawn({
        let (url, index) = (url.clone(), index.clone());
        let patience = Duration::from_secs(30);
        let effect = MigrationEffect { lock_timeout: patience, ..under(&lease("c", 3), &index, Direction::Up) };
        async move { Migrator::default().migrate(&connection(&url), &effect, &Heard::default()).await }
    });
    busy(&url, "wait_event_type = 'Lock' and query like '%create index concurrently%'").await;
    session(&url).await.batch_execute("update switchback_fence set number = 4, holder = 'another'").await.unwrap();
    writer.batch_execute("commit").await.unwrap();
    let fenced = task.await.unwrap().expect_err("the lease is over");
    assert_eq!((fenced.trace, fenced.error.class), (Trace::Unknown, ErrorClass::Fenced), "{fenced}");
    assert_eq!(value(&url, COUNT).await, "0", "the row is for whoever has the lease to write");
    let before = run(&url, &lease("c", 3), &index).await.expect_err("the lease is over");
    assert_eq!((before.trace, before.error.class), (Trace::Nothing, ErrorClass::Fenced), "{before}");
    assert_eq!(settle(&url, &lease("c", 5), &index).await.unwrap(), Settlement::Done(Object::new()));
    assert_eq!(value(&url, COUNT).await, "1");
}

#[tokio::test]
async fn whoever_takes_over_ends_the_session_that_was_left() {
    let url = stack::shared().new_database("takeover");
    let slow = migration(1, "slow", "create table slow (); select pg_sleep(60)", None);
    let task = tokio::spawn({
        let (url, slow) = (url.clone(), slow.clone());
        async move { run(&url, &lease("c", 3), &slow).await }
    });
    let process = busy(&url, "wait_event = 'PgSleep'").await;
    let heard = Heard::default();
    // Another step of the run that takes over, with another token.
    let next = under(&lease("c", 8), &table(1), Direction::Up);
    Migrator::default().migrate(&connection(&url), &next, &heard).await.unwrap();
    let said = heard.text();
    assert!(said.contains(&format!("ending session {process} of holder 3: its lease 3 is over")), "{said}");
    let ended = task.await.unwrap().expect_err("its session was ended");
    assert_eq!((ended.trace, ended.error.class), (Trace::Nothing, ErrorClass::Transient), "{ended}");
    assert_eq!(value(&url, COUNT).await, "1");
}

#[tokio::test]
async fn a_session_that_stopped_between_the_look_and_its_commit_is_ended_too() {
    let url = stack::shared().new_database("between");
    run(&url, &lease("c", 3), &table(1)).await.unwrap();
    let stopped = session(&format!("{url}?application_name=switchback%20x")).await;
    let sit = "update switchback_fence set backend = pg_backend_pid(), backend_number = 3, \
               since = (select backend_start from pg_stat_activity where pid = pg_backend_pid())";
    stopped.batch_execute(sit).await.unwrap();
    stopped.batch_execute("begin; create table late (); select from switchback_fence for share").await.unwrap();
    let started = std::time::Instant::now();
    run(&url, &lease("c", 4), &table(2)).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(8), "{:?}", started.elapsed());
    stopped.batch_execute("commit").await.expect_err("its session is gone");
    assert_eq!(value(&url, "select to_regclass('late')").await, "");
    assert_eq!(value(&url, ROW).await, "c 4 holder 4");
}

#[tokio::test]
async fn only_the_very_session_that_is_recorded_is_ended() {
    let url = stack::shared().new_database("another");
    run(&url, &lease("c", 3), &table(1)).await.unwrap();
    let other = session(&format!("{url}?application_name=switchback%20y")).await;
    // The number of the process that migrated is another's by now.
    let process: i32 = other.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    session(&url).await.execute("update switchback_fence set backend = $1", &[&process]).await.unwrap();
    run(&url, &lease("c", 4), &table(2)).await.unwrap();
    other.batch_execute("select 1").await.expect("it is nobody's business");
    // Another chain in the same database has a row of its own.
    run(&url, &lease("d", 1), &table(3)).await.unwrap();
    run(&url, &lease("c", 4), &table(4)).await.unwrap();
    assert_eq!(value(&url, "select count(*) from switchback_fence").await, "2");
}

#[tokio::test]
async fn who_may_not_end_the_session_says_what_to_type() {
    let url = stack::shared().new_database("rights");
    let role = stack::unique("it_small");
    let admin = session(&url).await;
    admin
        .batch_execute(&format!(
            "create role {role} login password 'small'; grant create, usage on schema public to {role}"
        ))
        .await
        .unwrap();
    let mut small = connection(&url);
    small.settings.insert("user".to_owned(), Value::from(role.as_str()));
    small.settings.insert("password".to_owned(), Value::from("small").sensitive());
    let first = under(&lease("c", 1), &table(1), Direction::Up);
    Migrator::default().migrate(&small, &first, &Heard::default()).await.unwrap();
    // The session that is left is another's, as after a change of the connection's user.
    let left = session(&format!("{url}?application_name=switchback%20z")).await;
    let process: i32 = left.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let sit = "update switchback_fence set backend = pg_backend_pid(), since = null";
    left.batch_execute(sit).await.unwrap();
    let second = under(&lease("c", 2), &table(2), Direction::Up);
    let denied = Migrator::default().migrate(&small, &second, &Heard::default()).await.expect_err("it may not");
    assert_eq!((denied.trace, denied.error.class), (Trace::Nothing, ErrorClass::Denied), "{denied}");
    let help = denied.error.help.unwrap();
    assert!(help.contains(&format!("select pg_terminate_backend({process});")), "{help}");
    assert_eq!(value(&url, "select to_regclass('t2')").await, "");
    admin.batch_execute(&format!("select pg_terminate_backend({process})")).await.unwrap();
    Migrator::default().migrate(&small, &second, &Heard::default()).await.unwrap();
    admin.batch_execute(&format!("drop owned by {role}; drop role {role}")).await.unwrap();
}

#[tokio::test]
async fn the_ledger_hears_how_many_rows_each_statement_wrote() {
    let url = stack::shared().new_database("rows");
    let text = "create table t (a int); insert into t select generate_series(1, 20);\n\
                update t set a = 0 where a > 15; select * from t; delete from t where a = 1 returning a;\n\
                create table u as select * from t where a > 10";
    let facts = run(&url, &lease("c", 1), &migration(1, "rows", text, None)).await.unwrap();
    assert_eq!(facts["rows"], Value::from(20_i64 + 5 + 1 + 5), "{facts:?}");
    assert_eq!(facts["statements"], Value::from(6_i64));
    let each: Vec<(i64, i64)> = facts["each"]
        .items()
        .unwrap()
        .iter()
        .map(|one| {
            let number = |name: &str| one.entries().unwrap()[name].as_i64().unwrap();
            assert!(number("duration_ms") >= 0);
            (number("statement"), number("rows"))
        })
        .collect();
    assert_eq!(each, [(1, 0), (2, 20), (3, 5), (4, 0), (5, 1), (6, 5)]);
}
