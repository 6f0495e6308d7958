//! `service-stops-before-it-starts`. Pure.
//!
//! Invariant: a rollout may stop every task before a new one runs; nothing else is found.

use super::view::{finding, mended, number, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::ChangeSet;

/// The rule.
pub const RULE: Rule = Rule {
    name: "service-stops-before-it-starts",
    level: Level::Warning,
    title: "a rollout may stop every task before a new one runs",
    reason: "Nobody answers until the first new task is well, and nobody at all if it never is",
    check: Check::Steps(Sort::Breaks, look),
    example: Example::Spec {
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = "main"
  task_definition = "web:1"
  deployment_minimum_healthy_percent = 0
  desired_count   = 2
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
}
"##,
        good: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = "main"
  task_definition = "web:1"
  deployment_minimum_healthy_percent = 50
  desired_count   = 2
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
}
"##,
    },
};

fn look(change_set: &ChangeSet) -> Vec<Finding> {
    wanted(change_set, "aws_ecs_service")
        .filter(|(_, after)| {
            number(after, "deployment_minimum_healthy_percent") == Some(0) && number(after, "desired_count") != Some(0)
        })
        .map(|(step, _)| {
            let message = format!("`{}` may have no task at all while it rolls out", step.address);
            let hcl = "deployment_minimum_healthy_percent = 100\ndeployment_maximum_percent         = 200\n";
            mended(
                finding(&RULE, step, "deployment_minimum_healthy_percent", message),
                "keep the old tasks until new ones are well",
                hcl,
            )
        })
        .collect()
}
