//! A store in memory, at least as strict as the real ones: for tests, and for trying a change set out. Pure.
//!
//! Invariant: its clock stands until it is told to go on.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;

use super::record::{Record, Sequence};
use super::{Store, StoreError};

/// A chain in memory.
#[derive(Default)]
pub struct MemoryStore {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    records: Vec<Record>,
    now: Duration,
    appended: Duration,
}

impl MemoryStore {
    /// Lets time pass on the store's clock.
    ///
    /// # Panics
    /// When another holder of its lock panicked.
    pub fn pass(&self, time: Duration) {
        self.inner.lock().expect("no holder panics").now += time;
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn url(&self) -> String {
        "memory:".to_owned()
    }

    async fn read(&self, after: Sequence) -> Result<Vec<Record>, StoreError> {
        let inner = self.inner.lock().expect("no holder panics");
        Ok(inner.records.iter().filter(|record| record.sequence > after).cloned().collect())
    }

    async fn append(&self, expected: Sequence, records: &[Record]) -> Result<(), StoreError> {
        let mut inner = self.inner.lock().expect("no holder panics");
        let found = inner.records.len() as Sequence;
        if found != expected {
            return Err(StoreError::Overtaken { url: self.url(), expected, found });
        }
        inner.records.extend_from_slice(records);
        inner.appended = inner.now;
        Ok(())
    }

    async fn age(&self) -> Result<Option<(Sequence, Duration)>, StoreError> {
        let inner = self.inner.lock().expect("no holder panics");
        Ok(inner.records.last().map(|last| (last.sequence, inner.now.saturating_sub(inner.appended))))
    }
}
