//! Judges how well a migration can be taken back, from its two texts alone. Pure.
//!
//! Invariant: nothing is called exact unless each statement of the one text is, in reverse order, the measured
//! inverse of one statement of the other. Whatever is not recognised whole is not proved.

mod deed;

use deed::{Deed, Sort, deeds};

use super::{Direction, Migration};
use crate::kind::Judgement;

/// How well this migration, run in this direction, can be taken back by running it in the other one.
pub fn judge(migration: &Migration, direction: Direction) -> Judgement {
    match (direction, &migration.down) {
        (Direction::Up, None) => Judgement::Impossible(format!("no {}.down.sql", migration.label())),
        (Direction::Up, down) => judge_down(&migration.up, down.as_deref()),
        (Direction::Down, down) => judge_up(&migration.up, down.as_deref().unwrap_or_default()),
    }
}

/// How well `down` takes back `up`. Exact means: until the first write to what `up` added.
pub fn judge_down(up: &str, down: Option<&str>) -> Judgement {
    let Some(down) = down else {
        return Judgement::Impossible("no .down.sql beside it".to_owned());
    };
    match mirrored(up, down) {
        Ok(_) => Judgement::Exact,
        Err(unproved) => Judgement::LosesData(unproved),
    }
}

/// How well `up`, run again, takes back a `down` that was run: what the `down` dropped with its content is lost.
pub fn judge_up(up: &str, down: &str) -> Judgement {
    let deeds = match mirrored(up, down) {
        Ok(deeds) => deeds,
        Err(unproved) => return Judgement::LosesData(unproved),
    };
    let lost: Vec<String> = deeds.iter().filter_map(content).collect();
    if !lost.is_empty() {
        return Judgement::LosesData(lost.join(", "));
    }
    let remade: Vec<String> = deeds.iter().filter_map(remade).collect();
    if !remade.is_empty() {
        let what = remade.join(", ");
        return Judgement::Recreates(format!("made anew, without grants and comments given since: {what}"));
    }
    Judgement::Exact
}

/// The deeds of `up`, if `down` undoes each of them, last one first; else what is not proved.
fn mirrored(up: &str, down: &str) -> Result<Vec<Deed>, String> {
    let done = deeds(up)?;
    let undone = deeds(down)?;
    let mut column_defaults = deed::Defaults::default();
    let inverses: Vec<Option<Deed>> = done.iter().map(|(deed, _)| column_defaults.inverse(deed)).collect();
    let mut rest = undone.into_iter();
    for ((_, statement), inverse) in done.iter().zip(&inverses).rev() {
        let Some(inverse) = inverse else {
            return Err(format!("not proved: `{statement}` has no inverse that is known to be exact"));
        };
        match rest.next() {
            Some((found, _)) if found.undoes_as(inverse) => {}
            Some((_, found)) => {
                return Err(format!("not proved: `{found}` is not the inverse of `{statement}`"));
            }
            None => return Err(format!("not proved: nothing takes back `{statement}`")),
        }
    }
    match rest.next() {
        Some((_, found)) => Err(format!("not proved: `{found}` takes back nothing that was done")),
        None => Ok(done.into_iter().map(|(deed, _)| deed).collect()),
    }
}

/// The data that go when the thing that a deed made is dropped.
fn content(deed: &Deed) -> Option<String> {
    match deed {
        Deed::Create { sort: Sort::Table, name, .. } => Some(format!("every row of table {name}")),
        Deed::Create { sort: Sort::Sequence, name, .. } => Some(format!("the position of sequence {name}")),
        Deed::Create { sort: Sort::Extension, name, .. } => Some(format!("what extension {name} holds")),
        Deed::AddColumn { table, column, .. } => Some(format!("the values of column {table}.{column}")),
        Deed::Create { .. }
        | Deed::Drop { .. }
        | Deed::DropColumn { .. }
        | Deed::Rename { .. }
        | Deed::RenamePart { .. }
        | Deed::SetDefault { .. }
        | Deed::DropDefault { .. }
        | Deed::Other => None,
    }
}

/// What comes back as another object of the same definition.
fn remade(deed: &Deed) -> Option<String> {
    let Deed::Create { sort, name, .. } = deed else {
        return None;
    };
    match sort {
        Sort::Index | Sort::Trigger | Sort::Policy | Sort::Statistics => None,
        Sort::Table
        | Sort::View
        | Sort::MaterializedView
        | Sort::Function
        | Sort::Procedure
        | Sort::Type
        | Sort::Domain
        | Sort::Schema
        | Sort::Sequence
        | Sort::Extension => Some(format!("{} {name}", sort.word())),
    }
}

#[cfg(test)]
mod tests;
