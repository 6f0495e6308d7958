//! Running migrations on a real server: order, widths, turns, locks.

use std::sync::Arc;
use std::time::Duration;

use switchback::migration::checksum::checksum;
use switchback::migration::{Direction, HistoryRow};
use switchback::provider::postgres::{Migrator, Patience};
use switchback::value::Value;
use switchback::world::{Databases as _, EffectError, ErrorClass, Settlement, Trace};

use crate::postgres::{Heard, connection, down, effect, migration, run, session, up, value};
use crate::stack;

fn refused(result: Result<switchback::value::Object, EffectError>, part: &str) {
    let error = result.expect_err(part);
    assert_eq!(error.trace, Trace::Nothing, "{error}");
    assert!(error.error.cause.contains(part), "{error}");
    assert!(error.error.help.is_some(), "{error:?}");
}

const COUNT: &str = "select count(*) from refinery_schema_history";

#[tokio::test]
async fn a_migration_goes_up_and_down_with_its_row() {
    let url = stack::shared().new_database("updown");
    let one = migration(1, "one", "create table one (a int);\ninsert into one values (1);", Some("drop table one"));
    let facts = up(&url, &one).await;
    assert_eq!(facts["statements"], Value::from(2_i64));
    assert!(facts["duration_ms"].as_i64().unwrap() >= 0 && facts["lock_wait_ms"].as_i64().unwrap() < 1000);
    let history = Migrator::default().history(&connection(&url)).await.unwrap().unwrap();
    let row = HistoryRow {
        version: 1,
        spelling: None,
        name: "one".to_owned(),
        checksum: Some(checksum(&one, false).to_string()),
    };
    assert_eq!((history.rows, history.wide), (vec![row], false));
    assert_eq!(value(&url, "select count(*) from one").await, "1");
    down(&url, &one).await;
    assert_eq!(value(&url, COUNT).await, "0");
    assert_eq!(value(&url, "select to_regclass('one')").await, "");
    refused(run(&url, &one, Direction::Down).await, "is not applied");
    refused(run(&url, &migration(2, "two", "select 1", None), Direction::Down).await, "there is no V2__two.down.sql");
}

#[tokio::test]
async fn order_and_content_are_kept() {
    let url = stack::shared().new_database("order");
    let two = migration(2, "two", "create table two ()", Some("drop table two"));
    let three = migration(3, "three", "create table three ()", Some("drop table three"));
    up(&url, &two).await;
    up(&url, &three).await;
    refused(run(&url, &two, Direction::Up).await, "is applied already");
    refused(run(&url, &migration(1, "one", "select 1", None), Direction::Up).await, "versions go upwards");
    refused(run(&url, &two, Direction::Down).await, "version 3 was applied after it");
    let tampered = migration(3, "three", "create table three (a int)", Some("drop table three"));
    refused(run(&url, &tampered, Direction::Up).await, "applied with another text");
    refused(run(&url, &tampered, Direction::Down).await, "applied with another text");
    refused(run(&url, &migration(3, "trois", "select 1", None), Direction::Up).await, "under another name, `three`");
    session(&url)
        .await
        .batch_execute("update refinery_schema_history set checksum = 'x' where version = 2")
        .await
        .unwrap();
    let broken = Migrator::default().history(&connection(&url)).await.unwrap_err();
    assert!(broken.cause.contains("version 2 is not as refinery writes it"), "{broken}");
}

#[tokio::test]
async fn a_failing_migration_leaves_nothing() {
    let url = stack::shared().new_database("failing");
    let bad = migration(1, "bad", "create table made ();\n\nselect * from nowhere;\n", None);
    let error = run(&url, &bad, Direction::Up).await.unwrap_err();
    assert!(error.error.cause.starts_with("line 3: relation \"nowhere\" does not exist (42P01)"), "{error}");
    assert!(error.error.tried.starts_with("run V1__bad at postgres://"), "{error}");
    assert_eq!((error.trace, error.error.class), (Trace::Nothing, ErrorClass::Refused));
    assert_eq!(value(&url, "select to_regclass('made')").await, "");
    refused(
        run(&url, &migration(1, "a", "create table a ();\ncommit;", None), Direction::Up).await,
        "line 2: `commit`",
    );
    refused(run(&url, &migration(1, "a", "selekt 1", None), Direction::Up).await, "not understood as SQL");
    assert_eq!(value(&url, COUNT).await, "0", "the history table was made, and stayed empty");
}

#[tokio::test]
async fn a_migration_may_change_the_search_path_and_use_its_own_savepoints() {
    let url = stack::shared().new_database("path");
    let text = "select pg_catalog.set_config('search_path', '', false); create table public.a ();\nsavepoint s; rollback to savepoint s; release savepoint s";
    up(&url, &migration(1, "a", text, None)).await;
    assert_eq!(value(&url, COUNT).await, "1");
}

#[tokio::test]
async fn what_is_made_belongs_to_the_role_that_is_set() {
    let url = stack::shared().new_database("set_role");
    let client = session(&url).await;
    client.batch_execute("create role it_maker; grant create on schema public to it_maker").await.unwrap();
    let mut place = connection(&url);
    place.settings.insert("set_role".to_owned(), "it_maker".into());
    let one = migration(1, "one", "create table one ()", None);
    Migrator::default().migrate(&place, &effect(&one, Direction::Up, "r1"), &Heard::default()).await.unwrap();
    let owners = "select string_agg(distinct tableowner, ',') from pg_tables where schemaname = 'public'";
    assert_eq!(value(&url, owners).await, "it_maker");
    client.batch_execute("drop owned by it_maker; drop role it_maker").await.unwrap();
}

#[tokio::test]
async fn each_table_keeps_its_width() {
    let url = stack::shared().new_database("narrow");
    let long = migration(20_260_101_120_000, "long", "create table long ()", Some("drop table long"));
    up(&url, &migration(1, "one", "select 1", None)).await;
    refused(
        run(&url, &long, Direction::Up).await,
        "does not fit into \"public\".refinery_schema_history, whose version column is int4",
    );

    let url = stack::shared().new_database("wide");
    up(&url, &long).await;
    let later = migration(20_260_101_120_001, "later", "create table later ()", Some("drop table later"));
    up(&url, &later).await;
    let history = Migrator::default().history(&connection(&url)).await.unwrap().unwrap();
    assert!(history.wide);
    let sums: Vec<_> = history.rows.iter().map(|row| row.checksum.clone()).collect();
    assert_eq!(sums, [&long, &later].map(|one| Some(checksum(one, true).to_string())));
    refused(run(&url, &long, Direction::Down).await, "was applied after it");
    down(&url, &later).await;
    down(&url, &long).await;
    assert_eq!(value(&url, COUNT).await, "0");
}

/// So many runners at once, each with all the migrations: each migration runs exactly once.
async fn race(runners: usize) {
    let url = stack::shared().new_database(&format!("race{runners}"));
    let migrations: Vec<_> = (1..=4)
        .map(|version| {
            let text = format!("create table t{version} (); select pg_sleep(0.05);");
            migration(version, &format!("m{version}"), &text, None)
        })
        .collect();
    let tasks: Vec<_> = (0..runners)
        .map(|_| {
            let (url, migrations) = (url.clone(), migrations.clone());
            tokio::spawn(async move {
                let mut ran = 0;
                for migration in &migrations {
                    match run(&url, migration, Direction::Up).await {
                        Ok(_) => ran += 1,
                        Err(error) => {
                            let known = ["is applied already", "versions go upwards"];
                            assert!(known.iter().any(|part| error.error.cause.contains(part)), "{error}");
                            assert_eq!(error.trace, Trace::Nothing);
                        }
                    }
                }
                ran
            })
        })
        .collect();
    let mut ran = 0;
    for task in tasks {
        ran += task.await.unwrap();
    }
    assert_eq!(ran, 4);
    assert_eq!(value(&url, COUNT).await, "4");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runners_take_turns() {
    race(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_runners_take_turns() {
    race(8).await;
}

#[tokio::test]
async fn whoever_waits_for_the_turn_hears_who_has_it() {
    let url = stack::shared().new_database("turn");
    let holder = session(&url).await;
    holder
        .batch_execute("set application_name = 'the holder'; select pg_advisory_lock(x'7377697463686261'::int8)")
        .await
        .unwrap();
    let migrator = Migrator { patience: Patience { turn: Duration::from_millis(300), ..Patience::default() } };
    let heard = Heard::default();
    let one = migration(1, "one", "create table one ()", None);
    let error = migrator.migrate(&connection(&url), &effect(&one, Direction::Up, "w1"), &heard).await.unwrap_err();
    assert_eq!((error.trace, error.error.class), (Trace::Nothing, ErrorClass::Refused), "nobody waits once more");
    for text in [error.to_string(), heard.text()] {
        assert!(text.contains("application `the holder`") && text.contains("another runner"), "{text}");
    }
    drop(holder);
    migrator.migrate(&connection(&url), &effect(&one, Direction::Up, "w1"), &heard).await.unwrap();
}

#[tokio::test]
async fn a_lock_that_is_held_is_tried_for_again_and_its_holder_named() {
    let url = stack::shared().new_database("blocked");
    session(&url).await.batch_execute("create table busy (a int)").await.unwrap();
    let blocker = session(&url).await;
    blocker.batch_execute("set application_name = 'report'; begin; select 'hush' from busy").await.unwrap();
    let patience = Patience { lock_attempts: 6, first_pause: Duration::from_millis(50), ..Patience::default() };
    let migrator = Migrator { patience };
    let one = migration(1, "one", "create table one (); alter table busy add b int;", None);
    let heard = Heard::default();
    let error = migrator.migrate(&connection(&url), &effect(&one, Direction::Up, "b1"), &heard).await.unwrap_err();
    assert_eq!((error.trace, error.error.class), (Trace::Nothing, ErrorClass::Refused), "nobody is patient once more");
    let text = error.to_string();
    let process: i32 = blocker.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let whose = format!("held by process {process} of user ");
    for part in ["no lock within 300 ms in 6 tries", &whose, "application `report`", " s: `", "from busy", "(55P03)"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("hush"), "literals of others are not shown: {text}");
    assert_eq!(value(&url, "select to_regclass('one')").await, "");

    // The lock is given back once its holder has been named.
    let heard = Arc::new(Heard::default());
    let listener = Arc::clone(&heard);
    let later = tokio::spawn(async move {
        while !listener.text().contains("got no lock, held by process") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        blocker.batch_execute("commit").await.unwrap();
    });
    let effect = effect(&one, Direction::Up, "b2");
    let facts = Migrator::default().migrate(&connection(&url), &effect, &*heard).await.unwrap();
    later.await.unwrap();
    assert!(facts["lock_wait_ms"].as_i64().unwrap() >= 300, "{facts:?}");
    assert_eq!(
        value(&url, "select count(*) from pg_attribute where attrelid = 'busy'::regclass and attname = 'b'").await,
        "1"
    );
}

#[tokio::test]
async fn statements_outside_of_a_transaction_run_alone() {
    let url = stack::shared().new_database("outside");
    session(&url).await.batch_execute("create table t (a int); create type mood as enum ('a')").await.unwrap();
    let off = |version, name: &str, up: &str, down: &str| {
        let header = "-- switchback: transaction off\n";
        migration(version, name, &format!("{header}{up}"), Some(&format!("{header}{down}")))
    };
    let index = off(1, "index", "create index concurrently i on t (a)", "drop index concurrently i");
    up(&url, &index).await;
    assert_eq!(value(&url, "select indisvalid from pg_index where indexrelid = 'i'::regclass").await, "true");
    down(&url, &index).await;
    assert_eq!(value(&url, "select to_regclass('i')").await, "");
    up(&url, &index).await;
    up(&url, &off(2, "vacuum", "vacuum t", "select 1")).await;
    up(&url, &off(3, "label", "alter type mood add value 'b'", "select 1")).await;
    let wrong = off(4, "wrong", "vacuum nowhere", "select 1");
    refused(run(&url, &wrong, Direction::Up).await, "(42P01)");
    assert_eq!(value(&url, COUNT).await, "3");
    let unique = off(4, "unique", "create unique index concurrently u on t (a)", "drop index concurrently u");
    session(&url).await.batch_execute("insert into t values (1), (1)").await.unwrap();
    refused(run(&url, &unique, Direction::Up).await, "could not create unique index");
    assert_eq!(value(&url, "select count(*) from pg_class where relname = 'u'").await, "0", "no INVALID index is left");
}

#[tokio::test]
async fn a_concurrent_build_that_gets_no_lock_never_leaves_its_remains_to_if_not_exists() {
    let url = stack::shared().new_database("concurrent");
    session(&url).await.batch_execute("create table t (a int)").await.unwrap();
    let writer = session(&url).await;
    writer.batch_execute("begin; insert into t values (1)").await.unwrap();
    let patience = Patience {
        lock_attempts: 4,
        first_pause: Duration::from_millis(50),
        concurrent_factor: 1,
        ..Patience::default()
    };
    let text = "-- switchback: transaction off\ncreate index concurrently if not exists i on t (a)";
    let index = migration(1, "index", text, None);
    let heard = Heard::default();
    let migrator = Migrator { patience };
    let error = migrator.migrate(&connection(&url), &effect(&index, Direction::Up, "c1"), &heard).await.unwrap_err();
    // While the writer stays, not even the remains can be dropped: the next step has to see to them.
    assert_eq!(error.trace, Trace::Unknown, "{error}");
    assert!(
        heard.text().contains("INVALID") && error.to_string().contains("insert into t"),
        "{error}\n{}",
        heard.text()
    );
    writer.batch_execute("commit").await.unwrap();
    let settled = migrator.settle(&connection(&url), &effect(&index, Direction::Up, "c1")).await.unwrap();
    assert_eq!(settled, Settlement::NotDone);
    assert_eq!(value(&url, "select count(*) from pg_class where relname = 'i'").await, "0");
    migrator.migrate(&connection(&url), &effect(&index, Direction::Up, "c2"), &heard).await.unwrap();
    assert_eq!(value(&url, "select indisvalid from pg_index where indexrelid = 'i'::regclass").await, "true");
}
