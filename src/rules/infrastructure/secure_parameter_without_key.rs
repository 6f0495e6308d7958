//! `secure-parameter-without-key`. Pure.
//!
//! Invariant: a secret is encrypted with the key that everybody has; nothing else is found.

use super::view::{finding, mended, text, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::ChangeSet;

/// The rule.
pub const RULE: Rule = Rule {
    name: "secure-parameter-without-key",
    level: Level::Note,
    title: "a secret is encrypted with the key that everybody has",
    reason: "The account's own key says nothing about who may read what; a key of its own does",
    check: Check::Steps(Sort::Habit, look),
    example: Example::Spec {
        bad: r##"provider "aws" { region = "eu-central-1" }
resource "aws_ssm_parameter" "password" {
  name   = "/shop/DB_PASSWORD"
  type   = "SecureString"
  key_id = "alias/aws/ssm"
  value  = "hunter2"
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
    wanted(change_set, "aws_ssm_parameter")
        .filter(|(_, after)| text(after, "type") == Some("SecureString"))
        .filter(|(_, after)| {
            after.get("key_id").is_none_or(|key| key.is_null() || key.as_str() == Some("alias/aws/ssm"))
        })
        .map(|(step, _)| {
            let message = format!("`{}` is encrypted with the account's own key", step.address);
            mended(finding(&RULE, step, "key_id", message), "name a key", "key_id = \"alias/shop\"\n")
        })
        .collect()
}
