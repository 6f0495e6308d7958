//! `tasks-with-public-addresses`. Pure.
//!
//! Invariant: tasks get addresses of the open internet; nothing else is found.

use super::view::{block, finding, mended, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::ChangeSet;

/// The rule.
pub const RULE: Rule = Rule {
    name: "tasks-with-public-addresses",
    level: Level::Warning,
    title: "tasks get addresses of the open internet",
    reason: "Whatever a container listens on is then one security group away from everybody",
    check: Check::Steps(Sort::Habit, look),
    example: Example::Spec {
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = "main"
  task_definition = "web:1"
  desired_count   = 2
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets          = ["subnet-1"]
    assign_public_ip = true
  }
}
"##,
        good: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = "main"
  task_definition = "web:1"
  desired_count   = 2
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets = ["subnet-1"]
  }
}
"##,
    },
};

fn look(change_set: &ChangeSet) -> Vec<Finding> {
    wanted(change_set, "aws_ecs_service")
        .filter(|(_, after)| {
            block(after, "network_configuration").and_then(|one| one.get("assign_public_ip")?.as_bool()) == Some(true)
        })
        .map(|(step, _)| {
            let message = format!("the tasks of `{}` can be reached from the open internet", step.address);
            let hcl = "network_configuration {\n  subnets          = […]\n  assign_public_ip = false\n}\n";
            mended(
                finding(&RULE, step, "network_configuration", message),
                "put them behind a load balancer, in private subnets",
                hcl,
            )
        })
        .collect()
}
