//! What tells one fingerprint from another, object by object and fact by fact, as data. Pure.
//!
//! Invariant: two fingerprints without a departure are equal, but for gaps in the numbers of columns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::super::fingerprint::{Facts, Fingerprint, Thing};
use super::super::tag;
use super::difference::{POSITION, cut, only_in, orders, text};
use crate::world::{FactChange, SchemaChange, SchemaDifference};

/// What stands for whoever migrates, where two databases have two of them.
const MIGRATOR: &str = "(who migrates)";
/// What is said about a thing.
const COMMENT: &str = "comment";
/// The facts that say who owns a thing, and who may do what.
const OWNER: &str = "owner";
const GRANTS: &str = "grants";

/// In what a schema differs from the one that is expected.
pub fn departures(expected: &Fingerprint, found: &Fingerprint) -> Vec<SchemaDifference> {
    if expected == found {
        return Vec::new();
    }
    let mut departures = Vec::new();
    for (these, those, change) in [(expected, found, SchemaChange::Missing), (found, expected, SchemaChange::Extra)] {
        let all: BTreeSet<String> = only_in(these, those).map(ToString::to_string).collect();
        // What belongs to a thing that is told goes without saying.
        let wholes =
            only_in(these, those).filter(|thing| !thing.place.as_ref().is_some_and(|place| all.contains(place)));
        departures.extend(wholes.map(|thing| departure(thing, change.clone())));
    }
    for (thing, facts) in &expected.things {
        let Some(others) = found.things.get(thing) else { continue };
        let facts = changed(facts, others);
        if !facts.is_empty() {
            departures.push(departure(thing, SchemaChange::Changed { facts }));
        }
    }
    departures.extend(reordered(expected, found));
    departures
}

/// The fingerprint as if it were the same one who migrates everywhere, without our own tags.
#[must_use]
pub fn without_migrator(mut fingerprint: Fingerprint, migrator: &str) -> Fingerprint {
    let is_tag = |comment: &Json| comment.as_str().is_some_and(tag::is_tag);
    for facts in fingerprint.things.values_mut().filter(|facts| facts.get(COMMENT).is_some_and(is_tag)) {
        Arc::make_mut(facts).remove(COMMENT);
    }
    let is_told = |facts: &Facts| facts.contains_key(OWNER) || facts.contains_key(GRANTS);
    for facts in fingerprint.things.values_mut().filter(|facts| is_told(facts)) {
        let facts = Arc::make_mut(facts);
        if facts.get(OWNER).and_then(Json::as_str) == Some(migrator) {
            facts.insert(OWNER.to_owned(), MIGRATOR.into());
        }
        if let Some(Json::Array(grants)) = facts.get_mut(GRANTS) {
            for grant in grants.iter_mut() {
                *grant = grant.as_str().map_or_else(|| grant.clone(), |words| for_anyone(words, migrator).into());
            }
            grants.sort_by_key(ToString::to_string);
        }
    }
    fingerprint
}

/// `reader=r/owner`, where either may be whoever migrates.
fn for_anyone(grant: &str, migrator: &str) -> String {
    let veiled = |name: &str| if name == migrator { MIGRATOR.to_owned() } else { name.to_owned() };
    match grant.split_once('=').and_then(|(to, rest)| Some((to, rest.split_once('/')?))) {
        Some((to, (rights, by))) => format!("{}={rights}/{}", veiled(to), veiled(by)),
        None => grant.to_owned(),
    }
}

fn departure(thing: &Thing, change: SchemaChange) -> SchemaDifference {
    SchemaDifference { sort: thing.sort.clone(), place: thing.place.clone(), name: thing.name.clone(), change }
}

fn changed(was: &Facts, is: &Facts) -> Vec<FactChange> {
    let names: BTreeSet<&String> = was.keys().chain(is.keys()).filter(|name| *name != POSITION).collect();
    names.into_iter().filter_map(|name| fact(name, was.get(name), is.get(name))).collect()
}

fn fact(name: &str, was: Option<&Json>, is: Option<&Json>) -> Option<FactChange> {
    if was == is {
        return None;
    }
    let (was, is) = match (was, is) {
        (Some(Json::Array(was)), Some(Json::Array(is))) => {
            let only = |these: &[Json], those: &[Json]| -> Option<String> {
                let words: Vec<String> = these.iter().filter(|value| !those.contains(value)).map(text).collect();
                (!words.is_empty()).then(|| words.join(", "))
            };
            match (only(was, is), only(is, was)) {
                // The same ones in another order.
                (None, None) => (only(was, &[]), only(is, &[])),
                told => told,
            }
        }
        (Some(was), Some(is)) => first_lines(&text(was), &text(is)),
        (was, is) => {
            let first = |value: &Json| text(value).lines().next().unwrap_or_default().to_owned();
            (was.map(first), is.map(first))
        }
    };
    let (was, is) = (was.as_deref().map(cut), is.as_deref().map(cut));
    Some(FactChange { fact: name.to_owned(), was, is })
}

/// Of two texts, the first lines that differ.
fn first_lines(was: &str, is: &str) -> (Option<String>, Option<String>) {
    let (mut old, mut new) = (was.lines(), is.lines());
    loop {
        match (old.next(), new.next()) {
            (Some(old), Some(new)) if old == new => {}
            (None, None) => return (Some(was.to_owned()), Some(is.to_owned())),
            (old, new) => return (old.map(|line| line.trim().to_owned()), new.map(|line| line.trim().to_owned())),
        }
    }
}

fn reordered(expected: &Fingerprint, found: &Fingerprint) -> Vec<SchemaDifference> {
    let (orders, others): (BTreeMap<_, _>, BTreeMap<_, _>) = (orders(expected), orders(found));
    let mut told = Vec::new();
    for (place, order) in &orders {
        let Some(other) = others.get(place) else { continue };
        let common = |these: &[&str], those: &[&str]| -> Vec<String> {
            these.iter().filter(|name| those.contains(name)).map(|name| (*name).to_owned()).collect()
        };
        let (was, is) = (common(order, other), common(other, order));
        if was != is {
            let (sort, name) = place.rsplit_once(' ').unwrap_or(("relation", place));
            let (sort, name) = (sort.to_owned(), name.to_owned());
            told.push(SchemaDifference { sort, place: None, name, change: SchemaChange::Reordered { was, is } });
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn print(things: &[(&str, Option<&str>, &str, Json)]) -> Fingerprint {
        let of = |(sort, place, name, facts): &(&str, Option<&str>, &str, Json)| {
            let thing = Thing { sort: (*sort).to_owned(), place: place.map(str::to_owned), name: (*name).to_owned() };
            (thing, Arc::new(serde_json::from_value(facts.clone()).unwrap()))
        };
        Fingerprint { things: things.iter().map(of).collect() }
    }

    fn told(expected: &Fingerprint, found: &Fingerprint) -> Vec<String> {
        let line = |one: &SchemaDifference| format!("{} {:?}", one.object(), one.change);
        departures(expected, found).iter().map(line).collect()
    }

    #[test]
    fn a_table_that_is_gone_is_told_once_and_a_column_by_its_facts() {
        let table = |name| ("table", None, name, json!({"owner": "me"}));
        let column = |place, facts| ("column", Some(place), "x", facts);
        let expected = print(&[
            table("a"),
            column("table a", json!({"type": "integer", "position": 1})),
            table("b"),
            column("table b", json!({"type": "text", "position": 1, "NOT NULL": true})),
        ]);
        let found = print(&[table("b"), column("table b", json!({"type": "bigint", "position": 3})), table("c")]);
        assert_eq!(
            told(&expected, &found),
            [
                "table a Missing",
                "table c Extra",
                "table b: column x Changed { facts: [FactChange { fact: \"NOT NULL\", was: Some(\"true\"), is: None }, \
                 FactChange { fact: \"type\", was: Some(\"text\"), is: Some(\"bigint\") }] }",
            ]
        );
        assert!(told(&expected, &expected).is_empty());
    }

    #[test]
    fn a_long_text_is_told_by_its_first_other_line_and_a_list_by_what_is_in_one_of_them() {
        let of =
            |body: &str, grants: Json| print(&[("function", None, "f()", json!({"body": body, "grants": grants}))]);
        let (one, other) = (of("begin\n  a;\nend", json!(["x", "y"])), of("begin\n  b;\nend", json!(["y", "z"])));
        let departures = departures(&one, &other);
        let SchemaChange::Changed { facts } = &departures[0].change else { panic!("{departures:?}") };
        let facts: Vec<_> = facts.iter().map(|one| (one.was.as_deref(), one.is.as_deref())).collect();
        assert_eq!(facts, [(Some("a;"), Some("b;")), (Some("x"), Some("z"))]);
    }

    #[test]
    fn columns_that_stand_otherwise_are_told_and_gaps_are_not() {
        let of = |first: u32, second: u32| {
            print(&[
                ("column", Some("table t"), "a", json!({"position": first})),
                ("column", Some("table t"), "b", json!({"position": second})),
            ])
        };
        assert!(told(&of(1, 2), &of(1, 5)).is_empty());
        assert_eq!(told(&of(1, 2), &of(2, 1)), ["table t Reordered { was: [\"a\", \"b\"], is: [\"b\", \"a\"] }"]);
    }

    #[test]
    fn who_migrates_counts_as_the_same() {
        let of = |owner: &str| {
            let grants = json!([format!("{owner}=arw/{owner}"), format!("reader=r/{owner}")]);
            let comment = format!("switchback: environment={owner}");
            print(&[("table", None, "t", json!({"owner": owner, "grants": grants, "comment": comment}))])
        };
        let (one, other) = (without_migrator(of("dev"), "dev"), without_migrator(of("prod"), "prod"));
        assert!(told(&one, &other).is_empty());
        assert!(!told(&one, &without_migrator(of("prod"), "someone")).is_empty());
    }
}
