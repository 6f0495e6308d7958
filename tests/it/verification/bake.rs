//! Bake times by the ledger's clock, latency against what was before, and what is asked after a way back.

use std::time::Duration;

use super::server::Reply::{Late, Status};
use super::server::Server;
use super::{Bench, spec};

const BAKES: &str = "  within = \"20s\"\n  holds_for = \"3s\"";

/// Somebody else, elsewhere, who has only the ledger's URL, resumes it and comes to a good end.
#[track_caller]
fn resumed_elsewhere(bench: &Bench) -> String {
    let ledger = format!("file:{}", bench.path(".switchback/ledger").display());
    let elsewhere = tempfile::tempdir().unwrap();
    let mut command = bench.command(&format!("resume dev --auto-approve --lock-timeout 20s --ledger {ledger}"));
    let output = command.current_dir(elsewhere.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(0), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

#[test]
fn a_bake_time_goes_on_where_a_killed_runner_left_it() {
    let server = Server::new(&[Status(200, "well")]);
    let bench = Bench::new(&spec(&server, BAKES, ""));
    let mut child = bench.command("apply dev --auto-approve").spawn().unwrap();
    server.wait_for(5);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(bench.ledger().matches("\"record\":\"bakes\"").count(), 1, "when it began is in the ledger");
    std::thread::sleep(Duration::from_secs(3));
    // Its time is over, so one good answer is enough.
    let before = server.asked().len();
    let said = resumed_elsewhere(&bench);
    assert_eq!(server.asked().len() - before, 1, "{said}");
    let run = bench.newest();
    assert_eq!((&run["checks"][0]["result"], &run["verified"]), (&"passed".into(), &true.into()), "{run}");
    assert_eq!(bench.ledger().matches("\"record\":\"bakes\"").count(), 1);
}

#[test]
fn what_does_not_last_until_the_resumed_bake_is_over_fails_and_then_bakes_anew() {
    let server = Server::new(&[Status(200, "well")]);
    let bench = Bench::new(&spec(&server, "  within = \"20s\"\n  holds_for = \"60s\"\n  parks_after = \"0s\"", ""));
    bench.expect(10, "apply dev --auto-approve").has("verify.up has to hold until 20").has("switchback resume dev");
    let run = bench.newest();
    assert_eq!(
        (&run["result"], &run["done"], &run["verified"]),
        (&"waiting".into(), &1.into(), &false.into()),
        "{run}"
    );
    let status = bench.json(0, "status dev");
    assert!(status.to_string().contains("has to hold until"), "{status}");
    // It is still too early: whoever comes parks it again, and nothing is done twice.
    bench.expect(10, "resume dev --auto-approve");
    server.says(&[Status(500, "")]);
    bench.expect(6, "resume dev --auto-approve").has("it held for ").has("switchback rollback dev --last");
    server.says(&[Status(200, "well")]);
    bench.expect(10, "resume dev --auto-approve");
    let ledger = bench.ledger();
    assert_eq!(ledger.matches("\"record\":\"bakes\"").count(), 2, "it begins anew: {ledger}");
    assert_eq!(ledger.matches("\"record\":\"done\"").count(), 1);
    assert_eq!(ledger.matches("\"record\":\"parked\"").count(), 3);
    bench.expect(0, "rollback dev --last --auto-approve");
}

#[test]
fn a_parked_bake_is_over_when_its_time_is() {
    let server = Server::new(&[Status(200, "well")]);
    let bench = Bench::new(&spec(&server, "  within = \"20s\"\n  holds_for = \"2s\"\n  parks_after = \"200ms\"", ""));
    bench.expect(10, "apply dev --auto-approve");
    std::thread::sleep(Duration::from_millis(2_200));
    bench.expect(0, "resume dev --auto-approve").has("passed").has("verified");
    bench.expect(0, "apply dev --auto-approve").has("nothing to do");
}

#[test]
fn a_parked_soak_whose_runner_is_killed_is_carried_on_elsewhere() {
    let server = Server::new(&[Status(200, "well")]);
    let bench = Bench::new(&spec(&server, "  within = \"20s\"\n  holds_for = \"4s\"\n  parks_after = \"0s\"", ""));
    bench.expect(10, "apply dev --auto-approve");
    // The next one comes too early, and is killed while it looks.
    server.says(&[Late(Duration::from_secs(3))]);
    let before = server.asked().len();
    let mut child = bench.command("resume dev --auto-approve").spawn().unwrap();
    server.wait_for(before + 1);
    child.kill().unwrap();
    child.wait().unwrap();
    let run = bench.newest();
    assert!(run["checks"][0]["result"].is_null() && run["ended"].is_null(), "{run}");
    server.says(&[Status(200, "well")]);
    std::thread::sleep(Duration::from_secs(4));
    assert!(resumed_elsewhere(&bench).contains("verified"));
    let ledger = bench.ledger();
    assert_eq!(ledger.matches("\"record\":\"bakes\"").count(), 1, "its time began once: {ledger}");
    assert_eq!(ledger.matches("\"record\":\"done\"").count(), 1, "nothing was done twice: {ledger}");
    assert_eq!((&bench.newest()["result"], &bench.newest()["verified"]), (&"complete".into(), &true.into()));
}

#[test]
fn latency_is_compared_with_what_was_before_the_first_effect() {
    let late = |milliseconds: u64| Late(Duration::from_millis(milliseconds));
    let inside = "    slower_than_before = \"100%\"";
    for (after, code, words) in [(30, 0, ", before "), (1_500, 6, "slower by more than 100 %")] {
        let server = Server::new(&[late(300), late(after)]);
        let bench = Bench::new(&spec(&server, "  tries = 1", inside));
        let said = bench.expect(code, "apply dev --auto-approve");
        said.has(words);
        let ledger = bench.ledger();
        assert_eq!(ledger.matches("\"record\":\"measured\"").count(), 1, "{ledger}");
        assert_eq!(server.asked().len(), 2, "once before, once after");
        // A second try compares with the same.
        if code == 6 {
            server.says(&[late(1)]);
            bench.expect(0, "resume dev --auto-approve").has(", before ");
            assert_eq!(bench.ledger().matches("\"record\":\"measured\"").count(), 1);
        }
    }
    // What is not there before is not compared, and that is said.
    let server = Server::new(&[Status(503, ""), Status(200, "well")]);
    let bench = Bench::new(&spec(&server, "  tries = 1", inside));
    bench.expect(0, "apply dev --auto-approve").has("could not be measured");
    bench.write("environments/dev.hcl", &spec(&server, "", "    slower_than_before = \"fast\""));
    bench.expect(4, "validate dev").has("no part of a hundred");
}

#[test]
fn after_a_way_back_what_was_asked_before_is_asked_and_only_told() {
    let server = Server::new(&[Status(200, "well")]);
    let bench = Bench::new(&spec(&server, "  tries = 1", ""));
    bench.expect(0, "apply dev --auto-approve");
    bench.write("environments/dev.hcl", &spec(&server, "  tries = 1", "").replace("\"one\"", "\"two\""));
    bench.expect(0, "apply dev --auto-approve");
    // All is well again: it is said.
    bench.expect(0, "rollback dev --last --auto-approve").has("passed    verify.up, after the way back");
    let run = bench.newest();
    assert_eq!((&run["checks"][0]["result"], &run["checks"][0]["on_failure"]), (&"passed".into(), &"tell".into()));
    // What comes back does not work: the way back is whole all the same, and says so.
    bench.write("environments/dev.hcl", &spec(&server, "  tries = 1", "").replace("\"one\"", "\"three\""));
    bench.expect(0, "apply dev --auto-approve");
    server.says(&[Status(503, "dead")]);
    let said = bench.expect(0, "rollback dev --last --auto-approve");
    said.has("failed    verify.up, after the way back").has("status 503").has("verified: planning again is empty");
    let run = bench.newest();
    assert_eq!((&run["result"], &run["verified"]), (&"complete".into(), &true.into()), "{run}");
    let value = bench.json(0, "state dev show terraform_data.it").to_string();
    assert!(value.contains("\"one\""), "{value}");
    // Nobody goes on with a rollback because of that.
    bench.expect(0, "resume dev --auto-approve").has("there is no unfinished run");
    // The automatic way back tells it, too.
    server.says(&[Status(500, "")]);
    let broken = spec(&server, "  tries = 1\n  on_failure = \"rollback\"", "").replace("\"one\"", "\"four\"");
    bench.write("environments/dev.hcl", &broken);
    bench.expect(12, "apply dev --auto-approve").has("failed    verify.up, after the way back");
}
