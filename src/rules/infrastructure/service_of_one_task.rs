//! `service-of-one-task`. Pure.
//!
//! Invariant: a service has one task; nothing else is found.

use super::view::{finding, mended, number, text, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::ChangeSet;

/// The rule.
pub const RULE: Rule = Rule {
    name: "service-of-one-task",
    level: Level::Note,
    title: "a service has one task",
    reason: "When its machine goes, nobody answers until another task has started",
    check: Check::Steps(Sort::Habit, look),
    example: Example::Spec {
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = "main"
  task_definition = "web:1"
  desired_count   = 1
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
            number(after, "desired_count") == Some(1) && text(after, "scheduling_strategy") != Some("DAEMON")
        })
        .map(|(step, _)| {
            let message = format!("`{}` has one task only", step.address);
            mended(finding(&RULE, step, "desired_count", message), "run two, in two zones", "desired_count = 2\n")
        })
        .collect()
}
