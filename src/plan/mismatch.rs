//! A folder of migrations beside the history of a database: what is applied, what is pending, and everything that does
//! not fit. Pure.
//!
//! Invariant: every migration of the folder and every row of the history is in exactly one line.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;

use crate::migration::told::Told;
use crate::migration::{HistoryRow, Migration, REPEATABLE};
use crate::world::History;

/// How a migration stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
pub enum Standing {
    /// It ran, with the very text.
    Applied,
    /// It will run.
    Pending,
    /// It has no version, ran with another text, and will run again.
    PendingAgain,
    /// It is never run: somebody said so.
    Skipped,
    /// It ran with another text.
    Altered,
    /// Its version ran under another name.
    Renamed {
        /// That name.
        from: String,
    },
    /// It did not run, but a later one did.
    Late {
        /// The newest one.
        newest: String,
    },
    /// It ran, and has no file.
    Missing,
}

/// One migration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its number, by which it is sorted.
    pub number: i64,
    /// Its version, as it is written.
    pub version: String,
    /// What people call it.
    pub label: String,
    /// How it stands.
    #[serde(flatten)]
    pub standing: Standing,
    /// Whether there is a way back.
    pub way_back: bool,
}

impl Line {
    /// What is wrong, and the verb that makes an exception, with what has to be typed behind `migrate`.
    pub fn mistake(&self) -> Option<(String, &'static str, &'static str)> {
        let Self { label, version, .. } = self;
        let told = match &self.standing {
            Standing::Applied | Standing::Pending | Standing::PendingAgain | Standing::Skipped => return None,
            Standing::Altered => (
                format!("{label} is not the text that was applied"),
                "restore the file as it was, and put the change into a new migration",
                "rebless",
            ),
            Standing::Renamed { from } => (
                format!("version {version} was applied as `{from}`, and the file is {label}"),
                "give the file its earlier name, or a version of its own",
                "rebless",
            ),
            Standing::Late { newest } => {
                (format!("{label} was not applied, but {newest} was"), "give it a version above the newest one", "skip")
            }
            Standing::Missing => {
                (format!("{label} was applied, and has no file"), "put its file back into the folder", "skip")
            }
        };
        Some(told)
    }
}

/// The lines, in the order of the versions; `known` is what the ledger has, nothing where there is none.
pub fn compare(
    folder: &[Migration],
    history: &History,
    known: &BTreeMap<i64, Arc<Migration>>,
    told: &Told,
) -> Vec<Line> {
    let rows: BTreeMap<i64, &HistoryRow> = history.rows.iter().map(|row| (row.version, row)).collect();
    let is_applied =
        |version: i64| rows.contains_key(&version) || history.counts(version) || told.baselined.contains(&version);
    let newest = folder.iter().rfind(|migration| !migration.is_repeatable() && is_applied(migration.version));
    let standing = |migration: &Migration| {
        let version = migration.version;
        let row = rows.get(&version).copied();
        if migration.is_repeatable() {
            return match row {
                None => Standing::Pending,
                Some(row) if history.fits(row, migration) => Standing::Applied,
                Some(_) => Standing::PendingAgain,
            };
        }
        let recorded = known.get(&version);
        let is_other = recorded.is_some_and(|recorded| recorded.up != migration.up);
        let accepted = recorded.filter(|_| !is_other).map_or(migration, |recorded| &**recorded);
        match row {
            Some(row) if history.fits(row, accepted) && !(is_other && row.checksum.is_none()) => Standing::Applied,
            Some(row) if !row.name.is_empty() && row.name != history.layout.row_name(migration) => {
                Standing::Renamed { from: row.name.clone() }
            }
            Some(_) => Standing::Altered,
            None if is_applied(version) && is_other => Standing::Altered,
            None if is_applied(version) => Standing::Applied,
            None if told.skipped.contains_key(&version) => Standing::Skipped,
            None => match newest {
                Some(newest) if newest.version > version => Standing::Late { newest: newest.label() },
                Some(_) | None => Standing::Pending,
            },
        }
    };
    let mut lines: Vec<Line> = folder
        .iter()
        .map(|migration| Line {
            number: migration.version,
            version: migration.version_text(),
            label: migration.label(),
            standing: standing(migration),
            way_back: migration.down.is_some(),
        })
        .collect();
    let is_there = |row: &&HistoryRow| folder.iter().any(|migration| migration.version == row.version);
    for row in history.rows.iter().filter(|row| !is_there(row)) {
        // What has no version stays when its file goes, as its tool leaves it.
        let is_left = told.skipped.contains_key(&row.version) || row.spelling.as_deref() == Some(REPEATABLE);
        lines.push(Line {
            number: row.version,
            version: row.spelling.clone().unwrap_or_else(|| row.version.to_string()),
            label: row.label(),
            standing: if is_left { Standing::Skipped } else { Standing::Missing },
            way_back: false,
        });
    }
    lines.sort_by(|left, right| {
        let key = |line: &Line| (line.version == REPEATABLE, if line.version == REPEATABLE { 0 } else { line.number });
        (key(left), &left.label).cmp(&(key(right), &right.label))
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::migration::layout::Layout;

    fn row(layout: Layout, migration: &Migration) -> HistoryRow {
        HistoryRow {
            version: migration.version,
            spelling: migration.spelling.clone(),
            name: layout.row_name(migration),
            checksum: Some(layout.checksum(migration, false)),
        }
    }

    fn standings(folder: &[Migration], history: &History) -> Vec<Standing> {
        let lines = compare(folder, history, &BTreeMap::new(), &Told::default());
        lines.into_iter().map(|line| line.standing).collect()
    }

    #[test]
    fn every_mismatch_is_named_in_every_layout() {
        let folder: Vec<_> =
            (1..=5).map(|version| Migration::plain(version, &format!("m{version}"), "select 1", None)).collect();
        for layout in Layout::ALL {
            let mut rows: Vec<_> = folder.iter().map(|one| row(layout, one)).collect();
            rows.remove(2);
            rows[0].checksum = Some("0".to_owned());
            rows[1].name = "other".to_owned();
            rows[1].checksum = Some("0".to_owned());
            rows[3].version = 9;
            let history = History { rows, layout, ..History::default() };
            let expected = [
                Standing::Altered,
                Standing::Renamed { from: "other".to_owned() },
                Standing::Late { newest: "V4__m4".to_owned() },
                Standing::Applied,
                Standing::Pending,
                Standing::Missing,
            ];
            assert_eq!(standings(&folder, &history), expected, "{layout}");
        }
    }

    #[test]
    fn what_counts_as_applied_needs_no_row() {
        let folder: Vec<_> = (1..=3).map(|version| Migration::plain(version, "m", "select 1", None)).collect();
        let layout = Layout::GolangMigrate;
        let last = HistoryRow { version: 2, spelling: None, name: String::new(), checksum: None };
        let history = History { rows: vec![last], layout, counted: vec![(i64::MIN, 2)], ..History::default() };
        assert_eq!(standings(&folder, &history), [Standing::Applied, Standing::Applied, Standing::Pending]);
        // What the ledger knows of a text that the table has no checksum of.
        let known = BTreeMap::from([(1, Arc::new(Migration::plain(1, "m", "select 0", None)))]);
        let lines = compare(&folder, &history, &known, &Told::default());
        assert_eq!(lines[0].standing, Standing::Altered);
    }
}
