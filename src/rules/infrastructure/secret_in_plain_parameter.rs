//! `secret-in-plain-parameter`. Pure.
//!
//! Invariant: a secret stands in a parameter that is not encrypted; nothing else is found.

use super::view::{finding, is_secret, mended, names_a_secret, text, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::ChangeSet;

/// The rule.
pub const RULE: Rule = Rule {
    name: "secret-in-plain-parameter",
    level: Level::Warning,
    title: "a secret stands in a parameter that is not encrypted",
    reason: "Whoever may list parameters reads it, and it stands in every history of them",
    check: Check::Steps(Sort::Habit, look),
    example: Example::Spec {
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ssm_parameter" "password" {
  name  = "/shop/DB_PASSWORD"
  type  = "String"
  value = "hunter2"
}
"##,
        good: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ssm_parameter" "password" {
  name   = "/shop/DB_PASSWORD"
  type   = "SecureString"
  key_id = "alias/shop"
  value  = "hunter2"
}
"##,
    },
};

fn look(change_set: &ChangeSet) -> Vec<Finding> {
    let plain = wanted(change_set, "aws_ssm_parameter")
        .filter(|(_, after)| matches!(text(after, "type"), Some("String" | "StringList")));
    plain
        .filter(|(_, after)| {
            let value = after.get("value").or(after.get("insecure_value"));
            value.is_some_and(is_secret) || text(after, "name").is_some_and(names_a_secret)
        })
        .map(|(step, after)| {
            let name = text(after, "name").unwrap_or_default();
            let message = format!("parameter `{name}` is likely to hold a secret, and is not encrypted");
            mended(finding(&RULE, step, "type", message), "make it a `SecureString`", "type = \"SecureString\"\n")
        })
        .collect()
}
