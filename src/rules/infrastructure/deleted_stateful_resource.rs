//! `deleted-stateful-resource`. Pure.
//!
//! Invariant: something that holds data is removed; nothing else is found.

use super::view::{finding, holds_data, mended, removed};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::{ChangeSet, Operation, Reason};
use crate::value::Value;

/// The rule.
pub const RULE: Rule = Rule {
    name: "deleted-stateful-resource",
    level: Level::Warning,
    title: "something that holds data is removed",
    reason: "What is in it goes with it, and the way back makes an empty one",
    check: Check::Steps(Sort::Breaks, look),
    example: Example::Change {
        before: r##"provider "aws" { region = "eu-central-1" }
resource "aws_cloudwatch_log_group" "shop" {
  name              = "shop"
  retention_in_days = 7
}
"##,
        bad: r##"provider "aws" { region = "eu-central-1" }
"##,
        good: r##"provider "aws" { region = "eu-central-1" }
removed {
  from = aws_cloudwatch_log_group.shop
  lifecycle {
    destroy = false
  }
}
"##,
    },
};

fn look(change_set: &ChangeSet) -> Vec<Finding> {
    if change_set.operation == Operation::Destroy {
        // There everything goes, which is what was asked for.
        return Vec::new();
    }
    let goes = removed(change_set).filter(|(step, kind, _)| {
        holds_data(kind) && !matches!(step.reason, Reason::Replaced { .. } | Reason::ReplaceAsked)
    });
    goes.filter(|(_, _, before)| before.get("skip_destroy").and_then(Value::as_bool) != Some(true))
        .map(|(step, _, _)| {
            let message = format!("`{}` is removed with all that is in it", step.address);
            mended(
                finding(&RULE, step, "", message),
                "let it go from the spec without removing it, and remove it by hand when nobody needs it",
                &format!("removed {{\n  from = {}\n  lifecycle {{\n    destroy = false\n  }}\n}}\n", step.address),
            )
        })
        .collect()
}
