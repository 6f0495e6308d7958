//! Rows of history tables for whoever writes a script: the table is looked at when the script runs, not before. Pure.
//!
//! Invariant: the rows are those that [`Table::insert`] and [`Table::delete`] write who have seen the table.

use std::collections::BTreeMap;

use super::{Table, dbmate, flyway, golang_migrate, refinery, sqlx, texts};
use crate::migration::Migration;
use crate::migration::layout::Layout;
use crate::provider::postgres::quoting;

/// Where the schema of the history stands in the texts: psql's variable of this name, quoted as a name.
pub const SCHEMA: &str = "switchback_schema";

/// A history table that nobody has looked at.
#[derive(Clone, Copy, Debug)]
pub struct Unseen(pub Layout);

impl Unseen {
    fn table(self, wide: bool) -> Table {
        Table {
            layout: self.0,
            schema: SCHEMA.to_owned(),
            exists: true,
            wide,
            rows: Vec::new(),
            counted: Vec::new(),
            has_progress: true,
            after: BTreeMap::new(),
        }
    }

    /// What makes the table where there is none, as the tool does; nothing where the row's own text does that.
    pub fn create(self, wide: bool) -> Option<String> {
        let table = self.table(wide);
        match self.0 {
            Layout::Refinery if wide => Some(placed(&table.create_wide())),
            Layout::Refinery => Some(placed(&table.create_wide().replace("version int8", "version int4"))),
            Layout::Flyway => Some(placed(&flyway::create(&table))),
            Layout::Sqlx | Layout::GolangMigrate | Layout::Dbmate => None,
        }
    }

    /// Writes the row of a migration; `wide` as the table is.
    pub fn insert(self, migration: &Migration, wide: bool) -> String {
        let table = self.table(wide);
        let name = table.name();
        placed(&match self.0 {
            Layout::Refinery => refinery::insert(&table, migration),
            Layout::Flyway => flyway::insert(&table, migration),
            Layout::Sqlx => sqlx::insert(&table, migration),
            Layout::GolangMigrate => {
                let create = golang_migrate::create(&table);
                let after = format!("(select max(version) from {name})");
                let note = texts::insert_after(&table, migration, &after);
                format!("{create}; {note}; {}", golang_migrate::put(&table, migration.version))
            }
            Layout::Dbmate => {
                let create = dbmate::create(&table);
                let after = format!("(select max(version::int8) from {name})");
                let note = texts::insert_after(&table, migration, &after);
                format!("{create}; {note}; {}", dbmate::put(&table, migration))
            }
        })
    }

    /// Removes the row of a migration.
    pub fn delete(self, migration: &Migration) -> String {
        let table = self.table(false);
        placed(&match self.0 {
            Layout::Refinery | Layout::Flyway | Layout::Sqlx => table.delete(migration),
            Layout::GolangMigrate => {
                let (name, texts, version) = (table.name(), texts::name(&table), migration.version);
                let follows = migration.follows.map_or_else(|| "null".to_owned(), |follows| follows.to_string());
                format!(
                    "delete from {name}; insert into {name} (version, dirty) select before, false from (select \
                     coalesce((select after from {texts} where version = {version}), {follows}::int8) as before) as known \
                     where before is not null; delete from {texts} where version = {version}"
                )
            }
            Layout::Dbmate => {
                let (name, texts) = (table.name(), texts::name(&table));
                format!(
                    "delete from {name} where version = {}; delete from {texts} where version = {}",
                    quoting::literal(&migration.version_text()),
                    migration.version
                )
            }
        })
    }

    /// What makes our own table beside it, where the layout has one.
    pub fn create_texts(self) -> Option<String> {
        match self.0 {
            Layout::GolangMigrate | Layout::Dbmate => Some(placed(&texts::create(&self.table(false)))),
            Layout::Refinery | Layout::Flyway | Layout::Sqlx => None,
        }
    }

    /// An expression over the history as found (`%s` is its name) that gives `true` when a version is in it, and one that
    /// gives whether a later one is; nothing for what has no version.
    pub fn standing(self, migration: &Migration) -> Option<(String, String)> {
        if migration.is_repeatable() {
            return None;
        }
        let version = migration.version;
        let spelled = quoting::literal(&migration.version_text());
        Some(match self.0 {
            Layout::Refinery | Layout::Sqlx => (
                format!("exists (select from %s where version = {version})"),
                format!("exists (select from %s where version > {version})"),
            ),
            // It has one row, and everything up to that counts.
            Layout::GolangMigrate => (
                format!("exists (select from %s where version >= {version})"),
                format!("exists (select from %s where version > {version})"),
            ),
            Layout::Dbmate => (
                format!("exists (select from %s where version::int8 = {version})"),
                format!("exists (select from %s where version::int8 > {version})"),
            ),
            // Its versions have dots: what came later is known by its rank.
            Layout::Flyway => (
                format!("exists (select from %s where version = {spelled} and type not like 'UNDO%%')"),
                format!(
                    "exists (select from %1$s where version is not null and installed_rank > \
                     (select max(installed_rank) from %1$s where version = {spelled}))"
                ),
            ),
        })
    }

    /// An expression over the history as found that gives whether the tool itself left it in the middle.
    pub fn is_dirty(self) -> Option<&'static str> {
        match self.0 {
            Layout::GolangMigrate => Some("exists (select from %s where dirty)"),
            Layout::Flyway | Layout::Sqlx => Some("exists (select from %s where not success)"),
            Layout::Refinery | Layout::Dbmate => None,
        }
    }
}

/// With psql's variable in the place of the schema.
fn placed(text: &str) -> String {
    let name = quoting::name(SCHEMA);
    text.replace(&format!("{name}."), &format!(":{name}."))
}
