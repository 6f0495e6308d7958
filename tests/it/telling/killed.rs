//! The runner dies with a message on its way, or with the work: another one elsewhere, which has only the ledger's URL,
//! tells it, with the same id.

use std::process::{Child, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use super::{messages, notify, thing, topics};
use crate::verification::Bench;
use crate::verification::server::Reply::{Late, Never, Status};
use crate::verification::server::Server;

fn start(bench: &Bench, words: &str) -> Child {
    bench.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn kill(mut child: Child) {
    kill_process(Pid::from_child(&child), Signal::KILL).unwrap();
    child.wait().unwrap();
}

#[test]
fn killed_inside_of_a_notification_another_runner_tells_it_again() {
    let server = Server::new(&[Never]);
    let bench = Bench::new(&format!("{}{}", thing("one"), notify(&server, "  timeout = \"30s\"")));
    let runner = start(&bench, "apply dev --auto-approve");
    server.wait_for(1);
    kill(runner);
    server.says(&[Status(200, "")]);
    let elsewhere = Bench::new("");
    std::fs::remove_file(elsewhere.path("switchback.hcl")).unwrap();
    let ledger = format!("--ledger file:{}", bench.path(".switchback/ledger").display());
    elsewhere.expect(0, &format!("status dev {ledger}")).has("not told    1 message");
    elsewhere.expect(0, &format!("resume dev --auto-approve --lock-timeout 10s {ledger}"));
    assert_eq!(topics(&server), ["applied", "applied"]);
    let told = messages(&server);
    assert_eq!(told[0].id, told[1].id);
    let status = elsewhere.json(0, &format!("status dev {ledger}"));
    assert!(status.get("untold").is_none(), "{status}");
    elsewhere.expect(0, &format!("resume dev --auto-approve {ledger}"));
    assert_eq!(topics(&server).len(), 2, "what was told is not told again");
}

#[test]
fn a_runner_that_dies_in_its_work_is_told_by_the_next() {
    let (server, page) = (Server::new(&[]), Server::new(&[Late(Duration::from_secs(10))]));
    let check = format!(
        "verify \"up\" {{\n  when = \"between\"\n  within = \"30s\"\n  http {{\n    url = \"{}/\"\n    timeout = \"20s\"\n  }}\n}}\n",
        page.url()
    );
    let bench = Bench::new(&format!("{}{}{check}", thing("one"), notify(&server, "")));
    let runner = start(&bench, "apply dev --auto-approve");
    page.wait_for(1);
    kill(runner);
    assert!(server.asked().is_empty());
    page.says(&[Status(200, "")]);
    bench.expect(0, "resume dev --auto-approve --lock-timeout 10s");
    assert_eq!(topics(&server), ["failed", "applied"]);
    assert_eq!(messages(&server)[0].body["data"]["summary"], "run 1 lost its runner");
}

#[test]
fn a_run_that_a_person_stops_is_told_by_its_own_runner() {
    let (server, page) = (Server::new(&[]), Server::new(&[Status(503, "")]));
    let check = format!(
        "verify \"up\" {{\n  when = \"between\"\n  within = \"60s\"\n  interval = \"50ms\"\n  http {{\n    url = \"{}/\"\n  }}\n}}\n",
        page.url()
    );
    let bench = Bench::new(&format!("{}{}{check}", thing("one"), notify(&server, "")));
    let mut runner = start(&bench, "apply dev --auto-approve");
    page.wait_for(2);
    kill_process(Pid::from_child(&runner), Signal::INT).unwrap();
    assert_eq!(runner.wait().unwrap().code(), Some(6));
    assert_eq!(topics(&server), ["failed"]);
    bench.expect(0, "rollback dev --last --auto-approve");
    assert_eq!(topics(&server), ["failed", "rolled_back"], "it was told already when the lease was given back");
}
