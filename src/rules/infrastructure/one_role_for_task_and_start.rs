//! `one-role-for-task-and-start`. Pure.
//!
//! Invariant: the role that starts a task is also the one that it has; nothing else is found.

use super::view::{finding, mended, text, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::ChangeSet;

/// The rule.
pub const RULE: Rule = Rule {
    name: "one-role-for-task-and-start",
    level: Level::Warning,
    title: "the role that starts a task is also the one that it has",
    reason: "What runs in the containers may then read every secret and pull every image that the start may",
    check: Check::Steps(Sort::Habit, look),
    example: Example::Spec {
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_task_definition" "web" {
  family                = "web"
  memory                = "512"
  execution_role_arn    = "arn:aws:iam::123456789012:role/web"
  task_role_arn         = "arn:aws:iam::123456789012:role/web"
  container_definitions = jsonencode([{ name = "web", image = "shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000" }])
}
"##,
        good: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_task_definition" "web" {
  family                = "web"
  memory                = "512"
  execution_role_arn    = "arn:aws:iam::123456789012:role/start"
  task_role_arn         = "arn:aws:iam::123456789012:role/web"
  container_definitions = jsonencode([{ name = "web", image = "shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000" }])
}
"##,
    },
};

fn look(change_set: &ChangeSet) -> Vec<Finding> {
    wanted(change_set, "aws_ecs_task_definition")
        .filter_map(|(step, after)| {
            let role = text(after, "task_role_arn").filter(|role| Some(*role) == text(after, "execution_role_arn"))?;
            let message = format!("`{}` has `{role}` for both", step.address);
            let hcl = "execution_role_arn = \"arn:aws:iam::…:role/start\"\ntask_role_arn      = \"arn:aws:iam::…:role/web\"\n";
            Some(mended(finding(&RULE, step, "task_role_arn", message), "give the containers a role of their own", hcl))
        })
        .collect()
}
