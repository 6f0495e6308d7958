//! Assertions, what is committed inside of procedures, runners at once, lock time-outs of one statement among many.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use switchback::migration::position::Position;
use switchback::migration::{Direction, Migration};
use switchback::provider::postgres::{Migrator, Patience};
use switchback::world::{Databases as _, ErrorClass, MigrationEffect, Settlement, Trace};

use super::{INVALID, LEFT, OFF, everything};
use crate::postgres::{Heard, connection, effect, migration, run, session, up, value};
use crate::stack;

async fn settle(url: &str, one: &Migration, direction: Direction) -> Settlement {
    Migrator::default().settle(&connection(url), &effect(one, direction, "settled")).await.unwrap()
}

const COUNT: &str = "select count(*) from refinery_schema_history";

#[tokio::test]
async fn an_assertion_that_does_not_hold_leaves_nothing() {
    let url = stack::shared().new_database("assert");
    session(&url).await.batch_execute("create table t (a int); insert into t values (1), (null)").await.unwrap();
    for (number, (assertion, part)) in [
        ("before select false", "line 1: what must be true before it is false: `select false`"),
        ("after select count(*) = 9 from t", "what must be true after it is false"),
        ("select max(a) > 5 from t where a is null", "is null"),
        ("select a from t", "gives 3 rows"),
        ("select 1", "gives a `int4` instead of a boolean"),
        ("select true, true", "gives 2 columns"),
        ("select nonsense", "does not exist (42703)"),
    ]
    .into_iter()
    .enumerate()
    {
        let text =
            format!("-- switchback: assert {assertion}\ninsert into t values (2), (3); delete from t where a = 2");
        let error = run(&url, &migration(1, "one", &text, None), Direction::Up).await.expect_err(assertion);
        assert!(error.error.cause.contains(part), "{assertion}: {error}");
        assert_eq!((error.trace, error.error.class), (Trace::Nothing, ErrorClass::Refused), "{number}");
        assert_eq!(value(&url, "select count(*) from t").await, "2", "{assertion}");
        assert_eq!(value(&url, COUNT).await, "0");
    }
    let text = "-- switchback: assert before select count(*) = 2 from t\n-- switchback: assert after select count(*) = 3 from t\n\
                insert into t values (2)";
    up(&url, &migration(1, "one", text, None)).await;
    assert_eq!(value(&url, COUNT).await, "1");
}

#[tokio::test]
async fn an_assertion_among_single_statements_stops_there() {
    let url = stack::shared().new_database("assert_apart");
    session(&url).await.batch_execute("create table t (a int)").await.unwrap();
    let before = everything(&url).await;
    let up_text = format!(
        "{OFF}-- switchback: assert after select count(*) = 1 from t\ncreate table s (a int);\ncreate index concurrently i on t (a)"
    );
    let one = migration(1, "one", &up_text, Some(&format!("{OFF}drop index concurrently i; drop table s")));
    let error = run(&url, &one, Direction::Up).await.unwrap_err();
    assert_eq!(error.trace, Trace::Unknown, "{error}");
    assert!(error.error.cause.contains("what must be true after it is false"), "{error}");
    assert!(error.error.help.as_ref().unwrap().contains("every statement is done"), "{error:?}");
    let Settlement::Stands(facts, why) = settle(&url, &one, Direction::Up).await else { panic!("it is in the middle") };
    assert_eq!(
        (Position::of_facts(&facts), why.as_str()),
        (Some(Position::after(2)), "every statement is done, but not its end")
    );
    // It can be taken back, and it can be gone on with once the data are right.
    let back = MigrationEffect { from: Position::after(2), ..effect(&one, Direction::Down, "t1") };
    Migrator::default().migrate(&connection(&url), &back, &Heard::default()).await.unwrap();
    assert_eq!(everything(&url).await.0, before.0);
    run(&url, &one, Direction::Up).await.unwrap_err();
    session(&url).await.batch_execute("insert into t values (1)").await.unwrap();
    run(&url, &one, Direction::Up).await.unwrap();
    assert_eq!((value(&url, COUNT).await.as_str(), value(&url, LEFT).await.as_str()), ("1", "0"));
}

#[tokio::test]
async fn nothing_commits_inside_of_a_migration() {
    let url = stack::shared().new_database("commits");
    let made = "create table t (a int); create procedure p() language plpgsql as $$ begin insert into t values (1); commit; end $$";
    session(&url).await.batch_execute(made).await.unwrap();
    for header in ["", OFF] {
        for text in ["call p()", "do $$ begin insert into t values (1); commit; end $$"] {
            let error =
                run(&url, &migration(1, "one", &format!("{header}{text}"), None), Direction::Up).await.expect_err(text);
            assert!(error.error.cause.contains("(2D000)"), "{error}");
            assert_eq!(error.trace, Trace::Nothing, "{error}");
            assert_eq!(value(&url, "select count(*) from t").await, "0", "{text}");
        }
    }
}

#[tokio::test]
async fn a_statement_that_fails_is_named_and_gone_on_with() {
    let url = stack::shared().new_database("fails");
    let text =
        format!("{OFF}create table a (id int);\n\nvacuum a;\ninsert into missing values (1);\ncreate table c ()");
    let one = migration(1, "one", &text, Some("drop table c; delete from missing; drop table a"));
    let heard = Heard::default();
    let error =
        Migrator::default().migrate(&connection(&url), &effect(&one, Direction::Up, "t0"), &heard).await.unwrap_err();
    assert_eq!(error.trace, Trace::Unknown);
    assert!(error.error.cause.starts_with("statement 3 of 4, line 5: relation \"missing\" does not exist"), "{error}");
    let help = error.error.help.unwrap();
    assert!(help.contains("2 statements are done, 2 are not: `resume` goes on with statement 3 of 4"), "{help}");
    let Settlement::Stands(facts, why) = settle(&url, &one, Direction::Up).await else { panic!("it is in the middle") };
    assert_eq!((Position::of_facts(&facts), why.as_str()), (Some(Position::after(2)), "statement 3 of 4 is not done"));
    let history = Migrator::default().history(&connection(&url)).await.unwrap().unwrap();
    let partial = history.partial.unwrap();
    assert_eq!(
        (partial.migration.clone(), partial.direction, partial.position),
        (one.clone(), Direction::Up, Position::after(2))
    );
    assert!(history.rows.is_empty());
    // Nothing else runs meanwhile, nor another text of the same.
    for (other, part) in [
        (migration(2, "two", "select 1", None), "V1__one was left in the middle: 2 statements of the way up are done"),
        (migration(1, "one", &format!("{text};"), one.down.as_deref()), "with another text"),
    ] {
        let error = run(&url, &other, Direction::Up).await.unwrap_err();
        assert!(error.error.cause.contains(part), "{error}");
        assert_eq!(error.trace, Trace::Nothing);
    }
    session(&url).await.batch_execute("create table missing (a int)").await.unwrap();
    let facts = run(&url, &one, Direction::Up).await.unwrap();
    let first = facts["each"].items().unwrap()[0].get("statement").unwrap().as_i64();
    assert_eq!(first, Some(3), "{facts:?}");
    assert_eq!((value(&url, COUNT).await.as_str(), value(&url, LEFT).await.as_str()), ("1", "0"));
}

#[tokio::test]
async fn one_statement_among_many_gets_no_lock() {
    let url = stack::shared().new_database("step_lock");
    session(&url).await.batch_execute("create table busy (a int)").await.unwrap();
    let blocker = session(&url).await;
    blocker.batch_execute("set application_name = 'report'; begin; select 'hush' from busy").await.unwrap();
    let text = format!("{OFF}-- switchback: lock timeout 500ms\ncreate table one ();\nalter table busy add b int;");
    let one = migration(1, "one", &text, None);
    let patience = Patience { lock_attempts: 4, first_pause: Duration::from_millis(20), ..Patience::default() };
    let heard = Heard::default();
    let slow = MigrationEffect { lock_timeout: Duration::from_secs(60), ..effect(&one, Direction::Up, "t0") };
    let error = Migrator { patience }.migrate(&connection(&url), &slow, &heard).await.unwrap_err();
    let text = error.to_string();
    let process: i32 = blocker.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let whose = format!("process {process} of user ");
    for part in ["no lock within 500 ms in 4 tries", &whose, "application `report`", "statement 2 of 2, line 4"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("hush"), "{text}");
    assert!(heard.text().contains("try 1 got no lock, held by process"), "{}", heard.text());
    assert_eq!((error.trace, error.error.class), (Trace::Unknown, ErrorClass::Refused));
    blocker.batch_execute("commit").await.unwrap();
    run(&url, &one, Direction::Up).await.unwrap();
}

/// So many runners at once: one runs, the others poll for their turn, and then find nothing to do.
async fn at_once(runners: usize) {
    let url = stack::shared().new_database(&format!("at_once{runners}"));
    session(&url)
        .await
        .batch_execute("create table t (a int); insert into t select generate_series(1, 50)")
        .await
        .unwrap();
    let all: Vec<_> = [
        "create table t1 (); select pg_sleep(0.1)".to_owned(),
        format!("{OFF}create index concurrently i on t (a);\ncreate table t2 ();\ncreate unique index concurrently j on t (a)"),
        format!("{OFF}reindex index concurrently i;\ndrop index concurrently j"),
    ]
    .iter()
    .zip(1..)
    .map(|(text, version)| migration(version, &format!("m{version}"), text, None))
    .collect();
    let over = Arc::new(AtomicBool::new(false));
    let watch = tokio::spawn({
        let (url, over) = (url.clone(), Arc::clone(&over));
        async move {
            // Whoever blocks for the turn, with a snapshot, deadlocks with a concurrent build.
            let client = session(&url).await;
            let blocked =
                "select count(*) from pg_stat_activity where datname = current_database() and wait_event = 'advisory'";
            while !over.load(Ordering::SeqCst) {
                let count: i64 = client.query_one(blocked, &[]).await.unwrap().get(0);
                assert_eq!(count, 0, "somebody blocks for the turn");
                tokio::time::sleep(Duration::from_millis(3)).await;
            }
        }
    });
    let tasks: Vec<_> = (0..runners)
        .map(|_| {
            let (url, all) = (url.clone(), all.clone());
            tokio::spawn(async move {
                let (mut ran, heard) = (0, Heard::default());
                for one in &all {
                    let history = Migrator::default().history(&connection(&url)).await.unwrap().unwrap();
                    if history.rows.iter().any(|row| row.version == one.version) {
                        continue;
                    }
                    let wanted = effect(one, Direction::Up, &format!("r{}", stack::unique("o").len()));
                    match Migrator::default().migrate(&connection(&url), &wanted, &heard).await {
                        Ok(_) => ran += 1,
                        Err(error) => {
                            let known = ["is applied already", "versions go upwards"];
                            assert!(known.iter().any(|part| error.error.cause.contains(part)), "{error}");
                            assert_eq!(error.trace, Trace::Nothing);
                        }
                    }
                }
                (ran, heard.text())
            })
        })
        .collect();
    let (mut ran, mut said) = (0, String::new());
    for task in tasks {
        let (count, heard) = tokio::time::timeout(Duration::from_secs(60), task).await.expect("no deadlock").unwrap();
        ran += count;
        said += &heard;
    }
    over.store(true, Ordering::SeqCst);
    watch.await.unwrap();
    assert_eq!(ran, 3);
    assert!(said.contains("waiting for another runner of migrations: process"), "{said}");
    assert_eq!(value(&url, COUNT).await, "3");
    assert_eq!((value(&url, INVALID).await.as_str(), value(&url, LEFT).await.as_str()), ("0", "0"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_runners_at_once() {
    at_once(2).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_runners_at_once() {
    at_once(8).await;
}
