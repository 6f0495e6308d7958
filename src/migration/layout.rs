//! The layouts of folders of migrations that are read: those of five tools. Pure (folders are read through [`Files`]).
//!
//! Invariant: each layout reads what its own tool would run, in its order, under its versions; what that tool would
//! pass over in silence although somebody meant it as a migration is a mistake here.

mod pairing;
mod version;
mod cyclic;
mod refinery;
mod flyway;
mod sqlx;
mod golang_migrate;
mod dbmate;

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256, Sha384};

pub use pairing::repeatable_number;

use super::folder::FolderMistake;
use super::{Direction, HistoryRow, Migration, checksum};
use crate::files::Files;
use crate::value::Object;

/// Whose layout a folder has, and so whose history table its database has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// refinery: `V1__add_users.sql`, and beside it our `V1__add_users.down.sql`.
    #[default]
    Refinery,
    /// Flyway: `V1.2__add_users.sql`, `U1.2__add_users.sql`, `R__views.sql`.
    Flyway,
    /// sqlx: `20260101120000_add_users.sql`, or `.up.sql` and `.down.sql`.
    Sqlx,
    /// golang-migrate: `000001_add_users.up.sql` and `.down.sql`.
    GolangMigrate,
    /// dbmate: `20260101120000_add_users.sql` with both ways in it.
    Dbmate,
}

/// There is no such layout.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no layout; there are refinery, flyway, sqlx, golang-migrate and dbmate")]
pub struct NoSuchLayout(pub String);

/// A file to be written for a new migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewFile {
    /// Its name.
    pub name: String,
    /// What stands in it.
    pub text: String,
}

impl Layout {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Refinery, Self::Flyway, Self::Sqlx, Self::GolangMigrate, Self::Dbmate];

    /// The setting of a database's binding that holds it; absent for refinery's.
    pub const SETTING: &str = "layout";

    /// The name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Refinery => "refinery",
            Self::Flyway => "flyway",
            Self::Sqlx => "sqlx",
            Self::GolangMigrate => "golang-migrate",
            Self::Dbmate => "dbmate",
        }
    }

    /// The name of the tool's history table.
    pub fn table(self) -> &'static str {
        match self {
            Self::Refinery => "refinery_schema_history",
            Self::Flyway => "flyway_schema_history",
            Self::Sqlx => "_sqlx_migrations",
            Self::GolangMigrate | Self::Dbmate => "schema_migrations",
        }
    }

    /// The layout of a database, by the settings that it is reached with: they are recorded, so that a way back knows
    /// it without any source.
    ///
    /// # Errors
    /// When the settings name one that is not known, as a later version may.
    pub fn of(settings: &Object) -> Result<Self, NoSuchLayout> {
        match settings.get(Self::SETTING).filter(|value| !value.is_null()) {
            None => Ok(Self::default()),
            Some(value) => value.as_str().unwrap_or("(none)").parse(),
        }
    }

    /// Reads a folder: its migrations in the order in which they run, and all mistakes in it. A file with a mistake
    /// gives no migration.
    pub fn load(self, files: &dyn Files, folder: &Path) -> (Vec<Migration>, Vec<FolderMistake>) {
        self.load_beside(files, folder, &BTreeSet::new())
    }

    /// The same, where the spec says of these versions that they run outside of a transaction.
    pub fn load_beside(
        self,
        files: &dyn Files,
        folder: &Path,
        off: &BTreeSet<i64>,
    ) -> (Vec<Migration>, Vec<FolderMistake>) {
        match self {
            Self::Refinery => refinery::load(files, folder, off),
            Self::Flyway => flyway::load(files, folder, off),
            Self::Sqlx => sqlx::load(files, folder, off),
            Self::GolangMigrate => golang_migrate::load(files, folder, off),
            Self::Dbmate => dbmate::load(files, folder, off),
        }
    }

    /// The number of a version as it is typed; nothing when the layout has no such versions.
    pub fn number(self, version: &str) -> Option<i64> {
        match self {
            Self::Flyway => version::number(version),
            Self::Refinery | Self::Sqlx | Self::GolangMigrate | Self::Dbmate => {
                let is_number = !version.is_empty() && version.bytes().all(|byte| byte.is_ascii_digit());
                version.parse().ok().filter(|_| is_number)
            }
        }
    }

    /// What the history table has as the name of a migration; empty where it has none.
    pub fn row_name(self, migration: &Migration) -> String {
        match self {
            Self::Refinery | Self::GolangMigrate | Self::Dbmate => migration.name.clone(),
            Self::Flyway | Self::Sqlx => migration.name.replace('_', " "),
        }
    }

    /// The checksum of a migration by the tool's own rule, as its table writes it; `wide` is refinery's other build.
    /// Where the tool keeps none, our own.
    pub fn checksum(self, migration: &Migration, wide: bool) -> String {
        match self {
            Self::Refinery => checksum::checksum(migration, wide).to_string(),
            Self::Flyway => flyway::checksum(&migration.up).to_string(),
            Self::Sqlx => hexadecimal(&Sha384::digest(migration.up.as_bytes())),
            Self::GolangMigrate | Self::Dbmate => hexadecimal(&Sha256::digest(migration.up.as_bytes())),
        }
    }

    /// Whether a row was written for just this migration, as far as the row can tell.
    pub fn fits(self, row: &HistoryRow, migration: &Migration, wide: bool) -> bool {
        if row.checksum.is_some() && row.checksum == migration.blessed {
            return true;
        }
        let is_named = row.name.is_empty() || self == Self::Sqlx || row.name == self.row_name(migration);
        is_named && row.checksum.as_ref().is_none_or(|checksum| *checksum == self.checksum(migration, wide))
    }

    /// The names of a migration's files as the tool calls them: of its text, and of its way back.
    pub fn file_name(self, version: &str, name: &str, direction: Direction) -> String {
        match (self, direction) {
            (Self::Refinery, Direction::Up) => format!("V{version}__{name}.sql"),
            (Self::Refinery, Direction::Down) => format!("V{version}__{name}.down.sql"),
            (Self::Flyway, Direction::Up) => format!("V{version}__{name}.sql"),
            (Self::Flyway, Direction::Down) => format!("U{version}__{name}.sql"),
            (Self::Sqlx | Self::GolangMigrate, Direction::Up) => format!("{version}_{name}.up.sql"),
            (Self::Sqlx | Self::GolangMigrate, Direction::Down) => format!("{version}_{name}.down.sql"),
            (Self::Dbmate, _) => format!("{version}_{name}.sql"),
        }
    }

    /// The files of the next migration of a folder; `stamp` is the present time as `20260101120000`, for tools that
    /// number by it.
    pub fn next(self, there: &[Migration], name: &str, stamp: &str) -> Vec<NewFile> {
        let texts = match self {
            Self::Dbmate => ("", ""),
            Self::Refinery | Self::Flyway | Self::Sqlx | Self::GolangMigrate => {
                ("-- What changes.\n", "-- What takes it back.\n")
            }
        };
        self.next_with(there, name, stamp, texts)
    }

    /// The same with these texts: of the way up, and of the way back.
    pub fn next_with(self, there: &[Migration], name: &str, stamp: &str, (up, down): (&str, &str)) -> Vec<NewFile> {
        let newest = there.iter().rfind(|migration| !migration.is_repeatable());
        let counted = newest.is_none_or(|newest| newest.version < 10_000_000_000_000);
        let next = |newest: &Migration| newest.version.saturating_add(1);
        let version = match self {
            Self::Flyway => match newest.map(Migration::version_text) {
                Some(text) => version::next(&text),
                None => "1".to_owned(),
            },
            Self::Refinery if counted => newest.map_or(1, next).to_string(),
            Self::GolangMigrate if counted => format!("{:06}", newest.map_or(1, next)),
            Self::Sqlx | Self::Dbmate if counted && newest.is_some() => {
                let text = newest.map(Migration::version_text).unwrap_or_default();
                format!("{:0width$}", newest.map_or(1, next), width = text.len())
            }
            Self::Refinery | Self::GolangMigrate | Self::Sqlx | Self::Dbmate => {
                // Two of one second, or a clock that lags, must not come before what is there.
                let stamp: i64 = stamp.parse().unwrap_or(1);
                newest.map_or(stamp, |newest| stamp.max(next(newest))).to_string()
            }
        };
        let file =
            |direction, text: &str| NewFile { name: self.file_name(&version, name, direction), text: text.to_owned() };
        match self {
            Self::Dbmate => vec![file(Direction::Up, &format!("-- migrate:up\n{up}\n\n-- migrate:down\n{down}\n"))],
            Self::Refinery | Self::Flyway | Self::Sqlx | Self::GolangMigrate => {
                vec![file(Direction::Up, up), file(Direction::Down, down)]
            }
        }
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl fmt::Display for Layout {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl FromStr for Layout {
    type Err = NoSuchLayout;

    fn from_str(text: &str) -> Result<Self, NoSuchLayout> {
        Self::ALL.into_iter().find(|layout| layout.name() == text).ok_or_else(|| NoSuchLayout(text.to_owned()))
    }
}

#[cfg(test)]
mod tests;
