//! Eight processes at once want one environment: one of them has it at a time, and nothing is done twice.
#![expect(clippy::print_stdout, reason = "how it ended is told in the test's own output")]

use std::collections::BTreeMap;

use serde_json::Value;

use crate::place::{LedgerPlace, StoreKind, on_every_store};
use crate::shop::project::{Project, Said};
use crate::shop::running::Running;
use crate::shop::world::everything;

on_every_store! {
    eight_applies_of_one_fresh_shop;
    eight_applies_of_different_values;
}

const PROCESSES: usize = 8;

/// The runs that the ledger knows; reading it checks the whole chain.
fn history(shop: &Project) -> Value {
    shop.ok(&["history", "dev", "--json"]).json()
}

/// How often the relay was asked to do this for the shop, and did not refuse.
fn done(calls: &Value, operation: &str) -> u64 {
    let count = |list: &str| calls[list][operation].as_u64().unwrap_or_default();
    count("operations") - count("refused")
}

/// How many of them ended with each exit code.
fn codes(ends: &[Said]) -> BTreeMap<i32, usize> {
    let mut codes = BTreeMap::new();
    for said in ends {
        *codes.entry(said.code).or_default() += 1;
    }
    codes
}

fn all_at_once(starts: impl Iterator<Item = Running>) -> Vec<Said> {
    let running: Vec<Running> = starts.collect();
    running.into_iter().map(|one| one.end().0).collect()
}

/// Half of them wait for the lease, half of them do not; all want the same.
fn eight_applies_of_one_fresh_shop(kind: StoreKind) {
    let mut shop = Project::shop("race");
    let place = LedgerPlace::new(kind);
    shop.keep_ledger_at(&place);
    let ends = all_at_once((0..PROCESSES).map(|number| {
        let waits = ["apply", "dev", "--auto-approve", "--no-progress", "--lock-timeout", "60s"];
        shop.follow(if number % 2 == 0 { &waits } else { &waits[..4] })
    }));
    for (number, said) in ends.iter().enumerate() {
        match said.code {
            0 => {}
            7 if number % 2 == 1 => assert!(said.err.contains("holds the lease"), "{}", said.err),
            other => panic!("process {number}: exit {other}\n{}\n{}", said.out, said.err),
        }
    }
    let codes = codes(&ends);
    println!("{kind:?}: exits {codes:?}");

    // One of them did it, the others found it done.
    let runs = history(&shop)["runs"].as_array().unwrap().clone();
    assert_eq!(runs.len(), 1, "{runs:#?}");
    assert_eq!((&runs[0]["result"], &runs[0]["verified"]), (&"complete".into(), &true.into()));
    let calls = shop.stack().calls(&shop.name);
    for (operation, times) in [
        ("ecs.CreateCluster", 1),
        ("logs.CreateLogGroup", 1),
        ("ssm.PutParameter", 4),
        ("ecs.RegisterTaskDefinition", 2),
        ("ecs.CreateService", 2),
    ] {
        assert_eq!(done(&calls, operation), times, "{operation}: {calls:#}");
    }
    let there = everything(&shop);
    assert_eq!(there.len(), 1 + 1 + 4 + 2 + 2 + 2, "{there:#?}");
    shop.ok(&["plan", "dev", "--detailed-exitcode"]);
    shop.ok(&["rollback", "dev", "--to", "0", "--accept-loss", "all", "--auto-approve"]);
}

const PARAMETERS: &str = r#"
provider "aws" {
  region   = local_stack.region
  endpoint = local_stack.aws_endpoint
}
variable "name" { type = string }
variable "word" { type = string }
resource "aws_ssm_parameter" "one" {
  for_each = toset(["a", "b", "c"])
  name     = "/${var.name}/${each.key}"
  type     = "String"
  value    = "${each.key} ${var.word}"
}
resource "aws_ssm_parameter" "last" {
  name  = "/${var.name}/last"
  type  = "String"
  value = join(" ", [for one in aws_ssm_parameter.one : one.value])
}
"#;

/// Each wants something else, so each has something to do: one after the other.
fn eight_applies_of_different_values(kind: StoreKind) {
    let mut shop = Project::shop("race");
    let place = LedgerPlace::new(kind);
    shop.keep_ledger_at(&place);
    shop.write("environments/dev.hcl", PARAMETERS);
    let ends = all_at_once((0..PROCESSES).map(|number| {
        let word = format!("word={number}");
        shop.follow(&["apply", "dev", "--auto-approve", "--var", &word, "--lock-timeout", "90s"])
    }));
    for said in &ends {
        assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    }
    let runs = history(&shop)["runs"].as_array().unwrap().clone();
    assert_eq!(runs.len(), PROCESSES, "{runs:#?}");
    assert!(runs.iter().all(|run| run["verified"] == true && run["done"] == 4), "{runs:#?}");
    let calls = shop.stack().calls(&format!("/{}/", shop.name));
    assert_eq!(done(&calls, "ssm.PutParameter"), 4 * PROCESSES as u64, "{calls:#}");
    // What is there is what one of them wanted, and not a mixture.
    let value = |name: &str| {
        let body = serde_json::json!({"Name": format!("/{}/{name}", shop.name)});
        let (_, answer) = shop.stack().call("ssm", "GetParameter", &body);
        answer["Parameter"]["Value"].as_str().expect("it is there").to_owned()
    };
    let word = value("a").trim_start_matches("a ").to_owned();
    assert_eq!(value("last"), format!("a {word} b {word} c {word}"));
    shop.ok(&["plan", "dev", "--var", &format!("word={word}"), "--detailed-exitcode"]);
    shop.ok(&["rollback", "dev", "--to", "0", "--accept-loss", "all", "--auto-approve"]);
}
