//! `--as sql` through the real `psql` does what `apply` does, and `--as sql-down` takes it back.

use std::process::{Command, Output, Stdio};

use switchback::migration::layout::Layout;
use switchback::provider::postgres::fingerprint_text;

use crate::postgres::connection;
use crate::postgres_project::Bench;
use crate::stack::shared;

/// Runs a script by `psql`; gives its exit code and what it says.
fn psql(url: &str, script: &str) -> (i32, String) {
    use std::io::Write as _;
    let mut command = Command::new(shared().facts().postgres_binaries.join("psql"));
    command.args(["-X", "-f", "-", url]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&stdout).into_owned() + &String::from_utf8_lossy(&stderr);
    (status.code().unwrap_or(-1), said)
}

#[track_caller]
fn good(url: &str, script: &str) {
    let (code, said) = psql(url, script);
    assert_eq!(code, 0, "{said}\n{script}");
}

async fn schema(url: &str) -> String {
    fingerprint_text(&connection(url)).await.unwrap()
}

/// The rows of the history and of our own tables beside it, without moments and durations.
fn rows(url: &str, layout: Layout) -> String {
    let (columns, order) = match layout {
        Layout::Refinery => ("version, name, checksum, applied_on ~ '^20[0-9-]{8}T[0-9:]{8}[.][0-9]+Z$'", "version"),
        Layout::Flyway => ("installed_rank, version, description, type, script, checksum, installed_by, success", "1"),
        Layout::Sqlx => ("version, description, success, encode(checksum, 'hex')", "version"),
        Layout::GolangMigrate => ("version, dirty", "version"),
        Layout::Dbmate => ("version", "version"),
    };
    let ask = |sql: &str| shared().psql(url, sql);
    let mut found = ask(&format!("select {columns} from {} order by {order}", layout.table()));
    if matches!(layout, Layout::GolangMigrate | Layout::Dbmate) {
        found += &ask("select version, name, checksum, after from switchback_texts order by version");
    }
    if ask("select to_regclass('switchback_progress') is not null") == "t" {
        found += &ask("select count(*) || ' in the middle' from switchback_progress where true having count(*) > 0");
    }
    found
}

/// The scripts of what is pending: forth and back.
fn scripts(bench: &Bench) -> (String, String) {
    scripts_of(bench, "plan dev --no-rehearsal")
}

fn scripts_of(bench: &Bench, words: &str) -> (String, String) {
    let script = |form: &str| {
        let Output { status, stdout, stderr } = bench.command(&format!("{words} --as {form}")).output().unwrap();
        assert_eq!(status.code(), Some(0), "{}", String::from_utf8_lossy(&stderr));
        String::from_utf8(stdout).unwrap()
    };
    (script("sql"), script("sql-down"))
}

const FIRST: &str = "-- switchback: assert after select count(*) = 3 from app.customers -- three
-- It's ours; \\i is no command here.
create schema app;
set search_path = app, public;
create table customers (id int generated always as identity primary key, name text not null, email text, note text);
insert into customers (name, email) values ('a:b', E'x\\'y'), (':name', '\\d'), ($q$c; d$q$, null);
create function app.f(n int) returns int language sql begin atomic select n + 1; select n + 2; end;
create function g() returns text language plpgsql as $$ begin return ':x ; \\q'; end $$;
comment on table customers is 'switchback :\"x\"'";

const BATCHES: &str = "-- switchback: transaction off
-- switchback: backfill app.customers by id batch 2 pause 1ms
-- switchback: assert before select count(*) = 3 from app.customers where note is null
-- switchback: assert after select count(*) = 3 from app.customers where note like '100%%'
set statement_timeout = '20s';
update app.customers set note = '100%' || name where note is null;
alter table app.customers alter note set not null";

fn files() -> Vec<(&'static str, &'static str)> {
    vec![
        ("V1__first.sql", FIRST),
        ("V1__first.down.sql", "drop schema app cascade"),
        (
            "V2__index.sql",
            "-- switchback: transaction off\ncreate table app.extra (a int);\ncreate index concurrently named on app.customers (name);\ncreate index concurrently on app.customers (email);\nvacuum app.customers;\ncreate unique index concurrently if not exists once on app.customers (email)",
        ),
        (
            "V2__index.down.sql",
            "-- switchback: transaction off\ndrop index concurrently app.once;\ndrop index concurrently app.customers_email_idx;\ndrop index concurrently app.named;\ndrop table app.extra",
        ),
        ("V3__fill.sql", BATCHES),
        (
            "V3__fill.down.sql",
            "alter table app.customers alter note drop not null;\nupdate app.customers set note = null",
        ),
        (
            "V4__add.sql",
            "alter table app.customers add column points int not null default 5;\ncreate table app.orders (id int)",
        ),
        ("V4__add.down.sql", "drop table app.orders;\nalter table app.customers drop column points;"),
    ]
}

#[tokio::test]
async fn what_psql_does_is_what_apply_does_and_back_again() {
    let bench = Bench::new("script", &files());
    let copy = shared().new_database("script_copy");
    let empty = schema(&copy).await;
    let (forth, back) = scripts(&bench);
    good(&copy, &forth);
    bench.expect(0, "apply dev --auto-approve");
    assert_eq!(schema(&copy).await, schema(&bench.url).await);
    let history = rows(&copy, Layout::Refinery);
    assert_eq!(history, rows(&bench.url, Layout::Refinery));
    assert_eq!(history.lines().count(), 4, "{history}");
    let content = "select md5(string_agg(c::text, '|' order by id)) from app.customers c";
    assert_eq!(shared().psql(&copy, content), bench.ask(content));
    // A second time nothing is done: it is applied already.
    let (code, said) = psql(&copy, &forth);
    assert!(code == 3 && said.contains("V1__first is applied already"), "{said}");
    good(&copy, &back);
    assert_eq!(schema(&copy).await, empty);
    assert_eq!(rows(&copy, Layout::Refinery), "");
    let (code, said) = psql(&copy, &back);
    assert!(code == 3 && said.contains("V4__add is not applied"), "{said}");
    good(&copy, &forth);
    assert_eq!(rows(&copy, Layout::Refinery), history);
}

#[tokio::test]
async fn a_ledger_that_adopts_what_psql_did_finds_nothing_to_do() {
    let bench = Bench::new("script_adopt", &files());
    let (forth, _) = scripts(&bench);
    good(&bench.url, &forth);
    bench.expect(0, "migrate adopt dev --auto-approve");
    bench.expect(0, "plan dev --detailed-exitcode");
}

#[tokio::test]
async fn what_is_kept_is_kept_by_the_script_as_well() {
    let first = "create table t (a int primary key, b text default 'x' unique);\ninsert into t select n, 'v' || n from generate_series(1, 9) n";
    let bench = Bench::new("script_kept", &[("V1__t.sql", first), ("V1__t.down.sql", "drop table t")]);
    bench.edit("environments/dev.hcl", "lock_timeout = \"30s\"", "lock_timeout = \"30s\"\n  keep = \"1d\"");
    let copy = shared().new_database("script_kept_copy");
    good(&copy, &scripts(&bench).0);
    bench.expect(0, "apply dev --auto-approve");
    let before = schema(&copy).await;
    bench.write("migrations/V2__take.sql", "alter table t drop column b");
    let (forth, back) = scripts(&bench);
    good(&copy, &forth);
    bench.expect(0, "apply dev --auto-approve");
    assert!(schema(&copy).await.contains("switchback_kept_2_"), "{forth}");
    assert_eq!(schema(&copy).await, schema(&bench.url).await);
    assert_eq!(rows(&copy, Layout::Refinery), rows(&bench.url, Layout::Refinery));
    good(&copy, &back);
    assert_eq!(schema(&copy).await, before);
    assert_eq!(shared().psql(&copy, "select count(*) from t where b like 'v%'"), "9");
}

#[tokio::test]
async fn each_layout_gets_its_own_rows() {
    for layout in Layout::ALL {
        let bench = crate::layouts::bench(layout, 4);
        let copy = shared().new_database("script_layout");
        let (forth, back) = scripts(&bench);
        good(&copy, &forth);
        bench.expect(0, "apply dev --auto-approve");
        assert_eq!(schema(&copy).await, schema(&bench.url).await, "{layout}");
        let history = rows(&copy, layout);
        assert_eq!(history, rows(&bench.url, layout), "{layout}");
        assert!(!history.is_empty(), "{layout}");
        shared().psql(&copy, "delete from two");
        good(&copy, &back);
        assert_eq!(rows(&copy, layout), "", "{layout}");
        assert_eq!(
            shared().psql(&copy, "select count(*) from pg_class where relname in ('one', 'two', 'both_of')"),
            "0"
        );
    }
}

#[tokio::test]
async fn what_would_be_lost_or_does_not_hold_stops_the_script() {
    let up = "create table made (a int);\nalter table old add column c int default 7;\ncreate sequence s";
    let down = "drop sequence s;\nalter table old drop column c;\ndrop table made";
    let files = [
        ("V1__old.sql", "create table old (id int)"),
        ("V1__old.down.sql", "drop table old"),
        ("V2__made.sql", up),
        ("V2__made.down.sql", down),
    ];
    let bench = Bench::new("script_lost", &files);
    // Only of what was proved exact it is said that nothing may be lost.
    let (forth, back) = scripts_of(&bench, "plan dev");
    let ask = |sql: &str| shared().psql(&bench.url, sql);
    good(&bench.url, &forth);
    ask("insert into old (id) values (1)");
    for (write, undo, said) in [
        ("insert into made values (1)", "delete from made", "table made has been written to since"),
        ("update old set c = 8", "update old set c = 7", "column old.c has been written to since"),
        ("select nextval('s')", "alter sequence s restart", "sequence s has been used since"),
    ] {
        ask(write);
        let (code, heard) = psql(&bench.url, &back);
        assert!(code == 3 && heard.contains(said), "{heard}");
        assert_eq!(rows(&bench.url, Layout::Refinery).lines().count(), 2, "nothing of it was taken back");
        ask(undo);
    }
    ask("delete from old");
    good(&bench.url, &back);

    let wrong = Bench::new(
        "script_wrong",
        &[
            ("V1__t.sql", "-- switchback: assert after select count(*) = 1 from t\ncreate table t (a int)"),
            ("V1__t.down.sql", "drop table t"),
        ],
    );
    let (code, heard) = psql(&wrong.url, &scripts(&wrong).0);
    assert!(code == 3 && heard.contains("line 1: what must be true after it is false"), "{heard}");
    assert_eq!(wrong.ask("select to_regclass('t') is null"), "t", "it went with its transaction");
}

#[tokio::test]
async fn a_script_that_is_stopped_half_way_leaves_what_a_run_leaves() {
    let text =
        "-- switchback: transaction off\ncreate table one (a int);\ncreate index concurrently two on nowhere (a)";
    let bench = Bench::new("script_half", &[("V1__half.sql", text), ("V1__half.down.sql", "drop table one")]);
    let (forth, _) = scripts(&bench);
    let (code, _) = psql(&bench.url, &forth);
    assert_eq!(code, 3);
    assert_eq!(
        bench.ask("select name, direction, statements, under_way from switchback_progress"),
        "half|up|1|{\"there\" : false}"
    );
    let (code, heard) = psql(&bench.url, &forth);
    assert!(code == 3 && heard.contains("migration half was left in the middle"), "{heard}");
    // The turn is another's.
    let other = crate::postgres::session(&bench.url).await;
    other.batch_execute("delete from switchback_progress; select pg_advisory_lock(8320234785195188833)").await.unwrap();
    let (code, heard) = psql(&bench.url, &forth);
    assert!(code == 3 && heard.contains("another runner of migrations is at work"), "{heard}");
}
