//! `container-without-memory-limit`. Pure.
//!
//! Invariant: nothing limits the memory of a container; nothing else is found.

use super::view::{containers, finding, is_absent, mended, name_of, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::ChangeSet;

/// The rule.
pub const RULE: Rule = Rule {
    name: "container-without-memory-limit",
    level: Level::Warning,
    title: "nothing limits the memory of a container",
    reason: "It takes what its neighbours need, and the machine ends any of them",
    check: Check::Steps(Sort::Habit, look),
    example: Example::Spec {
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_task_definition" "web" {
  family                = "web"
  container_definitions = jsonencode([{ name = "web", image = "shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000" }])
}
"##,
        good: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_task_definition" "web" {
  family                = "web"
  memory                = "512"
  container_definitions = jsonencode([{ name = "web", image = "shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000" }])
}
"##,
    },
};

fn look(change_set: &ChangeSet) -> Vec<Finding> {
    let all = wanted(change_set, "aws_ecs_task_definition").filter(|(_, after)| is_absent(after, "memory"));
    all.flat_map(|(step, after)| containers(after).into_iter().map(move |container| (step, container)))
        .filter(|(_, container)| !container.contains_key("memory"))
        .map(|(step, container)| {
            let message = format!("container `{}` may take all memory of its machine", name_of(&container));
            mended(finding(&RULE, step, "memory", message), "say how much a task may take", "memory = \"512\"\n")
        })
        .collect()
}
