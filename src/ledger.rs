//! The ledger: the one truth about an environment. Pure, but for the store that it is given.
//!
//! Invariant: a record is in memory only after the store has it; whoever was overtaken by another writer
//! fails its next append and has changed nothing.

pub mod record;
pub mod state;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;

pub use record::{Actor, Body, Record, RunResult, Sequence, Settled};
pub use state::{FoldError, Run, State, StepState, Things};

use crate::digest::Digest;

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another writer was first.
    #[error("another writer appended record {found} to {url} while this one expected {expected} to be the last")]
    Overtaken {
        /// The ledger.
        url: String,
        /// What the writer took for the last sequence.
        expected: Sequence,
        /// What it is.
        found: Sequence,
    },
    /// Another process holds the lease.
    #[error("another run holds the lease of {url}: {holder}")]
    Leased {
        /// The ledger.
        url: String,
        /// Who, where, since when.
        holder: String,
    },
    /// What is stored is not a whole chain.
    #[error("{url} is damaged: {cause}")]
    Damaged {
        /// The ledger.
        url: String,
        /// Where and how.
        cause: String,
    },
    /// It was written by a newer version.
    #[error("{url} has a record of format {found}, this build reads up to {known}; install switchback {tool} or newer")]
    Newer {
        /// The ledger.
        url: String,
        /// The format found.
        found: u32,
        /// The newest that is known.
        known: u32,
        /// The version that wrote it, as far as it says.
        tool: String,
    },
    /// The storage refuses.
    #[error("{tried}: {cause}")]
    Storage {
        /// What was tried.
        tried: String,
        /// What the storage said.
        cause: String,
    },
    /// The records contradict each other.
    #[error("{url} contradicts itself: {error}")]
    Contradiction {
        /// The ledger.
        url: String,
        /// How.
        error: FoldError,
    },
}

/// Held for as long as a run may write. Dropping it gives the lease back.
pub trait Lease: Send + Sync {}

/// Keeps one chain of records. Its whole contract is compare-and-append of a batch.
#[async_trait]
pub trait Store: Send + Sync {
    /// Its absolute URL.
    fn url(&self) -> String;

    /// All records after this sequence, in order; 0 for all. Reads whole batches only.
    async fn read(&self, after: Sequence) -> Result<Vec<Record>, StoreError>;

    /// Appends a batch as one, durably, if `expected` is the last sequence; else says who was first.
    async fn append(&self, expected: Sequence, records: &[Record]) -> Result<(), StoreError>;

    /// Keeps other runs out until the lease is dropped.
    async fn lease(&self, holder: &str) -> Result<Box<dyn Lease>, StoreError>;
}

/// The folded chain of one environment, and the store it lies in.
pub struct Ledger {
    store: Arc<dyn Store>,
    state: State,
    last: Sequence,
    head: Digest,
}

impl Ledger {
    /// Reads and checks the whole chain.
    ///
    /// # Errors
    /// When the store cannot be read, or the chain is damaged, newer, or contradicts itself.
    pub async fn open(store: Arc<dyn Store>) -> Result<Self, StoreError> {
        let mut ledger = Self { store, state: State::default(), last: 0, head: Digest::of_bytes(b"") };
        let records = ledger.store.read(0).await?;
        for record in &records {
            ledger.take(record)?;
        }
        Ok(ledger)
    }

    /// What the chain says now.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// The last sequence, 0 before the first record.
    pub fn last(&self) -> Sequence {
        self.last
    }

    /// The digest of the last record, to be noted elsewhere.
    pub fn head(&self) -> Digest {
        self.head
    }

    /// The store's absolute URL.
    pub fn url(&self) -> String {
        self.store.url()
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// Appends these as one batch, durably, and takes them into account.
    ///
    /// # Errors
    /// When another writer was first, or the storage refuses; nothing has changed then.
    pub async fn append(&mut self, time: Timestamp, bodies: Vec<Body>) -> Result<(), StoreError> {
        let mut previous = self.head;
        let mut records = Vec::with_capacity(bodies.len());
        for (sequence, body) in (self.last + 1..).zip(bodies) {
            let record = Record { format: record::FORMAT, sequence, previous, time, body };
            previous = record.digest();
            records.push(record);
        }
        self.store.append(self.last, &records).await?;
        for record in &records {
            self.fold(record)?;
            self.last = record.sequence;
        }
        self.head = previous;
        Ok(())
    }

    fn take(&mut self, record: &Record) -> Result<(), StoreError> {
        if record.sequence != self.last + 1 || record.previous != self.head {
            let cause = format!(
                "record {} does not follow record {}: it was altered, lost or put elsewhere",
                record.sequence, self.last
            );
            return Err(StoreError::Damaged { url: self.url(), cause });
        }
        self.fold(record)?;
        self.last = record.sequence;
        self.head = record.digest();
        Ok(())
    }

    fn fold(&mut self, record: &Record) -> Result<(), StoreError> {
        self.state.fold(record).map_err(|error| StoreError::Contradiction { url: self.store.url(), error })
    }

    /// The things as they were right after a run; before the first run for 0.
    ///
    /// # Errors
    /// When there is no such run, or the store cannot be read.
    pub async fn things_after(&self, run: u64) -> Result<Things, StoreError> {
        let mut state = State::default();
        for record in self.store.read(0).await? {
            if matches!(&record.body, Body::Begun { run: next, .. } if *next > run) {
                break;
            }
            state.fold(&record).map_err(|error| StoreError::Contradiction { url: self.url(), error })?;
        }
        Ok(state.things)
    }
}

/// A store in memory, at least as strict as the real ones. For tests, and for trying a change set out.
#[derive(Default)]
pub struct MemoryStore {
    records: std::sync::Mutex<Vec<Record>>,
    leases: Arc<std::sync::Mutex<BTreeMap<String, String>>>,
}

struct MemoryLease(Arc<std::sync::Mutex<BTreeMap<String, String>>>);

impl Lease for MemoryLease {}

impl Drop for MemoryLease {
    fn drop(&mut self) {
        self.0.lock().expect("no holder panics").clear();
    }
}

#[async_trait]
impl Store for MemoryStore {
    fn url(&self) -> String {
        "memory:".to_owned()
    }

    async fn read(&self, after: Sequence) -> Result<Vec<Record>, StoreError> {
        let records = self.records.lock().expect("no writer panics");
        Ok(records.iter().filter(|record| record.sequence > after).cloned().collect())
    }

    async fn append(&self, expected: Sequence, records: &[Record]) -> Result<(), StoreError> {
        let mut stored = self.records.lock().expect("no writer panics");
        let found = stored.len() as Sequence;
        if found != expected {
            return Err(StoreError::Overtaken { url: self.url(), expected, found });
        }
        stored.extend_from_slice(records);
        Ok(())
    }

    async fn lease(&self, holder: &str) -> Result<Box<dyn Lease>, StoreError> {
        let mut leases = self.leases.lock().expect("no holder panics");
        if let Some(holder) = leases.get("lease") {
            return Err(StoreError::Leased { url: self.url(), holder: holder.clone() });
        }
        leases.insert("lease".to_owned(), holder.to_owned());
        Ok(Box::new(MemoryLease(Arc::clone(&self.leases))))
    }
}
