//! `image-by-tag`. Pure.
//!
//! Invariant: an image is named by its tag instead of its digest; nothing else is found.

use super::view::{containers, finding, mended, name_of, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::ChangeSet;

/// The rule.
pub const RULE: Rule = Rule {
    name: "image-by-tag",
    level: Level::Warning,
    title: "an image is named by its tag instead of its digest",
    reason: "A tag can be moved: what starts tomorrow, or on the way back, may be another image than the one that was tested",
    check: Check::Steps(Sort::Habit, look),
    example: Example::Spec {
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ecs_task_definition" "web" {
  family                = "web"
  memory                = "512"
  container_definitions = jsonencode([{ name = "web", image = "shop/web:1.0.0" }])
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
    let all = wanted(change_set, "aws_ecs_task_definition");
    all.flat_map(|(step, after)| containers(after).into_iter().map(move |container| (step, container)))
        .filter_map(|(step, container)| {
            let image = container.get("image")?.as_str().filter(|image| !image.contains("@sha256:"))?;
            let message = format!("container `{}` runs `{image}`, whatever that is then", name_of(&container));
            let bare = image.rsplit_once(':').filter(|(_, tag)| !tag.contains('/')).map_or(image, |(bare, _)| bare);
            let hcl = format!("image = \"{bare}@sha256:…\"\n");
            Some(mended(finding(&RULE, step, "container_definitions", message), "name it by its digest", &hcl))
        })
        .collect()
}
