//! Estimates, with the real binary on a real PostgreSQL: sizes come from the target, which is only read; rates are measured
//! once; a budget refuses before anything is done.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;
use switchback::provider::postgres::{Migrator, Patience, fingerprint_text};
use switchback::risk::way::LOCK_TRIES;
use switchback::world::{Databases as _, Rehearsals as _};

use crate::postgres::{connection, session};
use crate::postgres_project::Bench;
use crate::rehearsal::rehearser;
use crate::stack::{self, Quiet};

const ORDERS: &str = "create table orders (id int primary key, total int, note text); \
    insert into orders select n, n, md5(n::text) from generate_series(1, 40000) n; \
    create index orders_note on orders (note)";

/// A rewrite there, which keeps everybody out; and back.
const FILES: [(&str, &str); 2] = [
    ("V1__wider.sql", "alter table orders alter total type bigint;\nalter table orders add paid boolean;\n"),
    ("V1__wider.down.sql", "alter table orders drop paid;\nalter table orders alter total type int;\n"),
];

fn bench(name: &str) -> (Bench, tempfile::TempDir) {
    let bench = Bench::new(name, &FILES);
    for statement in ORDERS.split("; ").chain(["analyze orders"]) {
        stack::shared().psql(&bench.url, statement);
    }
    (bench, tempfile::tempdir().unwrap())
}

/// Types a command with a cache of its own; gives both streams, and stdout alone.
#[track_caller]
fn typed(bench: &Bench, cache: &Path, code: i32, words: &str) -> (String, String) {
    let output = bench.command(words).env("XDG_CACHE_HOME", cache).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(code), "switchback {words}\n{out}{err}");
    (format!("{out}{err}"), out)
}

fn line<'a>(said: &'a str, beginning: &str) -> &'a str {
    let found = said.lines().map(str::trim).find(|line| line.starts_with(beginning));
    found.unwrap_or_else(|| panic!("no line begins with `{beginning}`:\n{said}"))
}

#[test]
fn a_plan_says_what_each_way_costs_and_measures_once() {
    let (bench, cache) = bench("estimates");
    let (first, _) = typed(&bench, cache.path(), 0, "plan dev --out s.plan.json");
    let measuring = "measuring how fast PostgreSQL 15 works on this machine, once";
    assert!(first.contains(measuring), "{first}");
    for way in ["forth", "back"] {
        let said = line(&first, &format!("estimated {way}: "));
        assert!(
            said.contains("keeps writers of public.orders waiting for about ") && said.contains(", readers "),
            "{said}"
        );
        assert!(said.contains(" of disk; ") && said.contains(" of log"), "{said}");
    }
    assert!(line(&first, "by rates measured here on PostgreSQL 15.").len() > 40, "{first}");
    let (second, json) = typed(&bench, cache.path(), 0, "plan dev --json");
    assert!(!second.contains(measuring), "{second}");
    let json: Value = serde_json::from_str(&json).unwrap();
    let forth = &json["steps"][0]["risk"]["forth"];
    let rewrite = &forth["statements"][0];
    assert_eq!(rewrite["blocked"][0]["relation"], "public.orders", "{forth}");
    assert_eq!(rewrite["blocked"][0]["lock"], "access_exclusive");
    assert!(rewrite["because"][0].as_str().unwrap().contains("about 40 thousand rows: written anew"), "{forth}");
    // 40,000 rows of 28 bytes and four, four and 33 of values; an index of 900 kB and one of about 2.5 MB.
    let disk = forth["disk_bytes"].as_f64().unwrap();
    assert!((4e6..9e6).contains(&disk), "{forth}");
    assert!(forth["wal_bytes"].as_f64().unwrap() > disk && forth["seconds"].as_f64().unwrap() > 0.01, "{forth}");
    assert!(forth.get("unknown").is_none() && forth.get("lag_seconds").is_none(), "{forth}");
    // A saved plan says what it said then.
    let (saved, _) = typed(&bench, cache.path(), 0, "show s.plan.json");
    assert_eq!(line(&saved, "estimated forth: "), line(&first, "estimated forth: "));
    let (md, _) = typed(&bench, cache.path(), 0, "show s.plan.json --as md");
    assert_eq!(line(&md, "estimated back: "), line(&first, "estimated back: "));
}

#[test]
fn what_is_above_a_budget_is_refused_before_anything_is_done() {
    let (bench, cache) = bench("budgets");
    let budget = |text: &str| format!("environment \"dev\" {{\n  budget {{\n    {text}\n  }}\n}}\n");
    let plain = "environment \"dev\" {}\n";
    let refusing = budget("max_blocked_writes = \"1ms\"\n    max_disk = \"20GB\"");
    bench.edit("environments/dev.hcl", plain, &refusing);
    let (plan, _) = typed(&bench, cache.path(), 0, "plan dev --out s.plan.json");
    let refused = line(&plan, "above the budget: max_blocked_writes is 1 ms, ");
    assert!(refused.ends_with(" is estimated forth: it is refused") && !plan.contains("max_disk"), "{plan}");
    assert!(plan.contains(" is estimated back: told, for the way back is not refused"), "{plan}");
    for words in ["apply dev --auto-approve", "up dev", "apply s.plan.json"] {
        let (said, _) = typed(&bench, cache.path(), 1, words);
        assert!(said.contains("the change is above the budget; nothing was done"), "{said}");
        assert!(said.contains("step 1 database.app V1__wider: max_blocked_writes is 1 ms, "), "{said}");
    }
    let kind =
        "select format_type(atttypid, -1) from pg_attribute where attrelid = 'orders'::regclass and attname = 'total'";
    assert_eq!(bench.ask(kind), "integer", "nothing was done");
    // A class may sign for it, and nobody did.
    let signed = budget("max_blocked_writes = \"1ms\"\n    above = \"dba\"");
    bench.edit("environments/dev.hcl", &refusing, &signed);
    let (plan, _) = typed(&bench, cache.path(), 0, "plan dev");
    assert!(plan.contains("somebody of the class `dba` has to sign it"), "{plan}");
    typed(&bench, cache.path(), 9, "apply dev --auto-approve");
    assert_eq!(bench.ask(kind), "integer", "nothing was done");
    // What the database says of itself is nearer.
    bench.edit(
        "environments/dev.hcl",
        "  lock_timeout",
        "  budget {\n    max_blocked_writes = \"5m\"\n  }\n  lock_timeout",
    );
    let (said, _) = typed(&bench, cache.path(), 0, "apply dev --auto-approve");
    assert!(!said.contains("above the budget"), "{said}");
    assert_eq!(bench.ask(kind), "bigint");
    // A way back is told of, and taken.
    typed(&bench, cache.path(), 0, "rollback dev --last --auto-approve --accept-loss 1");
    assert_eq!(bench.ask(kind), "integer");
}

#[tokio::test(flavor = "multi_thread")]
async fn sizes_come_from_a_target_that_is_only_read() {
    let stack = stack::shared();
    let url = stack.new_database("measured");
    let client = session(&url).await;
    let reader = stack::unique("it_reader");
    client.batch_execute(ORDERS).await.unwrap();
    let more = format!(
        "create table parts (a int) partition by range (a); create table part partition of parts for values from (1) to (9); \
         insert into parts values (1); create view seen as select * from orders; create table fresh (a int); \
         create role {reader} login password 'it'; alter role {reader} set default_transaction_read_only = on; \
         grant select on orders to {reader}"
    );
    client.batch_execute(&more).await.unwrap();
    client.batch_execute("analyze orders").await.unwrap();
    let (_, place) = url.split_once('@').unwrap();
    let target = connection(&format!("postgres://{reader}:it@{place}"));
    let before = fingerprint_text(&connection(&url)).await.unwrap();
    let asked = ["orders", "orders_pkey", "parts", "part", "seen", "fresh", "never"];
    let asked: BTreeSet<String> = asked.iter().map(|name| format!("public.{name}")).collect();
    let facts = Migrator::default().facts(&target, &asked).await;
    let after = fingerprint_text(&connection(&url)).await.unwrap();
    let bytes =
        client.query_one("select pg_relation_size('orders'), pg_relation_size('orders_note')", &[]).await.unwrap();
    let wal_level = client.query_one("select current_setting('wal_level')", &[]).await.unwrap().get::<_, String>(0);
    client.batch_execute(&format!("drop owned by {reader}; drop role {reader}")).await.unwrap();
    let facts = facts.unwrap().unwrap();

    assert_eq!(before, after);
    let names: Vec<&str> = facts.measures.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        ["public.fresh", "public.orders", "public.part", "public.parts", "public.seen"],
        "an index is of its table"
    );
    let orders = &facts.measures["public.orders"];
    assert_eq!(i64::try_from(orders.heap_bytes).unwrap(), bytes.get::<_, i64>(0));
    assert_eq!(orders.rows, Some(40_000));
    assert_eq!(orders.indexes.len(), 2);
    let note = &orders.indexes["public.orders_note"];
    assert_eq!((i64::try_from(note.bytes).unwrap(), &*note.method), (bytes.get::<_, i64>(1), "btree"));
    let width = |name: &str| (orders.columns[name].bytes, orders.columns[name].varies);
    assert_eq!((width("id"), width("note"), orders.all_columns), ((4, false), (33, true), true));
    assert_eq!(facts.measures["public.fresh"].rows, Some(0), "it has no page");
    assert_eq!(facts.measures["public.parts"].heap_bytes, 0, "its partitions have the rows");
    assert!(orders.traffic.is_some(), "{orders:?}");
    assert_eq!(facts.settings.wal_level, wal_level);
    assert!(facts.settings.maintenance_bytes.is_some_and(|bytes| bytes >= 1 << 20), "{:?}", facts.settings);
    assert!(facts.settings.max_wal_bytes.is_some() && facts.settings.shared_buffers_bytes.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn traffic_is_looked_at_twice_where_there_is_some() {
    let url = stack::shared().new_database("traffic");
    let client = session(&url).await;
    client.batch_execute("create table busy (a int); insert into busy select generate_series(1, 100)").await.unwrap();
    client.batch_execute("select pg_stat_reset()").await.unwrap();
    // The server tells its counters once a second.
    for _ in 0..3 {
        client.batch_execute("update busy set a = a + 1").await.unwrap();
        tokio::time::sleep(Duration::from_millis(1100)).await;
    }
    let asked = BTreeSet::from(["public.busy".to_owned()]);
    let facts = Migrator::default().facts(&connection(&url), &asked).await.unwrap().unwrap();
    let traffic = facts.measures["public.busy"].traffic.unwrap();
    // 200 to 300 rows in 3.3 seconds or a little more.
    assert!((20.0..120.0).contains(&traffic.writes_per_second), "{traffic:?}");
    assert!(traffic.since.words().contains("since the counters were reset"), "{traffic:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rates_are_measured_quickly_on_a_server_of_our_own() {
    let begun = Instant::now();
    let rates = rehearser().calibrate(Some(15), &Quiet).await.unwrap().unwrap();
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    assert!(rates.is_sound() && rates.is_measured() && rates.server.starts_with("15."), "{rates:?}");
    // Writing a row takes longer than reading it, and a text is compared longer than a number, on any machine.
    assert!(rates.rewrite_row > rates.scan_row && rates.update_row > rates.scan_row, "{rates:?}");
    for rate in
        [rates.statement, rates.compare_number, rates.compare_text, rates.key_row, rates.update_entry, rates.log_byte]
    {
        assert!(rate > 0.0 && rate < 0.1, "{rates:?}");
    }
}

#[test]
fn estimates_know_how_often_the_runner_tries() {
    assert_eq!(Patience::default().lock_attempts, LOCK_TRIES);
}
