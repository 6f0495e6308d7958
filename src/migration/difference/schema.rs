//! A schema as a set of things, each with the statements that make, alter and drop it. Pure data.
//!
//! Invariant: every name in a statement has its schema, so that it means the same whatever the search path is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What sort of thing, in the order in which things are made that do not need each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// A schema.
    Schema,
    /// An extension.
    Extension,
    /// An enum.
    Enum,
    /// A composite or range type.
    Type,
    /// A domain.
    Domain,
    /// A sequence that is not an identity column's.
    Sequence,
    /// A function.
    Function,
    /// A procedure.
    Procedure,
    /// A table, partitioned or not.
    Table,
    /// A column of a table.
    Column,
    /// A constraint that is no foreign key.
    Constraint,
    /// An index that is no constraint's.
    Index,
    /// A foreign key.
    ForeignKey,
    /// A view.
    View,
    /// A materialized view.
    MaterializedView,
    /// A statistics object.
    Statistics,
    /// A trigger.
    Trigger,
    /// A rule that is no view's.
    Rule,
    /// A policy.
    Policy,
}

impl Class {
    const ALL: [(Self, &'static str); 19] = [
        (Self::Schema, "schema"),
        (Self::Extension, "extension"),
        (Self::Enum, "enum"),
        (Self::Type, "type"),
        (Self::Domain, "domain"),
        (Self::Sequence, "sequence"),
        (Self::Function, "function"),
        (Self::Procedure, "procedure"),
        (Self::Table, "table"),
        (Self::Column, "column"),
        (Self::Constraint, "constraint"),
        (Self::Index, "index"),
        (Self::ForeignKey, "foreign key"),
        (Self::View, "view"),
        (Self::MaterializedView, "materialized view"),
        (Self::Statistics, "statistics"),
        (Self::Trigger, "trigger"),
        (Self::Rule, "rule"),
        (Self::Policy, "policy"),
    ];

    /// The class with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(_, own)| *own == name).map(|(class, _)| class)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(class, _)| *class == self).map_or("", |(_, name)| name)
    }

    /// Whether it holds nothing and nothing but its like needs it: it is dropped before anything else is changed.
    pub fn is_light(self) -> bool {
        matches!(self, Self::Constraint | Self::Index | Self::ForeignKey | Self::Trigger | Self::Rule | Self::Policy)
    }
}

/// What tells one thing from another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Id {
    /// Its class.
    pub class: Class,
    /// Its name as the server writes it: `app.orders`, `app.orders.total`, `app.touch()`.
    pub name: String,
}

impl Id {
    /// Of these.
    pub fn of(class: Class, name: &str) -> Self {
        Self { class, name: name.to_owned() }
    }

    /// From `table app.orders`.
    pub fn read(text: &str) -> Option<Self> {
        let fits = |(class, name): (Class, &str)| Some(Self::of(class, text.strip_prefix(name)?.strip_prefix(' ')?));
        Class::ALL.into_iter().find_map(fits)
    }
}

impl fmt::Display for Id {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.class.name(), self.name)
    }
}

/// Something that a thing has besides its definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facet {
    /// The statement that gives it.
    pub gives: String,
    /// The statement that takes it; nothing where it can only be replaced.
    pub takes: Option<String>,
    /// Whether the statement that makes the thing gives it as well.
    pub is_within: bool,
}

/// A thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// What tells it from others.
    pub id: Id,
    /// The statement that makes it: of a table with [`COLUMNS`] where its columns go; of a column what stands there,
    /// and nothing where it is inherited.
    pub made: String,
    /// What of it is compared, beside the facets.
    pub body: String,
    /// What has to be the same, or to begin the same, so that it can be replaced in place; nothing where it never can.
    pub shape: Option<String>,
    /// The statement that drops it; empty where something else does.
    pub dropped: String,
    /// What it goes with when that is dropped.
    pub parent: Option<Id>,
    /// Which column of its table it is.
    pub place: i32,
    /// The labels of an enum, in their order.
    pub labels: Vec<String>,
    /// What else it has, by name.
    pub facets: BTreeMap<String, Facet>,
    /// What has to be there first.
    pub needs: BTreeSet<Id>,
}

/// Where the columns of a table go in the text that makes it.
pub const COLUMNS: char = '\u{1}';

/// All things of a schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Schema {
    /// By what tells them apart.
    pub items: BTreeMap<Id, Item>,
}

impl Schema {
    /// Whether it has such a thing.
    pub fn has(&self, id: &Id) -> bool {
        self.items.contains_key(id)
    }

    /// What needs a thing, or goes with it.
    pub fn dependents<'a>(&'a self, id: &'a Id) -> impl Iterator<Item = &'a Item> {
        self.items.values().filter(move |item| item.needs.contains(id) || item.parent.as_ref() == Some(id))
    }

    /// The columns of a table, in their order.
    pub fn columns(&self, table: &Id) -> Vec<&Item> {
        let is_its = |item: &&Item| item.id.class == Class::Column && item.parent.as_ref() == Some(table);
        let mut columns: Vec<&Item> = self.items.values().filter(is_its).collect();
        columns.sort_by_key(|column| column.place);
        columns
    }
}
