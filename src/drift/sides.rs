//! Two environments side by side: what only one of them has, and what is otherwise in the other. Pure.
//!
//! Invariant: names that follow from the environment (its own name, what the world calls its things) are no difference;
//! a secret is compared in memory and told as different only.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Area, schema};
use crate::address::Address;
use crate::kind::{Kind, Kinds, Mode};
use crate::ledger::Things;
use crate::observe::Observed;
use crate::plan::compare::Comparer;
use crate::review::difference::{Difference, between};
use crate::value::{Object, Value};
use crate::world::{FactChange, SchemaChange, SchemaDifference};

/// The shortest name of the world that is looked for inside of other texts.
const SHORTEST: usize = 6;
/// What stands for the environment's own name.
const ENVIRONMENT: &str = "{environment}";

/// One environment.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    /// Its name.
    pub name: &'a str,
    /// What its ledger records.
    pub things: &'a Things,
    /// What was found.
    pub observed: &'a Observed,
}

/// How two environments differ in a thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "how", rename_all = "snake_case")]
pub enum How {
    /// Only this environment has it.
    OnlyIn {
        /// Its name.
        environment: String,
    },
    /// Both have it.
    Differs,
}

/// One thing in which two environments differ.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Apart {
    /// What it belongs to.
    pub area: Area,
    /// The address.
    pub address: String,
    /// What of it: an object of the schema, a migration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// How.
    #[serde(flatten)]
    pub how: How,
    /// Attribute by attribute: `before` is the first environment, `after` the second.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differences: Vec<Difference>,
}

/// Resources and migrations in which two environments differ. What could not be looked at in one of them is left out.
pub fn compare(kinds: &Kinds, left: Side<'_>, right: Side<'_>) -> Vec<Apart> {
    let mut apart = Vec::new();
    let (names, other_names) = (Names::of(kinds, left), Names::of(kinds, right));
    let resources = |side: Side<'_>| side.things.resources.keys().cloned().collect::<BTreeSet<Address>>();
    for address in &resources(left) | &resources(right) {
        let kind = |side: Side<'_>| Some(side.things.resources.get(&address)?.kind.clone());
        let Some(kind) = kind(left).or_else(|| kind(right)).and_then(|kind| kinds.get(&kind)) else { continue };
        let (Some(one), Some(other)) = (found(left, &address), found(right, &address)) else { continue };
        let of = |how, differences| Apart {
            area: Area::of(kinds, kind.name),
            address: address.to_string(),
            object: None,
            how,
            differences,
        };
        let only = |side: Side<'_>| of(How::OnlyIn { environment: side.name.to_owned() }, Vec::new());
        match (one, other) {
            (None, None) => {}
            (Some(_), None) => apart.push(only(left)),
            (None, Some(_)) => apart.push(only(right)),
            (Some(one), Some(other)) => {
                let differences = differences(kind, &names.veil(one), &other_names.veil(other));
                apart.extend((!differences.is_empty()).then(|| of(How::Differs, differences)));
            }
        }
    }
    apart.extend(migrations(left, right));
    apart
}

/// What is there of an address; nothing where that is not known.
fn found<'a>(side: Side<'a>, address: &Address) -> Option<Option<&'a Object>> {
    match side.things.resources.contains_key(address) {
        true => side.observed.objects.get(address).map(Option::as_ref),
        false => Some(None),
    }
}

fn differences(kind: &Kind, one: &Object, other: &Object) -> Vec<Difference> {
    let comparer = Comparer { kind, key: None };
    let mut names: BTreeSet<&str> = comparer.differences(one, other, None).iter().map(|one| one.name).collect();
    names.extend(comparer.differences(other, one, None).iter().map(|one| one.name));
    // What the world does not give back cannot be compared.
    names.retain(|name| kind.attribute(name).is_some_and(|attribute| !attribute.write_only));
    let only = |object: &Object, name: &str| -> Object {
        object.iter().filter(|(key, _)| *key == name).map(|(key, value)| (key.clone(), value.clone())).collect()
    };
    let leaves = |name: &str| {
        let told = between(Some(&only(one, name)), Some(&only(other, name))).attributes;
        match told.is_empty() {
            true => vec![Difference { path: name.to_owned(), before: None, after: None }],
            false => told,
        }
    };
    names.into_iter().flat_map(leaves).collect()
}

/// The migrations that only one of them has applied.
fn migrations(left: Side<'_>, right: Side<'_>) -> Vec<Apart> {
    let mut apart = Vec::new();
    for (address, one) in &left.things.databases {
        let Some(other) = right.things.databases.get(address) else { continue };
        for (these, those, side) in [(one, other, left), (other, one, right)] {
            let only = these.applied.iter().filter(|(version, _)| !those.applied.contains_key(version));
            apart.extend(only.map(|(_, migration)| Apart {
                area: Area::Schema,
                address: address.to_string(),
                object: Some(format!("migration {}", migration.label())),
                how: How::OnlyIn { environment: side.name.to_owned() },
                differences: Vec::new(),
            }));
        }
        let texts = one.applied.iter().filter_map(|(version, one)| Some((one, other.applied.get(version)?)));
        apart.extend(texts.filter(|(one, other)| one.up != other.up).map(|(one, _)| Apart {
            area: Area::Schema,
            address: address.to_string(),
            object: Some(format!("text of migration {}", one.label())),
            how: How::Differs,
            differences: Vec::new(),
        }));
    }
    let databases = |side: Side<'_>| side.things.databases.keys().cloned().collect::<BTreeSet<Address>>();
    for (these, those, side) in [(left, right, left), (right, left, right)] {
        apart.extend(databases(these).difference(&databases(those)).map(|address| Apart {
            area: Area::Schema,
            address: address.to_string(),
            object: None,
            how: How::OnlyIn { environment: side.name.to_owned() },
            differences: Vec::new(),
        }));
    }
    apart
}

/// The objects of two schemas of one address in which they differ.
pub fn schemas(address: &Address, told: &[SchemaDifference], (left, right): (&str, &str)) -> Vec<Apart> {
    // An owner, or a grant, that is called after its own environment is no difference.
    let follows = |fact: &FactChange| match (&fact.was, &fact.is) {
        (Some(was), Some(is)) => without_word(was, left) == without_word(is, right),
        _ => false,
    };
    let one = |difference: &SchemaDifference| {
        let (how, change) = match &difference.change {
            SchemaChange::Missing => (How::OnlyIn { environment: left.to_owned() }, difference.change.clone()),
            SchemaChange::Extra => (How::OnlyIn { environment: right.to_owned() }, difference.change.clone()),
            SchemaChange::Reordered { .. } => (How::Differs, difference.change.clone()),
            SchemaChange::Changed { facts } => {
                let facts: Vec<FactChange> = facts.iter().filter(|fact| !follows(fact)).cloned().collect();
                if facts.is_empty() {
                    return None;
                }
                (How::Differs, SchemaChange::Changed { facts })
            }
        };
        let (address, object) = (address.to_string(), Some(difference.object()));
        Some(Apart { area: Area::Schema, address, object, how, differences: schema::facts(&change) })
    };
    told.iter().filter_map(one).collect()
}

/// What the world calls the things of an environment, the longest first; and the environment's own name.
struct Names {
    environment: String,
    given: Vec<(String, String)>,
}

impl Names {
    fn of(kinds: &Kinds, side: Side<'_>) -> Self {
        let mut given = BTreeMap::new();
        for (address, object) in &side.observed.objects {
            let kind = side.things.resources.get(address).and_then(|recorded| kinds.get(&recorded.kind));
            let (Some(kind), Some(object)) = (kind, object) else { continue };
            for attribute in kind.attributes.iter().filter(|attribute| attribute.mode == Mode::Computed) {
                let value = object.get(attribute.name).filter(|value| !value.is_sensitive());
                if let Some(text) = value.and_then(Value::as_str).filter(|text| text.len() >= SHORTEST) {
                    given.entry(text.to_owned()).or_insert_with(|| format!("{{{address}.{}}}", attribute.name));
                }
            }
        }
        let mut given: Vec<_> = given.into_iter().collect();
        given.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        Self { environment: side.name.to_owned(), given }
    }

    fn veil(&self, object: &Object) -> Object {
        let of = |value: Value| match value.as_str() {
            Some(text) => Value::from(self.text(text)).mark(value.marks()),
            None => value,
        };
        object.iter().map(|(name, value)| (name.clone(), value.rebuild(&of))).collect()
    }

    fn text(&self, text: &str) -> String {
        // A text that is JSON stays JSON, so that it is compared by its parts.
        let is_json =
            text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        let mut text = text.to_owned();
        for (name, stands) in &self.given {
            if text.contains(name.as_str()) {
                let escaped = is_json.then(|| serde_json::Value::from(stands.as_str()).to_string());
                text =
                    text.replace(name.as_str(), escaped.as_deref().map_or(stands, |quoted| quoted.trim_matches('"')));
            }
        }
        without_word(&text, &self.environment)
    }
}

/// A text without a word in it that is no part of a longer one.
fn without_word(text: &str, word: &str) -> String {
    let mut veiled = String::with_capacity(text.len());
    let mut from = 0;
    for (at, _) in text.match_indices(word) {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        if at < from || [before, after].into_iter().flatten().any(char::is_alphanumeric) {
            continue;
        }
        veiled.push_str(&text[from..at]);
        veiled.push_str(ENVIRONMENT);
        from = at + word.len();
    }
    veiled.push_str(&text[from..]);
    veiled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_the_environment_is_a_word_and_no_part_of_one() {
        assert_eq!(
            without_word("shop-dev_x/dev developer dev", "dev"),
            "shop-{environment}_x/{environment} developer {environment}"
        );
        assert_eq!(without_word("devdev", "dev"), "devdev");
        assert_eq!(without_word("", "dev"), "");
    }

    #[test]
    fn who_owns_a_database_by_the_name_of_its_environment_is_no_difference() {
        let fact = |fact: &str, was: &str, is: &str| FactChange {
            fact: fact.to_owned(),
            was: Some(was.to_owned()),
            is: Some(is.to_owned()),
        };
        let told = |facts: Vec<FactChange>| {
            let change = SchemaChange::Changed { facts };
            let difference =
                SchemaDifference { sort: "database".to_owned(), place: None, name: "app".to_owned(), change };
            schemas(&"database.app".parse().expect("an address"), &[difference], ("dev", "qa"))
        };
        let (owner, grants) =
            (fact("owner", "shop_dev", "shop_qa"), fact("grants", "{shop_dev=C/shop_dev}", "{shop_qa=C/shop_qa}"));
        assert_eq!(told(vec![owner.clone(), grants]), []);
        let apart = told(vec![owner, fact("encoding", "UTF8", "LATIN1")]);
        assert_eq!(apart[0].differences.iter().map(|one| &*one.path).collect::<Vec<_>>(), ["encoding"]);
        assert_eq!(told(vec![fact("owner", "shop_dev", "somebody")]).len(), 1);
    }

    #[test]
    fn json_stays_json_where_a_name_stands_for_what_the_world_calls_a_thing() {
        let given = vec![("arn:aws:ssm:x".to_owned(), "{config.web[\"KEY\"].arn}".to_owned())];
        let names = Names { environment: "dev".to_owned(), given };
        let object = |image: &str| -> Object {
            let text = format!("[{{\"image\":\"{image}\",\"name\":\"web\",\"valueFrom\":\"arn:aws:ssm:x\"}}]");
            Object::from([("containers".to_owned(), Value::from(text))])
        };
        let told = between(Some(&names.veil(&object("a:1"))), Some(&names.veil(&object("a:2")))).attributes;
        let paths: Vec<&str> = told.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, ["containers[\"web\"].image"]);
        assert_eq!(names.text("arn:aws:ssm:x"), "{config.web[\"KEY\"].arn}");
    }
}
