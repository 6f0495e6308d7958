//! Migrations that were interrupted, and what settling says of them.

use std::time::Duration;

use switchback::migration::{Direction, Migration};
use switchback::provider::postgres::Migrator;
use switchback::world::{Databases as _, EffectError, Settlement, Trace};

use crate::postgres::{Heard, connection, effect, migration, session, up, value};
use crate::stack;

/// Starts a migration, waits until `busy` (a condition on `pg_stat_activity`) holds for its session, and ends that.
async fn killed(url: &str, one: &Migration, direction: Direction, token: &str, busy: &str) -> EffectError {
    let (place, effect) = (connection(url), effect(one, direction, token));
    let task = tokio::spawn(async move { Migrator::default().migrate(&place, &effect, &Heard::default()).await });
    let client = session(url).await;
    let find = format!("select pid from pg_stat_activity where application_name = 'switchback {token}' and {busy}");
    for _ in 0..200 {
        if let Some(row) = client.query_opt(&find, &[]).await.unwrap() {
            client.execute("select pg_terminate_backend($1)", &[&row.get::<_, i32>(0)]).await.unwrap();
            return task.await.unwrap().expect_err("its session was ended");
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("no session became busy: {:?}", task.await.unwrap());
}

async fn settle(url: &str, one: &Migration, direction: Direction, token: &str) -> Settlement {
    Migrator::default().settle(&connection(url), &effect(one, direction, token)).await.unwrap()
}

#[tokio::test]
async fn a_session_ended_inside_a_migration_left_nothing() {
    let url = stack::shared().new_database("killed");
    let one = migration(1, "one", "create table one (); select pg_sleep(30)", Some("drop table one"));
    let error = killed(&url, &one, Direction::Up, "k1", "query like '%pg_sleep%'").await;
    assert_eq!(error.trace, Trace::Nothing, "{error}");
    assert!(error.error.cause.contains("(57P01)"), "{error}");
    assert_eq!(settle(&url, &one, Direction::Up, "k1").await, Settlement::NotDone);
    assert_eq!(value(&url, "select to_regclass('one')").await, "");
    let quick = migration(1, "one", "create table one ()", Some("drop table one"));
    up(&url, &quick).await;
    assert_eq!(settle(&url, &quick, Direction::Up, "k2").await, Settlement::Done(Default::default()));
    assert_eq!(settle(&url, &quick, Direction::Down, "k3").await, Settlement::NotDone);
    assert!(matches!(settle(&url, &one, Direction::Up, "k4").await, Settlement::Doubt(_)), "another text stands there");
}

#[tokio::test]
async fn a_session_ended_inside_commit_has_to_be_settled() {
    let url = stack::shared().new_database("commit");
    let text = "create table one (a int);
        create function slow() returns trigger language plpgsql as $$ begin perform pg_sleep(30); return null; end $$;
        create constraint trigger slow after insert on one deferrable initially deferred for each row execute function slow();
        insert into one values (1);";
    let one = migration(1, "one", text, None);
    let error = killed(&url, &one, Direction::Up, "m1", "query = 'commit' and wait_event = 'PgSleep'").await;
    assert_eq!(error.trace, Trace::Unknown, "{error}");
    assert_eq!(settle(&url, &one, Direction::Up, "m1").await, Settlement::NotDone);
    assert_eq!(value(&url, "select to_regclass('one')").await, "");
}

#[tokio::test]
async fn a_session_whose_client_died_is_waited_for_or_ended() {
    let url = stack::shared().new_database("orphan");
    let one = migration(1, "one", "create table one (); select pg_sleep(60)", None);
    let orphan = session(&format!("{url}?application_name=switchback%20x1")).await;
    let waiting =
        tokio::spawn(async move { orphan.batch_execute("begin; create table one (); select pg_sleep(60)").await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(settle(&url, &one, Direction::Up, "x1").await, Settlement::NotDone);
    waiting.await.unwrap().expect_err("the orphan was ended");
    assert_eq!(value(&url, "select to_regclass('one')").await, "");
}

#[tokio::test]
async fn an_interrupted_concurrent_build_is_cleared_or_completed() {
    let url = stack::shared().new_database("build");
    session(&url).await.batch_execute("create table t (a int)").await.unwrap();
    let header = "-- switchback: transaction off\n";
    let index = migration(
        1,
        "index",
        &format!("{header}create index concurrently i on t (a)"),
        Some(&format!("{header}drop index concurrently i")),
    );
    let writer = session(&url).await;
    writer.batch_execute("begin; insert into t values (1)").await.unwrap();
    let error = killed(&url, &index, Direction::Up, "i1", "wait_event_type = 'Lock'").await;
    assert_eq!(error.trace, Trace::Unknown, "{error}");
    assert_eq!(value(&url, "select indisvalid from pg_index where indexrelid = 'i'::regclass").await, "false");
    writer.batch_execute("commit").await.unwrap();
    assert_eq!(settle(&url, &index, Direction::Up, "i1").await, Settlement::NotDone);
    assert_eq!(value(&url, "select to_regclass('i')").await, "", "the remains are gone");

    // As after a crash between the build and its row.
    session(&url).await.batch_execute("create index concurrently i on t (a)").await.unwrap();
    assert_eq!(settle(&url, &index, Direction::Up, "i2").await, Settlement::Done(Default::default()));
    assert_eq!(value(&url, "select count(*) from refinery_schema_history").await, "1");
    // And between the drop and its row.
    session(&url).await.batch_execute("drop index concurrently i").await.unwrap();
    assert_eq!(settle(&url, &index, Direction::Down, "i3").await, Settlement::Done(Default::default()));
    assert_eq!(value(&url, "select count(*) from refinery_schema_history").await, "0");
}

#[tokio::test]
async fn what_no_catalog_shows_is_in_doubt() {
    let url = stack::shared().new_database("doubt");
    session(&url).await.batch_execute("create table t (a int)").await.unwrap();
    let vacuum = migration(1, "vacuum", "-- switchback: transaction off\nvacuum t", None);
    match settle(&url, &vacuum, Direction::Up, "v1").await {
        Settlement::Doubt(why) => assert!(why.contains("`vacuum t` runs outside of a transaction"), "{why}"),
        other => panic!("{other:?}"),
    }
}
