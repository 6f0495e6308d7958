//! SIGSTOP past the lease: another process takes over and finishes, and the one that wakes up starts nothing more.

use std::io::{BufReader, Read as _};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::postgres_project::Bench;
use crate::stack::shared;

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap(), signal).unwrap();
}

/// Lets a stopped process go on to its end, and gives its exit code and all it says.
fn wakes(mut child: Child, mut talk: BufReader<std::process::ChildStderr>) -> (i32, String) {
    signal(&child, Signal::CONT);
    let mut said = String::new();
    talk.read_to_string(&mut said).unwrap();
    child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
    (child.wait().unwrap().code().unwrap_or(-1), said)
}

/// What must be true of one that woke up after another had taken over and finished.
#[track_caller]
fn assert_fenced((code, said): &(i32, String)) {
    assert!([6, 7, 13].contains(code), "{code}\n{said}");
    assert!(said.contains("has it for resume dev"), "who has the lease is not said:\n{said}");
    assert!(!said.contains("V2__after: started"), "it went on:\n{said}");
}

const AFTER: [(&str, &str); 2] =
    [("V2__after.sql", "create table after (a int);\n"), ("V2__after.down.sql", "drop table after;\n")];

#[test]
fn in_the_transaction_of_a_migration() {
    let slow = "create table slow (a int);\nselect pg_sleep(3);\ninsert into slow values (1);\n";
    let files = [("V1__slow.sql", slow), ("V1__slow.down.sql", "drop table slow;\n"), AFTER[0], AFTER[1]];
    let bench = Bench::new("stopped", &files);
    let (child, talk) = bench.begin("apply dev --auto-approve --no-progress", "V1__slow: started");
    bench.until("select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'");
    signal(&child, Signal::STOP);
    let said = bench.expect(0, "resume dev --auto-approve --no-progress --lock-timeout 20s");
    assert!(said.contains("V1__slow") && said.contains("V2__after"), "{said}");
    let end = wakes(child, talk);
    assert_fenced(&end);
    assert_eq!(bench.ask("select count(*) from slow"), "1", "it ran once:\n{}", end.1);
    assert_eq!(bench.ask("select string_agg(version::text, ',' order by version) from refinery_schema_history"), "1,2");
    assert_eq!(bench.ask("select count(*) from switchback_fence"), "1");
    bench.expect(0, "status dev");
    bench.expect(0, "plan dev --detailed-exitcode");
}

#[test]
fn right_before_the_commit_of_a_migration() {
    // The commit itself is held up, by a constraint that is checked then: the client is stopped while it waits for the
    // answer, and what it sent lands. Nothing is lost and nothing is done twice.
    let slow = "create table slow (a int);\n\
        create function nap() returns trigger language plpgsql as $$ begin perform pg_sleep(3); return null; end $$;\n\
        create constraint trigger nap after insert on slow deferrable initially deferred for each row execute function nap();\n\
        insert into slow values (1);\n";
    let down = "drop table slow;\ndrop function nap;\n";
    let files = [("V1__slow.sql", slow), ("V1__slow.down.sql", down), AFTER[0], AFTER[1]];
    let bench = Bench::new("landed", &files);
    let (child, talk) = bench.begin("apply dev --auto-approve --no-progress", "V1__slow: started");
    bench.until("select from pg_stat_activity where datname = current_database() and wait_event = 'PgSleep'");
    signal(&child, Signal::STOP);
    bench.expect(0, "resume dev --auto-approve --no-progress --lock-timeout 20s");
    let end = wakes(child, talk);
    assert_fenced(&end);
    assert_eq!(bench.ask("select count(*) from slow"), "1");
    assert_eq!(bench.ask("select string_agg(version::text, ',' order by version) from refinery_schema_history"), "1,2");
    bench.expect(0, "plan dev --detailed-exitcode");
}

#[test]
fn in_a_concurrent_index_build() {
    let off = "-- switchback: transaction off\n";
    let up = format!("{off}create index concurrently i on t (a);\n");
    let down = format!("{off}drop index concurrently i;\n");
    let files = [("V1__index.sql", up.as_str()), ("V1__index.down.sql", down.as_str()), AFTER[0], AFTER[1]];
    let bench = Bench::new("index", &files);
    bench.ask("create table t (a int)");
    // An older transaction keeps the build waiting.
    let mut writer = Command::new(shared().facts().postgres_binaries.join("psql"));
    let mut writer = writer
        .args(["-X", "-q", "-v", "ON_ERROR_STOP=1", &bench.url])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut words = writer.stdin.take().unwrap();
    std::io::Write::write_all(&mut words, b"begin; insert into t values (1);\n").unwrap();
    bench.until("select from pg_stat_activity where datname = current_database() and state = 'idle in transaction'");
    let (child, talk) = bench.begin("apply dev --auto-approve --no-progress", "V1__index: started");
    bench.until(
        "select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' \
         and query like '%create index concurrently%'",
    );
    signal(&child, Signal::STOP);
    // The writer is done only after the lease has run out, while another process is about to take over.
    let resuming = bench
        .command("resume dev --auto-approve --no-progress --lock-timeout 30s")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_secs(4));
    std::io::Write::write_all(&mut words, b"commit;\n").unwrap();
    drop(words);
    writer.wait().unwrap();
    let Output { status, stdout, stderr } = resuming.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(status.code(), Some(0), "{said}");
    let end = wakes(child, talk);
    assert_fenced(&end);
    assert_eq!(bench.ask("select indisvalid from pg_index where indexrelid = 'i'::regclass"), "t", "{said}");
    assert_eq!(bench.ask("select count(*) from pg_index where not indisvalid"), "0");
    assert_eq!(bench.ask("select string_agg(version::text, ',' order by version) from refinery_schema_history"), "1,2");
    bench.expect(0, "plan dev --detailed-exitcode");
}
