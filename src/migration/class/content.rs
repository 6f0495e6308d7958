//! What goes when a thing is dropped that a migration made, and how that thing is called now. Pure.
//!
//! Invariant: a thing is followed through renames that are understood; where one is not, it has no name any more.

use std::sync::Arc;

use super::super::Migration;
use super::super::addition::Addition;
use super::deed::{Deed, Sort, deeds};

/// What goes with a thing.
pub struct Content {
    /// The data.
    pub what: String,
    /// The thing.
    pub thing: String,
}

/// The data that go when the thing that a deed made is dropped.
pub fn content(deed: &Deed) -> Option<Content> {
    let of = |what: &str, thing: String| Some(Content { what: format!("{what} {thing}"), thing });
    match deed {
        Deed::Create { sort: Sort::Table, name, .. } => of("every row of", format!("table {name}")),
        Deed::Create { sort: Sort::Sequence, name, .. } => of("the position of", format!("sequence {name}")),
        Deed::Create { sort: Sort::Extension, name, .. } => {
            Some(Content { what: format!("what extension {name} holds"), thing: format!("extension {name}") })
        }
        Deed::AddColumn { table, column, .. } => of("the values of", format!("column {table}.{column}")),
        Deed::Create { .. }
        | Deed::Drop { .. }
        | Deed::DropColumn { .. }
        | Deed::Rename { .. }
        | Deed::RenamePart { .. }
        | Deed::SetDefault { .. }
        | Deed::DropDefault { .. }
        | Deed::Content
        | Deed::Other => None,
    }
}

/// What each of these migrations added that can hold something, in the order of its statements, under the names that
/// these things have after the last one. They are all that were applied, in their order, from the first one of
/// interest on. A thing that cannot be asked for, or whose name is lost, is there without one.
pub fn additions(applied: &[Arc<Migration>]) -> Vec<Vec<Option<Addition>>> {
    let mut added: Vec<Vec<Option<Addition>>> = Vec::with_capacity(applied.len());
    for migration in applied {
        added.push(Vec::new());
        for (deed, _) in deeds(&migration.up).unwrap_or_default() {
            if content(&deed).is_some() {
                added.last_mut().expect("one was pushed").push(addition(&deed));
            } else {
                added.iter_mut().flatten().for_each(|addition| rename(addition, &deed));
            }
        }
    }
    added
}

fn addition(deed: &Deed) -> Option<Addition> {
    match deed {
        Deed::Create { sort: Sort::Table, name, .. } => Some(Addition::Table { name: name.clone() }),
        Deed::Create { sort: Sort::Sequence, name, .. } => Some(Addition::Sequence { name: name.clone() }),
        Deed::AddColumn { table, column, .. } => {
            let table = table.strip_prefix("only ").unwrap_or(table).to_owned();
            Some(Addition::Column { table, column: column.clone() })
        }
        Deed::Create { .. }
        | Deed::Drop { .. }
        | Deed::DropColumn { .. }
        | Deed::Rename { .. }
        | Deed::RenamePart { .. }
        | Deed::SetDefault { .. }
        | Deed::DropDefault { .. }
        | Deed::Content
        | Deed::Other => None,
    }
}

fn rename(addition: &mut Option<Addition>, deed: &Deed) {
    match deed {
        Deed::Rename { sort: Sort::Schema, .. } => *addition = None,
        Deed::Rename { from, to, .. } => {
            if let Some(Addition::Table { name } | Addition::Sequence { name } | Addition::Column { table: name, .. }) =
                addition
                && name == from
            {
                name.clone_from(to);
            }
        }
        Deed::RenamePart { of, from, to } => {
            if let Some(Addition::Column { table, column }) = addition
                && column == from
                && of.strip_prefix("column of ").and_then(|of| of.split_whitespace().last()) == Some(table.as_str())
            {
                column.clone_from(to);
            }
        }
        Deed::Create { .. }
        | Deed::Drop { .. }
        | Deed::AddColumn { .. }
        | Deed::DropColumn { .. }
        | Deed::SetDefault { .. }
        | Deed::DropDefault { .. }
        | Deed::Content
        | Deed::Other => {}
    }
}
