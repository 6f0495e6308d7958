//! What only a database that is in use can say about itself. Plain data.
//!
//! Invariant: nothing here was had by changing or locking anything.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::measure::{Measure, ServerSettings};

/// What is said of a database right now.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TargetFacts {
    /// The server's version: `15.18`.
    pub server: String,
    /// How large the relations are that were asked for, by name. What is not there is not among them.
    pub sizes: BTreeMap<String, Size>,
    /// What those among them that hold rows, or are looked at like one that does, consist of: each by itself.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub measures: BTreeMap<String, Measure>,
    /// The settings that matter for how long a change takes.
    #[serde(skip_serializing_if = "ServerSettings::is_empty")]
    pub settings: ServerSettings,
    /// Sessions that wait for a lock, the longest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub waiting: Vec<WaitingSession>,
    /// Transactions that have been open for more than a few seconds, the longest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub long: Vec<LongTransaction>,
    /// Servers that follow this one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub replicas: Vec<Replica>,
}

/// How large a relation is, its partitions included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Its rows as the server estimates them; nothing when it never counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows: Option<u64>,
    /// Its bytes on disk, with indexes and long values.
    pub bytes: u64,
}

/// A session that waits for a lock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WaitingSession {
    /// Its process.
    pub process: i32,
    /// Since when, in seconds.
    pub seconds: f64,
    /// The processes that it waits for.
    pub waits_for: Vec<i32>,
    /// What it wants to do, without literals.
    pub query: String,
}

/// A transaction that has been open for long.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LongTransaction {
    /// Its process.
    pub process: i32,
    /// Whose it is.
    pub user: String,
    /// What the client calls itself.
    pub application: String,
    /// Since when, in seconds.
    pub seconds: f64,
    /// What it did last, without literals.
    pub query: String,
}

/// A server that follows this one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Replica {
    /// What it calls itself.
    pub name: String,
    /// How far it is behind, in bytes of the log; nothing when it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_bytes: Option<u64>,
    /// How far it is behind, in seconds; nothing when it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<f64>,
}

impl Size {
    /// `1.2 GB, about 3 million rows`.
    pub fn words(self) -> String {
        let bytes = bytes_in_words(self.bytes);
        match self.rows {
            None => bytes,
            Some(rows) => format!("{bytes}, about {} rows", count_in_words(rows)),
        }
    }
}

/// `1.2 GB`.
pub fn bytes_in_words(bytes: u64) -> String {
    scaled(bytes, &["bytes", "kB", "MB", "GB", "TB"])
}

/// `3 million`.
pub fn count_in_words(count: u64) -> String {
    if count < 1000 { count.to_string() } else { scaled(count, &["", "thousand", "million", "billion"]) }
}

/// A number in thousands of thousands, with one digit behind the point where it is below ten.
fn scaled(number: u64, units: &[&str]) -> String {
    let mut unit = 0;
    let (mut whole, mut tenths) = (number, 0);
    while whole >= 1000 && unit + 1 < units.len() {
        tenths = whole % 1000 / 100;
        whole /= 1000;
        unit += 1;
    }
    let number = if unit > 0 && whole < 10 && tenths > 0 { format!("{whole}.{tenths}") } else { whole.to_string() };
    format!("{number} {}", units[unit])
}

impl TargetFacts {
    /// What stands in the way of a change right now, or may come to wait for it, in lines for people.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for one in &self.long {
            lines.push(format!(
                "process {} of user {}, application `{}`, has had a transaction open for {:.0} s: `{}`",
                one.process, one.user, one.application, one.seconds, one.query
            ));
        }
        for one in &self.waiting {
            let others = one.waits_for.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            lines.push(format!(
                "process {} has been waiting for {:.0} s for process {others}: `{}`",
                one.process, one.seconds, one.query
            ));
        }
        for one in &self.replicas {
            let bytes = one.lag_bytes.map_or_else(
                || "by an unknown number of bytes".to_owned(),
                |bytes| format!("by {}", bytes_in_words(bytes)),
            );
            let seconds = one.lag_seconds.map(|seconds| format!(" and {seconds:.1} s")).unwrap_or_default();
            lines.push(format!("replica `{}` is behind {bytes}{seconds}", one.name));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_said_as_people_say_them() {
        let said = |rows, bytes| Size { rows, bytes }.words();
        assert_eq!(said(Some(3_000_000), 1_234_000_000), "1.2 GB, about 3 million rows");
        assert_eq!(said(Some(0), 8192), "8.1 kB, about 0 rows");
        assert_eq!(said(Some(45_678), 45_678_000), "45 MB, about 45 thousand rows");
        assert_eq!(said(None, 12), "12 bytes");
    }

    #[test]
    fn what_stands_in_the_way_is_said_in_lines() {
        let facts = TargetFacts {
            waiting: vec![WaitingSession {
                process: 7,
                seconds: 2.0,
                waits_for: vec![5, 6],
                query: "delete".to_owned(),
            }],
            replicas: vec![Replica { name: "two".to_owned(), lag_bytes: Some(2_000_000), lag_seconds: Some(0.25) }],
            ..TargetFacts::default()
        };
        assert_eq!(
            facts.lines(),
            [
                "process 7 has been waiting for 2 s for process 5, 6: `delete`",
                "replica `two` is behind by 2 MB and 0.2 s"
            ]
        );
    }
}
