//! A run that stopped half-way, and the ways out of it.

use std::io::{BufReader, Read as _};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{Bench, Said};

/// A spec whose second step needs an endpoint that nobody stands behind.
pub fn spec(endpoint: &str, input: &str) -> String {
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
pub fn nowhere() -> String {
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
    bench.expect(9, "resume dev").has("switchback resume dev --auto-approve").has_not("plan ENV");
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
    // What had failed is gone; the good state before it is not the last thing that `--last` means.
    bench.expect(0, "rollback dev --last --auto-approve").has("nothing to take back");
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
pub fn hanging(bench: &Bench) -> (Child, BufReader<std::process::ChildStderr>) {
    hanging_in(bench, "aws_ecs_task_definition.second")
}

/// An apply that hangs in this step, and the end of its talk.
pub fn hanging_in(bench: &Bench, step: &str) -> (Child, BufReader<std::process::ChildStderr>) {
    let mut child =
        bench.command("apply dev --auto-approve").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut talk = BufReader::new(child.stderr.take().unwrap());
    wait_for(&mut talk, &format!("{step}: started"));
    (child, talk)
}

pub fn wait_for(talk: &mut impl std::io::BufRead, words: &str) {
    let mut heard = String::new();
    while !heard.contains(words) {
        let before = heard.len();
        talk.read_line(&mut heard).unwrap();
        assert_ne!(heard.len(), before, "`{words}` was never said: {heard}");
    }
}

pub fn signal(child: &Child, signal: Signal) {
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

#[test]
fn a_killed_apply_is_finished_by_the_same_one_only() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let text = spec(&endpoint, "one") + "\nvariable \"open\" {\n  type    = string\n  default = \"a\"\n}\n";
    let database = crate::stack::shared().new_database("same");
    let (head, host) = database.rsplit_once('@').unwrap();
    let user = head.rsplit_once(':').map_or(head, |(user, _)| user);
    let password = crate::stack::shared().postgres_password_file().display();
    let text = format!(
        "{text}\ndatabase \"app\" {{\n  url = \"{user}@{host}\"\n  password_file = \"{password}\"\n  \
         migrations = \"../migrations\"\n  depends_on = [terraform_data.third]\n}}\n"
    );
    let bench = Bench::with_spec(&text);
    bench.write("migrations/V1__make.sql", "CREATE TABLE made (id int);\n");
    bench.write("migrations/V1__make.down.sql", "DROP TABLE made;\n");
    let (mut child, _talk) = hanging(&bench);
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    drop(silent);
    for words in ["apply dev --auto-approve --var open=b", "up dev --var open=b"] {
        bench.expect(6, words).has("run 1 of dev is unfinished").has("resume dev").has("rollback dev --last");
    }
    bench.write("migrations/V1__make.sql", "CREATE TABLE made (id bigint);\n");
    bench.expect(6, "apply dev --auto-approve").has("run 1 of dev is unfinished");
    bench.expect(0, "plan dev").has("run 1 is unfinished").has("V1__make");
    bench.write("migrations/V1__make.sql", "CREATE TABLE made (id int);\n");
    bench.expect(13, "apply dev --auto-approve").has("run 1, apply of dev: in doubt").has("settle dev");
}

#[test]
fn a_plan_file_finishes_the_run_that_it_began() {
    let bench = Bench::with_spec(&spec(&nowhere(), "one"));
    bench.expect(0, "plan dev --out a.plan.json");
    bench.expect(6, "apply a.plan.json").has("run 1, apply of dev");
    bench.expect(6, "apply a.plan.json").has("run 1, apply of dev");
    bench.write("environments/dev.hcl", &spec(&nowhere(), "two"));
    bench.expect(0, "plan dev --out b.plan.json");
    bench.expect(6, "apply b.plan.json").has("run 1 of dev is unfinished");
}

#[test]
fn what_is_taken_back_on_its_own_is_never_what_a_person_stopped() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let bench = Bench::with_spec(&spec(&endpoint, "one"));
    let mut command = bench.command("apply dev --auto-approve --on-failure=rollback");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut talk = BufReader::new(child.stderr.take().unwrap());
    wait_for(&mut talk, "aws_ecs_task_definition.second: started");
    signal(&child, Signal::INT);
    wait_for(&mut talk, "stopping: no new step starts");
    signal(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(13), "a doubt is never rolled back on its own");
    drop(silent);
    assert_eq!(bench.json(0, "status dev --offline")["resources"], 1);
    // A resume that fails takes back as well, if that is asked for.
    let bench = Bench::with_spec(&spec(&nowhere(), "one"));
    bench.expect(6, "apply dev --auto-approve").has("waits for step 2 aws_ecs_task_definition.second");
    bench.expect(12, "resume dev --auto-approve --on-failure=rollback").has("everything was taken back");
    bench.expect(12, "up dev --on-failure=rollback");
    assert_eq!(bench.json(0, "status dev")["resources"], 0);
    bench.expect(0, "rollback dev --last --auto-approve").has("nothing to take back");
}

#[test]
fn the_good_run_before_an_automatic_rollback_is_not_taken_back_by_last() {
    let good = "environment \"dev\" {}\nresource \"terraform_data\" \"first\" {\n  input = \"good\"\n}\n";
    let bench = Bench::with_spec(good);
    bench.expect(0, "up dev");
    bench.write("environments/dev.hcl", &spec(&nowhere(), "bad"));
    bench.expect(12, "up dev --on-failure=rollback");
    bench
        .expect(0, "rollback dev --last --auto-approve")
        .has("nothing to take back")
        .has("run 3 took back what had failed")
        .has("rollback dev --to 0");
    assert_eq!(bench.json(0, "status dev")["resources"], 1);
    bench.expect(0, "rollback dev --to 0 --auto-approve");
}

#[test]
fn nothing_is_taken_back_on_its_own_where_that_would_lose_something() {
    let stack = crate::stack::shared();
    let database = stack.new_database("loss");
    let (head, host) = database.rsplit_once('@').unwrap();
    let user = head.rsplit_once(':').map_or(head, |(user, _)| user);
    let text = spec(&nowhere(), "one").replace(
        "resource \"terraform_data\" \"third\"",
        &format!(
            "database \"app\" {{\n  url = \"{user}@{host}\"\n  password_file = \"{}\"\n  \
             migrations = \"../migrations\"\n}}\n\nresource \"terraform_data\" \"third\"",
            stack.postgres_password_file().display()
        ),
    );
    let bench = Bench::with_spec(&text);
    // Others write to what was added at once: what was exact when it was planned is not any more.
    stack.psql(
        &database,
        "CREATE FUNCTION others() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF to_regclass('made') IS NOT NULL THEN INSERT INTO made VALUES (0); END IF; END $$; \
         CREATE EVENT TRIGGER others ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION others()",
    );
    bench.write("migrations/V1__make.sql", "CREATE TABLE made (id int);\n");
    bench.write("migrations/V1__make.down.sql", "DROP TABLE made;\n");
    bench.write("migrations/V2__fill.sql", "INSERT INTO made VALUES (1);\n");
    bench.write("migrations/V2__fill.down.sql", "DELETE FROM made;\n");
    let said = bench.expect(6, "apply dev --auto-approve --on-failure=rollback");
    said.has("cannot be taken back without a loss").has("database.app V").has("resume dev");
    assert_eq!(bench.json(0, "status dev")["unfinished"]["run"], 1);
    bench.expect(0, "rollback dev --last --accept-loss all --auto-approve").has("complete");
}

/// Resume and rollback are killed in their turn while the endpoint says nothing, and typed again.
#[test]
fn resume_and_rollback_can_be_killed_and_typed_again() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = silent.local_addr().unwrap();
    let family = crate::stack::unique("again");
    let text = spec(&format!("http://{address}"), "one")
        .replace("\"second\"\n  container", &format!("\"{family}\"\n  container"));
    assert!(text.contains(&family));
    let bench = Bench::with_spec(&text);
    let (mut child, _talk) = hanging(&bench);
    signal(&child, Signal::KILL);
    child.wait().unwrap();
    for words in ["resume dev --auto-approve", "rollback dev --last --auto-approve", "resume dev --auto-approve"] {
        let mut child = bench.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let holds = |status: &serde_json::Value| status["lease"]["process"] == child.id();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(180);
        while !holds(&bench.json(0, "status dev --offline")) {
            assert!(std::time::Instant::now() < deadline, "{words} never took the lease");
        }
        signal(&child, Signal::KILL);
        child.wait().unwrap();
        bench.expect(0, "status dev --offline").has("1 done, 0 failed, 1 in doubt, 1 not done");
    }
    drop(silent);
    super::skip::come_back(address);
    bench.expect(0, "rollback dev --last --auto-approve").has("rollback of dev: complete").has("verified");
    assert_eq!(bench.json(0, "status dev")["resources"], 0);
    bench.expect(0, "up dev").has("verified");
    bench.expect(0, "rollback dev --to 0 --accept-loss all --auto-approve");
}
