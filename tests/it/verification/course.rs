//! Every trouble in each of the three places: exit code, ledger and message say what happened, and what to type next.

use std::time::Duration;

use super::server::Reply::{Late, Never, Status};
use super::server::{Reply, Server};
use super::{Bench, spec};

/// How a target behaves, what is said around the question and in it, and what is seen.
type Trouble = (&'static str, Option<&'static [Reply]>, &'static str, &'static str, &'static str);

const WITHIN: &str = "  within = \"400ms\"";

const LASTING: &str = "  within = \"5s\"\n  holds_for = \"3s\"";

const TROUBLES: [Trouble; 4] = [
    ("fails", Some(&[Status(503, "no database")]), WITHIN, "", "status 503, wanted is 200, and says: no database"),
    ("times out", Some(&[Never]), WITHIN, "    timeout = \"200ms\"", "no answer within 200 ms"),
    ("does not last", Some(&[Status(200, "well"), Status(200, "well"), Status(500, "")]), LASTING, "", "it held for "),
    ("is down", None, WITHIN, "", "cannot be reached"),
];

#[test]
fn trouble_is_told_as_it_is_in_every_place() {
    for (when, wanted) in [("before", 1), ("between", 6), ("after", 6)] {
        for (what, replies, around, inside, seen) in TROUBLES {
            let case = format!("{what}, {when}");
            let server = replies.map_or_else(Server::down, Server::new);
            let around = format!("  when = \"{when}\"\n{around}");
            let bench = Bench::new(&spec(&server, &around, inside));
            let said = bench.expect(wanted, "apply dev --auto-approve");
            said.has("verify.up").has(seen);
            let run = bench.newest();
            let check = &run["checks"][0];
            assert_eq!(check["result"], "failed", "{case}: {run}");
            assert!(check["saw"].as_str().unwrap().contains(seen), "{case}: {check}");
            assert_eq!(run["verified"], false, "{case}");
            let (done, result) = if when == "before" { (0, "failed without effect") } else { (1, "unfinished") };
            assert_eq!((&run["done"], &run["result"]), (&done.into(), &result.into()), "{case}");
            let status = bench.json(0, "status dev");
            assert_eq!(status["resources"], done, "{case}: {status}");
            assert_eq!(status["newest_run"]["checks"][0]["result"], "failed", "{case}");
            if when == "before" {
                said.has("a check failed, nothing was changed");
            } else {
                said.has("done, but a check failed").has("switchback resume dev").has("switchback rollback dev --last");
                assert_eq!(status["next"][0], "switchback resume dev", "{case}");
            }
        }
    }
}

#[test]
fn what_comes_up_in_time_is_good_and_a_run_is_verified_only_then() {
    for when in ["before", "between", "after"] {
        let server = Server::new(&[Status(503, ""), Status(502, ""), Status(200, "well")]);
        let bench = Bench::new(&spec(&server, &format!("  when = \"{when}\"\n  within = \"20s\""), ""));
        bench.expect(0, "apply dev --auto-approve").has("verified: planning again is empty").has("3 tries");
        let run = bench.newest();
        assert_eq!((&run["checks"][0]["result"], &run["checks"][0]["tries"]), (&"passed".into(), &3.into()), "{run}");
        assert_eq!(run["verified"], true);
        // What is asked and passed stands: nothing is asked again for nothing.
        bench.expect(0, "apply dev --auto-approve").has("nothing to do");
        assert_eq!((bench.newest()["run"].as_u64(), server.asked().len()), (Some(1), 3));
    }
}

#[test]
fn a_failed_run_goes_on_or_back_as_it_was_told() {
    let server = Server::new(&[Status(500, "")]);
    let bench = Bench::new(&spec(&server, "  tries = 1", ""));
    bench.expect(6, "apply dev --auto-approve").has("1 try in");
    // It is asked again, and only that is left to do.
    bench.expect(6, "resume dev --auto-approve").has("status 500");
    server.says(&[Status(200, "well")]);
    bench.expect(0, "resume dev --auto-approve").has("passed").has("verified");
    let ledger = bench.ledger();
    assert_eq!(ledger.matches("\"record\":\"checked\"").count(), 3, "{ledger}");
    assert_eq!(ledger.matches("\"record\":\"done\"").count(), 1, "nothing was done twice");
    server.says(&[Status(500, "")]);
    bench.write("environments/dev.hcl", &spec(&server, "  tries = 1", "").replace("\"one\"", "\"two\""));
    bench.expect(6, "apply dev --auto-approve");
    bench.expect(0, "rollback dev --last --auto-approve").has("verified");
    let value = bench.json(0, "state dev show terraform_data.it").to_string();
    assert!(value.contains("\"one\"") && !value.contains("\"two\""), "{value}");
}

#[test]
fn what_is_asked_belongs_to_what_was_reviewed() {
    let server = Server::new(&[Status(200, "well")]);
    let text = spec(&server, "  within = \"2s\"\n  on_failure = \"rollback\"", "    headers = { auth = var.token }");
    let text = text + "variable \"token\" {\n  type = string\n  sensitive = true\n}\n";
    let bench = Bench::new(&text);
    for form in ["text", "md", "html"] {
        let said = bench.expect(0, &format!("plan dev --as {form}"));
        said.has("verify.up").has("when all is done, within 2s, every 50ms; else what was done is taken back");
        said.has("headers secret");
        assert!(!said.out.contains("token-of-the-shop"), "{}", said.out);
    }
    let review = bench.json(0, "plan dev --out s.plan.json");
    assert_eq!(
        (&review["checks"][0]["when"], &review["checks"][0]["on_failure"]),
        (&"after".into(), &"rollback".into())
    );
    bench.write("environments/dev.hcl", &text.replace("rollback", "stop"));
    let other = bench.json(0, "plan dev");
    assert_ne!(other["digest"], review["digest"], "another course is another change set");
    // Whoever cannot ask does nothing, and takes nothing back.
    let mut poor = bench.command("apply s.plan.json");
    let refused = poor.env_remove("SWITCHBACK_VAR_token").output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", String::from_utf8_lossy(&refused.stdout));
    // The plan alone says what is asked: the spec is gone.
    std::fs::remove_dir_all(bench.path("environments")).unwrap();
    std::fs::remove_file(bench.path("switchback.hcl")).unwrap();
    let ledger = format!("file:{}", bench.path(".switchback/ledger").display());
    let mut poor = bench.command(&format!("apply s.plan.json --ledger {ledger}"));
    let refused = poor.env_remove("SWITCHBACK_VAR_token").output().unwrap();
    assert_eq!(refused.status.code(), Some(1), "{}", String::from_utf8_lossy(&refused.stdout));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("nothing was done"));
    bench.expect(0, &format!("apply s.plan.json --ledger {ledger}")).has("verify.up").has("passed");
    assert!(server.asked()[0].contains("auth: token-of-the-shop-77"), "{:?}", server.asked());
    let said = bench.expect(0, &format!("history dev --export --ledger {ledger}")).out;
    assert!(said.contains("\"record\":\"checked\"") && !said.contains("token-of-the-shop"), "{said}");
}

#[test]
fn a_check_that_changed_is_asked_of_what_is_there() {
    let server = Server::new(&[Status(200, "well")]);
    let bench = Bench::new(&spec(&server, "", ""));
    bench.expect(0, "up dev");
    server.says(&[Status(200, "ill")]);
    bench.write("environments/dev.hcl", &spec(&server, "  tries = 1", "    contains = \"well\""));
    bench.expect(1, "up dev").has("what is asked has changed").has("does not contain `well`");
    assert_eq!(bench.newest()["verified"], false, "what is asked did not pass");
    server.says(&[Status(200, "well")]);
    bench.expect(0, "up dev").has("verified");
    assert_eq!(bench.newest()["run"], 3);
    bench.expect(0, "up dev").has("nothing to do");
}

#[test]
fn a_runner_that_is_killed_while_it_waits_is_followed_by_another() {
    let text = |server: &Server| spec(server, "  within = \"60s\"\n  holds_for = \"2s\"", "");
    // While it waits to come up, and in the midst of its bake time.
    for replies in [[Status(503, "")], [Status(200, "well")]] {
        let server = Server::new(&replies);
        let bench = Bench::new(&text(&server));
        let mut child = bench.command("apply dev --auto-approve").spawn().unwrap();
        server.wait_for(3);
        child.kill().unwrap();
        child.wait().unwrap();
        let run = bench.newest();
        assert_eq!((&run["result"], &run["verified"]), (&"unfinished".into(), &false.into()), "{run}");
        let status = bench.expect(0, "status dev").out;
        let at = |words: &str| status.find(words).unwrap_or_else(|| panic!("`{words}` is not in\n{status}"));
        assert!(at("is unfinished") < at("not asked"), "first what went wrong:\n{status}");
        assert!(run["checks"][0]["result"].is_null(), "nothing is known of what was not asked to its end: {run}");
        server.says(&[Status(200, "well")]);
        bench.expect(0, "resume dev --auto-approve --lock-timeout 20s").has("passed").has("verified");
        assert_eq!(bench.ledger().matches("\"record\":\"done\"").count(), 1);
    }
}

#[test]
fn a_person_who_stops_a_check_does_not_fail_it() {
    let server = Server::new(&[Status(503, "")]);
    let bench = Bench::new(&spec(&server, "  within = \"60s\"\n  on_failure = \"rollback\"", ""));
    let child = bench.command("apply dev --auto-approve").spawn().unwrap();
    server.wait_for(2);
    let process = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(process, rustix::process::Signal::INT).unwrap();
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(6));
    let run = bench.newest();
    assert_eq!((&run["result"], &run["done"]), (&"unfinished".into(), &1.into()), "it was not taken back: {run}");
    server.says(&[Late(Duration::from_millis(1))]);
    bench.expect(0, "resume dev --auto-approve");
}
