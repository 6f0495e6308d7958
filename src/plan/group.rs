//! Groups of migrations, which are taken back as one. Pure.
//!
//! Invariant: neighbours of one group are taken back together or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::address::Address;
use crate::diagnostic::{Diagnostic, Span};
use crate::migration::Migration;

/// The applied migrations that belong together, by name: neighbours that say the same group. Those that say none, and
/// those that are alone in theirs, are not among them.
pub fn groups<'a>(applied: impl Iterator<Item = &'a Arc<Migration>>) -> Vec<(&'a str, Vec<&'a Arc<Migration>>)> {
    let mut groups: Vec<(Option<&str>, Vec<&Arc<Migration>>)> = Vec::new();
    for migration in applied {
        let name = migration.said.group.as_deref();
        match groups.last_mut() {
            Some((last, members)) if *last == name => members.push(migration),
            _ => groups.push((name, vec![migration])),
        }
    }
    groups.into_iter().filter_map(|(name, members)| Some((name?, members))).filter(|(_, all)| all.len() > 1).collect()
}

/// Refuses to take back a part of a group.
pub(super) fn refuse_parts(
    database: &Address,
    span: Option<Span>,
    applied: &BTreeMap<i64, Arc<Migration>>,
    goes: &BTreeSet<i64>,
) -> Vec<Diagnostic> {
    let is_part = |members: &[&Arc<Migration>]| {
        let gone = members.iter().filter(|member| goes.contains(&member.version)).count();
        gone > 0 && gone < members.len()
    };
    let parts = groups(applied.values()).into_iter().filter(|(_, members)| is_part(members));
    parts.map(|(name, members)| refusal(database, applied, goes, name, &members).at(span)).collect()
}

fn refusal(
    database: &Address,
    applied: &BTreeMap<i64, Arc<Migration>>,
    goes: &BTreeSet<i64>,
    name: &str,
    members: &[&Arc<Migration>],
) -> Diagnostic {
    let labels = |goes_back: bool| {
        let some = members.iter().filter(|member| goes.contains(&member.version) == goes_back);
        some.map(|member| member.label()).collect::<Vec<_>>().join(", ")
    };
    let first = members.first().map_or(i64::MIN, |member| member.version);
    let below = applied.range(..first).next_back();
    let below = below.map_or("before the first migration".to_owned(), |(_, below)| format!("at {}", below.label()));
    let above = members.last().map(|member| member.label()).unwrap_or_default();
    Diagnostic::error("the way back would end in the middle of a group of migrations")
        .detail(format!(
            "`{database}`: group `{name}` is taken back as one, and this would take back {} and leave {}",
            labels(true),
            labels(false)
        ))
        .help(format!("two ends are possible: {below}, without the group, or at {above}, with all of it"))
}
