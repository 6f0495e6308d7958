//! What estimates need to know of a database that is in use: how large its relations are and what of, how much they are
//! read and written, and the settings that matter. Plain data.
//!
//! Invariant: what the server does not say is absent, never zero.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// A relation by itself, without its partitions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Measure {
    /// Bytes of its rows, without long values and indexes.
    pub heap_bytes: u64,
    /// Bytes of long values that are stored aside, with their index.
    pub toast_bytes: u64,
    /// Its rows as the server estimates them; nothing when it never counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Its columns, as far as their width is known.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub columns: BTreeMap<String, Width>,
    /// Whether the width of every column is known.
    pub all_columns: bool,
    /// Its indexes, as `schema.name`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub indexes: BTreeMap<String, IndexSize>,
    /// How much it is read and written; nothing where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Traffic>,
}

/// How wide a column is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Width {
    /// Bytes on average.
    pub bytes: u32,
    /// Whether it differs from row to row: text, numbers of any length, arrays.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub varies: bool,
}

/// How large an index is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexSize {
    /// Its bytes.
    pub bytes: u64,
    /// How it is made: `btree`, `gin`.
    pub method: String,
}

/// How much a relation is read and written.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Traffic {
    /// Reads in a second: scans of the table and of its indexes.
    pub reads_per_second: f64,
    /// Rows inserted, changed and deleted in a second.
    pub writes_per_second: f64,
    /// From what time these are.
    #[serde(flatten)]
    pub since: Since,
}

/// From what time a rate is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "since", rename_all = "snake_case")]
pub enum Since {
    /// Looked at twice, so many seconds apart.
    Sampled {
        /// The seconds.
        seconds: f64,
    },
    /// The average since the server's counters were set to zero, so many seconds ago.
    Reset {
        /// The seconds.
        seconds: f64,
    },
    /// At most that: all that was ever counted, divided by the seconds since the server started.
    Started {
        /// The seconds.
        seconds: f64,
    },
}

/// The settings of a server that estimates rest on; what it does not say is absent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ServerSettings {
    /// `max_wal_size`, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_wal_bytes: Option<u64>,
    /// `maintenance_work_mem`, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_bytes: Option<u64>,
    /// `shared_buffers`, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_buffers_bytes: Option<u64>,
    /// `max_parallel_maintenance_workers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance_workers: Option<u32>,
    /// `wal_level`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub wal_level: String,
    /// `synchronous_standby_names`.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub synchronous_standby_names: String,
    /// `full_page_writes`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub full_page_writes: Option<bool>,
}

impl ServerSettings {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Measure {
    /// A relation that was just made.
    pub fn empty() -> Self {
        Self { rows: Some(0), all_columns: true, ..Self::default() }
    }

    /// Bytes of all its indexes.
    pub fn index_bytes(&self) -> u64 {
        self.indexes.values().map(|index| index.bytes).sum()
    }
}

impl Since {
    /// From what time, in words.
    pub fn words(self) -> String {
        match self {
            Self::Sampled { seconds } => format!("looked at twice, {seconds:.0} s apart"),
            Self::Reset { seconds } => format!("on average since the counters were reset {} ago", ago(seconds)),
            Self::Started { seconds } => {
                format!("at most, by all that was counted, in the {} since the server started", ago(seconds))
            }
        }
    }
}

fn ago(seconds: f64) -> String {
    match seconds {
        ..120.0 => format!("{seconds:.0} s"),
        ..7200.0 => format!("{:.0} min", seconds / 60.0),
        ..172_800.0 => format!("{:.0} h", seconds / 3600.0),
        _ => format!("{:.0} days", seconds / 86_400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_comes_back() {
        let measure = Measure {
            heap_bytes: 8192,
            rows: Some(3),
            columns: BTreeMap::from([("a".to_owned(), Width { bytes: 4, varies: false })]),
            indexes: BTreeMap::from([("public.i".to_owned(), IndexSize { bytes: 1, method: "btree".to_owned() })]),
            traffic: Some(Traffic {
                reads_per_second: 12.5,
                writes_per_second: 0.25,
                since: Since::Sampled { seconds: 1.0 },
            }),
            ..Measure::default()
        };
        let text = serde_json::to_string(&measure).unwrap();
        assert_eq!(serde_json::from_str::<Measure>(&text).unwrap(), measure, "{text}");
        assert_eq!(serde_json::from_str::<Measure>("{}").unwrap(), Measure::default());
    }

    #[test]
    fn times_are_said_as_people_say_them() {
        assert_eq!(Since::Reset { seconds: 90_000.0 }.words(), "on average since the counters were reset 25 h ago");
        assert_eq!([60.0, 600.0, 864_000.0].map(ago), ["60 s", "10 min", "10 days"]);
    }
}
