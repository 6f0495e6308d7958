//! `way-back-makes-anew`. Pure.
//!
//! Invariant: what others use comes back as another thing; nothing else is found.

use super::view::{finding, mended};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::{Action, ChangeSet, Inverse};

/// The rule.
pub const RULE: Rule = Rule {
    name: "way-back-makes-anew",
    level: Level::Warning,
    title: "what others use comes back as another thing",
    reason: "Those who use it know it by an identity that the way back cannot restore",
    check: Check::Steps(Sort::Habit, look),
    example: Example::Change {
        before: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_cluster" "main" {
  name = "main"
}
resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = aws_ecs_cluster.main.arn
  task_definition = "web:1"
}
"##,
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_cluster" "main" {
  name = "other"
}
resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = aws_ecs_cluster.main.arn
  task_definition = "web:1"
}
"##,
        good: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_cluster" "main" {
  name = "main"
}
resource "aws_ecs_service" "web" {
  name            = "web"
  cluster         = aws_ecs_cluster.main.arn
  task_definition = "web:2"
}
"##,
    },
};

fn look(change_set: &ChangeSet) -> Vec<Finding> {
    change_set
        .steps
        .iter()
        .filter(|step| {
            matches!(step.inverse, Inverse::Recreates { .. }) && !matches!(step.action, Action::Migrate { .. })
        })
        .filter_map(|step| {
            let user = change_set.steps.iter().find(|other| {
                other.address != step.address
                    && (other.needs.contains(&step.address) || other.rests_on.contains_key(&step.address))
            })?;
            let why = step.inverse.why().unwrap_or_default();
            let message = format!("the way back makes `{}` anew ({why}), and `{}` uses it", step.address, user.address);
            Some(mended(
                finding(&RULE, step, "", message),
                "make the new one beside the old one, move its users, and remove the old one later",
                "",
            ))
        })
        .collect()
}
