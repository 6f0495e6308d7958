//! What differs between two objects, attribute by attribute, down to the leaf. Pure.
//!
//! Invariant: a secret is shown as `(sensitive value)`, whatever lies around it; whether it changed is told.

mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::value::{Data, Object, Value};

/// Longest list of plain values that is shown whole instead of element by element.
const WHOLE_LIST: usize = 8;

/// A value as it may be shown.
#[derive(Clone, Debug, PartialEq)]
pub enum Shown {
    /// A known, open value.
    Known(serde_json::Value),
    /// Known only after the apply.
    KnownAfterApply,
    /// A secret.
    Sensitive,
}

impl Shown {
    /// A value as it may be shown.
    pub fn of(value: &Value) -> Self {
        match value.data() {
            _ if conceals(value) => Self::Sensitive,
            Data::Unknown(_) => Self::KnownAfterApply,
            _ => Self::Known(value.to_shown_json()),
        }
    }
}

impl std::fmt::Display for Shown {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Known(json) => write!(formatter, "{json}"),
            Self::KnownAfterApply => formatter.write_str("(known after apply)"),
            Self::Sensitive => formatter.write_str("(sensitive value)"),
        }
    }
}

impl Serialize for Shown {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Known(json) => json.serialize(serializer),
            Self::KnownAfterApply | Self::Sensitive => serializer.collect_str(self),
        }
    }
}

/// One leaf that differs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The attribute and the way into it: `container_definitions["web"].image`.
    pub path: String,
    /// What it was; absent when it is added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<Shown>,
    /// What it will be; absent when it is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<Shown>,
}

impl Difference {
    /// The attribute that it lies in.
    pub fn attribute(&self) -> &str {
        self.path.split(['.', '[']).next().unwrap_or(&self.path)
    }
}

/// All that differs between two objects.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Differences {
    /// The leaves that differ, by path.
    pub attributes: Vec<Difference>,
    /// How many attributes stay as they are.
    pub unchanged: usize,
}

/// What differs between two objects; absent and null mean the same.
pub fn between(before: Option<&Object>, after: Option<&Object>) -> Differences {
    let names: BTreeSet<&String> = before.into_iter().chain(after).flat_map(BTreeMap::keys).collect();
    let stays = before.is_some() && after.is_some();
    let mut found = Differences::default();
    for name in names {
        let before = before.and_then(|object| object.get(name));
        let after = after.and_then(|object| object.get(name));
        if present(before).is_none() && present(after).is_none() {
            continue;
        }
        if silent(before) && silent(after) {
            found.unchanged += usize::from(stays && before.is_some());
            continue;
        }
        let count = found.attributes.len();
        compare(name, before, after, &mut found.attributes);
        if found.attributes.len() == count {
            found.unchanged += 1;
        }
    }
    found
}

fn present(value: Option<&Value>) -> Option<&Value> {
    value.filter(|value| !value.is_null() || conceals(value))
}

/// Null and an empty collection say the same, as they do to the planner.
fn silent(value: Option<&Value>) -> bool {
    let Some(value) = present(value) else {
        return true;
    };
    let empty = value.items().is_some_and(<[Value]>::is_empty) || value.entries().is_some_and(BTreeMap::is_empty);
    empty && !conceals(value)
}

/// Whether the value itself, not only something inside, is a secret.
fn conceals(value: &Value) -> bool {
    value.marks().sensitive || matches!(value.data(), Data::Sealed(_))
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<Difference>) {
    let (before, after) = (present(before), present(after));
    match (before, after) {
        _ if silent(before) && silent(after) => {}
        (None, None) => {}
        (Some(before), Some(after)) => compare_present(path, before, after, found),
        (Some(value), None) => {
            leaves(path, value, &mut |path, shown| found.push(Difference { path, before: Some(shown), after: None }));
        }
        (None, Some(value)) => {
            leaves(path, value, &mut |path, shown| found.push(Difference { path, before: None, after: Some(shown) }));
        }
    }
}

fn compare_present(path: &str, before: &Value, after: &Value, found: &mut Vec<Difference>) {
    let leaf = |found: &mut Vec<Difference>| {
        let (before, after) = (Some(Shown::of(before)), Some(Shown::of(after)));
        found.push(Difference { path: path.to_owned(), before, after });
    };
    if conceals(before) || conceals(after) {
        if before.data() != after.data() {
            leaf(found);
        }
        return;
    }
    if let (Some(before), Some(after)) = (structure_in(before), structure_in(after)) {
        compare_present(path, &before, &after, found);
        return;
    }
    if let (Some(before), Some(after)) = (before.entries(), after.entries()) {
        let keys: BTreeSet<&Arc<str>> = before.keys().chain(after.keys()).collect();
        for key in keys {
            compare(&inside(path, key), before.get(key), after.get(key), found);
        }
        return;
    }
    if let (Some(before_items), Some(after_items)) = (before.items(), after.items()) {
        if !plain(before_items) || !plain(after_items) {
            compare_items(path, before_items, after_items, found);
        } else if !same(before, after) {
            match before_items.len().max(after_items.len()) <= WHOLE_LIST {
                true => leaf(found),
                false => compare_as_sets(path, before_items, after_items, found),
            }
        }
        return;
    }
    if !same(before, after) && !lines::compare(path, before, after, found) {
        leaf(found);
    }
}

/// Lists of structures: by their names where they have some, else by position.
fn compare_items(path: &str, before: &[Value], after: &[Value], found: &mut Vec<Difference>) {
    let (before, after) = (labelled(before), labelled(after));
    let same_labels = before.iter().chain(&after).all(|(label, _)| label.starts_with('"'))
        || before.iter().chain(&after).all(|(label, _)| !label.starts_with('"'));
    let find = |items: &[(String, Value)], label: &str| {
        items.iter().find(|(other, _)| other == label).map(|(_, item)| item.clone())
    };
    if !same_labels {
        // One side has names and the other not: they have nothing in common to go by.
        before.iter().for_each(|(label, item)| compare(&format!("{path}[{label}]"), Some(item), None, found));
        after.iter().for_each(|(label, item)| compare(&format!("{path}[{label}]"), None, Some(item), found));
        return;
    }
    for (label, item) in &before {
        compare(&format!("{path}[{label}]"), Some(item), find(&after, label).as_ref(), found);
    }
    for (label, item) in after.iter().filter(|(label, _)| find(&before, label).is_none()) {
        compare(&format!("{path}[{label}]"), None, Some(item), found);
    }
}

/// The elements with what to call them: `"web"` when all have a `name` or `key` of their own, else `0`.
fn labelled(items: &[Value]) -> Vec<(String, Value)> {
    for field in ["name", "key"] {
        let names: Vec<&str> =
            items.iter().filter_map(|item| item.get(field).filter(|name| !conceals(name))?.as_str()).collect();
        let different: BTreeSet<&str> = names.iter().copied().collect();
        if !items.is_empty() && different.len() == items.len() {
            let quoted = names.iter().map(|name| serde_json::Value::from(*name).to_string());
            return quoted.zip(items.iter().map(|item| without(item, field))).collect();
        }
    }
    items.iter().enumerate().map(|(index, item)| (index.to_string(), item.clone())).collect()
}

/// The element without the field that is its label already, unless that is all it has.
fn without(item: &Value, field: &str) -> Value {
    match item.entries() {
        Some(entries) if entries.values().filter(|value| present(Some(value)).is_some()).count() > 1 => {
            let rest = entries.iter().filter(|(name, _)| &***name != field);
            Value::object(rest.map(|(name, value)| (name.clone(), value.clone())))
        }
        _ => item.clone(),
    }
}

fn compare_as_sets(path: &str, before: &[Value], after: &[Value], found: &mut Vec<Difference>) {
    let path = || format!("{path}[]");
    let count = found.len();
    for item in before.iter().filter(|item| !after.iter().any(|other| same(item, other))) {
        found.push(Difference { path: path(), before: Some(Shown::of(item)), after: None });
    }
    for item in after.iter().filter(|item| !before.iter().any(|other| same(item, other))) {
        found.push(Difference { path: path(), before: None, after: Some(Shown::of(item)) });
    }
    if found.len() == count {
        let all = |items: &[Value]| Some(Shown::Known(items.iter().map(Value::to_shown_json).collect()));
        found.push(Difference { path: path(), before: all(before), after: all(after) });
    }
}

/// Calls `take` for every leaf of a value, structures inside JSON texts included.
fn leaves(path: &str, value: &Value, take: &mut dyn FnMut(String, Shown)) {
    if conceals(value) {
        take(path.to_owned(), Shown::Sensitive);
        return;
    }
    if let Some(structure) = structure_in(value) {
        leaves(path, &structure, take);
        return;
    }
    match (value.entries(), value.items()) {
        (Some(entries), _) if !entries.is_empty() => {
            for (key, item) in entries.iter().filter(|(_, item)| present(Some(item)).is_some()) {
                leaves(&inside(path, key), item, take);
            }
        }
        (_, Some(items)) if !plain(items) => {
            for (label, item) in labelled(items) {
                leaves(&format!("{path}[{label}]"), &item, take);
            }
        }
        _ => take(path.to_owned(), Shown::of(value)),
    }
}

/// Whether all elements are leaves.
fn plain(items: &[Value]) -> bool {
    items.iter().all(|item| item.items().is_none() && item.entries().is_none())
}

/// Whether two values mean the same, whatever their types are called (a list of strings and a tuple of them).
fn same(before: &Value, after: &Value) -> bool {
    let mut found = Vec::new();
    match (before.items(), after.items()) {
        (Some(left), Some(right)) => left.len() == right.len() && left.iter().zip(right).all(|(l, r)| same(l, r)),
        _ => match (before.entries(), after.entries()) {
            (Some(_), Some(_)) => {
                compare_present("", before, after, &mut found);
                found.is_empty()
            }
            _ => before.data() == after.data(),
        },
    }
}

fn inside(path: &str, key: &str) -> String {
    let word = !key.is_empty()
        && !key.starts_with(|first: char| first.is_ascii_digit())
        && key.chars().all(|character| character.is_alphanumeric() || character == '_' || character == '-');
    match word {
        true => format!("{path}.{key}"),
        false => format!("{path}[{}]", serde_json::Value::from(key)),
    }
}

/// The structure that a JSON text holds, if it is one and not empty.
fn structure_in(value: &Value) -> Option<Value> {
    let text = value.as_str()?.trim();
    if !text.starts_with(['{', '[']) {
        return None;
    }
    let structure = from_json(&serde_json::from_str(text).ok()?);
    let empty =
        structure.items().is_some_and(<[Value]>::is_empty) || structure.entries().is_some_and(BTreeMap::is_empty);
    (!empty).then_some(structure)
}

fn from_json(json: &serde_json::Value) -> Value {
    use serde_json::Value as Json;
    match json {
        Json::Null => Value::null(),
        Json::Bool(truth) => (*truth).into(),
        Json::Number(number) => number
            .to_string()
            .parse::<crate::number::Number>()
            .map_or_else(|_| Value::from(number.to_string()), Value::from),
        Json::String(text) => text.as_str().into(),
        Json::Array(items) => Value::tuple(items.iter().map(from_json).collect()),
        Json::Object(entries) => Value::object(entries.iter().map(|(key, item)| (key.as_str(), from_json(item)))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{SealKey, Type, Unknown};

    fn object(entries: &[(&str, Value)]) -> Object {
        entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn lines(before: &[(&str, Value)], after: &[(&str, Value)]) -> Vec<String> {
        let found = between(Some(&object(before)), Some(&object(after)));
        let side = |shown: Option<Shown>| shown.map_or_else(|| "-".to_owned(), |shown| shown.to_string());
        let mut lines: Vec<String> = found
            .attributes
            .into_iter()
            .map(|one| format!("{}: {} -> {}", one.path, side(one.before), side(one.after)))
            .collect();
        lines.push(format!("{} unchanged", found.unchanged));
        lines
    }

    #[test]
    fn only_what_differs_is_there_and_the_rest_is_counted() {
        let before = [("a", 1.into()), ("b", "x".into()), ("gone", true.into()), ("null", Value::null())];
        let after = [("a", 1.into()), ("b", "y".into()), ("new", 2.into())];
        assert_eq!(lines(&before, &after), ["b: \"x\" -> \"y\"", "gone: true -> -", "new: - -> 2", "1 unchanged"]);
    }

    #[test]
    fn null_and_an_empty_collection_are_no_difference() {
        let empty = || Value::tuple(Vec::new());
        let before =
            [("gone", empty()), ("kept", Value::tuple(vec![1.into()])), ("within", Value::object([("a", empty())]))];
        let after = [("new", empty()), ("kept", empty()), ("within", Value::object([("b", empty())]))];
        assert_eq!(lines(&before, &after), ["kept: [1] -> []", "2 unchanged"]);
        let gone = between(Some(&object(&[("gone", empty())])), None);
        assert_eq!(gone, Differences::default(), "of what is removed nothing stays");
    }

    #[test]
    fn json_in_a_string_is_compared_as_a_structure_and_by_name() {
        let before =
            r#"[{"name":"side","image":"s"},{"name":"web","image":"a:1","environment":[{"name":"X","value":"1"}]}]"#;
        let after =
            r#"[ {"image":"a:2","name":"web","environment":[{"name":"X","value":"2"},{"name":"Y","value":"3"}]} ]"#;
        assert_eq!(
            lines(&[("d", before.into())], &[("d", after.into())]),
            [
                "d[\"side\"].image: \"s\" -> -",
                "d[\"web\"].environment[\"X\"].value: \"1\" -> \"2\"",
                "d[\"web\"].environment[\"Y\"].value: - -> \"3\"",
                "d[\"web\"].image: \"a:1\" -> \"a:2\"",
                "0 unchanged",
            ]
        );
        assert_eq!(lines(&[("d", r#"{"a": 1}"#.into())], &[("d", r#"{"a":1}"#.into())]), ["1 unchanged"]);
    }

    #[test]
    fn a_secret_tells_only_that_it_changed() {
        let key = SealKey::from_random([1; 32]);
        let seal = |text: &str| Value::from(text).sensitive().seal(Some(&key));
        let before = [("same", seal("a")), ("changed", seal("hunter1"))];
        let after = [("same", seal("a")), ("changed", seal("hunter2"))];
        assert_eq!(lines(&before, &after), ["changed: (sensitive value) -> (sensitive value)", "1 unchanged"]);
        let unsealed = [("changed", Value::from("{\"hunter\": 2}").sensitive())];
        assert_eq!(lines(&[], &unsealed), ["changed: - -> (sensitive value)", "0 unchanged"]);
    }

    #[test]
    fn what_is_not_known_yet_says_so() {
        let after = [("arn", Value::unknown(Unknown::of(Type::String)))];
        assert_eq!(lines(&[("arn", "x".into())], &after), ["arn: \"x\" -> (known after apply)", "0 unchanged"]);
    }

    #[test]
    fn lists_of_plain_values_are_shown_whole_until_they_are_long() {
        let list = |range: std::ops::Range<i64>| Value::tuple(range.map(Value::from).collect());
        let typed = Value::list(Type::Number, vec![1.into(), 2.into()]);
        assert_eq!(lines(&[("l", list(1..3))], &[("l", typed)]), ["1 unchanged"]);
        assert_eq!(lines(&[("l", list(1..3))], &[("l", list(2..4))]), ["l: [1,2] -> [2,3]", "0 unchanged"]);
        assert_eq!(lines(&[("l", list(0..20))], &[("l", list(1..21))]), ["l[]: 0 -> -", "l[]: - -> 20", "0 unchanged"]);
    }
}
