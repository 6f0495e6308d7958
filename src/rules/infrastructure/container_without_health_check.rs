//! `container-without-health-check`. Pure.
//!
//! Invariant: nothing asks whether a container that listens is well; nothing else is found.

use super::view::{containers, finding, mended, name_of, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::ChangeSet;

/// The rule.
pub const RULE: Rule = Rule {
    name: "container-without-health-check",
    level: Level::Note,
    title: "nothing asks whether a container that listens is well",
    reason: "A rollout counts a task as good as soon as its process runs, even if it answers nobody",
    check: Check::Steps(Sort::Habit, look),
    example: Example::Spec {
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_task_definition" "web" {
  family                = "web"
  memory                = "512"
  container_definitions = jsonencode([{ name = "web", image = "shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000", portMappings = [{ containerPort = 8080 }] }])
}
"##,
        good: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_task_definition" "web" {
  family                = "web"
  memory                = "512"
  container_definitions = jsonencode([{ name = "web", image = "shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000", portMappings = [{ containerPort = 8080 }], healthCheck = { command = ["CMD", "true"] } }])
}
"##,
    },
};

fn look(change_set: &ChangeSet) -> Vec<Finding> {
    let all = wanted(change_set, "aws_ecs_task_definition");
    all.flat_map(|(step, after)| containers(after).into_iter().map(move |container| (step, container)))
        .filter(|(_, container)| {
            let listens = container.get("portMappings").and_then(serde_json::Value::as_array).is_some_and(|all| !all.is_empty());
            listens && container.get("healthCheck").is_none_or(serde_json::Value::is_null)
        })
        .map(|(step, container)| {
            let message = format!("container `{}` listens, and nobody asks whether it answers", name_of(&container));
            let hcl = "healthCheck = { command = [\"CMD-SHELL\", \"curl -f http://localhost:8080/health\"], interval = 10, retries = 3 }\n";
            mended(finding(&RULE, step, "container_definitions", message), "add a health check to it", hcl)
        })
        .collect()
}
