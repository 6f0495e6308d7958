//! The program itself: a migration fails or is killed in the middle, is shown, gone on with and taken back.

use std::time::Duration;

use switchback::provider::postgres::fingerprint_text;

use super::{GROUND, INVALID, OFF};
use crate::postgres::{connection, session};
use crate::postgres_project::Bench;

const FILES: [&str; 2] = ["V1__steps.sql", "V1__steps.down.sql"];

async fn bench(name: &str, up: &str, down: &str) -> (Bench, String) {
    let texts = [format!("{OFF}{up}"), format!("{OFF}{down}")];
    let bench = Bench::new(name, &[(FILES[0], &texts[0]), (FILES[1], &texts[1])]);
    session(&bench.url).await.batch_execute(GROUND).await.unwrap();
    let before = fingerprint_text(&connection(&bench.url)).await.unwrap();
    (bench, before)
}

const UP: &str = "create table a (id int);\ncreate index concurrently i on b (x);\ninsert into missing values (1);\ncreate table c ();";
const DOWN: &str = "drop table c;\ndelete from missing;\ndrop index concurrently i;\ndrop table a;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_fails_and_the_rest_is_taken_back() {
    let (bench, before) = bench("p_back", UP, DOWN).await;
    let said = bench.expect(6, "apply dev --auto-approve");
    assert!(said.contains("statement 3 of 4, line 4: relation \"missing\" does not exist"), "{said}");
    let status = bench.expect(0, "status dev");
    let line = "in the middle 2 of 4 statements of V1__steps are done, next is `insert into missing values (1)`";
    assert!(status.contains(line) && status.contains("what is committed stands"), "{status}");
    assert!(bench.has_record("\"record\":\"advanced\""), "the ledger hears of each statement");
    // The way back takes just what is there.
    let said = bench.expect(0, "rollback dev --last --accept-loss all --auto-approve");
    assert!(said.contains("verified"), "{said}");
    assert_eq!(fingerprint_text(&connection(&bench.url)).await.unwrap(), before);
    assert_eq!(bench.ask("select count(*) from refinery_schema_history"), "0");
    assert!(!bench.expect(0, "status dev").contains("in the middle"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_statement_fails_and_is_gone_on_with() {
    let (bench, before) = bench("p_on", UP, DOWN).await;
    bench.expect(6, "apply dev --auto-approve");
    // Still not: it stands where it stood.
    let said = bench.expect(6, "resume dev --auto-approve");
    assert!(said.contains("statement 3 of 4"), "{said}");
    bench.ask("create table missing (a int)");
    let said = bench.expect(0, "resume dev --auto-approve");
    assert!(said.contains("verified"), "{said}");
    assert_eq!(bench.ask("select count(*) from refinery_schema_history"), "1");
    assert_eq!(bench.ask("select count(*) from missing"), "1");
    bench.expect(0, "plan dev --detailed-exitcode");
    bench.expect(0, "rollback dev --last --accept-loss all --auto-approve");
    bench.ask("drop table missing");
    assert_eq!(fingerprint_text(&connection(&bench.url)).await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_taken_back_from_there_is_finished_first() {
    let up = "update b set x = x + 1;\ninsert into missing values (1);";
    let (bench, before) = bench("p_first", up, "delete from missing;\nupdate b set x = x - 1;").await;
    bench.expect(6, "apply dev --auto-approve");
    let said = bench.expect(4, "rollback dev --last --accept-loss all --auto-approve");
    assert!(
        said.contains("cannot be taken back from there") && said.contains("just `update b set x = x + 1`"),
        "{said}"
    );
    assert!(said.contains("finish it first with `resume`"), "{said}");
    bench.ask("create table missing (a int)");
    bench.expect(0, "resume dev --auto-approve");
    bench.expect(0, "rollback dev --last --accept-loss all --auto-approve");
    bench.ask("drop table missing");
    assert_eq!(bench.ask("select sum(x) from b"), "30");
    assert_eq!(fingerprint_text(&connection(&bench.url)).await.unwrap(), before);
}

/// SIGKILL while an index is being built, which is half there then.
async fn killed(name: &str, end: &str) {
    let up = "create table a (id int);\ncreate index concurrently i on b (x);\ncreate table c ();";
    let (bench, before) = bench(name, up, "drop table c;\ndrop index concurrently i;\ndrop table a;").await;
    let writer = session(&bench.url).await;
    writer.batch_execute("begin; insert into b values (9, 9)").await.unwrap();
    let mut child = bench.command("apply dev --auto-approve").spawn().unwrap();
    bench.until("select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'create index%' and datname = current_database()");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(bench.ask(INVALID), "1", "it is half there");
    writer.batch_execute("rollback").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    bench.expect(0, end);
    assert_eq!(bench.ask(INVALID), "0");
    if end.starts_with("resume") {
        assert_eq!(bench.ask("select count(*) from pg_index where indexrelid = 'i'::regclass and indisvalid"), "1");
        bench.expect(0, "plan dev --detailed-exitcode");
        bench.expect(0, "rollback dev --last --accept-loss all --auto-approve");
    }
    assert_eq!(fingerprint_text(&connection(&bench.url)).await.unwrap(), before);
    assert_eq!(bench.ask("select count(*) from switchback_progress"), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_a_build_and_gone_on_with() {
    killed("p_killed_on", "resume dev --auto-approve").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_in_a_build_and_taken_back() {
    killed("p_killed_back", "rollback dev --last --accept-loss all --auto-approve").await;
}

/// Killed in the third of four statements, and no file says what takes any of them back.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_half_way_and_taken_back_by_what_was_derived_for_each_statement() {
    let bench = Bench::new(
        "p_derived",
        &[(
            "V1__make.sql",
            "create table b (id int primary key, x int not null default 3); insert into b values (1, 10), (2, 20); create table d (x int default 3);",
        )],
    );
    bench.expect(0, "apply dev --auto-approve");
    let before = fingerprint_text(&connection(&bench.url)).await.unwrap();
    let up = "create table a (id int);\nalter table d alter x set default 5;\ncreate index concurrently i on b (x);\ncomment on table b is 'new';\n";
    bench.write("migrations/V2__steps.sql", &format!("{OFF}{up}"));
    let plan = bench.expect(0, "plan dev");
    assert!(plan.contains("the way back is derived from its statements"), "{plan}");
    let writer = session(&bench.url).await;
    writer.batch_execute("begin; insert into b values (9, 9)").await.unwrap();
    let (mut child, _talk) = bench.begin("apply dev --auto-approve", "1/1 migrate database.app V2__steps");
    bench.until("select 1 from pg_stat_activity where wait_event_type = 'Lock' and query like 'create index%' and datname = current_database()");
    child.kill().unwrap();
    child.wait().unwrap();
    writer.batch_execute("rollback").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let said = bench.expect(0, "rollback dev --last --accept-loss all --auto-approve");
    assert!(said.contains("verified"), "{said}");
    assert_eq!(fingerprint_text(&connection(&bench.url)).await.unwrap(), before);
    assert_eq!(bench.ask(INVALID), "0");
    assert_eq!(bench.ask("select count(*) from refinery_schema_history"), "1");
    // And the whole way there and back is as exact.
    bench.expect(0, "apply dev --auto-approve");
    bench.expect(0, "rollback dev --last --accept-loss all --auto-approve");
    assert_eq!(fingerprint_text(&connection(&bench.url)).await.unwrap(), before);
}
