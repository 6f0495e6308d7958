//! A backfill of many rows while others read and write: killed and gone on with, paused, and never long in the way.
//!
//! 200,000 rows usually; 5,000,000 with `SWITCHBACK_TEST_LONG`.

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::place::is_long;
use crate::postgres::session;
use crate::postgres_project::Bench;

/// How long one batch may keep its rows locked: the migration's lock time-out.
const LIMIT: Duration = Duration::from_millis(200);

/// Each row is to be filled exactly once.
const FILL: &str = "-- switchback: transaction off\n-- switchback: lock timeout 200ms\n\
                    -- switchback: backfill items by id batch 2000 pause 2ms\n\
                    UPDATE items SET fills = fills + 1, title = 'item ' || name;\n";

fn rows() -> u64 {
    if is_long() { 5_000_000 } else { 200_000 }
}

fn bench(name: &str) -> Bench {
    let make = format!(
        "CREATE TABLE items (id bigint PRIMARY KEY, name text NOT NULL, title text, fills int NOT NULL DEFAULT 0, \
         hits int NOT NULL DEFAULT 0) WITH (fillfactor = 70);\n\
         INSERT INTO items (id, name) SELECT 3 * n, 'n' || n FROM generate_series(1, {}) AS n;\n",
        rows()
    );
    let bench = Bench::new(name, &[("V1__items.sql", &make), ("V1__items.down.sql", "DROP TABLE items;\n")]);
    bench.expect(0, "apply dev --auto-approve");
    bench.ask("ANALYZE items");
    bench.write("migrations/V2__fill.sql", FILL);
    bench.write(
        "migrations/V2__fill.down.sql",
        "-- switchback: transaction off\n-- switchback: backfill items by id batch 2000\n\
         UPDATE items SET fills = 0, title = NULL WHERE fills > 0;\n",
    );
    bench
}

/// Clients that read and write random rows until they are told to stop.
struct Load {
    stop: Arc<AtomicBool>,
    clients: Vec<tokio::task::JoinHandle<Duration>>,
    written: Arc<AtomicU64>,
}

impl Load {
    async fn start(url: &str) -> Self {
        let (stop, written) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let mut clients = Vec::new();
        for seed in 0..3_u64 {
            let client = session(url).await;
            // The server itself refuses whoever had to wait for a lock for longer: a batch, and its commit.
            let wait = (LIMIT * 3).as_millis();
            client.batch_execute(&format!("set lock_timeout = {wait}")).await.unwrap();
            let (stop, written) = (Arc::clone(&stop), Arc::clone(&written));
            clients.push(tokio::spawn(async move {
                let (mut state, mut longest) = (seed * 7_919 + 1, Duration::ZERO);
                while !stop.load(Ordering::SeqCst) {
                    state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                    let id = i64::try_from(3 * (1 + (state >> 33) % rows())).unwrap();
                    let begun = Instant::now();
                    let found = client.execute("update items set hits = hits + 1 where id = $1", &[&id]).await;
                    assert_eq!(found.expect("no writer waits longer than the limit"), 1);
                    longest = longest.max(begun.elapsed());
                    client.query_one("select title from items where id = $1", &[&id]).await.unwrap();
                    written.fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                longest
            }));
        }
        Self { stop, clients, written }
    }

    /// The longest that a write took, and how many there were.
    async fn end(self) -> (Duration, u64) {
        self.stop.store(true, Ordering::SeqCst);
        let mut longest = Duration::ZERO;
        for client in self.clients {
            longest = longest.max(client.await.expect("no client failed"));
        }
        (longest, self.written.load(Ordering::SeqCst))
    }
}

fn filled(bench: &Bench) -> u64 {
    bench.ask("SELECT count(*) FROM items WHERE fills > 0").parse().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_is_killed_and_gone_on_with_under_load() {
    let bench = bench("backfill");
    let load = Load::start(&bench.url).await;
    let begun = Instant::now();
    // Twice, each time in the middle of its batches.
    for words in ["apply dev --auto-approve", "resume dev --auto-approve"] {
        let before = filled(&bench);
        let (mut child, _talk) = bench.begin(words, "rows/s");
        while filled(&bench) < before + rows() / 10 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(filled(&bench) < rows(), "it was killed in the middle");
    }
    let status = bench.expect(0, "status dev");
    assert!(status.contains("V2__fill"), "{status}");
    let said = bench.expect(0, "resume dev --auto-approve");
    for part in ["rows/s", "about", "%)", "rows written in"] {
        assert!(said.contains(part), "`{part}`: {said}");
    }
    let took = begun.elapsed();
    let (longest, writes) = load.end().await;
    let wrong = bench.ask("SELECT count(*) FROM items WHERE fills <> 1 OR title <> 'item ' || name");
    assert_eq!(wrong, "0", "each row is filled once: no finished batch was done again");
    assert!(writes > 100, "there was a load: {writes} writes");
    bench.expect(0, "plan dev --detailed-exitcode");
    println!("{} rows in {took:?} with two kills; {writes} writes beside it, the longest took {longest:?}", rows());
    // Its batches stand in the ledger.
    let ledger = bench.expect(0, "history dev --export");
    assert!(ledger.contains("advanced"), "the cursor is in the ledger");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backfill_pauses_goes_on_and_is_taken_back() {
    let bench = bench("backfill");
    let (mut child, mut talk) = bench.begin("apply dev --auto-approve", "rows/s");
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    let mut said = String::new();
    talk.read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(10), "it waits: {said}");
    assert!(said.contains("paused after"), "{said}");
    let paused = filled(&bench);
    assert!(paused > 0 && paused < rows(), "{paused}");
    bench.expect(0, "resume dev --auto-approve");
    assert_eq!(bench.ask("SELECT count(*) FROM items WHERE fills <> 1"), "0");
    bench.expect(0, "rollback dev --last --accept-loss all --auto-approve");
    assert_eq!(bench.ask("SELECT count(*) FROM items WHERE fills <> 0 OR title IS NOT NULL"), "0");
}

/// Whoever waits for a row that a batch would wait for as well is not kept waiting by the batch.
#[tokio::test]
async fn a_row_that_somebody_keeps_makes_batches_small_and_is_named_or_waited_for() {
    let bench = bench("backfill");
    let keeper = session(&bench.url).await;
    keeper.batch_execute("begin; update items set hits = 1 where id = 30000").await.unwrap();
    let (mut child, _talk) = bench.begin("apply dev --auto-approve", "rows/s");
    // Everything before the row gets done while it is kept.
    let begun = Instant::now();
    while bench.ask("SELECT count(*) FROM items WHERE id < 30000 AND fills = 0") != "0" {
        assert!(begun.elapsed() < Duration::from_secs(180), "the batches before the row are done");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    keeper.batch_execute("commit").await.unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(bench.ask("SELECT count(*) FROM items WHERE fills <> 1"), "0");
}
