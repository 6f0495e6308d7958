//! A run that stopped half-way, and the ways out of it.

use std::io::{BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{Bench, Said};

/// A spec whose second step needs an endpoint that nobody stands behind.
fn spec(endpoint: &str, input: &str) -> String {
    format!(
        r#"
environment "dev" {{}}

provider "aws" {{
  region      = "eu-central-1"
  endpoint    = "{endpoint}"
  access_key  = "test"
  secret_key  = "test"
  max_retries = 0
}}

resource "terraform_data" "first" {{
  input = "{input}"
}}

resource "aws_ecs_task_definition" "second" {{
  family                = "second"
  container_definitions = jsonencode([{{ name = "a", image = terraform_data.first.output, memory = 64 }}])
}}

resource "terraform_data" "third" {{
  input      = "three"
  depends_on = [aws_ecs_task_definition.second]
}}
"#
    )
}

/// An address at which nobody listens.
fn nowhere() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[test]
fn a_run_that_failed_half_way_is_named_and_can_be_taken_back() {
    let bench = Bench::with_spec(&spec(&nowhere(), "one"));
    let said = bench.expect(6, "apply dev --auto-approve");
    said.has("run 1, apply of dev: stopped half-way").has("1 done, 1 failed, 1 skipped");
    said.has("switchback resume dev").has("switchback rollback dev --last");
    let status = bench.json(0, "status dev");
    let states: Vec<&str> =
        status["unfinished"]["steps"].as_array().unwrap().iter().map(|step| step["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["done", "failed", "not done"], "{status}");
    bench.expect(0, "status dev").has("run 1 is unfinished: 1 done, 1 failed, 0 in doubt, 1 not done");
    // The same again goes on with the same run; another one is refused with the two commands.
    bench.expect(6, "apply dev --auto-approve").has("run 1, apply of dev");
    bench.expect(6, "resume dev --auto-approve").has("run 1, apply of dev");
    bench.write("environments/dev.hcl", &spec(&nowhere(), "changed"));
    bench
        .expect(6, "apply dev --auto-approve")
        .has("run 1 of dev is unfinished")
        .has("resume dev")
        .has("rollback dev --last");
    bench.expect(6, "destroy dev --auto-approve").has("run 1 of dev is unfinished");
    bench.expect(0, "rollback dev --last --auto-approve").has("run 2, rollback of dev: complete").has("verified");
    assert_eq!(bench.json(0, "status dev")["resources"], 0);
    bench.expect(0, "history dev").has("taken back; 1 of 3 steps done");
}

#[test]
fn a_failure_takes_back_what_was_done_if_that_is_asked_for() {
    let bench = Bench::with_spec(&spec(&nowhere(), "one"));
    let report = bench.json(12, "apply dev --auto-approve --on-failure=rollback");
    assert_eq!(report["result"], "taken_back", "{report}");
    assert_eq!(bench.json(0, "status dev")["resources"], 0);
    bench.expect(0, "rollback dev --last --auto-approve").has("nothing to take back");
}

/// An apply that hangs in its second step, and the end of its talk.
fn hanging(bench: &Bench) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child =
        bench.command("apply dev --auto-approve").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut talk = BufReader::new(child.stderr.take().unwrap());
    wait_for(&mut talk, "aws_ecs_task_definition.second: started");
    (child, talk)
}

fn wait_for(talk: &mut impl std::io::BufRead, words: &str) {
    let mut heard = String::new();
    while !heard.contains(words) {
        let before = heard.len();
        talk.read_line(&mut heard).unwrap();
        assert_ne!(heard.len(), before, "`{words}` was never said: {heard}");
    }
}

fn signal(child: &Child, signal: Signal) {
    let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(id, signal).unwrap();
}

#[test]
fn another_run_is_kept_out_and_one_that_is_killed_leaves_a_doubt() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let bench = Bench::with_spec(&spec(&endpoint, "one"));
    let (mut child, _talk) = hanging(&bench);
    bench.expect(7, "apply dev --auto-approve").has("holds the lease").has("tester");
    bench.expect(7, "rollback dev --last --auto-approve --lock-timeout 300ms").has("waiting:");
    bench.expect(0, "status dev").has("unfinished");
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    drop(silent);
    bench.expect(0, "status dev").has("1 done, 0 failed, 1 in doubt, 1 not done").has("asks the world");
    bench.expect(13, "resume dev --auto-approve").has("in doubt");
    bench.expect(13, "rollback dev --last --auto-approve").has("in doubt");
}

#[test]
fn ctrl_c_stops_cleanly_and_a_second_one_leaves_a_doubt() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let bench = Bench::with_spec(&spec(&endpoint, "one"));
    let (mut child, mut talk) = hanging(&bench);
    signal(&child, Signal::INT);
    wait_for(&mut talk, "stopping: no new step starts");
    assert!(child.try_wait().unwrap().is_none(), "what is under way is waited for");
    signal(&child, Signal::INT);
    let mut rest = String::new();
    talk.read_to_string(&mut rest).unwrap();
    let mut out = String::new();
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    let code = child.wait().unwrap().code().unwrap_or(-1);
    let said = Said { code, out, talk: rest };
    assert_eq!(said.code, 13, "{}{}", said.out, said.talk);
    said.has("stopping now").has("in doubt").has("switchback resume dev");
}
