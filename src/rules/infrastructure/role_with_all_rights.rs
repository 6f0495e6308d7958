//! `role-with-all-rights`. Pure.
//!
//! Invariant: a role of a server may do everything there; nothing else is found.

use super::view::{finding, mended, wanted};
use crate::rules::finding::{Finding, Level};
use crate::rules::rule::{Check, Example, Rule, Sort};
use crate::step::ChangeSet;

/// The rule.
pub const RULE: Rule = Rule {
    name: "role-with-all-rights",
    level: Level::Warning,
    title: "a role of a server may do everything there",
    reason: "No right is refused to a superuser, and none is checked: one leaked password is the whole server",
    check: Check::Steps(Sort::Habit, look),
    example: Example::Spec {
        bad: r##"provider "postgres" {
  url = "postgres://admin@db.example:5432/postgres"
}
resource "postgres_role" "app" {
  name      = "app"
  login     = true
  superuser = true
}
"##,
        good: r##"provider "postgres" {
  url = "postgres://admin@db.example:5432/postgres"
}
resource "postgres_role" "app" {
  name  = "app"
  login = true
}
"##,
    },
};

fn look(change_set: &ChangeSet) -> Vec<Finding> {
    wanted(change_set, "postgres_role")
        .filter_map(|(step, after)| {
            let is = |name: &str| after.get(name).and_then(crate::value::Value::as_bool) == Some(true);
            let right = ["superuser", "createrole"].into_iter().find(|right| is(right) && is("login"))?;
            let message = format!("`{}` may log in and has `{right}`", step.address);
            let hcl = format!("{right} = false\n");
            Some(mended(finding(&RULE, step, right, message), "give it the rights on what it works with", &hcl))
        })
        .collect()
}
