//! The place of the ledger is away: a cable to S3 or PostgreSQL that is cut exactly before an outcome is written; and
//! an S3 that answers wrongly, late or not at all.
#![expect(clippy::print_stdout, reason = "how it ended is told in the test's own output")]

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::json;

use super::{eventually, puts, shop_with_big};
use crate::place::{LedgerPlace, StoreKind};
use crate::shop::project::Project;
use crate::shop::world::assert_nothing_is_left;
use crate::stack::shared;

/// A connection of its own to a server, which can be cut and mended.
struct Cable {
    host: String,
    is_cut: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
}

impl Cable {
    fn to(server: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let cable = Self { host, is_cut: Arc::default(), streams: Arc::default() };
        let (server, is_cut, streams) = (server.to_owned(), Arc::clone(&cable.is_cut), Arc::clone(&cable.streams));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if is_cut.load(Ordering::SeqCst) {
                    continue;
                }
                let Ok(server) = TcpStream::connect(&server) else { continue };
                let both = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                streams.lock().unwrap().extend(both);
                let other = (client.try_clone().unwrap(), server.try_clone().unwrap());
                std::thread::spawn(move || pass(client, server));
                std::thread::spawn(move || pass(other.1, other.0));
            }
        });
        cable
    }

    fn cut(&self) {
        self.is_cut.store(true, Ordering::SeqCst);
        for stream in self.streams.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    fn mend(&self) {
        self.is_cut.store(false, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream) {
    let mut buffer = [0; 8192];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

const APPLY: &[&str] = &["apply", "dev", "--auto-approve", "--no-progress"];
const TO_NOTHING: &[&str] = &["rollback", "dev", "--to", "0", "--accept-loss", "all", "--auto-approve"];

/// The ledger cannot be reached when the outcome of a step is to be written, and again later.
fn away_at_an_outcome(kind: StoreKind) {
    let facts = shared().facts();
    let (cable, place) = match kind {
        StoreKind::S3 => {
            let cable = Cable::to(shared().aws_endpoint().strip_prefix("http://").unwrap());
            let place = LedgerPlace::s3_at(&format!("http://{}", cable.host));
            (cable, place)
        }
        StoreKind::Postgres => {
            let cable = Cable::to(&format!("{}:{}", facts.postgres_host, facts.postgres_port));
            let place = LedgerPlace::postgres_at(&cable.host);
            (cable, place)
        }
        StoreKind::File => unreachable!("a folder has no cable; its disk fills up instead"),
    };
    let (mut shop, proxy) = shop_with_big("away");
    shop.keep_ledger_at(&place);
    shop.set("SWITCHBACK_LEASE", "15s");
    let mut running = shop.follow(APPLY);
    proxy.wait();
    running.wait_for("V8__sync_display_name: done in");
    eventually("that the other outcomes are recorded", || {
        let status = shop.ok(&["status", "dev", "--json"]).json();
        status["unfinished"]["in_doubt"] == 1
    });
    cable.cut();
    proxy.release();
    let (said, took) = running.end();
    println!("{kind:?}: exit {} after {took:?}", said.code);
    assert!([6, 13].contains(&said.code), "exit {}\n{}\n{}", said.code, said.out, said.err);
    for next in ["resume dev", "rollback dev --last"] {
        assert!(said.out.contains(next), "`{next}`:\n{}\n{}", said.out, said.err);
    }
    assert_eq!((puts(&shop, "big"), puts(&shop, "after")), (1, 0), "what could not be recorded is not followed");
    cable.mend();
    shop.ok(&["resume", "dev", "--auto-approve"]);
    assert_eq!((puts(&shop, "big"), puts(&shop, "after")), (1, 1), "the world was asked; nothing was done twice");
    shop.ok(&["plan", "dev", "--detailed-exitcode"]);
    shop.ok(TO_NOTHING);
    assert_nothing_is_left(&shop);
}

#[test]
fn s3_is_away_at_an_outcome_and_the_run_is_finished() {
    away_at_an_outcome(StoreKind::S3);
}

#[test]
fn postgres_is_away_at_an_outcome_and_the_run_is_finished() {
    away_at_an_outcome(StoreKind::Postgres);
}

/// Every sort of bad answer in one apply: each is lived with, and nothing stands twice in the chain or in the world.
#[test]
fn an_s3_that_answers_badly_is_lived_with() {
    let place = LedgerPlace::new(StoreKind::S3);
    let bucket = place.url.trim_start_matches("s3://").split('/').next().unwrap().to_owned();
    let mut shop = Project::shop("badly");
    shop.keep_ledger_at(&place);
    let answers = [
        json!(500),
        json!(503),
        json!(409),
        json!("drop"),
        json!("success-then-412"),
        json!("success-then-drop"),
        json!("success-then-500"),
        json!("slow"),
    ];
    for answer in answers {
        let order = json!({
            "operation": "s3.PutObject", "containing": bucket, "answer": answer, "seconds": 2, "skip": 2,
        });
        let (status, said) = shop.stack().raw("PUT", "/_switchback/faults", &[], &order.to_string());
        assert_eq!(status, 200, "{said}");
    }
    shop.ok(&["up", "dev"]);
    let (_, orders) = shop.stack().raw("GET", "/_switchback/faults", &[], "");
    assert!(!orders.contains(&bucket), "not every fault was met: {orders}");
    let runs = shop.ok(&["history", "dev", "--json"]).json();
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(1), "{runs:#}");
    assert_eq!(puts(&shop, "web/LOG_LEVEL"), 1);
    shop.ok(&["plan", "dev", "--detailed-exitcode"]);
    shop.ok(TO_NOTHING);
    assert_nothing_is_left(&shop);
}

/// An S3 that has stopped answering well for good: nothing is forgotten, and the run is taken back later.
#[test]
fn an_s3_that_is_broken_for_long_forgets_nothing_and_the_run_is_taken_back() {
    let place = LedgerPlace::new(StoreKind::S3);
    let bucket = place.url.trim_start_matches("s3://").split('/').next().unwrap().to_owned();
    let mut shop = Project::shop("broken");
    shop.keep_ledger_at(&place);
    shop.set("SWITCHBACK_LEASE", "15s");
    let order = json!({
        "operation": "s3.PutObject", "containing": bucket, "answer": 503, "skip": 9, "times": 100_000,
    });
    assert_eq!(shop.stack().raw("PUT", "/_switchback/faults", &[], &order.to_string()).0, 200);
    let said = shop.run(APPLY);
    assert!([6, 13].contains(&said.code), "exit {}\n{}\n{}", said.code, said.out, said.err);
    assert!(said.err.contains("503") || said.err.contains("SlowDown"), "{}", said.err);
    assert!(said.out.contains("resume dev"), "{}", said.out);
    let clear = format!("/_switchback/faults?containing={bucket}");
    assert_eq!(shop.stack().raw("DELETE", &clear, &[], "").0, 200);
    shop.ok(TO_NOTHING);
    assert_nothing_is_left(&shop);
}
