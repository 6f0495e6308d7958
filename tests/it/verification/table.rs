//! Each way to fail, in each phase, with each course: exit code, messages, ledger, notifications and world say the same.
//!
//! Invariant: after `rollback`, and after the command that `stop` names, the world is what it was, by SQL and the AWS CLI.

use serde_json::json;

use super::server::Reply::{Never, Status};
use super::server::{Reply, Server};
use super::taken_back::{APPLY, second_version, spec, world};
use crate::shop::project::Project;
use crate::telling::{Message, messages, notify};

/// A way to fail: its name, how the target behaves, what is said around the question and in it, what is seen.
type Failing = (&'static str, Option<&'static [Reply]>, &'static str, &'static str, &'static str);

const WAYS: [Failing; 4] = [
    ("fails", Some(&[Status(503, "no database")]), "within = \"300ms\"", "", "status 503, wanted is 200"),
    ("times out", Some(&[Never]), "within = \"300ms\"", "timeout = \"200ms\"", "no answer within 200 ms"),
    (
        "flaps",
        Some(&[Status(200, "well"), Status(200, "well"), Status(500, "")]),
        "within = \"5s\"\n  holds_for = \"2s\"",
        "",
        "it held for ",
    ),
    ("is down", None, "within = \"300ms\"", "", "cannot be reached"),
];

const QUIET: [&str; 2] = ["--auto-approve", "--no-progress"];

/// One row: a version of its own is applied, fails, and is gone in the end.
fn row(project: &Project, (when, course): (&str, &str), way: Failing, number: usize, before: &str) {
    let (what, replies, around, inside, seen) = way;
    let case = format!("{what}, {when}, {course}");
    let server = replies.map_or_else(Server::down, Server::new);
    let receiver = Server::new(&[]);
    let check = format!(
        "verify \"up\" {{\n  when = \"{when}\"\n  on_failure = \"{course}\"\n  interval = \"50ms\"\n  {around}\n  \
         http {{\n    url = local.page\n    {inside}\n  }}\n}}\n"
    );
    let checks = check + &notify(&receiver, "");
    project.write("environments/dev.hcl", &spec(&server, &format!("two, {number}"), &checks));
    let (code, result) = match (when, course) {
        ("before", _) => (1, "failed without effect"),
        (_, "stop") => (6, "unfinished"),
        _ => (12, "taken back"),
    };
    let said = project.exits(code, &APPLY);
    assert!(said.out.contains("verify.up") && said.out.contains(seen), "{case}\n{}", said.out);
    let history = project.ok(&["history", "dev", "--json"]).json();
    let runs = history["runs"].as_array().unwrap();
    let failed = runs.iter().rev().find(|run| run["checks"].as_array().is_some_and(|list| !list.is_empty())).unwrap();
    assert_eq!(failed["result"], result, "{case}: {failed}");
    assert_eq!((&failed["checks"][0]["result"], &failed["verified"]), (&"failed".into(), &false.into()), "{case}");
    assert!(failed["checks"][0]["saw"].as_str().unwrap().contains(seen), "{case}: {failed}");
    let status = project.ok(&["status", "dev", "--json"]).json();
    let newest = &status["newest_run"];
    match (when, course) {
        ("before", _) => {
            assert!(said.out.contains("a check failed, nothing was changed"), "{case}\n{}", said.out);
            assert_eq!(failed["done"], 0, "{case}: {failed}");
        }
        (_, "stop") => {
            for next in ["switchback resume dev", "switchback rollback dev --last"] {
                assert!(said.out.contains(next), "{case}\n{}", said.out);
            }
            assert_eq!((&newest["result"], &newest["checks"][0]["result"]), (&"unfinished".into(), &"failed".into()));
            assert_eq!(status["next"][0], "switchback resume dev", "{case}: {status}");
            assert_ne!(world(project), before, "{case}: what was done stands");
            project.ok(&["rollback", "dev", "--last", QUIET[0], QUIET[1]]);
        }
        _ => {
            assert!(said.err.contains("verify.up failed in run"), "{case}\n{}", said.err);
            assert!(said.err.contains(" is held: verify.up failed in run"), "{case}\n{}", said.err);
            assert!(said.out.contains("failed, and everything was taken back"), "{case}\n{}", said.out);
            assert_eq!(
                (&newest["result"], &newest["verified"]),
                (&"complete".into(), &true.into()),
                "{case}: {status}"
            );
        }
    }
    assert_eq!(world(project), before, "{case}");
    told(&receiver, &case, when != "before", failed);
}

/// The receiver heard that just this run failed, why, how far it was, and that it was taken back where it was.
fn told(receiver: &Server, case: &str, is_taken_back: bool, failed: &serde_json::Value) {
    let told = messages(receiver);
    let topics: Vec<&str> = told.iter().map(Message::topic).collect();
    let wanted: &[&str] = if is_taken_back { &["failed", "rolled_back"] } else { &["failed"] };
    assert_eq!(topics, wanted, "{case}");
    let data = &told[0].body["data"];
    assert_eq!((&data["run"], &data["details"]), (&failed["run"], &json!(["verify.up failed"])), "{case}: {data}");
    assert_eq!((&data["steps"]["done"], &data["steps"]["failed"]), (&failed["done"], &0.into()), "{case}: {data}");
    if let Some(back) = told.get(1).map(|message| &message.body["data"]) {
        assert_eq!(back["run"].as_u64(), failed["run"].as_u64().map(|run| run + 1), "{case}: {back}");
        assert_eq!(back["verified"], true, "{case}: {back}");
    }
}

fn phase(when: &str) {
    let (project, before) = second_version(&format!("table-{when}"), &Server::down(), "");
    let mut number = 0;
    for course in ["stop", "rollback"] {
        for way in WAYS {
            number += 1;
            row(&project, (when, course), way, number, &before);
        }
    }
}

#[test]
fn before_the_first_effect_nothing_is_done() {
    phase("before");
}

#[test]
fn before_the_contract_phase_what_was_done_stands_or_goes() {
    phase("between");
}

#[test]
fn when_all_is_done_it_stands_or_goes() {
    phase("after");
}
