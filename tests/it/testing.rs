//! `switchback test`: of a plan, and against an environment as it stands; what is said, recorded, and asked for by gates.
//!
//! Invariant: a test that looked at nothing, or could not be told, is nowhere a pass.

mod gate;
mod mistakes;
mod throw_away;

use std::process::{Command, Stdio};

use crate::verification::Bench;
use crate::verification::server::{Reply, Server};

const MODULE: &str = r#"
variable "image" { type = string }

resource "terraform_data" "web" {
  input = "runs ${var.image}"
}

output "said" { value = terraform_data.web.output }
"#;

/// The spec of an environment.
fn spec(name: &str, block: &str) -> String {
    format!(
        r#"
environment "{name}" {{
{block}}}

variable "image" {{
  type     = string
  default  = "shop/web:1"
  released = true

  validation {{
    condition     = strcontains(var.image, ":")
    error_message = "an image has a tag"
  }}
}}

variable "token" {{
  type      = string
  default   = "unset"
  sensitive = true
}}

resource "terraform_data" "node" {{
  count = 2
  input = "node ${{count.index}}"
}}

resource "terraform_data" "hidden" {{
  input = var.token
}}

module "web" {{
  source = "../modules/web"
  image  = var.image
}}

output "said" {{ value = module.web.said }}
"#
    )
}

/// A project of dev and staging; staging comes after dev.
fn project(staging: &str) -> Bench {
    let bench = Bench::new(&spec("dev", ""));
    bench.write("modules/web/main.hcl", MODULE);
    bench.write("environments/staging.hcl", &spec("staging", staging));
    bench
}

/// A run with one assertion.
fn run(name: &str, condition: &str) -> String {
    format!(
        "run \"{name}\" {{\n  assert {{\n    condition     = {condition}\n    error_message = \"{name}: no\"\n  }}\n}}\n"
    )
}

/// How runs came out, by their names.
fn results(report: &serde_json::Value) -> Vec<(String, String)> {
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    report["tests"].as_array().unwrap().iter().map(|test| (text(&test["name"]), text(&test["result"]))).collect()
}

#[test]
fn a_plan_is_tested_without_a_world() {
    let bench = project("  after = \"dev\"\n");
    bench.write(
        "tests/logic.test.hcl",
        "environments = [\"dev\"]\nvariables {\n  image = \"shop/web:7\"\n}\n\
         run \"uses_it\" {\n  command = plan\n  assert {\n    condition     = terraform_data.node[1].input == \"node 1\" && \
         var.image == \"shop/web:7\" && environment.name == \"dev\"\n    error_message = \"no\"\n  }\n}\n\
         run \"wants_a_tag\" {\n  command = plan\n  variables {\n    image = \"shop/web\"\n  }\n  expect_failures = \
         [var.image]\n}\n\
         run \"takes_it\" {\n  command         = plan\n  expect_failures = [var.image]\n}\n\
         run \"not_known\" {\n  command = plan\n  assert {\n    condition     = output.said == \"runs shop/web:7\"\n    \
         error_message = \"no\"\n  }\n}\n",
    );
    let report = bench.json(1, "test");
    let told = results(&report);
    let told: Vec<(&str, &str)> = told.iter().map(|(name, result)| (&**name, &**result)).collect();
    assert_eq!(
        told,
        [("uses_it", "passed"), ("wants_a_tag", "passed"), ("takes_it", "failed"), ("not_known", "errored")]
    );
    let said = bench.expect(1, "test --filter takes_it --filter logic/not_known");
    said.has("a value was not refused").has("known only after an apply").has("module.web.terraform_data.web");
    said.has("2 runs: 0 passed, 1 failed, 1 cannot be told");
    bench.expect(0, "test --filter uses_it").has("✓ uses_it");
    assert!(!bench.path(".switchback").exists(), "a plan needs no ledger");
}

#[test]
fn what_stands_is_asked_told_and_recorded() {
    let server = Server::new(&[Reply::Status(200, "fine")]);
    let bench = project("  after = \"dev\"\n");
    let up = |url: &str| {
        format!(
            "run \"answers\" {{\n  verify \"up\" {{\n    within   = \"300ms\"\n    interval = \"50ms\"\n    http {{\n      url     \
             = \"{url}/health\"\n      headers = {{ authorization = var.token }}\n    }}\n  }}\n}}\n"
        )
    };
    bench.write("tests/smoke.test.hcl", &(up(&server.url()) + &run("says", "output.said == \"runs shop/web:1\"")));
    bench.expect(1, "test dev").has("nothing was ever applied to dev").has("switchback apply dev");
    bench.expect(0, "apply dev --auto-approve").has("verified");
    bench
        .expect(0, "test dev")
        .has("✓ answers")
        .has("✓ says")
        .has("2 runs: 2 passed")
        .has("recorded in the ledger of dev");
    assert!(server.asked()[0].contains("GET /health"), "{:?}", server.asked());
    bench.expect(0, "history dev").has("tests: 2 passed, by tester at");

    server.says(&[Reply::Status(503, "token-of-the-shop-77 is wrong")]);
    let more = run("three", "length(terraform_data.node) == 3 && var.token != \"x\"")
        + &run("sealed", "terraform_data.hidden.output == \"x\"")
        + &run("no_truth", "output.said");
    bench.write("tests/more.test.hcl", &more);
    let said = bench.expect(1, "test dev");
    said.has("? no_truth").has("neither true nor false").has("? sealed").has("depends on a secret");
    said.has("✗ three").has("tests/more.test.hcl:3:21").has("three: no").has("var.token is (sensitive value)");
    said.has("terraform_data.node is [{").has("✗ answers").has("`up`: ").has("503").has("✓ says");
    let report = bench.json(1, "test dev --filter smoke");
    assert_eq!((&report["recorded"], &report["run"]), (&false.into(), &1.into()), "{report}");
    assert_eq!(report["tests"][0]["diagnostics"][0]["file"], "tests/smoke.test.hcl", "{report}");

    let newest = bench.newest();
    let tests = newest["tests"].as_array().unwrap();
    assert_eq!(tests.len(), 2, "what was filtered is not recorded: {newest}");
    assert_eq!((&tests[0]["passed"], &tests[1]["passed"]), (&true.into(), &false.into()), "{newest}");
    assert_eq!(tests[1]["files"].as_object().unwrap().len(), 2, "{newest}");
    let ledger = bench.ledger();
    bench.expect(1, "test dev --no-record").has("5 runs: 1 passed, 2 failed, 2 cannot be told");
    assert_eq!(bench.ledger(), ledger, "nothing was to be recorded");
    for text in [ledger, said.out.clone() + &said.talk, report.to_string()] {
        assert!(!text.contains("token-of-the-shop-77"), "a secret is shown: {text}");
    }
}

#[test]
fn another_checkout_than_what_was_applied_is_not_tested() {
    let bench = project("  after = \"dev\"\n");
    bench.write("tests/smoke.test.hcl", &run("says", "output.said == \"runs shop/web:1\""));
    bench.expect(0, "apply dev --auto-approve");
    bench.expect(1, "test dev --var image=shop/web:2").has("the checkout is not what dev runs");
    bench.expect(0, "apply dev --auto-approve --var image=shop/web:2");
    let said = bench.expect(1, "test dev --var image=shop/web:2");
    said.has("output.said is \"runs shop/web:2\"");
    bench.expect(0, "rollback dev --last --auto-approve");
    bench.expect(0, "test dev").has("dev as run 1 left it").has("✓ says");
}

#[test]
fn junit_has_a_case_for_each_run() {
    let bench = project("  after = \"dev\"\n");
    let more = run("good", "true") + &run("bad", "output.said == \"<&\\\"\"") + &run("untold", "output.said");
    bench.write("tests/smoke.test.hcl", &more);
    bench.expect(0, "apply dev --auto-approve");
    let said = bench.expect(1, "test dev --as junit");
    assert!(said.talk.contains("✗ bad"), "people read it beside: {}", said.talk);
    let file = bench.path("t.xml");
    std::fs::write(&file, &said.out).unwrap();
    // Read by another's parser: its shape, its counts, its words.
    let read = "import sys, xml.etree.ElementTree as t\nr = t.parse(sys.argv[1]).getroot()\nassert r.tag == 'testsuites'\n\
                s = r.findall('testsuite')\nassert len(s) == 1 and s[0].get('name') == 'switchback.shop.dev.smoke'\n\
                assert [r.get(k) for k in ('tests', 'failures', 'errors')] == ['3', '1', '1']\n\
                c = s[0].findall('testcase')\nassert [x.get('name') for x in c] == ['good', 'bad', 'untold']\n\
                assert [[k.tag for k in x] for x in c] == [[], ['failure'], ['error']]\n\
                assert '<&' in c[1][0].text and 'bad: no' in c[1][0].get('message')\n\
                assert all(float(x.get('time')) >= 0 for x in c)\n";
    let output = Command::new("python3").args(["-c", read]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{}\n{}", String::from_utf8_lossy(&output.stderr), said.out);
}

#[test]
fn a_runner_that_is_killed_records_nothing_and_holds_nobody_up() {
    let server = Server::new(&[Reply::Never]);
    let bench = project("  after = \"dev\"\n");
    bench.expect(0, "apply dev --auto-approve");
    let before = bench.ledger();
    bench.write(
        "tests/smoke.test.hcl",
        &format!(
            "run \"answers\" {{\n  verify \"up\" {{\n    http {{\n      url = \"{}\"\n    }}\n  }}\n}}\n",
            server.url()
        ),
    );
    let mut command = bench.command("test dev");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    server.wait_for(1);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(bench.ledger(), before, "a test that did not end is not recorded");
    server.says(&[Reply::Status(200, "")]);
    bench.expect(0, "test dev").has("1 run: 1 passed").has("recorded");
}

#[test]
fn what_changes_while_it_is_tested_is_not_recorded() {
    let server = Server::new(&[Reply::Status(503, "")]);
    let bench = project("  after = \"dev\"\n");
    bench.expect(0, "apply dev --auto-approve");
    let text = "  verify \"up\" {\n    interval = \"50ms\"\n    http {\n      url = ";
    bench.write("tests/smoke.test.hcl", &format!("run \"answers\" {{\n{text}\"{}\"\n    }}\n  }}\n}}\n", server.url()));
    let mut command = bench.command("test dev");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    server.wait_for(1);
    bench.expect(0, "apply dev --auto-approve --var image=shop/web:2");
    server.says(&[Reply::Status(200, "")]);
    assert_eq!(child.wait().unwrap().code(), Some(5), "stale");
    assert!(!bench.ledger().contains("\"tested\""), "{}", bench.ledger());
}

#[test]
fn the_plans_of_the_shop_are_tested_without_a_stack() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.args(["test", "-C", env!("CARGO_MANIFEST_DIR")]).stdin(Stdio::null());
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", home.path());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("6 runs: 6 passed") && said.contains("(staging)"), "{said}");
}
