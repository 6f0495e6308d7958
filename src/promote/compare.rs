//! "As in FROM, except …": what an environment will be with a release, beside the environment that it comes from. Pure.
//!
//! Invariant: no value that is a secret, or not known yet, is compared or named.

use std::collections::{BTreeMap, BTreeSet};

use crate::address::Address;
use crate::ledger::Things;
use crate::release::{Image, Release};
use crate::resolve::desired::{Desired, DesiredDatabase};
use crate::value::{Data, Object, Value};
use crate::world::Parity;

/// What is compared.
#[derive(Clone, Copy)]
pub struct Pair<'a> {
    /// The environment before, and what is there; nothing when another release is in force there by now.
    pub from: (&'a str, Option<&'a Things>),
    /// The release.
    pub release: &'a Release,
    /// What the environment will be.
    pub to: &'a Desired,
}

/// What is otherwise than in the environment before, in lines.
pub fn except(pair: Pair<'_>, images: &BTreeSet<Image>) -> Vec<String> {
    let Pair { from: (from, things), release, to } = pair;
    let name = &to.environment.name;
    let mut lines = Vec::new();
    for image in images {
        let same = |known: &&Image| known.image == image.image;
        if !release.images.iter().any(|known| same(&known)) && !release.images.is_empty() {
            lines.push(format!(
                "{}: container {} runs {}, which {from} does not",
                image.address, image.container, image.image
            ));
        }
    }
    let Some(things) = things else { return lines };
    let is_key = |address: &str| address.contains("config.");
    for (address, desired) in &to.resources {
        let Some(known) = things.resources.get(address) else {
            if !is_key(&address.to_string()) {
                lines.push(format!("{address} is only in {name}"));
            }
            continue;
        };
        let differing = differing(&known.object, &desired.object, (from, name));
        if !differing.is_empty() {
            lines.push(format!("{address}: {}", differing.join(", ")));
        }
    }
    let gone = things.resources.keys().filter(|address| !to.resources.contains_key(address));
    lines.extend(
        gone.filter(|address| !is_key(&address.to_string())).map(|address| format!("{address} is only in {from}")),
    );
    let unknown = things.databases.keys().filter(|address| !to.databases.contains_key(address));
    lines.extend(unknown.map(|address| format!("{address} is only in {from}")));
    let new = to.databases.keys().filter(|address| !things.databases.contains_key(address));
    lines.extend(new.map(|address| format!("{address} is only in {name}")));
    lines
}

/// The plain attributes that differ by more than the names of the environments in them.
fn differing(before: &Object, after: &Object, (from, to): (&str, &str)) -> Vec<String> {
    let mut lines = Vec::new();
    for (name, after) in after.iter() {
        let Some((before, after)) = before.get(name).and_then(plain).zip(plain(after)) else { continue };
        if before != after && before.replace(from, to) != after {
            lines.push(format!("{name} {after} instead of {before}"));
        }
    }
    lines
}

/// A short text, number or truth that everybody may see.
fn plain(value: &Value) -> Option<String> {
    if value.is_sensitive() || !value.is_known() {
        return None;
    }
    let text = match value.data() {
        Data::Bool(truth) => truth.to_string(),
        Data::Number(number) => number.to_string(),
        Data::String(text) => text.to_string(),
        Data::Null(_)
        | Data::Tuple(_)
        | Data::List(..)
        | Data::Set(..)
        | Data::Map(..)
        | Data::Object(_)
        | Data::Unknown(_)
        | Data::Sealed(_) => return None,
    };
    (text.chars().count() <= 80 && !text.contains('\n') && !text.starts_with(['{', '['])).then_some(text)
}

/// Configuration keys that one of the two lacks, in lines.
pub fn gaps(pair: Pair<'_>, keys: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let Pair { from: (from, _), release, to: _ } = pair;
    let mut lines = Vec::new();
    let none = BTreeSet::new();
    let blocks: BTreeSet<&String> = keys.keys().chain(release.configuration.keys()).collect();
    for block in blocks {
        let (there, here) = (release.configuration.get(block).unwrap_or(&none), keys.get(block).unwrap_or(&none));
        lines.extend(there.difference(here).map(|key| format!("{block} lacks {key}, which {from} has")));
        lines.extend(here.difference(there).map(|key| format!("{block} has {key}, which {from} lacks")));
    }
    lines
}

/// What the databases are like otherwise than those of the environment before, in lines. An extension that a migration of
/// the release makes is not missed.
pub fn parity(
    from: (&str, &BTreeMap<Address, Parity>),
    here: &BTreeMap<Address, Parity>,
    databases: &BTreeMap<Address, DesiredDatabase>,
) -> Vec<String> {
    let (place, there) = from;
    let mut lines = Vec::new();
    for (address, before) in there {
        let Some(here) = here.get(address) else { continue };
        let mut here = here.clone();
        let texts: Vec<String> = databases.get(address).map(texts_in_lower_case).unwrap_or_default();
        for (extension, version) in &before.extensions {
            let makes = |text: &String| text.contains("create extension") && text.contains(&extension.to_lowercase());
            if !here.extensions.contains_key(extension) && texts.iter().any(makes) {
                here.extensions.insert(extension.clone(), version.clone());
            }
        }
        lines.extend(here.gaps(before, place).into_iter().map(|words| format!("{address} {words}")));
    }
    lines
}

fn texts_in_lower_case(database: &DesiredDatabase) -> Vec<String> {
    database.migrations.iter().map(|migration| migration.up.to_lowercase()).collect()
}
