//! A saved plan, and a world that moves before it is applied.

use serde_json::json;

use super::project::Project;

fn put(shop: &Project, name: &str, value: &str) {
    let body = json!({"Name": name, "Value": value, "Type": "String", "Overwrite": true});
    let (status, answer) = shop.stack().call("ssm", "PutParameter", &body);
    assert_eq!(status, 200, "{answer}");
}

fn value(shop: &Project, name: &str) -> String {
    let (status, answer) = shop.stack().call("ssm", "GetParameter", &json!({"Name": name}));
    assert_eq!(status, 200, "{answer}");
    answer["Parameter"]["Value"].as_str().unwrap().to_owned()
}

/// A shop of parameters only: two that the plan changes, and one that it does not.
fn parameters(prefix: &str) -> Project {
    let shop = Project::shop(prefix);
    let spec = r#"
provider "aws" {
  region   = local_stack.region
  endpoint = local_stack.aws_endpoint
}
variable "name" { type = string }
variable "word" {
  type    = string
  default = "one"
}
resource "aws_ssm_parameter" "first" {
  name  = "/${var.name}/first"
  type  = "String"
  value = var.word
}
resource "aws_ssm_parameter" "second" {
  name  = "/${var.name}/second"
  type  = "String"
  value = "second ${var.word}"
}
resource "aws_ssm_parameter" "unrelated" {
  name  = "/${var.name}/unrelated"
  type  = "String"
  value = "stays"
}
"#;
    shop.write("environments/dev.hcl", spec);
    shop.ok(&["up", "dev"]);
    shop.exits(2, &["plan", "dev", "--var", "word=two", "--detailed-exitcode", "--out", "s.plan.json"]);
    shop
}

#[test]
fn a_plan_whose_parameter_was_changed_by_hand_is_refused_and_names_it() {
    let shop = parameters("stale");
    put(&shop, &format!("/{}/second", shop.name), "by hand");
    let said = shop.exits(5, &["apply", "s.plan.json"]);
    assert!(said.err.contains("aws_ssm_parameter.second"), "{}", said.err);
    assert_eq!(value(&shop, &format!("/{}/first", shop.name)), "one", "nothing was done");
    assert_eq!(value(&shop, &format!("/{}/second", shop.name)), "by hand");
}

#[test]
fn a_plan_is_not_refused_because_something_unrelated_moved() {
    let shop = parameters("moved");
    put(&shop, &format!("/{}/unrelated", shop.name), "by hand");
    shop.ok(&["apply", "s.plan.json"]);
    assert_eq!(value(&shop, &format!("/{}/first", shop.name)), "two");
    assert_eq!(value(&shop, &format!("/{}/second", shop.name)), "second two");
    assert_eq!(value(&shop, &format!("/{}/unrelated", shop.name)), "by hand");
}

#[test]
fn a_plan_is_applied_once() {
    let shop = parameters("once");
    shop.ok(&["apply", "s.plan.json"]);
    let said = shop.ok(&["apply", "s.plan.json"]);
    assert!(said.err.contains("already applied as run 2"), "{}\n{}", said.out, said.err);
    let history = shop.ok(&["history", "dev", "--json"]).json();
    assert_eq!(history["runs"].as_array().map(Vec::len), Some(2), "there is no third run: {history}");
}
