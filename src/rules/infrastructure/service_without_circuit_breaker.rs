//! `service-without-circuit-breaker`. Pure.
//!
//! Invariant: a rollout that does not come up goes on for ever; nothing else is found.

use super::view::{block, finding, mended, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::ChangeSet;

/// The rule.
pub const RULE: Rule = Rule {
    name: "service-without-circuit-breaker",
    level: Level::Warning,
    title: "a rollout that does not come up goes on for ever",
    reason: "ECS starts tasks again and again that cannot run, until somebody looks; with a circuit breaker the last good deployment comes back",
    check: Check::Steps(Sort::Habit, look),
    example: Example::Spec {
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = "main"
  task_definition = "web:1"
  desired_count   = 2
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
            let controller = block(after, "deployment_controller").and_then(|one| one.get("type")?.as_str());
            let says = |part: &str| block(after, "deployment_circuit_breaker").and_then(|one| one.get(part)?.as_bool());
            controller.is_none_or(|controller| controller == "ECS")
                && !(says("enable") == Some(true) && says("rollback") == Some(true))
        })
        .map(|(step, _)| {
            let message = format!("`{}` does not give up a rollout that fails", step.address);
            let hcl = "deployment_circuit_breaker {\n  enable   = true\n  rollback = true\n}\n";
            mended(finding(&RULE, step, "deployment_circuit_breaker", message), "let it go back by itself", hcl)
        })
        .collect()
}
