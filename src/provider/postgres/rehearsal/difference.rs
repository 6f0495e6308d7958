//! What tells one fingerprint from another, line by line, as people read it. Pure.
//!
//! Invariant: two fingerprints without a difference are equal, but for gaps in the numbers of columns.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value as Json;

use super::super::fingerprint::{Facts, Fingerprint, Thing};

/// The fact that says where a column stands.
pub(super) const POSITION: &str = "position";
/// More lines are not shown.
const LINES: usize = 40;

/// What differs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// What is not as it was, but for the order of columns.
    pub things: Vec<String>,
    /// Tables whose columns are in another order.
    pub orders: Vec<String>,
}

impl Difference {
    /// Whether nothing differs.
    pub fn is_none(&self) -> bool {
        self.things.is_empty() && self.orders.is_empty()
    }

    /// All of it, shortened when it is very long.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self.things.iter().chain(&self.orders).cloned().collect();
        if lines.len() > LINES {
            let more = lines.len() - LINES;
            lines.truncate(LINES);
            lines.push(format!("and {more} more"));
        }
        lines
    }
}

/// What of `before` is not so in `after`.
pub fn difference(before: &Fingerprint, after: &Fingerprint) -> Difference {
    let mut found = Difference::default();
    if before == after {
        return found;
    }
    let gone: BTreeSet<String> = only_in(before, after).map(ToString::to_string).collect();
    let new: BTreeSet<String> = only_in(after, before).map(ToString::to_string).collect();
    // What belongs to a thing that is gone goes without saying.
    let is_told =
        |thing: &Thing, wholes: &BTreeSet<String>| !thing.place.as_ref().is_some_and(|place| wholes.contains(place));
    found
        .things
        .extend(only_in(before, after).filter(|thing| is_told(thing, &gone)).map(|thing| format!("{thing}: missing")));
    found.things.extend(
        only_in(after, before).filter(|thing| is_told(thing, &new)).map(|thing| format!("{thing}: left behind")),
    );
    for (thing, facts) in &before.things {
        if let Some(others) = after.things.get(thing) {
            let told = told(facts, others);
            if !told.is_empty() {
                found.things.push(format!("{thing}: {}", told.join(", ")));
            }
        }
    }
    let (orders, others) = (orders(before), orders(after));
    for (place, order) in &orders {
        let Some(other) = others.get(place) else { continue };
        let common = |these: &[&str], those: &[&str]| -> Vec<String> {
            these.iter().filter(|name| those.contains(name)).map(|name| (*name).to_owned()).collect()
        };
        let (was, is) = (common(order, other), common(other, order));
        if was != is {
            found.orders.push(format!("{place}: columns in the order {}, was {}", is.join(", "), was.join(", ")));
        }
    }
    found
}

/// What a way adds into which rows or values can be written, that the way back takes away again.
pub fn additions(before: &Fingerprint, after: &Fingerprint) -> Vec<String> {
    let holds_rows = |thing: &Thing| ["table", "partitioned table"].contains(&thing.sort.as_str());
    let new: BTreeSet<String> = only_in(after, before).map(ToString::to_string).collect();
    let mut found = Vec::new();
    for thing in only_in(after, before) {
        match &thing.place {
            None if holds_rows(thing) => found.push(format!("rows written to {thing}")),
            Some(place) if thing.sort == "column" && place.contains("table ") && !new.contains(place) => {
                let table = place.rsplit("table ").next().unwrap_or(place);
                found.push(format!("values written to column {table}.{}", thing.name));
            }
            None | Some(_) => {}
        }
    }
    found
}

pub(super) fn only_in<'a>(these: &'a Fingerprint, those: &'a Fingerprint) -> impl Iterator<Item = &'a Thing> {
    these.things.keys().filter(|thing| !those.things.contains_key(*thing))
}

/// The columns of each relation, in their order.
pub(super) fn orders(fingerprint: &Fingerprint) -> BTreeMap<&str, Vec<&str>> {
    let mut found: BTreeMap<&str, Vec<(u64, &str)>> = BTreeMap::new();
    for (thing, facts) in &fingerprint.things {
        if let (Some(place), Some(position)) = (&thing.place, facts.get(POSITION).and_then(Json::as_u64)) {
            found.entry(place).or_default().push((position, &thing.name));
        }
    }
    let mut named = BTreeMap::new();
    for (place, mut columns) in found {
        columns.sort_unstable();
        named.insert(place, columns.into_iter().map(|(_, name)| name).collect());
    }
    named
}

fn told(before: &Facts, after: &Facts) -> Vec<String> {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).filter(|name| *name != POSITION).collect();
    names.into_iter().filter_map(|name| fact(name, before.get(name), after.get(name))).collect()
}

fn fact(name: &str, before: Option<&Json>, after: Option<&Json>) -> Option<String> {
    match (before, after) {
        (was, is) if was == is => None,
        (Some(Json::Array(was)), Some(Json::Array(is))) => Some(list(name, was, is)),
        (Some(Json::Bool(true)), None) => Some(format!("{name} missing")),
        (None, Some(Json::Bool(true))) => Some(format!("{name} left behind")),
        (Some(was), None) => Some(format!("{name} missing (was {})", short(was))),
        (None, Some(is)) => Some(format!("{name} left behind ({})", short(is))),
        (Some(was), Some(is)) => Some(change(name, &text(was), &text(is))),
        (None, None) => None,
    }
}

fn list(name: &str, was: &[Json], is: &[Json]) -> String {
    let words = |these: &[Json], those: &[Json]| {
        let words: Vec<String> = these.iter().filter(|value| !those.contains(value)).map(text).collect();
        words.join(", ")
    };
    let (missing, left) = (words(was, is), words(is, was));
    match (missing.is_empty(), left.is_empty()) {
        (true, true) => format!("{name} in the order {}, was {}", words(is, &[]), words(was, &[])),
        (false, true) => format!("{name} missing: {missing}"),
        (true, false) => format!("{name} left behind: {left}"),
        (false, false) => format!("{name} missing: {missing}; left behind: {left}"),
    }
}

/// Of long texts, the first line that differs.
fn change(name: &str, was: &str, is: &str) -> String {
    if !was.contains('\n') && !is.contains('\n') {
        return format!("{name} is {}, was {}", cut(is), cut(was));
    }
    let (mut old, mut new) = (was.lines(), is.lines());
    loop {
        match (old.next(), new.next()) {
            (Some(old), Some(new)) if old == new => {}
            (Some(old), Some(new)) if old.trim() == new.trim() => {
                return format!("{name} has other spaces at `{}`", cut(old.trim()));
            }
            (Some(old), Some(new)) => return format!("{name} has `{}`, was `{}`", cut(new.trim()), cut(old.trim())),
            (Some(old), None) => return format!("{name} lacks `{}`", cut(old.trim())),
            (None, Some(new)) => return format!("{name} has in addition `{}`", cut(new.trim())),
            (None, None) => return format!("{name} differs in its line ends"),
        }
    }
}

fn short(value: &Json) -> String {
    cut(text(value).lines().next().unwrap_or_default())
}

pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(160) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

pub(super) fn text(value: &Json) -> String {
    match value {
        Json::String(text) => text.clone(),
        Json::Array(values) => values.iter().map(text).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn print(things: &[(&str, Option<&str>, &str, Json)]) -> Fingerprint {
        let of = |(sort, place, name, facts): &(&str, Option<&str>, &str, Json)| {
            let thing = Thing { sort: (*sort).to_owned(), place: place.map(str::to_owned), name: (*name).to_owned() };
            (thing, serde_json::from_value(facts.clone()).unwrap())
        };
        Fingerprint { things: things.iter().map(of).collect() }
    }

    const TABLE: Option<&str> = Some("table app.t");

    #[test]
    fn facts_are_told_by_thing() {
        let before = print(&[
            ("table", None, "app.t", json!({"owner": "me", "grants": ["a=r/me", "me=arwd/me"]})),
            ("column", TABLE, "a", json!({"position": 1, "type": "integer", "NOT NULL": true, "DEFAULT": "1"})),
            ("view", None, "app.v", json!({"definition": "select 1\nfrom t"})),
            ("enum", None, "app.e", json!({"labels": ["x", "y"]})),
        ]);
        let after = print(&[
            ("table", None, "app.t", json!({"owner": "me", "grants": ["me=arwd/me"]})),
            ("column", TABLE, "a", json!({"position": 1, "type": "bigint", "storage": "plain"})),
            ("view", None, "app.v", json!({"definition": "select 1\nfrom u"})),
            ("enum", None, "app.e", json!({"labels": ["x", "y", "z"]})),
        ]);
        assert_eq!(
            difference(&before, &after).lines(),
            [
                "table app.t: column a: DEFAULT missing (was 1), NOT NULL missing, storage left behind (plain), type is bigint, was integer",
                "enum app.e: labels left behind: z",
                "table app.t: grants missing: a=r/me",
                "view app.v: definition has `from u`, was `from t`",
            ]
        );
        assert!(difference(&before, &before).is_none());
    }

    #[test]
    fn what_goes_with_a_table_is_not_told_apart() {
        let whole = print(&[
            ("table", None, "app.t", json!({})),
            ("column", TABLE, "a", json!({"position": 1})),
            ("function", None, "app.f()", json!({})),
        ]);
        let nothing = print(&[("schema", None, "app", json!({}))]);
        let both = print(&[
            ("schema", None, "app", json!({})),
            ("table", None, "app.t", json!({})),
            ("column", TABLE, "a", json!({"position": 1})),
        ]);
        assert_eq!(
            difference(&whole, &nothing).lines(),
            ["function app.f(): missing", "table app.t: missing", "schema app: left behind"]
        );
        assert_eq!(additions(&nothing, &both), ["rows written to table app.t"]);
    }

    #[test]
    fn the_order_of_columns_is_told_apart_from_the_rest() {
        let of = |columns: &[&str]| {
            let columns: Vec<_> =
                (1..).zip(columns).map(|(at, name)| ("column", TABLE, *name, json!({"position": at}))).collect();
            print(&columns)
        };
        let found = difference(&of(&["a", "b", "c"]), &of(&["a", "c", "b"]));
        assert_eq!(found.things, [""; 0]);
        assert_eq!(found.orders, ["table app.t: columns in the order a, c, b, was a, b, c"]);
        assert_eq!(difference(&of(&["a", "b", "c"]), &of(&["a", "c"])).lines(), ["table app.t: column b: missing"]);
        assert_eq!(additions(&of(&["a"]), &of(&["a", "b"])), ["values written to column app.t.b"]);
    }
}
