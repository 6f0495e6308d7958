//! On the local stack: tasks that are run once, whoever waits for them, and alarms.

use rustix::process::Signal;
use serde_json::Value;

use crate::shop::project::Project;

const APPLY: [&str; 4] = ["apply", "dev", "--auto-approve", "--no-progress"];
const RESUME: [&str; 6] = ["resume", "dev", "--auto-approve", "--no-progress", "--lock-timeout", "30s"];

/// A cluster and a task definition whose image says how its tasks end, and what is asked.
fn project(prefix: &str, image: &str, checks: &str) -> Project {
    let project = Project::empty(prefix);
    project.write("switchback.hcl", "project \"shop\" {}\n");
    project.write("environments/dev.hcl", &spec(image, checks));
    project
}

fn spec(image: &str, checks: &str) -> String {
    format!(
        r#"
environment "dev" {{}}
variable "name" {{ type = string }}
provider "aws" {{
  region   = local_stack.region
  endpoint = local_stack.aws_endpoint
}}
resource "aws_ecs_cluster" "it" {{
  name = var.name
}}
resource "aws_ecs_task_definition" "job" {{
  family                = var.name
  network_mode          = "bridge"
  container_definitions = jsonencode([{{ name = "job", image = "{image}", memory = 64, essential = true }}])
}}
{checks}
"#
    )
}

const TASK: &str = r#"
verify "smoke" {
  within   = "60s"
  interval = "200ms"
  run_task {
    cluster         = aws_ecs_cluster.it.arn
    task_definition = aws_ecs_task_definition.job.arn
    container       = "job"
    command         = ["smoke", "--fast"]
    environment     = { DEPTH = "2" }
  }
}
"#;

fn newest(project: &Project) -> Value {
    let runs = project.ok(&["history", "dev", "--json"]).json();
    runs["runs"].as_array().unwrap().last().unwrap().clone()
}

/// The tasks of its cluster, as ECS tells them to anybody.
fn tasks(project: &Project) -> Vec<Value> {
    let mut found = Vec::new();
    for status in ["RUNNING", "STOPPED"] {
        let list = project.stack().aws(&["ecs", "list-tasks", "--cluster", &project.name, "--desired-status", status]);
        for arn in list["taskArns"].as_array().unwrap() {
            let arn = arn.as_str().unwrap();
            let told = project.stack().aws(&["ecs", "describe-tasks", "--cluster", &project.name, "--tasks", arn]);
            found.push(told["tasks"][0].clone());
        }
    }
    found
}

#[test]
fn a_task_is_run_once_and_has_to_end_well() {
    let good = project("task-good", "job:lasts-1", TASK);
    let said = good.ok(&APPLY);
    assert!(said.out.contains("ended well"), "{}", said.out);
    let ran = tasks(&good);
    assert_eq!(ran.len(), 1, "{ran:?}");
    let told = &ran[0]["overrides"]["containerOverrides"][0];
    assert_eq!((&told["command"][0], &told["environment"][0]["value"]), (&"smoke".into(), &"2".into()), "{told}");
    assert_eq!(newest(&good)["verified"], true);
    let bad = project("task-bad", "job:exit-3", TASK);
    let said = bad.exits(6, &APPLY);
    assert!(said.out.contains("job ended with 3"), "{}", said.out);
    // What failed is run once more, and not found again.
    bad.exits(6, &RESUME);
    assert_eq!(tasks(&bad).len(), 2);
    let broken = project("task-broken", "job:broken", TASK);
    let said = broken.exits(6, &APPLY);
    assert!(said.out.contains("CannotPullContainerError"), "{}", said.out);
}

#[test]
fn a_runner_that_is_killed_meanwhile_finds_its_task_again() {
    let mut project = project("task-killed", "job:lasts-6", TASK);
    project.set("SWITCHBACK_LEASE", "2s");
    let mut running = project.follow(&["apply", "dev", "--auto-approve"]);
    running.wait_for("is running");
    running.send(Signal::KILL);
    running.end();
    project.ok(&RESUME);
    let ran = tasks(&project);
    assert_eq!(ran.len(), 1, "it is not run twice: {ran:?}");
    assert_eq!(newest(&project)["checks"][0]["result"], "passed");
    // The answer to the very call that begins it is lost.
    let lost = self::project("task-lost", "job:lasts-1", TASK);
    lost.stack().fault(&serde_json::json!({"operation": "ecs.RunTask", "containing": lost.name, "answer": "success-then-drop", "times": 1}));
    lost.ok(&APPLY);
    assert_eq!(tasks(&lost).len(), 1);
}

#[test]
fn a_task_that_nobody_waits_for_any_more_is_ended() {
    let impatient = TASK.replace("60s", "2s").replace("\"200ms\"", "\"200ms\"\n  on_failure = \"rollback\"");
    let late = project("task-late", "job:lasts-120", &impatient);
    let said = late.exits(12, &APPLY);
    assert!(said.out.contains("failed, and everything was taken back"), "{}", said.out);
    let clusters = late.stack().aws(&["ecs", "describe-clusters", "--clusters", &late.name]);
    assert_ne!(clusters["clusters"][0]["status"], "ACTIVE", "{clusters}");
    let other =
        "verify \"no\" {\n  tries = 1\n  command {\n    argv = [\"/bin/sh\", \"-c\", \"sleep 3; exit 1\"]\n  }\n}\n";
    let beside = project("task-beside", "job:lasts-120", &format!("{TASK}{other}"));
    beside.exits(6, &APPLY);
    let ran = tasks(&beside);
    assert_eq!((ran.len(), &ran[0]["lastStatus"]), (1, &"STOPPED".into()), "{ran:?}");
    let run = newest(&beside);
    let result = |name: &str| {
        let checks = run["checks"].as_array().unwrap();
        checks.iter().find(|check| check["check"] == name).map(|check| check["result"].clone())
    };
    assert_eq!(
        (result("verify.no"), result("verify.smoke")),
        (Some("failed".into()), Some("called_off".into())),
        "{run}"
    );
}

fn alarm(project: &Project, state: &str) {
    let name = format!("{}-5xx", project.name);
    let stack = project.stack();
    stack.aws(&[
        "cloudwatch",
        "put-metric-alarm",
        "--alarm-name",
        &name,
        "--metric-name",
        "m",
        "--namespace",
        "shop",
        "--statistic",
        "Sum",
        "--period",
        "60",
        "--evaluation-periods",
        "1",
        "--threshold",
        "1",
        "--comparison-operator",
        "GreaterThanThreshold",
    ]);
    stack.aws(&[
        "cloudwatch",
        "set-alarm-state",
        "--alarm-name",
        &name,
        "--state-value",
        state,
        "--state-reason",
        "a test",
    ]);
}

#[test]
fn alarms_have_to_be_in_ok_and_to_stay_so() {
    let asks = |more: &str| {
        format!(
            "verify \"quiet\" {{\n  within = \"1s\"\n  interval = \"200ms\"\n  {more}\n  alarm {{\n    \
             names = [\"${{var.name}}-5xx\"]\n  }}\n}}\n"
        )
    };
    let project = project("alarm", "job:1", &asks(""));
    let said = project.exits(6, &APPLY);
    assert!(said.out.contains("there is no alarm"), "{}", said.out);
    alarm(&project, "ALARM");
    let said = project.exits(6, &RESUME);
    assert!(said.out.contains("is in ALARM: a test"), "{}", said.out);
    alarm(&project, "INSUFFICIENT_DATA");
    let said = project.exits(6, &RESUME);
    assert!(said.out.contains("is in INSUFFICIENT_DATA"), "{}", said.out);
    let lenient = asks("").replace("-5xx\"]", "-5xx\"]\n    insufficient_data = \"ok\"");
    project.ok(&["rollback", "dev", "--last", "--auto-approve", "--no-progress"]);
    project.write("environments/dev.hcl", &spec("job:1", &lenient));
    project.ok(&APPLY);
    // In its bake time it does not stay in OK.
    alarm(&project, "OK");
    project.write("environments/dev.hcl", &spec("job:2", &asks("holds_for = \"30s\"\n  on_failure = \"rollback\"")));
    let mut running = project.follow(&["apply", "dev", "--auto-approve"]);
    running.wait_for("verify.quiet: asked");
    std::thread::sleep(std::time::Duration::from_secs(2));
    alarm(&project, "ALARM");
    let (said, _) = running.end();
    assert_eq!(said.code, 12, "{}\n{}", said.out, said.err);
    assert!(said.out.contains("it held for ") && said.out.contains("is in ALARM"), "{}", said.out);
}
