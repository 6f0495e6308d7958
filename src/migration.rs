//! Migrations of a PostgreSQL schema: files in the layout of one of five tools, each with its way back. Pure.
//!
//! Invariant: a [`Migration`] holds both texts whole, so that whoever has the plan or the ledger can go
//! either way without the files.

pub mod statements;
pub(crate) mod cursor;
pub mod concurrent;
pub mod outside;
pub mod said;
pub mod batches;
pub mod length;
pub mod directives;
pub mod spoken;
pub mod folder;
pub mod checksum;
pub mod layout;
pub mod told;
pub mod addition;
pub mod range;
pub mod position;
pub mod observation;
pub mod predict;
pub mod certificate;
pub mod class;
pub mod derive;
pub mod difference;
pub mod keep;

use serde::{Deserialize, Serialize};

use said::Said;

/// One migration: `V12__add_email.sql` and, beside it, `V12__add_email.down.sql`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Migration {
    /// The number after the `V`.
    pub version: i64,
    /// The words after the two underscores.
    pub name: String,
    /// The text of the file.
    pub up: String,
    /// The text of the file beside it, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<String>,
    /// Whether it runs in one transaction together with its history row; `-- switchback: transaction off`
    /// says no.
    pub transaction: bool,
    /// The version as the layout's own tool writes it, where that is no whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spelling: Option<String>,
    /// The version before it in the folder, where the layout's history table holds nothing but the newest one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follows: Option<i64>,
    /// The checksum that the history holds in the place of this text's own: the text was altered since it ran, and
    /// somebody accepted that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blessed: Option<String>,
    /// Whether the way back is no file, but derived from the statements.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub derived: bool,
    /// What its header and the spec say about how it runs.
    #[serde(default, skip_serializing_if = "Said::is_plain")]
    pub said: Said,
    /// What runs in the place of its texts, so that what it takes away is kept for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<Box<Kept>>,
}

/// How long what a migration took away is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeping {
    /// Since when it is set aside.
    pub since: jiff::Timestamp,
    /// Until when nobody drops it.
    pub until: jiff::Timestamp,
}

/// What runs in the place of a migration's texts, so that what it takes away is kept for a while.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// In the place of `up`: sets aside instead of dropping.
    pub up: String,
    /// In the place of `down`: gives back.
    pub down: String,
    /// Drops at last what was set aside; there is no way back from it.
    pub purge: String,
    /// What is set aside, for people: `customers.fullname`.
    pub what: Vec<String>,
    /// The tables of which rows or values are copied, as written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub copied: Vec<String>,
    /// When it is set aside, and by what it comes back.
    #[serde(default, skip_serializing_if = "KeptWhen::is_there")]
    pub when: KeptWhen,
}

/// When something is set aside, and by what it comes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptWhen {
    /// On the way there; the way back takes back each statement of it.
    #[default]
    There,
    /// On the way there; the way back is the file's, and puts back what was copied.
    ThereByFile,
    /// On the way back; it comes back when the migration is run again.
    Back,
}

impl KeptWhen {
    fn is_there(&self) -> bool {
        *self == Self::There
    }
}

impl Migration {
    /// A migration about which nothing is said.
    pub fn plain(version: i64, name: &str, up: &str, down: Option<&str>) -> Self {
        Self {
            version,
            name: name.to_owned(),
            up: up.to_owned(),
            down: down.map(str::to_owned),
            transaction: true,
            spelling: None,
            follows: None,
            blessed: None,
            derived: false,
            said: Said::default(),
            kept: None,
        }
    }

    /// `V12__add_email`; `R__views` where it has no version.
    pub fn label(&self) -> String {
        match self.is_repeatable() {
            true => format!("{REPEATABLE}__{}", self.name),
            false => format!("V{}__{}", self.version_text(), self.name),
        }
    }

    /// The version as people and the layout's own tool write it.
    pub fn version_text(&self) -> String {
        self.spelling.clone().unwrap_or_else(|| self.version.to_string())
    }

    /// Whether what its way back drops is set aside, until it is run again.
    pub fn keeps_on_the_way_back(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.when == KeptWhen::Back)
    }

    /// Whether it has no version, and runs again whenever its text changes: Flyway's `R__views.sql`.
    pub fn is_repeatable(&self) -> bool {
        self.spelling.as_deref() == Some(REPEATABLE)
    }

    /// The text that runs in this direction, if there is one.
    pub fn text(&self, direction: Direction) -> Option<&str> {
        if let Some(kept) = &self.kept {
            return Some(match direction {
                Direction::Up => &kept.up,
                Direction::Down => &kept.down,
            });
        }
        match direction {
            Direction::Up => Some(&self.up),
            Direction::Down => self.down.as_deref(),
        }
    }
}

/// The spelling of the version of what has none.
pub const REPEATABLE: &str = "R";

/// Which way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// Forward.
    #[default]
    Up,
    /// Back.
    Down,
}

impl Direction {
    /// The other way.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Up => Self::Down,
            Self::Down => Self::Up,
        }
    }
}

/// A row of a history table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// The version, as [`Migration::version`] counts it.
    pub version: i64,
    /// The version as the table spells it, where that is no whole number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spelling: Option<String>,
    /// The name, as the table has it; empty where it has none.
    pub name: String,
    /// The checksum, as the table writes it; none where nobody kept one.
    pub checksum: Option<String>,
}

impl HistoryRow {
    /// As [`Migration::label`], from the row alone.
    pub fn label(&self) -> String {
        let version = self.spelling.clone().unwrap_or_else(|| self.version.to_string());
        match (version == REPEATABLE, self.name.is_empty()) {
            (true, _) => format!("{REPEATABLE}__{}", self.name),
            (false, true) => format!("version {version}"),
            (false, false) => format!("V{version}__{}", self.name),
        }
    }
}
