//! The history tables of the five tools: found, read, and continued as the tool itself does it. Talks to the server.
//!
//! Invariant: after a migration of ours the tool finds just that one done, by its own rules; what the tool would refuse
//! to go on from (a dirty version, a failed row) is refused here as well.

mod refinery;
mod flyway;
mod sqlx;
mod golang_migrate;
mod dbmate;
mod texts;
pub mod unseen;

use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::Client;

use super::errors::{refused, world_error};
use super::quoting;
use crate::migration::layout::Layout;
use crate::migration::{HistoryRow, Migration};
use crate::world::{Connection, History, WorldError};

/// The history table as found, or as it will be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Whose it is.
    pub layout: Layout,
    /// Its schema.
    pub schema: String,
    /// Whether it is there.
    pub exists: bool,
    /// Whether its version column is `int8` (refinery).
    pub wide: bool,
    /// Its rows by version.
    pub rows: Vec<HistoryRow>,
    /// From which to which version everything counts as applied although no row tells it.
    pub counted: Vec<(i64, i64)>,
    /// Whether the table that says how far a migration has got is there beside it.
    pub has_progress: bool,
    /// Of versions that we ran: the one that was the newest until then (golang-migrate).
    after: BTreeMap<i64, Option<i64>>,
}

/// How much of a history is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// All of it.
    Whole,
    /// At least what it says of this version and of later ones; that is all that counts for running it.
    From(i64),
}

impl Extent {
    /// The versions from this one on.
    fn first(self) -> i64 {
        match self {
            Self::Whole => i64::MIN,
            Self::From(version) => version,
        }
    }
}

/// A table and its columns, by name with their types; none when there is no such table.
struct Found {
    schema: String,
    has_progress: bool,
    columns: Option<BTreeMap<String, String>>,
}

/// The layout of a connection's database.
///
/// # Errors
/// When it is not known.
pub fn layout(connection: &Connection) -> Result<Layout, WorldError> {
    Layout::of(&connection.settings).map_err(|error| {
        refused("find the history of migrations", error.to_string(), "use a version of switchback that knows it")
    })
}

impl Table {
    /// Its name with its schema, so that a migration that changes the search path does not lose it.
    pub fn name(&self) -> String {
        format!("{}.{}", quoting::name(&self.schema), self.layout.table())
    }

    /// The row of a version.
    pub fn row(&self, version: i64) -> Option<&HistoryRow> {
        self.rows.iter().find(|row| row.version == version)
    }

    /// The newest version that counts as applied.
    pub fn newest(&self) -> Option<i64> {
        let rows = self.rows.iter().filter(|row| row.spelling.as_deref() != Some(crate::migration::REPEATABLE));
        rows.map(|row| row.version).chain(self.counted.iter().map(|(_, last)| *last)).max()
    }

    /// Whether a row was written for just this migration.
    pub fn fits(&self, row: &HistoryRow, migration: &Migration) -> bool {
        self.layout.fits(row, migration, self.wide)
    }

    /// Writes the row of a migration as the tool does, into a table that is made as the tool does if there is none.
    pub fn insert(&self, migration: &Migration) -> String {
        match self.layout {
            Layout::Refinery => refinery::insert(self, migration),
            Layout::Flyway => flyway::insert(self, migration),
            Layout::Sqlx => sqlx::insert(self, migration),
            Layout::GolangMigrate => golang_migrate::insert(self, migration),
            Layout::Dbmate => dbmate::insert(self, migration),
        }
    }

    /// Removes the row of a migration.
    pub fn delete(&self, migration: &Migration) -> String {
        match self.layout {
            Layout::Refinery | Layout::Sqlx => {
                format!("delete from {} where version = {}", self.name(), migration.version)
            }
            Layout::Flyway => flyway::delete(self, migration),
            Layout::GolangMigrate => golang_migrate::delete(self, migration),
            Layout::Dbmate => dbmate::delete(self, migration),
        }
    }

    /// As the stages above see it.
    pub fn into_history(self) -> History {
        let Self { layout, rows, wide, counted, .. } = self;
        History { rows, wide, partial: None, layout, counted, parity: None }
    }

    fn of(layout: Layout, found: &Found) -> Self {
        Self {
            layout,
            schema: found.schema.clone(),
            exists: found.columns.is_some(),
            wide: false,
            rows: Vec::new(),
            counted: Vec::new(),
            has_progress: found.has_progress,
            after: BTreeMap::new(),
        }
    }
}

/// The schema where refinery's table is, or where any history table would be made: the fence stands there.
///
/// # Errors
/// As [`find`].
pub async fn place(client: &Client) -> Result<String, WorldError> {
    let tried = "look for the place of the fence";
    Ok(look(client, Layout::Refinery.table(), tried).await?.schema)
}

/// Finds the table through the search path, as the tool does; says where it would be made when there is none.
///
/// # Errors
/// As the server says, or when the table is not that tool's, or the tool would not go on from it.
pub async fn find(client: &Client, layout: Layout) -> Result<Table, WorldError> {
    find_from(client, layout, Extent::Whole).await
}

/// As [`find`], with no more of it than is asked for, where the table can be asked so.
///
/// # Errors
/// As [`find`].
pub async fn find_from(client: &Client, layout: Layout, extent: Extent) -> Result<Table, WorldError> {
    let tried = format!("read {}", layout.table());
    let found = look(client, layout.table(), &tried).await?;
    let mut table = Table::of(layout, &found);
    let Some(columns) = &found.columns else {
        refuse_others(client, layout, &tried).await?;
        return Ok(table);
    };
    let missing = expected(layout).iter().find(|name| !columns.contains_key(**name));
    if let Some(missing) = missing {
        return Err(foreign(layout, columns, missing, &tried));
    }
    match layout {
        Layout::Refinery => refinery::read(client, &mut table, columns, extent, &tried).await?,
        Layout::Flyway => flyway::read(client, &mut table, &tried).await?,
        Layout::Sqlx => sqlx::read(client, &mut table, extent, &tried).await?,
        Layout::GolangMigrate => golang_migrate::read(client, &mut table, &tried).await?,
        Layout::Dbmate if columns.contains_key("dirty") => return Err(foreign(layout, columns, "", &tried)),
        Layout::Dbmate => dbmate::read(client, &mut table, &tried).await?,
    }
    table.rows.sort_by_key(|row| row.version);
    Ok(table)
}

/// The layouts whose history tables a database has.
///
/// # Errors
/// As the server says.
pub async fn present(client: &Client) -> Result<Vec<Layout>, WorldError> {
    let statement = "select t.name, a.attname::text from unnest($1::text[]) as t (name) \
                     join pg_catalog.pg_attribute a on a.attrelid = to_regclass(t.name) \
                     where a.attnum > 0 and not a.attisdropped";
    let tables: Vec<&str> = Layout::ALL.iter().map(|layout| layout.table()).collect();
    let rows = client.query(statement, &[&tables]).await;
    let rows = rows.map_err(|error| world_error("look for history tables", &error))?;
    let mut columns: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in &rows {
        columns.entry(row.get(0)).or_default().insert(row.get(1));
    }
    let is_there = |layout: &Layout| {
        let Some(columns) = columns.get(layout.table()) else { return false };
        let is_dirty = columns.contains("dirty");
        let is_theirs = match layout {
            Layout::GolangMigrate => is_dirty,
            Layout::Dbmate => !is_dirty,
            Layout::Refinery | Layout::Flyway | Layout::Sqlx => true,
        };
        is_theirs && expected(*layout).iter().all(|name| columns.contains(*name))
    };
    Ok(Layout::ALL.into_iter().filter(is_there).collect())
}

/// Whoever names no layout, or the wrong one, would run everything again that another tool has run.
async fn refuse_others(client: &Client, layout: Layout, tried: &str) -> Result<(), WorldError> {
    let others = present(client).await?;
    // Another runner may have made the very table meanwhile.
    let other = others.iter().find(|other| other.table() != layout.table());
    let Some(other) = other else { return Ok(()) };
    Err(refused(
        tried,
        format!("there is none, but the database has {other}'s history, {}", other.table()),
        format!(
            "set `layout = \"{other}\"` in the `database` block (or type `--layout {other}`); if that table is not in \
             use any more, rename it, and {layout}'s begins with nothing"
        ),
    ))
}

fn expected(layout: Layout) -> &'static [&'static str] {
    match layout {
        // Its columns are checked one by one.
        Layout::Refinery => &[],
        Layout::Flyway => &["installed_rank", "version", "description", "type", "script", "checksum", "success"],
        Layout::Sqlx => &["version", "description", "success", "checksum", "execution_time"],
        Layout::GolangMigrate => &["version", "dirty"],
        Layout::Dbmate => &["version"],
    }
}

fn foreign(layout: Layout, columns: &BTreeMap<String, String>, missing: &str, tried: &str) -> WorldError {
    let (cause, help) = match layout {
        Layout::Dbmate if columns.contains_key("dirty") => {
            ("its column `dirty` is golang-migrate's".to_owned(), "set `layout = \"golang-migrate\"`".to_owned())
        }
        Layout::GolangMigrate if missing == "dirty" && columns.len() == 1 => {
            ("it has no column `dirty`, so it is dbmate's".to_owned(), "set `layout = \"dbmate\"`".to_owned())
        }
        Layout::Refinery | Layout::Flyway | Layout::Sqlx | Layout::GolangMigrate | Layout::Dbmate => (
            format!("it has no column `{missing}`, so it is not {layout}'s"),
            "rename the table that stands in its place, or set another `layout`".to_owned(),
        ),
    };
    refused(tried, cause, &help)
}

async fn look(client: &Client, table: &str, tried: &str) -> Result<Found, WorldError> {
    let failed = |error| world_error(tried, &error);
    let statement = "select n.nspname::text, a.attname::text, a.atttypid::regtype::text, \
                     to_regclass(format('%I.switchback_progress', n.nspname)) is not null from pg_catalog.pg_class c \
                     join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
                     left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
                     where c.oid = to_regclass($1)";
    let rows = client.query(statement, &[&table]).await.map_err(failed)?;
    if let Some(first) = rows.first() {
        let column = |row: &tokio_postgres::Row| Some((row.get::<_, Option<String>>(1)?, row.get::<_, String>(2)));
        let columns = Some(rows.iter().filter_map(column).collect());
        return Ok(Found { schema: first.get(0), has_progress: first.get(3), columns });
    }
    let statement = "select current_schema()::text, \
                     to_regclass(format('%I.switchback_progress', current_schema())) is not null";
    let row = client.query_one(statement, &[]).await.map_err(failed)?;
    let schema: Option<String> = row.get(0);
    let help = "create a schema of the search path, or set the role's search_path";
    let none = || refused(tried, "no schema of the search path exists, so there is no place for the table", help);
    Ok(Found { schema: schema.ok_or_else(none)?, has_progress: row.get(1), columns: None })
}

/// How long the transaction has taken, in this many parts of a second.
fn elapsed(parts: &str, ty: &str) -> String {
    format!("(extract(epoch from pg_catalog.clock_timestamp() - pg_catalog.transaction_timestamp()) * {parts})::{ty}")
}
