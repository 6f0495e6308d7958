//! Alters what stays: its facets, and an enum that loses labels. Pure.
//!
//! Invariant: what a facet was is taken before what it is to be is given.

use std::collections::BTreeSet;

use super::schema::{Class, Facet, Item, Schema};
use super::{Change, Statement};

/// The facet of a sequence that names a column: that has to be there first.
pub const OWNED_BY: &str = "owned by";

/// In which order facets are given; they are taken the other way round.
fn rank(name: &str) -> u8 {
    match name {
        "type" => 0,
        "not null" => 1,
        "default" => 2,
        "identity" => 3,
        _ => 4,
    }
}

/// Takes and gives what differs.
pub fn facets(change: &mut Change, late: &mut Vec<Statement>, before: &Item, after: &Item) {
    let mut names: Vec<&String> =
        before.facets.keys().chain(after.facets.keys()).collect::<BTreeSet<_>>().into_iter().collect();
    names.sort_by_key(|name| rank(name));
    // Its default would have to be cast by itself, which the server does for the simplest alone.
    let is_retyped = differs(before.facets.get("type"), after.facets.get("type")) && before.id.class == Class::Column;
    let is_changed =
        |name: &str| differs(before.facets.get(name), after.facets.get(name)) || (is_retyped && name == "default");
    for name in names.iter().rev().filter(|name| is_changed(name)) {
        let (old, new) = (before.facets.get(*name), after.facets.get(*name));
        let Some(old) = old else { continue };
        let is_overwritten = new.is_some() && matches!(rank(name), 0 | 2) && !is_retyped;
        if let Some(takes) = old.takes.as_ref().filter(|_| !is_overwritten && !is_comment(name, new)) {
            change.statements.push(Statement::plain(&**takes));
        }
    }
    for name in names.into_iter().filter(|name| is_changed(name)) {
        let Some(facet) = after.facets.get(name) else { continue };
        let mut statement = Statement::plain(&*facet.gives);
        if name == "not null" {
            statement.notes.push("fails while a row has no value there".to_owned());
        }
        if name == "type" {
            statement.notes.push(
                "rewrites the table, unless the values stay as they are; fails where one does not fit".to_owned(),
            );
        }
        if name == OWNED_BY { late.push(statement) } else { change.statements.push(statement) }
    }
}

/// A comment is overwritten by the next.
fn is_comment(name: &str, new: Option<&Facet>) -> bool {
    name.starts_with("comment") && new.is_some()
}

fn differs(before: Option<&Facet>, after: Option<&Facet>) -> bool {
    before.map(|facet| &facet.gives) != after.map(|facet| &facet.gives)
}

/// Makes an enum again under its name, and leads the columns that have it over.
pub fn rebuilt(
    change: &mut Change,
    late: &mut Vec<Statement>,
    (present, before): (&Schema, &Item),
    (wanted, after): (&Schema, &Item),
) {
    let name = &before.id.name;
    let (schema, last) = split(name);
    let aside = format!("\"{}__before\"", last.trim_matches('"'));
    let gone: Vec<&str> =
        before.labels.iter().filter(|label| !after.labels.contains(label)).map(String::as_str).collect();
    let mut note =
        "a label cannot be dropped or moved: the enum is made again, and its columns are led over".to_owned();
    if !gone.is_empty() {
        note += &format!("; fails where a row still has {}", gone.join(" or "));
    }
    change.statements.push(Statement::noted(note, format!("ALTER TYPE {name} RENAME TO {aside}")));
    change.statements.push(Statement::plain(&*after.made));
    for facet in after.facets.values().filter(|facet| before.facets.values().any(|old| old.gives == facet.gives)) {
        change.statements.push(Statement::plain(&*facet.gives));
    }
    for column in present.dependents(&before.id).filter(|item| item.id.class == Class::Column) {
        let Some(same) = wanted.items.get(&column.id).filter(|same| same.needs.contains(&after.id)) else { continue };
        let default = column.facets.get("default");
        if let Some(takes) = default.and_then(|default| default.takes.as_ref()) {
            change.statements.push(Statement::plain(&**takes));
        }
        if let Some(cast) = column.facets.get("type").and_then(|facet| through_text(&facet.gives)) {
            change.statements.push(Statement::plain(cast));
        }
        let again =
            default.and(same.facets.get("default")).filter(|again| default.is_some_and(|old| old.gives == again.gives));
        change.statements.extend(again.map(|facet| Statement::plain(&*facet.gives)));
    }
    late.push(Statement::plain(format!("DROP TYPE {schema}{aside}")));
}

/// The statement that sets a type, so that the values go through text.
fn through_text(gives: &str) -> Option<String> {
    let (head, cast) = gives.split_once(" USING ")?;
    let (column, kind) = cast.split_once("::")?;
    let text = if kind.ends_with("[]") { "text[]" } else { "text" };
    Some(format!("{head} USING {column}::{text}::{kind}"))
}

/// The schema with its point, and the last part of a name.
fn split(name: &str) -> (&str, &str) {
    let mut in_quotes = false;
    let mut at = 0;
    for (place, letter) in name.char_indices() {
        match letter {
            '"' => in_quotes = !in_quotes,
            '.' if !in_quotes => at = place + 1,
            _ => {}
        }
    }
    name.split_at(at)
}
