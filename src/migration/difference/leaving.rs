//! What has to be dropped on the way from one schema to another, when, and what goes along with it. Pure.
//!
//! Invariant: nothing that holds rows is dropped for the sake of something else.

use std::collections::BTreeSet;

use super::Statement;
use super::kept::{Fate, fate};
use super::schema::{Class, Id, Item, Schema};

/// What is dropped.
pub struct Leaving<'a> {
    present: &'a Schema,
    wanted: &'a Schema,
    /// Before anything else: what is in the way, of which some is made again.
    pub early: BTreeSet<Id>,
    /// After everything else.
    pub late: BTreeSet<Id>,
    /// What cannot be done, and why.
    pub unsaid: Vec<String>,
}

impl<'a> Leaving<'a> {
    /// What is dropped on the way.
    pub fn of(present: &'a Schema, wanted: &'a Schema) -> Self {
        let mut leaving = Self { present, wanted, early: BTreeSet::new(), late: BTreeSet::new(), unsaid: Vec::new() };
        let gone: BTreeSet<Id> = present.items.keys().filter(|id| !wanted.has(id)).cloned().collect();
        for (id, before) in &present.items {
            match wanted.items.get(id) {
                None if id.class.is_light() || leaving.is_in_the_way(id) => leaving.drop_first(id),
                None => {}
                Some(after) => leaving.of_kept(before, after),
            }
        }
        leaving.late = gone.difference(&leaving.early).cloned().collect();
        leaving
    }

    /// Whether something new bears its name.
    fn is_in_the_way(&self, id: &Id) -> bool {
        use Class::{Domain, Enum, Index, MaterializedView, Sequence, Table, Type, View};
        let named = [Table, View, MaterializedView, Sequence, Index, Enum, Type, Domain];
        named.contains(&id.class)
            && named.iter().any(|class| {
                let other = Id::of(*class, &id.name);
                *class != id.class && self.wanted.has(&other) && !self.present.has(&other)
            })
    }

    fn of_kept(&mut self, before: &'a Item, after: &'a Item) {
        match fate(before, after) {
            Fate::Stays | Fate::Replaced | Fate::Labels => {
                if before.id.class == Class::Column && is_retyped(before, after) {
                    self.free(&before.id, &BTreeSet::from([before.id.clone()]));
                }
            }
            Fate::Again => self.drop_first(&before.id),
            Fate::Unsaid(why) => self.unsaid.push(format!("{}: {why}", before.id)),
            Fate::Rebuilt => {
                let columns: Vec<Id> = self.dependents(&before.id, &|class| class == Class::Column);
                let mut stay: BTreeSet<Id> = columns.iter().cloned().collect();
                stay.insert(before.id.clone());
                self.free(&before.id, &stay);
                columns.iter().for_each(|column| self.free(column, &stay));
            }
        }
    }

    fn dependents(&self, id: &Id, fits: &dyn Fn(Class) -> bool) -> Vec<Id> {
        self.present.dependents(id).map(|item| item.id.clone()).filter(|id| fits(id.class)).collect()
    }

    /// Drops it early, and what needs it with it, unless that would take rows.
    fn drop_first(&mut self, id: &Id) {
        if let Some(taken) = self.taken_with(id, &BTreeSet::new()) {
            self.early.extend(taken);
            self.early.insert(id.clone());
        }
    }

    /// Drops early what hinders a change of type: what the server does not make anew by itself.
    fn free(&mut self, id: &Id, stay: &BTreeSet<Id>) {
        let hinders = |class| {
            !matches!(class, Class::Constraint | Class::Index | Class::ForeignKey | Class::Statistics | Class::Sequence)
        };
        for dependent in self.dependents(id, &hinders) {
            if stay.contains(&dependent) {
                continue;
            }
            if holds(&dependent) && self.wanted.has(&dependent) {
                self.unsaid.push(format!("{id}: {dependent} rests on it and holds data"));
            } else if let Some(taken) = self.taken_with(&dependent, stay) {
                self.early.extend(taken);
                self.early.insert(dependent);
            }
        }
    }

    /// All that needs it, and what needs that; nothing, and a word about it, when something of it holds data and stays.
    fn taken_with(&mut self, id: &Id, stay: &BTreeSet<Id>) -> Option<BTreeSet<Id>> {
        let mut taken = BTreeSet::new();
        let mut open = vec![id.clone()];
        while let Some(next) = open.pop() {
            for item in self.present.dependents(&next) {
                let goes_along = item.parent.as_ref() == Some(&next);
                if stay.contains(&item.id) || item.id == *id || taken.contains(&item.id) {
                    continue;
                }
                if holds(&item.id) && !goes_along && self.wanted.has(&item.id) {
                    self.unsaid.push(format!(
                        "{id}: it would have to be dropped and made again, and {} rests on it and holds data",
                        item.id
                    ));
                    return None;
                }
                taken.insert(item.id.clone());
                open.push(item.id.clone());
            }
        }
        Some(taken)
    }

    /// The statement that drops it, unless something else takes it along.
    pub fn drop_of(&self, id: &Id) -> Option<Statement> {
        let item = &self.present.items[id];
        let leaves = |other: &Id| self.early.contains(other) || self.late.contains(other);
        // A sequence goes with its column, and that with its table.
        let mut parent = item.parent.as_ref();
        while let Some(above) = parent {
            if leaves(above) {
                return None;
            }
            parent = self.present.items.get(above).and_then(|above| above.parent.as_ref());
        }
        if item.dropped.is_empty() {
            return None;
        }
        let mut statement = Statement::plain(&*item.dropped);
        match id.class {
            Class::Table => {
                statement.notes.push(format!("drops data: the rows of {}", id.name));
                let is_new = |other: &&Id| other.class == Class::Table && !self.present.has(other);
                let new: Vec<&str> = self.wanted.items.keys().filter(is_new).map(|other| &*other.name).collect();
                if !new.is_empty() && !self.wanted.has(id) {
                    let new = new.join(" or ");
                    statement
                        .notes
                        .push(format!("if it is only called {new} now, write ALTER TABLE … RENAME TO instead"));
                }
            }
            Class::Column => statement.notes.extend(self.notes_of_column(item)),
            _ => {}
        }
        Some(statement)
    }

    fn notes_of_column(&self, item: &Item) -> Vec<String> {
        let mut notes = match item.body.is_empty() {
            true => vec![format!("drops data: the values of {}", item.id.name)],
            // Its values are computed.
            false => Vec::new(),
        };
        let is_new = |other: &&Item| {
            other.id.class == Class::Column && other.parent == item.parent && !self.present.has(&other.id)
        };
        let new: Vec<&str> = self.wanted.items.values().filter(is_new).map(|other| &*other.id.name).collect();
        if !new.is_empty() && !self.wanted.has(&item.id) {
            let new = new.join(" or ");
            notes.push(format!("if it is only called {new} now, write ALTER TABLE … RENAME COLUMN instead"));
        }
        notes
    }
}

/// Whether dropping it takes data.
fn holds(id: &Id) -> bool {
    matches!(
        id.class,
        Class::Table
            | Class::Column
            | Class::Sequence
            | Class::Schema
            | Class::Extension
            | Class::Enum
            | Class::Type
            | Class::Domain
    )
}

fn is_retyped(before: &Item, after: &Item) -> bool {
    let of = |item: &Item| item.facets.get("type").map(|facet| facet.gives.clone());
    of(before) != of(after)
}
