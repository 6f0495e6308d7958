//! The ledger: the one truth about an environment. Pure, but for the store that it is given.
//!
//! Invariant: a record is in memory only after the store has it; whoever was overtaken by another writer
//! fails its next append and has changed nothing.

pub mod audit;
mod contradiction;
mod holding;
mod in_force;
pub mod lease;
mod line;
mod memory;
pub mod record;
pub mod releases;
pub mod signatures;
pub mod state;
pub mod text;
pub mod verify;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

pub use lease::{LeaseTerms, Project};
pub use memory::MemoryStore;
pub use record::{Actor, Body, Life, Record, RunResult, Sequence, Settled};
pub use state::{FoldError, Run, State, StepState, Things};

use crate::digest::Digest;
use line::Line;

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
    /// Another run holds the lease.
    #[error("another run holds the lease of {url}: {holder}")]
    Leased {
        /// The ledger.
        url: String,
        /// Who, where, what for, since when and until when.
        holder: String,
    },
    /// The lease was held, and is another's now.
    #[error("the lease of {url} was lost: {by}")]
    Lost {
        /// The ledger.
        url: String,
        /// Who has it, or took it away.
        by: String,
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
    #[error("{url} has a record of format {found}, this build reads up to {known}; install switchback {tool}")]
    Newer {
        /// The ledger.
        url: String,
        /// The format found.
        found: u32,
        /// The newest that is known.
        known: u32,
        /// The version to install, as far as the records say: `1.4.0 or newer`.
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

/// Keeps one chain of records. Its whole contract is compare-and-append of a batch, and its own clock.
#[async_trait]
pub trait Store: Send + Sync {
    /// Its absolute URL, without any secret.
    fn url(&self) -> String;

    /// All records after this sequence, in order; 0 for all. Reads whole batches only.
    async fn read(&self, after: Sequence) -> Result<Vec<Record>, StoreError>;

    /// Appends a batch as one, durably, if `expected` is the last sequence; else says who was first.
    async fn append(&self, expected: Sequence, records: &[Record]) -> Result<(), StoreError>;

    /// The last sequence, and how long ago it was appended, both points in time read on the store's own clock.
    /// Nothing for a chain without records.
    async fn age(&self) -> Result<Option<(Sequence, Duration)>, StoreError>;

    /// All records as they were first written, past any copies that make reading quicker.
    async fn originals(&self) -> Result<Vec<Record>, StoreError> {
        self.read(0).await
    }

    /// The same as the very texts that are stored, in the order in which they are stored, whatever they say: for
    /// checking a chain that perhaps cannot be read.
    async fn texts(&self) -> Result<Vec<String>, StoreError> {
        let text =
            |record: &Record| serde_json::to_string(record).expect("records hold only sealed, serialisable data");
        Ok(self.originals().await?.iter().map(text).collect())
    }
}

/// The folded chain of one environment, and the store it lies in.
pub struct Ledger {
    line: Arc<Line>,
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
        let line = Arc::new(Line::new(store));
        let mut ledger = Self { line, state: State::default(), last: 0, head: Digest::of_bytes(b"") };
        ledger.refresh().await?;
        Ok(ledger)
    }

    /// Takes into account what others have written since.
    ///
    /// # Errors
    /// As [`Ledger::open`].
    pub async fn refresh(&mut self) -> Result<(), StoreError> {
        let records = self.line.store.read(self.last).await?;
        for record in &records {
            self.take(record)?;
        }
        self.line.follow(self.last, self.head).await;
        Ok(())
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
        self.store().url()
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.line.store
    }

    /// Appends these as one batch, durably, and takes them into account. What is written under a lease renews it.
    ///
    /// # Errors
    /// When another writer was first, the lease was lost, or the storage refuses; nothing is recorded then.
    pub async fn append(&mut self, time: Timestamp, bodies: Vec<Body>) -> Result<(), StoreError> {
        self.refuse_unfit(&bodies).await?;
        let (records, head) = self.line.append(time, bodies).await?;
        // Renewals may have been written in between; they say nothing that the state holds.
        for record in &records {
            self.fold(record)?;
            self.last = record.sequence;
        }
        self.head = head;
        Ok(())
    }

    /// A record that the chain would contradict must never get into it.
    async fn refuse_unfit(&self, bodies: &[Body]) -> Result<(), StoreError> {
        if let Some(error) = self.state.refuses(bodies) {
            return Err(StoreError::Contradiction { url: self.url(), error });
        }
        let Some(lease) = &self.state.lease else {
            return Ok(());
        };
        let holds = self.line.fence().await.is_some_and(|fence| fence.number() == lease.number);
        let needs = |body: &Body| !matches!(body, Body::Leased { .. } | Body::Unlocked { .. });
        match !holds && bodies.iter().any(needs) {
            true => Err(StoreError::Leased { url: self.url(), holder: lease::describe(lease, None) }),
            false => Ok(()),
        }
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
        self.state.fold(record).map_err(|error| StoreError::Contradiction { url: self.line.store.url(), error })
    }

    /// The things as they were right after a run; before the first run for 0.
    ///
    /// # Errors
    /// When there is no such run, or the store cannot be read.
    pub async fn things_after(&self, run: u64) -> Result<Things, StoreError> {
        let mut state = State::default();
        for record in self.line.store.read(0).await? {
            if matches!(&record.body, Body::Begun { run: next, .. } if *next > run) {
                break;
            }
            state.fold(&record).map_err(|error| StoreError::Contradiction { url: self.url(), error })?;
        }
        Ok(state.things)
    }
}
