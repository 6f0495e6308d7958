//! The log of calls and what is counted from it. An edge (it appends to a file).
//!
//! Invariant: an entry has no field that a value or body could be put into.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde_json::{Value, json};

use super::super::{LocalError, disk};
use super::call::holds;

/// The most entries that are counted from; older ones stay in the file.
const MOST_ENTRIES: usize = 200_000;
/// When the file is put aside for a new one.
const MOST_BYTES: u64 = 64 << 20;

/// One call.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Entry {
    /// When it was answered.
    pub time: jiff::Timestamp,
    /// `ecs`, …
    pub service: String,
    /// `CreateService`, …
    pub operation: String,
    /// The names in it.
    pub names: BTreeMap<String, Value>,
    /// The HTTP status that was answered.
    pub status: u16,
    /// The error's name, when it was the relay that refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
    /// How long it took.
    pub milliseconds: u64,
}

/// The log.
pub(super) struct Journal {
    path: PathBuf,
    inner: Mutex<Inner>,
}

struct Inner {
    file: File,
    entries: Vec<Entry>,
}

impl Journal {
    /// Goes on with the log in a file.
    pub(super) fn open(path: &Path) -> Result<Self, LocalError> {
        let inner = Inner { file: disk::open_log(path)?, entries: Vec::new() };
        Ok(Self { path: path.to_owned(), inner: Mutex::new(inner) })
    }

    /// Adds an entry. A log that cannot be written (a full disk) does not stop the calls.
    pub(super) fn add(&self, entry: Entry) {
        let mut line = serde_json::to_string(&entry).expect("plain data");
        line.push('\n');
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = inner.file.write_all(line.as_bytes()) {
            tracing::warn!("the log of calls cannot be written: {error}");
        }
        if inner.file.metadata().is_ok_and(|metadata| metadata.len() > MOST_BYTES)
            && std::fs::rename(&self.path, self.path.with_extension("jsonl.1")).is_ok()
            && let Ok(file) = disk::open_log(&self.path)
        {
            inner.file = file;
        }
        if inner.entries.len() >= MOST_ENTRIES {
            inner.entries.drain(..MOST_ENTRIES / 2);
        }
        inner.entries.push(entry);
    }

    /// How many calls there were since the start or the last reset, by operation; with `containing` only those with
    /// that text in a name.
    pub(super) fn counts(&self, containing: Option<&str>) -> Value {
        let (mut operations, mut refused) = (BTreeMap::<String, u64>::new(), BTreeMap::<String, u64>::new());
        let mut total = 0_u64;
        self.each(containing, |entry| {
            let operation = format!("{}.{}", entry.service, entry.operation);
            if entry.status >= 400 {
                *refused.entry(operation.clone()).or_default() += 1;
            }
            *operations.entry(operation).or_default() += 1;
            total += 1;
        });
        json!({ "format": 1, "total": total, "operations": operations, "refused": refused })
    }

    /// The entries since the start or the last reset.
    pub(super) fn entries(&self, containing: Option<&str>) -> Value {
        let mut found = Vec::new();
        self.each(containing, |entry| found.push(serde_json::to_value(entry).expect("plain data")));
        Value::Array(found)
    }

    /// Counts from zero; the file stays.
    pub(super) fn reset(&self) {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).entries.clear();
    }

    fn each(&self, containing: Option<&str>, mut look: impl FnMut(&Entry)) {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in &inner.entries {
            if containing.is_none_or(|text| entry.names.values().any(|name| holds(name, text))) {
                look(entry);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(operation: &str, name: &str, status: u16) -> Entry {
        Entry {
            time: jiff::Timestamp::UNIX_EPOCH,
            service: "ssm".to_owned(),
            operation: operation.to_owned(),
            names: BTreeMap::from([("Names".to_owned(), json!([name]))]),
            status,
            refused: (status >= 400).then(|| "ParameterNotFound".to_owned()),
            milliseconds: 1,
        }
    }

    #[test]
    fn counts_by_operation_and_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("calls.jsonl");
        let journal = Journal::open(&path).unwrap();
        journal.add(entry("GetParameters", "/a/x", 200));
        journal.add(entry("GetParameters", "/b/x", 400));
        journal.add(entry("PutParameter", "/a/y", 200));
        let all = journal.counts(None);
        assert_eq!(all["operations"], json!({ "ssm.GetParameters": 2, "ssm.PutParameter": 1 }));
        assert_eq!(all["refused"], json!({ "ssm.GetParameters": 1 }));
        assert_eq!(journal.counts(Some("/a/"))["total"], 2);
        journal.reset();
        assert_eq!(journal.counts(None)["total"], 0);
        assert_eq!(disk::read(&path).unwrap().unwrap().lines().count(), 3, "the file stays");
    }
}
