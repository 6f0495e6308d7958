//! The end of a chain, where records are added: shared by the run and by what renews its lease. Writes the store.
//!
//! Invariant: one record after the other, each naming the one before; whoever has lost the lease adds nothing.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::record::{self, Body, Record, Sequence};
use super::{Store, StoreError};
use crate::digest::Digest;
use crate::world::{Clock, Fence};

/// The end of one chain.
pub(super) struct Line {
    pub(super) store: Arc<dyn Store>,
    tip: Mutex<Tip>,
}

/// What the next record follows.
#[derive(Clone)]
pub(super) struct Tip {
    pub(super) last: Sequence,
    pub(super) head: Digest,
    pub(super) held: Option<Held>,
    /// When something was asked to be written last, by the uptime of the lease's clock.
    asked: Duration,
    /// A batch that the storage did not answer for: it may stand behind `last`.
    unanswered: Option<Vec<Record>>,
    /// One that was found to stand there, when something else was to be written.
    late: Vec<Record>,
}

/// The lease that this process holds.
#[derive(Clone)]
pub(super) struct Held {
    pub(super) fence: Fence,
    pub(super) clock: Arc<dyn Clock>,
}

impl Line {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        let head = Digest::of_bytes(b"");
        let tip = Tip { last: 0, head, held: None, asked: Duration::ZERO, unanswered: None, late: Vec::new() };
        Self { store, tip: Mutex::new(tip) }
    }

    /// Goes on behind a record that was read.
    pub(super) async fn follow(&self, last: Sequence, head: Digest) {
        let mut tip = self.tip.lock().await;
        (tip.last, tip.head) = (last, head);
        (tip.unanswered, tip.late) = (None, Vec::new());
    }

    pub(super) async fn hold(&self, held: Option<Held>, asked: Duration) {
        let mut tip = self.tip.lock().await;
        (tip.held, tip.asked) = (held, asked);
    }

    pub(super) async fn fence(&self) -> Option<Fence> {
        self.tip.lock().await.held.as_ref().map(|held| held.fence.clone())
    }

    /// Appends these as one batch, under the lease if one is held. Gives the records, before them those of an
    /// earlier batch that was not answered for and is there all the same, and the digest of the last.
    ///
    /// Whoever tries again what was not answered for gives the same bodies and the same time: then they stand in the
    /// chain once.
    pub(super) async fn append(&self, time: Timestamp, bodies: Vec<Body>) -> Result<(Vec<Record>, Digest), StoreError> {
        let mut tip = self.tip.lock().await;
        let written = match is_batch(&tip.late, time, &bodies) {
            true => Vec::new(),
            false => self.write(&mut tip, time, bodies).await?,
        };
        let mut records = std::mem::take(&mut tip.late);
        records.extend(written);
        Ok((records, tip.head))
    }

    /// Gives the records, unless they were found to be there: then they are late.
    async fn write(&self, tip: &mut Tip, time: Timestamp, mut bodies: Vec<Body>) -> Result<Vec<Record>, StoreError> {
        let gives_back = bodies.iter().any(|body| matches!(body, Body::Released));
        let lease = tip.held.as_ref().map(|held| held.fence.number());
        loop {
            let mut asked = tip.held.as_ref().map(|held| held.clock.uptime());
            let (records, head) = follow(tip.last, tip.head, time, lease, bodies);
            match self.store.append(tip.last, &records).await {
                Ok(()) => {}
                Err(overtaken @ StoreError::Overtaken { .. }) => {
                    if !self.catch_up(tip, &records, overtaken).await? {
                        bodies = records.into_iter().map(|record| record.body).collect();
                        if is_batch(&tip.late, time, &bodies) {
                            return Ok(Vec::new());
                        }
                        continue;
                    }
                    // The store counts from when the earlier try arrived, so this one renews nothing.
                    asked = None;
                }
                Err(error) => {
                    if matches!(error, StoreError::Storage { .. }) {
                        tip.unanswered = tip.unanswered.take().or(Some(records));
                    }
                    return Err(error);
                }
            }
            tip.unanswered = None;
            tip.last += records.len() as Sequence;
            tip.head = head;
            if let (Some(held), Some(asked)) = (&tip.held, asked) {
                held.fence.extend(asked);
                tip.asked = asked;
            }
            if gives_back && let Some(held) = tip.held.take() {
                held.fence.close();
            }
            return Ok(records);
        }
    }

    /// Something stands already where we wanted to write. Whether it is what we wanted to write: then an earlier
    /// try had won, and its answer was lost. What else is our own is stepped over: a renewal whose answer nobody
    /// waited for, and a batch that was not answered for, which is late.
    ///
    /// # Errors
    /// When it is somebody else's.
    async fn catch_up(&self, tip: &mut Tip, ours: &[Record], overtaken: StoreError) -> Result<bool, StoreError> {
        let found = self.store.read(tip.last).await?;
        if found == ours {
            return Ok(true);
        }
        let unanswered = tip.unanswered.take().unwrap_or_default();
        let (late, rest) = match found.starts_with(&unanswered) {
            true => found.split_at(unanswered.len()),
            false => found.split_at(0),
        };
        let number = tip.held.as_ref().map(|held| held.fence.number());
        let is_renewal =
            |record: &Record| number.is_some() && record.lease == number && matches!(record.body, Body::Renewed);
        if let Some(last) = found.last().filter(|_| rest.iter().all(is_renewal)) {
            (tip.last, tip.head) = (last.sequence, last.digest());
            tip.late.extend(late.iter().filter(|record| !is_renewal(record)).cloned());
            return Ok(false);
        }
        let Some(held) = tip.held.take() else {
            return Err(overtaken);
        };
        held.fence.close();
        let by = found.iter().find_map(|record| match &record.body {
            Body::Leased { actor, purpose, .. } => Some(format!("{actor} has it for {purpose}")),
            Body::Unlocked { actor, reason } => Some(format!("{actor} took it away: {reason}")),
            _ => None,
        });
        let by = by.unwrap_or_else(|| "another writer was first".to_owned());
        Err(StoreError::Lost { url: self.store.url(), by })
    }

    /// Renews the lease for as long as this is awaited, whenever nothing was written for a third of its length.
    /// Never ends by itself.
    pub(super) async fn keep(&self) {
        loop {
            let pause = self.renew_if_due().await;
            match pause {
                Some(pause) => tokio::time::sleep(pause).await,
                None => std::future::pending().await,
            }
        }
    }

    /// Gives how long to wait before asking again; nothing when there is no lease.
    async fn renew_if_due(&self) -> Option<Duration> {
        let (third, clock, since) = {
            let tip = self.tip.lock().await;
            let held = tip.held.as_ref()?;
            (held.fence.length()? / 3, Arc::clone(&held.clock), tip.asked)
        };
        let quiet = clock.uptime().saturating_sub(since);
        if quiet < third {
            return Some(third - quiet);
        }
        let mut tip = self.tip.lock().await;
        match self.write(&mut tip, clock.now(), vec![Body::Renewed]).await {
            Ok(_) => Some(third),
            Err(StoreError::Storage { .. }) => Some((third / 4).max(Duration::from_millis(50))),
            // Whoever writes next hears who has it now.
            Err(error) => {
                tracing::warn!(%error, "the lease was lost");
                None
            }
        }
    }
}

/// Whether these records say this, and were written at this time.
fn is_batch(records: &[Record], time: Timestamp, bodies: &[Body]) -> bool {
    !records.is_empty()
        && records.len() == bodies.len()
        && records.iter().zip(bodies).all(|(record, body)| record.time == time && record.body == *body)
}

/// The records of these bodies behind a record, and the digest of the last one.
pub(super) fn follow(
    last: Sequence,
    head: Digest,
    time: Timestamp,
    lease: Option<Sequence>,
    bodies: Vec<Body>,
) -> (Vec<Record>, Digest) {
    let mut previous = head;
    let mut records = Vec::with_capacity(bodies.len());
    for (sequence, body) in (last + 1..).zip(bodies) {
        let lease = lease.filter(|_| !matches!(body, Body::Leased { .. } | Body::Unlocked { .. }));
        let record = Record { format: record::FORMAT, sequence, previous, time, lease, body };
        previous = record.digest();
        records.push(record);
    }
    (records, previous)
}
