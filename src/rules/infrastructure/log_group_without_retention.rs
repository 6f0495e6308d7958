//! `log-group-without-retention`. Pure.
//!
//! Invariant: logs are kept for ever; nothing else is found.

use super::view::{finding, is_absent, mended, number, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::ChangeSet;

/// The rule.
pub const RULE: Rule = Rule {
    name: "log-group-without-retention",
    level: Level::Warning,
    title: "logs are kept for ever",
    reason: "They cost more each month, and hold what may not be kept that long",
    check: Check::Steps(Sort::Habit, look),
    example: Example::Spec {
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_cloudwatch_log_group" "shop" {
  name = "shop"
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
    wanted(change_set, "aws_cloudwatch_log_group")
        .filter(|(_, after)| is_absent(after, "retention_in_days") || number(after, "retention_in_days") == Some(0))
        .map(|(step, _)| {
            let message = format!("`{}` never lets an event go", step.address);
            mended(
                finding(&RULE, step, "retention_in_days", message),
                "say how long they are kept",
                "retention_in_days = 30\n",
            )
        })
        .collect()
}
