//! `secret-in-plain-environment`. Pure.
//!
//! Invariant: a secret stands in the plain environment of a container; nothing else is found.

use serde_json::Value as Json;

use super::view::{containers, finding, is_secret, mended, name_of, names_a_secret, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::{ChangeSet, Step};
use crate::value::Object;

/// The rule.
pub const RULE: Rule = Rule {
    name: "secret-in-plain-environment",
    level: Level::Warning,
    title: "a secret stands in the plain environment of a container",
    reason: "It is in the task definition, which everybody may read who may look at services, and stays in all its revisions",
    check: Check::Steps(Sort::Habit, look),
    example: Example::Spec {
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_task_definition" "web" {
  family                = "web"
  memory                = "512"
  container_definitions = jsonencode([{ name = "web", image = "shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000", environment = [{ name = "DB_PASSWORD", value = "hunter2" }] }])
}
"##,
        good: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_task_definition" "web" {
  family                = "web"
  memory                = "512"
  container_definitions = jsonencode([{ name = "web", image = "shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000", environment = [{ name = "LOG_LEVEL", value = "info" }], secrets = [{ name = "DB_PASSWORD", valueFrom = "/shop/DB_PASSWORD" }] }])
}
"##,
    },
};

fn look(change_set: &ChangeSet) -> Vec<Finding> {
    wanted(change_set, "aws_ecs_task_definition").flat_map(|(step, after)| look_into(step, after)).collect()
}

fn look_into(step: &Step, after: &Object) -> Vec<Finding> {
    let hcl = "secrets = [{ name = \"DB_PASSWORD\", valueFrom = aws_ssm_parameter.password.arn }]\n";
    let help = "put it into a `SecureString` parameter, and let ECS hand that over";
    if after.get("container_definitions").is_some_and(is_secret) {
        let message = format!("the containers of `{}` are told a secret in plain words", step.address);
        return vec![mended(finding(&RULE, step, "container_definitions", message), help, hcl)];
    }
    let mut found = Vec::new();
    for container in containers(after) {
        for entry in container.get("environment").and_then(Json::as_array).into_iter().flatten() {
            let part = |name: &str| entry.get(name).and_then(Json::as_str).unwrap_or_default();
            let (name, value) = (part("name"), part("value"));
            if names_a_secret(name) && !value.is_empty() {
                let message = format!("container `{}` is told `{name}` in plain words", name_of(&container));
                found.push(mended(finding(&RULE, step, "container_definitions", message), help, hcl));
            }
        }
    }
    found
}
