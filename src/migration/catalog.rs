//! What a prediction has to know of a database: a small view of its catalogs. Pure data.
//!
//! Invariant: names are complete and as one writes them (`app.orders`, `app."Orders"`), whoever filled it.

pub mod slice;

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Catalog {
    /// Tables, views, indexes, sequences and composite types, without those of the system.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub relations: BTreeMap<String, Relation>,
    /// Domains by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub domains: BTreeMap<String, Domain>,
    /// Functions and procedures of users, by name; what is called alike is one.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub functions: BTreeMap<String, Function>,
    /// Names of the system's functions whose value changes from row to row.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub volatile: BTreeSet<String>,
    /// Pairs of types between which a value stays as it is.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub coercible: BTreeSet<(String, String)>,
    /// Extended statistics, and the table that they are about.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub statistics: BTreeMap<String, String>,
    /// Publications, and the tables that each names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub publications: BTreeMap<String, BTreeSet<String>>,
    /// The schemas in which a bare name is looked for, in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub search_path: Vec<String>,
    /// Whether the session's time zone is UTC: then `timestamp` and `timestamptz` are stored alike.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub utc: bool,
}

/// What sort of relation it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RelationKind {
    /// An ordinary table.
    #[default]
    Table,
    /// A table that only its partitions hold rows of.
    Partitioned,
    /// An index.
    Index,
    /// The index of a partitioned table.
    PartitionedIndex,
    /// A view.
    View,
    /// A view with rows of its own.
    MaterializedView,
    /// A sequence.
    Sequence,
    /// A foreign table.
    Foreign,
    /// A composite type.
    Composite,
}

/// A relation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Relation {
    /// What it is.
    pub kind: RelationKind,
    /// Its columns by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Column>,
    /// Its constraints by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub constraints: BTreeMap<String, Constraint>,
    /// Of an index: what it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<Index>,
    /// Its partitions, or tables that inherit from it; of an index, those of the partitions.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub children: BTreeSet<String>,
    /// What it is a partition of, or inherits from.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub parents: BTreeSet<String>,
    /// Whether it takes the rows that no other partition takes.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub default_partition: bool,
    /// The expressions of its partition key.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub partition_key: Vec<String>,
    /// Whether its content does not survive a crash.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unlogged: bool,
    /// Where its files lie; nothing for the database's own place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tablespace: Option<String>,
    /// How its rows are stored: `heap`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub access_method: String,
    /// The composite type that it is a table of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub of_type: Option<String>,
    /// Of a sequence: the table and column it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<(String, String)>,
    /// Its triggers, each with its function; those of constraints left out.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub triggers: BTreeMap<String, String>,
    /// Its policies and rules.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub guards: BTreeSet<String>,
    /// The views whose text names it, and the columns that each names.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub seen_by: BTreeMap<String, BTreeSet<String>>,
    /// Of a view: its text, every name in it complete.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub definition: Option<String>,
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Column {
    /// The type without its modifiers: `character varying`, `app.mood`, `integer[]`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub type_name: String,
    /// The modifiers: length; precision and scale.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modifiers: Vec<i64>,
    /// Whether no row is without a value, and that is known.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub not_null: bool,
    /// How it is generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub generated: Option<Generated>,
    /// Its default, as the server writes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}

/// How a generated column gets its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Generated {
    /// When a row is written.
    Stored,
    /// When it is read.
    Virtual,
}

/// A constraint of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Constraint {
    /// What it is.
    pub kind: ConstraintKind,
    /// The columns it names.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub columns: BTreeSet<String>,
    /// Whether all rows are known to comply.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub validated: bool,
    /// Whether rows are checked at all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub enforced: bool,
    /// Of a check: its expression.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub expression: String,
    /// Of a foreign key: the other table, and its columns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub references: Option<(String, BTreeSet<String>)>,
    /// Its index.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<String>,
}

/// What sort of constraint it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConstraintKind {
    /// `CHECK`.
    #[default]
    Check,
    /// `NOT NULL`, which has a name from version 18 on.
    NotNull,
    /// `FOREIGN KEY`.
    ForeignKey,
    /// `PRIMARY KEY`.
    PrimaryKey,
    /// `UNIQUE`.
    Unique,
    /// `EXCLUDE`.
    Exclude,
}

/// What an index is about.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Index {
    /// Its table.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub table: String,
    /// The columns that it names, those in its expressions and condition among them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub columns: BTreeSet<String>,
    /// Whether it has expressions or a condition.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub computed: bool,
    /// Whether two rows cannot be alike.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unique: bool,
    /// The columns that it is sorted by, in order; an empty name for an expression.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Whether it is complete: one whose concurrent build was cut short is not.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub valid: bool,
}

/// A domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Domain {
    /// The type below it, without modifiers.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub base: String,
    /// That type's modifiers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub modifiers: Vec<i64>,
    /// Whether it has a check or refuses null.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub constrained: bool,
    /// Its checks that are not validated.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub pending: BTreeSet<String>,
}

/// A function of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Function {
    /// Whether one of that name is volatile.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub volatile: bool,
    /// Relations of which something depends on it: triggers, defaults, constraints, rules.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub used_by: BTreeSet<String>,
}

impl Catalog {
    /// The whole name of something that a statement names, among these.
    pub fn complete<'a, T>(&self, things: &'a BTreeMap<String, T>, written: &str) -> Option<(&'a str, &'a T)> {
        let found = |name: &str| things.get_key_value(name).map(|(name, thing)| (name.as_str(), thing));
        if qualified(written) {
            return found(written);
        }
        self.search_path.iter().find_map(|schema| found(&format!("{schema}.{written}")))
    }

    /// The relation that a statement names.
    pub fn find(&self, written: &str) -> Option<&str> {
        self.complete(&self.relations, written).map(|(name, _)| name)
    }

    /// The relation with this whole name.
    pub fn relation(&self, name: &str) -> Option<&Relation> {
        self.relations.get(name)
    }

    /// The relation itself and everything below it, itself first.
    pub fn family<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        let mut all = vec![name];
        let mut at = 0;
        while let Some(relation) = all.get(at).map(|name| self.relations.get(*name)) {
            for child in relation.into_iter().flat_map(|relation| &relation.children) {
                if !all.contains(&child.as_str()) {
                    all.push(child);
                }
            }
            at += 1;
        }
        all
    }

    /// Those of a table's family that hold rows.
    pub fn heaps<'a>(&'a self, name: &'a str) -> Vec<&'a str> {
        self.family(name).into_iter().filter(|name| self.holds_rows(name)).collect()
    }

    /// Whether it has rows of its own.
    pub fn holds_rows(&self, name: &str) -> bool {
        self.relations
            .get(name)
            .is_some_and(|found| matches!(found.kind, RelationKind::Table | RelationKind::MaterializedView))
    }

    /// The indexes of a table.
    pub fn indexes<'a>(&'a self, table: &'a str) -> impl Iterator<Item = (&'a str, &'a Index)> {
        self.relations.iter().filter_map(move |(name, relation)| {
            relation.index.as_ref().filter(|index| index.table == table).map(|index| (name.as_str(), index))
        })
    }

    /// The sequences that belong to a table, each with its column.
    pub fn sequences<'a>(&'a self, table: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.relations.iter().filter_map(move |(name, relation)| {
            let (owner, column) = relation.owner.as_ref()?;
            (owner == table).then_some((name.as_str(), column.as_str()))
        })
    }

    /// The foreign keys of other tables to this one.
    pub fn references_to<'a>(&'a self, table: &'a str) -> impl Iterator<Item = (&'a str, &'a str, &'a Constraint)> {
        self.relations.iter().flat_map(move |(name, relation)| {
            relation.constraints.iter().filter_map(move |(key, constraint)| {
                let (other, _) = constraint.references.as_ref()?;
                (other == table && name != table).then_some((name.as_str(), key.as_str(), constraint))
            })
        })
    }

    /// The partition of a table that takes the rows that no other one takes.
    pub fn default_of<'a>(&'a self, table: &str) -> Option<&'a str> {
        let children = &self.relations.get(table)?.children;
        let is_default = |name: &&String| self.relations.get(*name).is_some_and(|child| child.default_partition);
        children.iter().find(is_default).map(String::as_str)
    }

    /// The tables with a column of this domain, and whether a composite type or a table below one has it.
    pub fn users_of_domain(&self, domain: &str) -> Vec<&str> {
        let uses =
            |relation: &Relation| relation.columns.values().any(|column| self.rests_on(&column.type_name, domain));
        let users = self.relations.iter().filter(|(name, relation)| self.holds_rows(name) && uses(relation));
        users.map(|(name, _)| name.as_str()).collect()
    }

    /// Whether a type is this domain or one above it.
    fn rests_on(&self, type_name: &str, domain: &str) -> bool {
        type_name == domain || self.domains.get(type_name).is_some_and(|found| self.rests_on(&found.base, domain))
    }

    /// Whether a type is a domain that refuses some values.
    pub fn is_constrained(&self, type_name: &str) -> bool {
        self.domains.get(type_name).is_some_and(|domain| domain.constrained || self.is_constrained(&domain.base))
    }
}

/// Whether a written name has a schema.
fn qualified(written: &str) -> bool {
    let mut quoted = false;
    written.chars().any(|letter| {
        quoted ^= letter == '"';
        letter == '.' && !quoted
    })
}
