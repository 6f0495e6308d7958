//! `parameter-deleted-while-read`. Pure.
//!
//! Invariant: a parameter goes that a task definition reads; nothing else is found.

use serde_json::Value as Json;

use super::view::{containers, finding, mended, removed, text, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::ChangeSet;

/// The rule.
pub const RULE: Rule = Rule {
    name: "parameter-deleted-while-read",
    level: Level::Warning,
    title: "a parameter goes that a task definition reads",
    reason: "The tasks that run have read it; the next one cannot start",
    check: Check::Steps(Sort::Breaks, look),
    example: Example::Change {
        before: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ssm_parameter" "mode" {
  name  = "/shop/MODE"
  type  = "String"
  value = "open"
}
"##,
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_task_definition" "web" {
  family                = "web"
  memory                = "512"
  container_definitions = jsonencode([{ name = "web", image = "shop/web@sha256:0000000000000000000000000000000000000000000000000000000000000000", secrets = [{ name = "MODE", valueFrom = "/shop/MODE" }] }])
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
    let read: Vec<(String, String)> = wanted(change_set, "aws_ecs_task_definition")
        .flat_map(|(step, after)| containers(after).into_iter().map(move |container| (step, container)))
        .flat_map(|(step, container)| {
            let secrets = container.get("secrets").and_then(Json::as_array).cloned().unwrap_or_default();
            secrets
                .into_iter()
                .filter_map(move |one| Some((one.get("valueFrom")?.as_str()?.to_owned(), step.address.to_string())))
        })
        .collect();
    let gone = removed(change_set).filter(|(_, kind, _)| *kind == "aws_ssm_parameter");
    gone.filter_map(|(step, _, before)| {
        let name = text(before, "name")?;
        let bare = name.trim_start_matches('/');
        let is_it = |from: &str| from == name || from.ends_with(&format!(":parameter/{bare}"));
        let (_, reader) = read.iter().find(|(from, _)| is_it(from))?;
        let message = format!("`{}` goes, and `{reader}` reads it", step.address);
        Some(mended(
            finding(&RULE, step, "name", message),
            "remove it with the change after the one that stops reading it",
            "",
        ))
    })
    .collect()
}
