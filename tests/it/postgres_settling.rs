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
    under_way(&url, &index, Direction::Up, "{}").await;
    assert_eq!(settle(&url, &index, Direction::Up, "i2").await, Settlement::Done(Default::default()));
    assert_eq!(value(&url, "select count(*) from refinery_schema_history").await, "1");
    // And between the drop and its row.
    session(&url).await.batch_execute("drop index concurrently i").await.unwrap();
    under_way(&url, &index, Direction::Down, "{\"there\":true}").await;
    assert_eq!(settle(&url, &index, Direction::Down, "i3").await, Settlement::Done(Default::default()));
    assert_eq!(value(&url, "select count(*) from refinery_schema_history").await, "0");
    assert_eq!(value(&url, "select count(*) from switchback_progress").await, "0");
    // What was there already was not made by the statement, which was refused.
    session(&url).await.batch_execute("create index i on t (a)").await.unwrap();
    under_way(&url, &index, Direction::Up, "{\"there\":true}").await;
    assert_eq!(settle(&url, &index, Direction::Up, "i4").await, Settlement::NotDone);
}

/// As a run leaves it that died while its first statement was under way outside of a transaction.
async fn under_way(url: &str, one: &Migration, direction: Direction, before: &str) {
    let text = one.text(direction).unwrap();
    let digest = switchback::digest::Digest::of_bytes(text.as_bytes()).to_string();
    let way = if direction == Direction::Up { "up" } else { "down" };
    let statement = "insert into switchback_progress (version, name, chain, direction, text_digest, statements, \
                     under_way, migration) values ($1, $2, '', $3, $4, 0, $5, $6)";
    let json = serde_json::to_string(one).unwrap();
    let client = session(url).await;
    client.execute(statement, &[&one.version, &one.name, &way, &digest, &before, &json]).await.unwrap();
}

#[tokio::test]
async fn what_may_run_twice_is_run_again() {
    let url = stack::shared().new_database("again");
    session(&url).await.batch_execute("create table t (a int)").await.unwrap();
    let vacuum = migration(1, "vacuum", "-- switchback: transaction off\nvacuum t", Some("select 1"));
    up(&url, &vacuum).await;
    session(&url).await.batch_execute("delete from refinery_schema_history").await.unwrap();
    under_way(&url, &vacuum, Direction::Up, "{}").await;
    assert_eq!(settle(&url, &vacuum, Direction::Up, "v1").await, Settlement::NotDone);
    under_way(&url, &vacuum, Direction::Up, "{}").await;
    up(&url, &vacuum).await;
    assert_eq!(value(&url, "select count(*) from refinery_schema_history").await, "1");
}
