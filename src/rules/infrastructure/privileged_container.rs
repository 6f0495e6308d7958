//! `privileged-container`. Pure.
//!
//! Invariant: a container has all rights on its machine; nothing else is found.

use super::view::{containers, finding, mended, name_of, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::ChangeSet;

/// The rule.
pub const RULE: Rule = Rule {
    name: "privileged-container",
    level: Level::Warning,
    title: "a container has all rights on its machine",
    reason: "Whoever breaks into it has the machine, and every task on it",
    check: Check::Steps(Sort::Habit, look),
    example: Example::Spec {
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_task_definition" "web" {
  family                = "web"
  memory                = "512"
  container_definitions = jsonencode([{ name = "web", image = "shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000", privileged = true }])
}
"##,
        good: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_task_definition" "web" {
  family                = "web"
  memory                = "512"
  container_definitions = jsonencode([{ name = "web", image = "shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000", privileged = false }])
}
"##,
    },
};

fn look(change_set: &ChangeSet) -> Vec<Finding> {
    let all = wanted(change_set, "aws_ecs_task_definition");
    all.flat_map(|(step, after)| containers(after).into_iter().map(move |container| (step, container)))
        .filter(|(_, container)| container.get("privileged") == Some(&serde_json::Value::Bool(true)))
        .map(|(step, container)| {
            let message = format!("container `{}` is privileged", name_of(&container));
            let help = "give it the one capability that it needs";
            let hcl = "privileged      = false\nlinuxParameters = { capabilities = { add = [\"SYS_PTRACE\"] } }\n";
            mended(finding(&RULE, step, "container_definitions", message), help, hcl)
        })
        .collect()
}
