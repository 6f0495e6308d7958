//! Who holds the lease, and how it is taken away.

use std::io::Read as _;
use std::net::TcpListener;

use rustix::process::Signal;

use super::Bench;
use super::unfinished::{hanging, signal, spec};

#[test]
fn a_lease_can_be_taken_away_and_who_lost_it_says_so() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let bench = Bench::with_spec(&spec(&endpoint, "one"));
    let (mut child, mut talk) = hanging(&bench);
    let lease = bench.json(0, "status dev --offline")["lease"].clone();
    assert_eq!(
        (&lease["name"], &lease["state"], &lease["purpose"]),
        (&"tester".into(), &"held".into(), &"apply dev".into())
    );
    assert_eq!(lease["process"], child.id(), "{lease}");
    bench.expect(0, "status dev --offline").has("lease       tester on").has("over in");
    bench.expect(7, "apply dev --auto-approve").has("tester").has("for apply dev").has("since");
    bench.expect(7, "hold dev set --reason x").has("holds the lease");
    bench.expect(3, "unlock dev").has("--reason");
    bench.expect(9, "unlock dev --reason gone").has("may still arrive").has("no terminal");
    bench.expect(0, "unlock dev --reason gone --auto-approve").has("was taken away").has("status dev");
    assert!(bench.json(0, "status dev --offline")["lease"].is_null());
    bench.expect(0, "unlock dev --reason gone --auto-approve").has("nobody holds the lease");
    assert!(bench.read(".switchback/ledger/dev.jsonl").contains("\"record\":\"unlocked\""));
    // The endpoint goes away, so the step of the first ends, and it finds that it may not write any more.
    drop(silent);
    let mut rest = String::new();
    talk.read_to_string(&mut rest).unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7), "{out}{rest}");
    assert!(out.contains("the lease was lost") && out.contains("took it away: gone"), "{out}{rest}");
    assert!(out.contains("switchback status dev"), "{out}");
    bench.expect(13, "resume dev --auto-approve").has("in doubt");
}

#[test]
fn the_lease_of_a_process_that_is_gone_is_named_so_and_taken_at_once() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let bench = Bench::with_spec(&spec(&endpoint, "one"));
    let (mut child, _talk) = hanging(&bench);
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    drop(silent);
    let status = bench.json(0, "status dev --offline");
    assert_eq!(status["lease"]["state"], "dead", "{status}");
    bench.expect(0, "status dev --offline").has("that process is gone");
    bench.expect(0, "unlock dev --reason dead --auto-approve").has("not needed");
}

#[test]
fn a_ledger_that_cannot_be_written_any_more_names_the_next_command_and_forgets_nothing() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let mut bench = Bench::with_spec(&spec(&endpoint, "one"));
    // What could not be written is tried again while the lease lasts.
    bench.set("SWITCHBACK_LEASE", "10s");
    let (mut child, mut talk) = hanging(&bench);
    // A folder stands in the place of the file: neither read nor written.
    let file = bench.path().join(".switchback/ledger/dev.jsonl");
    let aside = bench.path().join("aside.jsonl");
    std::fs::rename(&file, &aside).unwrap();
    std::fs::create_dir(&file).unwrap();
    drop(silent);
    let mut rest = String::new();
    talk.read_to_string(&mut rest).unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(13), "{out}{rest}");
    assert!(out.contains("switchback resume dev") && out.contains("switchback rollback dev --last"), "{out}{rest}");
    assert!(rest.contains("see that the ledger's place is there"), "{rest}");
    std::fs::remove_dir(&file).unwrap();
    std::fs::rename(&aside, &file).unwrap();
    bench.expect(0, "status dev --offline").has("1 done, 0 failed, 1 in doubt, 1 not done");
    bench.expect(13, "resume dev --auto-approve").has("in doubt");
}
