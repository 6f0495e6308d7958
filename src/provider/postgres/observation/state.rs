//! What two moments are compared by: names, files, scans, foreign keys, locks. Talks to the server.
//!
//! Invariant: a relation is known by its oid, and called what it was called before the statement.

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Client, Error};

use crate::migration::observation::LockMode;
use crate::provider::postgres::quoting;

/// Leaves out what belongs to the system and to single sessions.
pub const OF_USERS: &str = "n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'";

/// A relation as it was before the statement.
#[derive(Clone, Debug)]
pub struct Known {
    /// `schema.name`.
    pub name: String,
    /// `pg_class.relkind`.
    pub kind: String,
    /// Of an index: the oid of its table.
    pub table: Option<i64>,
    /// Whether it is a partition.
    pub partition: bool,
}

impl Known {
    /// Whether it is an index.
    pub fn is_index(&self) -> bool {
        self.kind == "i" || self.kind == "I"
    }

    /// Whether it has rows of its own.
    pub fn holds_rows(&self) -> bool {
        self.kind == "r" || self.kind == "m"
    }
}

/// The relations that are committed, by oid.
pub type Names = BTreeMap<i64, Known>;

/// `schema.name` as one writes it.
pub fn written(schema: &str, name: &str) -> String {
    format!("{}.{}", part(schema), part(name))
}

fn part(name: &str) -> String {
    let simple = name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_' || letter.is_ascii_digit());
    if simple { name.to_owned() } else { quoting::name(name) }
}

/// The relations that others can see.
///
/// # Errors
/// As the server says.
pub async fn names(beside: &Client) -> Result<Names, Error> {
    let statement = format!(
        "select c.oid::int8, n.nspname::text, c.relname::text, c.relkind::text, i.indrelid::int8, c.relispartition \
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         left join pg_catalog.pg_index i on i.indexrelid = c.oid where {OF_USERS}"
    );
    let rows = beside.query(&statement, &[]).await?;
    let known = |row: &tokio_postgres::Row| Known {
        name: written(row.get(1), row.get(2)),
        kind: row.get(3),
        table: row.get(4),
        partition: row.get(5),
    };
    Ok(rows.iter().map(|row| (row.get(0), known(row))).collect())
}

/// What a session sees of the relations at one moment.
#[derive(Debug, Default)]
pub struct Moment {
    /// The file of each relation that has one.
    pub files: BTreeMap<i64, i64>,
    /// How often each relation was read by the transaction.
    pub scans: BTreeMap<i64, i64>,
    /// The indexes: name and table.
    pub indexes: BTreeMap<i64, (String, i64)>,
    /// Relations in which nothing was found when they were last looked through, or that nobody looked through yet.
    pub bare: BTreeSet<i64>,
    /// Foreign keys that are validated: by oid, the table and the other one.
    pub keys: BTreeMap<i64, (i64, i64)>,
}

impl Moment {
    /// Looks at everything.
    ///
    /// # Errors
    /// As the server says.
    pub async fn of(session: &Client) -> Result<Self, Error> {
        let statement = format!(
            "select c.oid::int8, n.nspname::text, c.relname::text, pg_catalog.pg_relation_filenode(c.oid)::int8, \
             pg_catalog.pg_stat_get_xact_numscans(c.oid), i.indrelid::int8, c.relpages \
             from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
             left join pg_catalog.pg_index i on i.indexrelid = c.oid \
             where c.relkind in ('r', 'm', 'i') and {OF_USERS}"
        );
        let mut found = Self::default();
        for row in session.query(&statement, &[]).await? {
            let oid: i64 = row.get(0);
            found.files.extend(row.get::<_, Option<i64>>(3).map(|file| (oid, file)));
            found.scans.extend(row.get::<_, Option<i64>>(4).map(|scans| (oid, scans)));
            let table: Option<i64> = row.get(5);
            if row.get::<_, i32>(6) == 0 {
                found.bare.insert(oid);
            }
            found.indexes.extend(table.map(|table| (oid, (written(row.get(1), row.get(2)), table))));
        }
        let statement = "select oid::int8, conrelid::int8, confrelid::int8 from pg_catalog.pg_constraint \
                         where contype = 'f' and convalidated";
        for row in session.query(statement, &[]).await? {
            found.keys.insert(row.get(0), (row.get(1), row.get(2)));
        }
        Ok(found)
    }

    /// Whether a relation, or one of its indexes, was read between another moment and this one.
    pub fn read_since(&self, before: &Self, table: i64) -> bool {
        let indexes = self.indexes.iter().filter(|(_, (_, of))| *of == table).map(|(oid, _)| *oid);
        indexes.chain([table]).any(|oid| self.scanned_since(before, oid))
    }

    /// Whether a relation itself was read from its beginning between another moment and this one.
    pub fn scanned_since(&self, before: &Self, oid: i64) -> bool {
        self.scans.get(&oid).copied().unwrap_or(0) > before.scans.get(&oid).copied().unwrap_or(0)
    }
}

/// The locks of a session on relations: those that it has, and those that it waits for.
#[derive(Debug, Default)]
pub struct Held {
    /// By relation.
    pub modes: BTreeSet<(i64, LockMode)>,
    /// Whether it waits for anything.
    pub waits: bool,
}

/// Looks at the locks of the session with this process id.
///
/// # Errors
/// As the server says.
pub async fn held(beside: &Client, process: i32) -> Result<Held, Error> {
    let statement = "select l.relation::int8, l.mode, l.granted from pg_catalog.pg_locks l where l.pid = $1 \
                     and (not l.granted or (l.locktype = 'relation' and l.database = \
                     (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())))";
    let mut found = Held::default();
    for row in beside.query(statement, &[&process]).await? {
        let mode = LockMode::of_catalog(row.get(1));
        found.modes.extend(row.get::<_, Option<i64>>(0).zip(mode));
        found.waits |= !row.get::<_, bool>(2);
    }
    Ok(found)
}
