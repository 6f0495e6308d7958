//! What a prediction has to know of a database: a small view of its catalogs. Pure data.
//!
//! Invariant: names are complete and as one writes them (`app.orders`, `app."Orders"`), whoever filled it.

use std::collections::{BTreeMap, BTreeSet};

/// What is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Catalog {
    /// Tables, views, indexes, sequences and composite types, without those of the system.
    pub relations: BTreeMap<String, Relation>,
    /// Domains by name.
    pub domains: BTreeMap<String, Domain>,
    /// Functions and procedures of users, by name; what is called alike is one.
    pub functions: BTreeMap<String, Function>,
    /// Names of the system's functions whose value changes from row to row.
    pub volatile: BTreeSet<String>,
    /// Pairs of types between which a value stays as it is.
    pub coercible: BTreeSet<(String, String)>,
    /// Extended statistics, and the table that they are about.
    pub statistics: BTreeMap<String, String>,
    /// Publications, and the tables that each names.
    pub publications: BTreeMap<String, BTreeSet<String>>,
    /// The schemas in which a bare name is looked for, in order.
    pub search_path: Vec<String>,
    /// Whether the session's time zone is UTC: then `timestamp` and `timestamptz` are stored alike.
    pub utc: bool,
}

/// What sort of relation it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Relation {
    /// What it is.
    pub kind: RelationKind,
    /// Its columns by name.
    pub columns: BTreeMap<String, Column>,
    /// Its constraints by name.
    pub constraints: BTreeMap<String, Constraint>,
    /// Of an index: what it is about.
    pub index: Option<Index>,
    /// Its partitions, or tables that inherit from it; of an index, those of the partitions.
    pub children: BTreeSet<String>,
    /// What it is a partition of, or inherits from.
    pub parents: BTreeSet<String>,
    /// Whether it takes the rows that no other partition takes.
    pub default_partition: bool,
    /// The expressions of its partition key.
    pub partition_key: Vec<String>,
    /// Whether its content does not survive a crash.
    pub unlogged: bool,
    /// Where its files lie; nothing for the database's own place.
    pub tablespace: Option<String>,
    /// How its rows are stored: `heap`.
    pub access_method: String,
    /// The composite type that it is a table of.
    pub of_type: Option<String>,
    /// Of a sequence: the table and column it belongs to.
    pub owner: Option<(String, String)>,
    /// Its triggers, each with its function; those of constraints left out.
    pub triggers: BTreeMap<String, String>,
    /// Its policies and rules.
    pub guards: BTreeSet<String>,
    /// The views whose text names it, and the columns that each names.
    pub seen_by: BTreeMap<String, BTreeSet<String>>,
    /// Of a view: its text, every name in it complete.
    pub definition: Option<String>,
}

/// A column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// The type without its modifiers: `character varying`, `app.mood`, `integer[]`.
    pub type_name: String,
    /// The modifiers: length; precision and scale.
    pub modifiers: Vec<i64>,
    /// Whether no row is without a value, and that is known.
    pub not_null: bool,
    /// How it is generated.
    pub generated: Option<Generated>,
}

/// How a generated column gets its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Generated {
    /// When a row is written.
    Stored,
    /// When it is read.
    Virtual,
}

/// A constraint of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Constraint {
    /// What it is.
    pub kind: ConstraintKind,
    /// The columns it names.
    pub columns: BTreeSet<String>,
    /// Whether all rows are known to comply.
    pub validated: bool,
    /// Whether rows are checked at all.
    pub enforced: bool,
    /// Of a check: its expression.
    pub expression: String,
    /// Of a foreign key: the other table, and its columns.
    pub references: Option<(String, BTreeSet<String>)>,
    /// Its index.
    pub index: Option<String>,
}

/// What sort of constraint it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Index {
    /// Its table.
    pub table: String,
    /// The columns that it names, those in its expressions and condition among them.
    pub columns: BTreeSet<String>,
    /// Whether it has expressions or a condition.
    pub computed: bool,
    /// Whether two rows cannot be alike.
    pub unique: bool,
}

/// A domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Domain {
    /// The type below it, without modifiers.
    pub base: String,
    /// That type's modifiers.
    pub modifiers: Vec<i64>,
    /// Whether it has a check or refuses null.
    pub constrained: bool,
    /// Its checks that are not validated.
    pub pending: BTreeSet<String>,
}

/// A function of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Function {
    /// Whether one of that name is volatile.
    pub volatile: bool,
    /// Relations of which something depends on it: triggers, defaults, constraints, rules.
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
