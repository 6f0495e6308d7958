//! Tests against a copy of an environment that is made for them, on a local stack of its own.
//!
//! Invariant: whatever happens, nothing of it is left, and nothing else was reached.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::run;
use crate::stack;
use crate::verification::server::{Reply, Server};
use crate::verification::{Bench, Said};

/// A spec whose things all lie on the local stack.
const SPEC: &str = r#"
environment "dev" {}

provider "aws" {
  region   = local_stack.region
  endpoint = local_stack.aws_endpoint
}

variable "level" {
  type    = string
  default = "info"
}

notify "nobody" {
  type = "slack"
  url  = "http://127.0.0.1:9/never"
}

resource "aws_ssm_parameter" "level" {
  name  = "/throw-away/level"
  type  = "String"
  value = var.level
}

output "level" { value = aws_ssm_parameter.level.value }
output "arn" { value = aws_ssm_parameter.level.arn }
"#;

fn bench(spec: &str) -> Bench {
    let bench = Bench::new(spec);
    bench.write("tests/level.test.hcl", &run("is_set", "output.level == \"loud\" && output.arn != \"\""));
    bench
}

fn command(bench: &Bench, words: &str) -> Command {
    let mut command = bench.command(words);
    command.env("XDG_CACHE_HOME", stack::cache());
    command
}

fn typed(bench: &Bench, code: i32, words: &str) -> Said {
    let output = command(bench, words).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let said = Said { code: output.status.code().unwrap_or(-1), out: text(output.stdout), talk: text(output.stderr) };
    assert_eq!(said.code, code, "switchback {words}\n{}{}", said.out, said.talk);
    said
}

/// The folders of throw-away stacks of a process.
fn left(process: u32) -> Vec<std::path::PathBuf> {
    let begins = format!("switchback-test-{process}-");
    let entries = std::fs::read_dir("/tmp").unwrap().flatten().map(|entry| entry.path());
    entries.filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(&begins))).collect()
}

#[test]
fn a_copy_is_made_tested_and_gone() {
    let chat = Server::new(&[Reply::Status(200, "ok")]);
    let bench = bench(&SPEC.replace("http://127.0.0.1:9", &chat.url()));
    let mut child =
        command(&bench, "test dev --throw-away --var level=loud --json").stdout(Stdio::piped()).spawn().unwrap();
    let process = child.id();
    let mut out = String::new();
    std::io::Read::read_to_string(&mut child.stdout.take().unwrap(), &mut out).unwrap();
    assert!(child.wait().unwrap().success(), "{out}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!((&report["passed"], &report["recorded"]), (&true.into(), &false.into()), "{report}");
    assert!(left(process).is_empty(), "{:?}", left(process));
    assert!(chat.asked().is_empty(), "nobody is told of it: {:?}", chat.asked());
    assert!(!bench.path(".switchback").exists(), "the environment itself was never touched");
    let failed = typed(&bench, 1, "test dev --throw-away");
    failed.has("✗ is_set").has("output.level is \"info\"");
}

#[test]
fn a_copy_that_would_reach_something_else_is_not_made() {
    let elsewhere = SPEC.replace("endpoint = local_stack.aws_endpoint", "endpoint = \"http://127.0.0.1:9\"");
    let said = typed(&bench(&elsewhere), 9, "test dev --throw-away");
    said.has("would reach what is no part of it")
        .has("aws_ssm_parameter.level: its AWS is not the one of the local stack");
    let protected = SPEC.replace("environment \"dev\" {}", "environment \"dev\" {\n  protected = true\n}");
    typed(&bench(&protected), 9, "test dev --throw-away").has("it is protected");
    typed(&bench(SPEC), 3, "test --throw-away");
}

#[test]
fn a_runner_that_is_killed_leaves_nothing() {
    let server = Server::new(&[Reply::Never]);
    let bench = bench(SPEC);
    let asks = format!(
        "run \"answers\" {{\n  verify \"up\" {{\n    http {{\n      url = \"{}\"\n    }}\n  }}\n}}\n",
        server.url()
    );
    bench.write("tests/level.test.hcl", &asks);
    let mut command = command(&bench, "test dev --throw-away");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    server.wait_for(1);
    assert_eq!(left(child.id()).len(), 1, "it is there");
    child.kill().unwrap();
    child.wait().unwrap();
    let begun = Instant::now();
    while !left(child.id()).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(180), "{:?} is left", left(child.id()));
        std::thread::sleep(Duration::from_millis(50));
    }
}
