//! A change set as rules about things look at it. Pure.
//!
//! Invariant: what is not known, or is withheld, is never taken for something: rules say nothing of it.

use serde_json::{Map, Value as Json};

use crate::rules::finding::{Finding, Level, Place};
use crate::rules::rule::Rule;
use crate::step::{Action, ChangeSet, Step};
use crate::value::{Data, Object, Value};

/// The things of a kind that the change set makes or changes, as they are wanted.
pub fn wanted<'a>(change_set: &'a ChangeSet, kind: &'a str) -> impl Iterator<Item = (&'a Step, &'a Object)> {
    let steps = change_set.steps.iter().filter(move |step| step.action.kind() == Some(kind));
    steps.filter_map(|step| Some((step, step.action.after()?)))
}

/// The things that the change set removes, as they are.
pub fn removed(change_set: &ChangeSet) -> impl Iterator<Item = (&Step, &str, &Object)> {
    change_set.steps.iter().filter_map(|step| match &step.action {
        Action::Delete { kind, before } => Some((step, kind.as_str(), before)),
        _ => None,
    })
}

/// Whether things of this kind hold what is not in the spec.
pub fn holds_data(kind: &str) -> bool {
    matches!(kind, "postgres_database" | "aws_cloudwatch_log_group")
}

/// A finding about an attribute of a step's thing; the rule adds its name and level.
pub fn finding(rule: &Rule, step: &Step, attribute: &str, message: String) -> Finding {
    Finding {
        rule: rule.name.to_owned(),
        level: Level::Note,
        place: Place {
            step: Some(step.id),
            address: Some(step.address.to_string()),
            excerpt: attribute.to_owned(),
            ..Place::default()
        },
        message,
        reason: format!("{}.", rule.reason),
        help: String::new(),
        rewrite: None,
    }
}

/// The finding with what to do instead, and that as HCL.
pub fn mended(finding: Finding, help: &str, hcl: &str) -> Finding {
    Finding { help: help.to_owned(), rewrite: (!hcl.is_empty()).then(|| hcl.to_owned()), ..finding }
}

/// Whether an attribute is known and empty: absent, null, or a collection of nothing.
pub fn is_absent(object: &Object, name: &str) -> bool {
    object.get(name).is_none_or(|value| {
        let empty = value.items().is_some_and(<[Value]>::is_empty)
            || value.entries().is_some_and(std::collections::BTreeMap::is_empty);
        value.is_null() || empty
    })
}

/// A text that is known and open.
pub fn text<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name).filter(|value| !value.is_sensitive()).and_then(Value::as_str)
}

/// A whole number that is known and open.
pub fn number(object: &Object, name: &str) -> Option<i64> {
    object.get(name).and_then(Value::as_i64)
}

/// The first block of this name.
pub fn block<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    let value = object.get(name).filter(|value| !value.is_null())?;
    match value.items() {
        Some(items) => items.first(),
        None => Some(value),
    }
}

/// Whether a value is a secret, or holds one.
pub fn is_secret(value: &Value) -> bool {
    let mut found = value.is_sensitive();
    value.visit(&mut |part| found |= matches!(part.data(), Data::Sealed(_)) || part.marks().sensitive);
    found
}

/// The containers of a task definition; none where their text is not known, or withheld.
pub fn containers(object: &Object) -> Vec<Map<String, Json>> {
    let parsed = text(object, "container_definitions").and_then(|text| serde_json::from_str::<Vec<Json>>(text).ok());
    let maps =
        parsed.into_iter().flatten().filter_map(|one| if let Json::Object(map) = one { Some(map) } else { None });
    maps.collect()
}

/// What a container is called.
pub fn name_of(container: &Map<String, Json>) -> &str {
    container.get("name").and_then(Json::as_str).unwrap_or("(without a name)")
}

/// Whether what is called so is likely to be a secret. What only points to one (`…_ARN`, `…_FILE`) is none.
pub fn names_a_secret(name: &str) -> bool {
    let lower = name.to_lowercase().replace(['-', '.'], "_");
    let last = lower.rsplit('/').next().unwrap_or(&lower);
    let points = ["_arn", "_file", "_path", "_name", "_id", "_url", "_ttl", "_age", "_length"];
    let words =
        ["password", "passwd", "secret", "token", "api_key", "apikey", "private_key", "credential", "session_key"];
    !points.iter().any(|end| last.ends_with(end)) && words.iter().any(|word| last.contains(word))
}

#[cfg(test)]
mod tests {
    use super::names_a_secret;

    #[test]
    fn names_tell_secrets_from_what_points_to_them() {
        for name in ["/shop/DB_PASSWORD", "apiToken", "stripe-api-key", "SESSION_KEY", "client.secret"] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in ["/secrets/LOG_LEVEL", "SECRET_ARN", "PASSWORD_FILE", "KEYBOARD", "token_ttl", "MONKEY"] {
            assert!(!names_a_secret(name), "{name}");
        }
    }
}
