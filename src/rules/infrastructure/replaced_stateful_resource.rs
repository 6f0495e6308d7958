//! `replaced-stateful-resource`. Pure.
//!
//! Invariant: something that holds data is removed and made again; nothing else is found.

use super::view::{finding, holds_data, mended, removed};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::{ChangeSet, Reason};

/// The rule.
pub const RULE: Rule = Rule {
    name: "replaced-stateful-resource",
    level: Level::Warning,
    title: "something that holds data is removed and made again",
    reason: "What is made again is empty, and whoever reads it meanwhile finds nothing",
    check: Check::Steps(Sort::Breaks, look),
    example: Example::Change {
        before: r##"provider "aws" { region = "eu-central-1" }
resource "aws_cloudwatch_log_group" "shop" {
  name              = "shop"
  retention_in_days = 7
}
"##,
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_cloudwatch_log_group" "shop" {
  name              = "web"
  retention_in_days = 7
}
"##,
        good: r##"provider "aws" { region = "eu-central-1" }
resource "aws_cloudwatch_log_group" "shop" {
  name              = "shop"
  retention_in_days = 30
}
"##,
    },
};

fn look(change_set: &ChangeSet) -> Vec<Finding> {
    let found = removed(change_set).filter(|(step, kind, _)| {
        holds_data(kind) && matches!(step.reason, Reason::Replaced { .. } | Reason::ReplaceAsked)
    });
    found
        .map(|(step, _, _)| {
            let why = why(&step.reason);
            let message =
                format!("`{}` is removed and made again{why}: what is in it does not come with it", step.address);
            mended(
                finding(&RULE, step, "", message),
                "make the new one beside the old one, move what is in it, and remove the old one later",
                "lifecycle {\n  prevent_destroy = true\n}\n",
            )
        })
        .collect()
}

/// By what it is replaced, for the message.
fn why(reason: &Reason) -> String {
    match reason {
        Reason::Replaced { attributes } => format!(" because of {}", attributes.join(", ")),
        _ => String::new(),
    }
}
