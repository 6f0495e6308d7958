//! The ledger in S3: one object per batch, at the key of its first sequence, written only if there is none. An edge.
//!
//! Invariant: a batch is written behind a batch that is known to end at the expected sequence, under a condition that
//! S3 itself checks; the keys of batches are never written twice and never deleted, all else is a copy of them.

mod outline;
mod location;
mod batch;
mod bucket;
mod making;
mod reading;

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use self::batch::Batch;
use self::bucket::{Bucket, Put};
use self::outline::{Merge, Shape, Span};
use self::reading::Keys;
use crate::ledger::record::{Record, Sequence};
use crate::ledger::{Store, StoreError};

pub use self::bucket::Patience;
pub use self::location::Location;
pub use self::making::{make_place, rights};

/// How many segments are written after one append at most, so that it is not held up for long.
const MOST_MERGES: usize = 4;
/// How long the segments after one append may take.
const MERGE_PATIENCE: Duration = Duration::from_secs(5);
/// The object that shows whether the endpoint heeds conditions.
const PROBE: &str = "probe.json";

/// The store behind `s3:` URLs.
pub struct S3Store {
    bucket: Bucket,
    keys: Keys,
    known: Mutex<Known>,
    /// Held while segments are written.
    tidying: tokio::sync::Mutex<()>,
}

/// What this process has seen of the chain. All of it stays true, whatever others write.
#[derive(Default)]
struct Known {
    /// Where batches end.
    ends: BTreeSet<Sequence>,
    /// First and last sequence of the newest batch.
    newest: Option<(Sequence, Sequence)>,
    /// The chain's end, once all of the chain was looked at.
    shape: Option<Shape<Batch>>,
    /// The endpoint heeds conditions.
    is_proven: bool,
}

impl Known {
    fn note(&mut self, batch: &Batch) {
        self.ends.insert(batch.last);
        self.newest = self.newest.max(Some((batch.first, batch.last)));
    }

    /// Where the shape ends.
    fn shaped(&self) -> Option<Sequence> {
        let shape = self.shape.as_ref()?;
        let last = shape.loose.last().map(|batch| batch.last);
        let segment = || shape.levels.iter().find_map(|spans| spans.last()).map(|span| span.last);
        Some(last.or_else(segment).unwrap_or(0))
    }
}

/// Who wrote the batch at a key.
enum Writer {
    Ourselves,
    Another,
}

impl S3Store {
    /// The chain of one environment at a URL like `s3://BUCKET/PREFIX?region=…`.
    ///
    /// # Errors
    /// When the URL is wrong.
    pub fn new(url: &str, environment: &str) -> Result<Self, StoreError> {
        let location = located(url)?;
        let keys = Keys::new(&location, environment);
        let bucket = Bucket::new(location, Patience::default());
        Ok(Self { bucket, keys, known: Mutex::default(), tidying: tokio::sync::Mutex::default() })
    }

    /// The same with other time limits.
    #[must_use]
    pub fn with_patience(mut self, patience: Patience) -> Self {
        self.bucket = Bucket::new(self.bucket.location().clone(), patience);
        self
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Refuses an endpoint that would write an object over another one. Asks once; the object stays, so that from
    /// the second process on this is one request.
    async fn prove(&self) -> Result<(), StoreError> {
        if self.known().is_proven {
            return Ok(());
        }
        let proving = tokio::time::timeout(self.bucket.patience().whole, prove(&self.bucket)).await;
        proving.map_err(|_| self.storage("no answer in time; see whether S3 answers"))??;
        self.known().is_proven = true;
        Ok(())
    }

    /// The last sequence, asked for anew.
    async fn find_last(&self) -> Result<Sequence, StoreError> {
        let newest = self.known().newest;
        let from = newest.map_or(0, |(_, last)| last);
        let outline = reading::survey(&self.bucket, &self.keys, from, &BTreeSet::new()).await?;
        let Some(first) = outline.loose.last() else {
            return Ok(outline.shape.iter().map(|span| span.last).max().unwrap_or(from));
        };
        let batch = reading::batch(&self.bucket, &self.keys, *first).await?;
        self.known().note(&batch);
        Ok(batch.last)
    }

    async fn overtaken(&self, expected: Sequence) -> StoreError {
        match self.find_last().await {
            Ok(found) => StoreError::Overtaken { url: self.url(), expected, found },
            Err(error) => error,
        }
    }

    /// Writes a batch where none is. Whoever is in doubt whether a write has got through reads the key.
    async fn write(&self, batch: &Batch) -> Result<Writer, StoreError> {
        let (key, patience) = (self.keys.record(batch.first), self.bucket.patience());
        let mut trouble = None;
        for attempt in 0..patience.tries {
            if attempt > 0 {
                tokio::time::sleep(patience.pause * 2_u32.pow(attempt - 1)).await;
            }
            let refused = match self.bucket.put_new(&key, batch.text.to_vec()).await {
                Put::Done => return Ok(Writer::Ourselves),
                Put::Exists => false,
                Put::Unknown(error) => {
                    tracing::debug!(%error, key, attempt, "looking whether it was written");
                    trouble = Some(error);
                    false
                }
                Put::Refused(error) if attempt == 0 => return Err(error),
                Put::Refused(error) => {
                    trouble = Some(error);
                    true
                }
            };
            match self.writer_of(batch).await {
                Ok(Some(writer)) => return Ok(writer),
                Ok(None) => {}
                Err(error) => trouble = trouble.or(Some(error)),
            }
            if refused {
                break;
            }
        }
        Err(trouble.unwrap_or_else(|| self.storage("S3 says that the object exists, and that it does not")))
    }

    /// Who wrote the batch that stands where this one is to stand; nothing when there is none.
    async fn writer_of(&self, batch: &Batch) -> Result<Option<Writer>, StoreError> {
        let found = match reading::found(&self.bucket, &self.keys, batch.first).await {
            Ok(found) => found,
            // Something stands there that cannot be read: it is not ours.
            Err(StoreError::Damaged { .. } | StoreError::Newer { .. }) => return Ok(Some(Writer::Another)),
            Err(error) => return Err(error),
        };
        let Some((found, _)) = found else {
            return Ok(None);
        };
        let is_ours = found.writer == batch.writer;
        self.known().note(&found);
        Ok(Some(if is_ours { Writer::Ourselves } else { Writer::Another }))
    }

    fn storage(&self, cause: &str) -> StoreError {
        StoreError::Storage { tried: format!("append to {}", self.url()), cause: cause.to_owned() }
    }

    /// All batches after a sequence at which one ends, and takes note of what was seen.
    async fn gather(&self, from: Sequence) -> Result<Vec<Record>, StoreError> {
        let gathered = reading::gather(&self.bucket, &self.keys, from).await?;
        let mut known = self.known();
        gathered.batches.iter().for_each(|batch| known.note(batch));
        let loose = gathered.batches.iter().filter(|batch| gathered.loose.contains(&batch.first)).cloned();
        if from == 0 {
            known.shape = Some(Shape { levels: gathered.levels, loose: loose.collect() });
        } else if known.shaped() == Some(from) && gathered.levels.iter().all(Vec::is_empty) {
            known.shape.as_mut().expect("it has an end").loose.extend(loose);
        } else if !gathered.batches.is_empty() {
            known.shape = None;
        }
        drop(known);
        Ok(gathered.batches.into_iter().flat_map(|batch| batch.records).collect())
    }

    /// Writes the segments that are due. They are copies: what fails is tried again some other time.
    async fn tidy(&self) {
        let _tidying = self.tidying.lock().await;
        for _ in 0..MOST_MERGES {
            let Some(work) = self.next_segment() else {
                return;
            };
            let made = match &work {
                Work::Loose(batches, span) => {
                    Ok(Some((*span, batch::segment(span.first, span.last, batches.iter().map(|batch| &*batch.text)))))
                }
                Work::Segments(spans) => reading::joined(&self.bucket, &self.keys, spans).await,
            };
            let written = match made {
                Ok(Some((span, bytes))) => {
                    let span = Span { bytes: bytes.len(), ..span };
                    self.bucket.put(&self.keys.segment(&span), bytes).await.map(|()| Some(span))
                }
                Ok(None) => Ok(None),
                Err(error) => Err(error),
            };
            match written {
                Ok(Some(span)) => self.segment_written(&work, span),
                // One of those to be joined is gone or damaged; the next reader finds out what is left.
                Ok(None) => self.known().shape = None,
                Err(error) => return tracing::debug!(%error, "a segment could not be written"),
            }
        }
    }

    fn next_segment(&self) -> Option<Work> {
        let known = self.known();
        let shape = known.shape.as_ref()?;
        Some(match shape.next(|batch| batch.text.len())? {
            Merge::Loose { count, level } => {
                let batches = shape.loose[..count].to_vec();
                let (first, last) = (batches.first()?.first, batches.last()?.last);
                Work::Loose(batches, Span { level, first, last, bytes: 0 })
            }
            Merge::Segments { level, count } => Work::Segments(shape.levels[level - 1][..count].to_vec()),
        })
    }

    /// A reader may have looked at the whole chain anew meanwhile; then it knows better.
    fn segment_written(&self, work: &Work, span: Span) {
        let mut known = self.known();
        let Some(shape) = &mut known.shape else {
            return;
        };
        let is_same = match work {
            Work::Loose(batches, _) => {
                let same = shape.loose.first().map(|batch| batch.first) == Some(span.first)
                    && shape.loose.len() >= batches.len();
                same.then(|| drop(shape.loose.drain(..batches.len()))).is_some()
            }
            Work::Segments(spans) => {
                let level = &mut shape.levels[spans[0].level - 1];
                level.starts_with(spans).then(|| drop(level.drain(..spans.len()))).is_some()
            }
        };
        if is_same {
            shape.levels[span.level - 1].push(span);
        }
    }
}

/// A segment to be written.
enum Work {
    Loose(Vec<Batch>, Span),
    Segments(Vec<Span>),
}

fn located(url: &str) -> Result<Location, StoreError> {
    Location::parse(url).map_err(|cause| StoreError::Storage { tried: format!("read the ledger URL `{url}`"), cause })
}

/// Refuses a bucket whose endpoint would write an object over another one.
async fn prove(bucket: &Bucket) -> Result<(), StoreError> {
    let key = bucket.location().key(PROBE);
    let body = br#"{"probe":"this object is here to be refused a second time"}"#;
    let mut done = 0;
    let mut trouble = None;
    for attempt in 0..bucket.patience().tries {
        if attempt > 0 && trouble.is_some() {
            tokio::time::sleep(bucket.patience().pause * 2_u32.pow(attempt - 1)).await;
        }
        match bucket.put_new(&key, body.to_vec()).await {
            Put::Exists => return Ok(()),
            Put::Done => done += 1,
            Put::Unknown(error) => trouble = Some(error),
            Put::Refused(error) => return Err(error),
        }
        if done > 1 {
            return Err(StoreError::Storage {
                tried: format!("open the ledger {}", bucket.location().url()),
                cause: "the endpoint ignores `If-None-Match: *`: it wrote an object where one was, so two runs could \
                        overwrite each other's records; use AWS S3, another S3 server that heeds conditional writes, \
                        or a `postgres:` ledger"
                    .to_owned(),
            });
        }
    }
    Err(trouble.expect("whoever is neither done nor refused is in trouble"))
}

#[async_trait]
impl Store for S3Store {
    fn url(&self) -> String {
        self.bucket.location().url()
    }

    async fn read(&self, after: Sequence) -> Result<Vec<Record>, StoreError> {
        let is_end = self.known().ends.contains(&after);
        let mut records = self.gather(if is_end { after } else { 0 }).await?;
        records.retain(|record| record.sequence > after);
        Ok(records)
    }

    async fn append(&self, expected: Sequence, records: &[Record]) -> Result<(), StoreError> {
        let Some(batch) = Batch::of(&uuid::Uuid::new_v4().simple().to_string(), records) else {
            return Ok(());
        };
        self.prove().await?;
        // A batch ends there, or the key behind would be free without being the next one.
        let is_end = expected == 0 || self.known().ends.contains(&expected);
        if !is_end {
            let found = self.find_last().await?;
            if found != expected {
                return Err(StoreError::Overtaken { url: self.url(), expected, found });
            }
        }
        if batch.first != expected + 1 {
            return Err(self.storage("the records do not follow the one that is expected to be the last"));
        }
        let whole = self.bucket.patience().whole;
        let written = tokio::time::timeout(whole, self.write(&batch)).await;
        match written.map_err(|_| self.storage("no answer in time; whether it was recorded is not known"))?? {
            Writer::Another => return Err(self.overtaken(expected).await),
            Writer::Ourselves => {}
        }
        {
            let mut known = self.known();
            known.note(&batch);
            if expected == 0 {
                // It is the first one, so this is all of the chain.
                known.shape = Some(Shape::default());
            }
            match known.shaped() == Some(expected) {
                true => known.shape.as_mut().expect("it has an end").loose.push(batch),
                false => known.shape = None,
            }
        }
        if tokio::time::timeout(MERGE_PATIENCE, self.tidy()).await.is_err() {
            tracing::debug!("segments took too long");
        }
        Ok(())
    }

    async fn age(&self) -> Result<Option<(Sequence, Duration)>, StoreError> {
        let newest = self.known().newest;
        let from = newest.map_or(0, |(first, _)| first - 1);
        let Some((first, times)) = reading::newest(&self.bucket, &self.keys, from).await? else {
            return Ok(None);
        };
        let (last, times) = match newest {
            Some((known, last)) if known == first => (last, times),
            _ => match reading::found(&self.bucket, &self.keys, first).await? {
                Some((batch, times)) => {
                    self.known().note(&batch);
                    (batch.last, times)
                }
                None => return Err(self.storage("a record that was listed cannot be read")),
            },
        };
        let age = times.age().ok_or_else(|| {
            self.storage("the endpoint tells no `Date` or no `Last-Modified`, so that leases could not run out")
        })?;
        Ok(Some((last, age)))
    }

    async fn originals(&self) -> Result<Vec<Record>, StoreError> {
        let firsts = reading::firsts(&self.bucket, &self.keys, 0).await?;
        let batches = reading::loose(&self.bucket, &self.keys, 0, &firsts).await?;
        Ok(batches.into_iter().flat_map(|batch| batch.records).collect())
    }

    async fn texts(&self) -> Result<Vec<String>, StoreError> {
        reading::texts(&self.bucket, &self.keys).await
    }
}
