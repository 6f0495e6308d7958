//! How a chain is read: which objects make it up is asked first, then many are read at once. An edge.
//!
//! Invariant: a segment that is missing or damaged is passed over, never believed; only the keys of batches can be
//! damaged for good, and then they are named.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::batch::{self, Batch, Fault};
use super::bucket::{Bucket, Times};
use super::location::Location;
use super::outline::{self, LEVELS, Span};
use crate::ledger::StoreError;
use crate::ledger::record::Sequence;
use crate::ledger::text::Reader;

/// How many objects are read at once.
const AT_ONCE: usize = 16;
/// So few loose batches are read without asking for segments.
const FEW: usize = 2 * outline::FAN;

/// The keys of one environment.
pub struct Keys {
    records: String,
    segments: String,
}

impl Keys {
    /// Below a location.
    pub fn new(location: &Location, environment: &str) -> Self {
        let records = location.key(&format!("{environment}/records/"));
        Self { records, segments: location.key(&format!("{environment}/segments/")) }
    }

    /// The key of the batch that begins with a sequence.
    pub fn record(&self, first: Sequence) -> String {
        format!("{}{}", self.records, outline::record_name(first))
    }

    /// The key of a segment.
    pub fn segment(&self, span: &Span) -> String {
        format!("{}{}", self.segments, span.name())
    }
}

/// The objects that make up a chain behind a sequence.
pub struct Outline {
    /// The segments, in order.
    pub shape: Vec<Span>,
    /// The first sequences of the batches behind them.
    pub loose: Vec<Sequence>,
}

/// What was read.
pub struct Gathered {
    /// All batches, in order.
    pub batches: Vec<Batch>,
    /// The segments that they came from, per level.
    pub levels: [Vec<Span>; LEVELS],
    /// The first sequences of those that came from keys of their own.
    pub loose: BTreeSet<Sequence>,
}

/// Lists the first sequences of all batches that begin behind a sequence.
pub async fn firsts(bucket: &Bucket, keys: &Keys, after: Sequence) -> Result<Vec<Sequence>, StoreError> {
    let mut found = Vec::new();
    let mut behind = keys.record(after);
    loop {
        let page = bucket.page(&keys.records, &behind).await?;
        found.extend(page.entries.iter().filter_map(|(key, ..)| outline::record_of(key.strip_prefix(&keys.records)?)));
        match page.entries.last().filter(|_| page.more) {
            Some((key, ..)) => behind.clone_from(key),
            None => return Ok(found),
        }
    }
}

/// The first sequence of the newest batch behind a sequence, and its times by the clock that listed it.
pub async fn newest(bucket: &Bucket, keys: &Keys, after: Sequence) -> Result<Option<(Sequence, Times)>, StoreError> {
    let mut newest = None;
    let mut behind = keys.record(after);
    loop {
        let page = bucket.page(&keys.records, &behind).await?;
        let batch = |(key, _, times): &(String, usize, Times)| {
            Some((outline::record_of(key.strip_prefix(&keys.records)?)?, *times))
        };
        newest = page.entries.iter().rev().find_map(batch).or(newest);
        match page.entries.last().filter(|_| page.more) {
            Some((key, ..)) => behind.clone_from(key),
            None => return Ok(newest),
        }
    }
}

/// Asks which objects make up the chain behind a sequence at which a batch ends, without those known to be bad.
pub async fn survey(bucket: &Bucket, keys: &Keys, from: Sequence, bad: &BTreeSet<Span>) -> Result<Outline, StoreError> {
    let page = bucket.page(&keys.records, &keys.record(from)).await?;
    if !page.more && page.entries.len() <= FEW {
        let loose = page.entries.iter().filter_map(|(key, ..)| outline::record_of(key.strip_prefix(&keys.records)?));
        return Ok(Outline { shape: Vec::new(), loose: loose.collect() });
    }
    let (mut covered, mut shape) = (from, Vec::new());
    for level in (1..=LEVELS).rev() {
        let prefix = format!("{}{level}/", keys.segments);
        let mut behind = format!("{prefix}{covered:020}~");
        loop {
            let page = bucket.page(&prefix, &behind).await?;
            let span = |(key, bytes, _): &(String, usize, Times)| Span::of(level, key.strip_prefix(&prefix)?, *bytes);
            let found: Vec<Span> = page.entries.iter().filter_map(span).filter(|span| !bad.contains(span)).collect();
            let (taken, ended) = outline::contiguous(&mut covered, &found);
            shape.extend(taken);
            match page.entries.last().filter(|_| page.more && !ended) {
                Some((key, ..)) => behind.clone_from(key),
                None => break,
            }
        }
    }
    Ok(Outline { shape, loose: firsts(bucket, keys, covered).await? })
}

/// Reads all batches behind a sequence at which one ends.
pub async fn gather(bucket: &Bucket, keys: &Keys, from: Sequence) -> Result<Gathered, StoreError> {
    let (mut bad, mut whole) = (BTreeSet::new(), BTreeMap::<Span, Vec<Batch>>::new());
    loop {
        let outline = survey(bucket, keys, from, &bad).await?;
        let wanted: Vec<Span> = outline.shape.iter().filter(|span| !whole.contains_key(span)).copied().collect();
        let reading = stream::iter(wanted).map(|span| async move {
            let found = bucket.get(&keys.segment(&span)).await?;
            Ok::<_, StoreError>((span, found.and_then(|found| batch::batches(span, &found.bytes))))
        });
        let mut is_whole = true;
        for (span, batches) in reading.buffered(AT_ONCE).try_collect::<Vec<_>>().await? {
            if let Some(batches) = batches {
                whole.insert(span, batches);
            } else {
                tracing::warn!(
                    key = keys.segment(&span),
                    "a segment is missing or damaged; its records are read singly"
                );
                bad.insert(span);
                is_whole = false;
            }
        }
        if !is_whole {
            continue;
        }
        let mut gathered = Gathered { batches: Vec::new(), levels: Default::default(), loose: BTreeSet::new() };
        for span in &outline.shape {
            gathered.batches.extend(whole.remove(span).into_iter().flatten());
            gathered.levels[span.level - 1].push(*span);
        }
        let covered = gathered.batches.last().map_or(from, |batch| batch.last);
        gathered.batches.extend(loose(bucket, keys, covered, &outline.loose).await?);
        gathered.loose = outline.loose.into_iter().collect();
        return Ok(gathered);
    }
}

/// Reads these batches, each at the key of its own, which must follow each other.
pub async fn loose(
    bucket: &Bucket,
    keys: &Keys,
    after: Sequence,
    firsts: &[Sequence],
) -> Result<Vec<Batch>, StoreError> {
    let reading = stream::iter(firsts.iter().copied()).map(|first| batch(bucket, keys, first));
    let batches: Vec<Batch> = reading.buffered(AT_ONCE).try_collect().await?;
    let mut last = after;
    for batch in &batches {
        if batch.first != last + 1 {
            let cause = format!("record {} comes right behind record {last}: records were lost", batch.first);
            return Err(StoreError::Damaged { url: bucket.location().object_url(&keys.record(last + 1)), cause });
        }
        last = batch.last;
    }
    Ok(batches)
}

/// The texts of all records, as the objects of their batches hold them, whatever they say.
pub async fn texts(bucket: &Bucket, keys: &Keys) -> Result<Vec<String>, StoreError> {
    let firsts = firsts(bucket, keys, 0).await?;
    let text = async |first| {
        let found = bucket.get(&keys.record(first)).await?;
        Ok::<_, StoreError>(found.map(|found| batch::texts(&found.bytes)).unwrap_or_default())
    };
    let objects: Vec<Vec<String>> = stream::iter(firsts).map(text).buffered(AT_ONCE).try_collect().await?;
    Ok(objects.into_iter().flatten().collect())
}

/// Reads the batch that begins with a sequence, which has to be there.
pub async fn batch(bucket: &Bucket, keys: &Keys, first: Sequence) -> Result<Batch, StoreError> {
    let found = found(bucket, keys, first).await?;
    found.map(|(batch, _)| batch).ok_or_else(|| StoreError::Damaged {
        url: bucket.location().object_url(&keys.record(first)),
        cause: "it was listed and is gone; no batch is ever deleted by us".to_owned(),
    })
}

/// Reads the batch that begins with a sequence, if there is one, and its times.
pub async fn found(bucket: &Bucket, keys: &Keys, first: Sequence) -> Result<Option<(Batch, Times)>, StoreError> {
    let key = keys.record(first);
    let Some(found) = bucket.get(&key).await? else {
        return Ok(None);
    };
    let url = bucket.location().object_url(&key);
    match Batch::read(first, &found.bytes) {
        Ok(batch) => Ok(Some((batch, found.times))),
        Err(Fault::Damaged(cause)) => Err(StoreError::Damaged { url, cause }),
        Err(Fault::Newer(format)) => {
            let array = format!("[{}]", batch::texts(&found.bytes).join(","));
            let refused = Reader::new(&url, first - 1).batch(array.as_bytes()).err();
            let cause = format!("it has a record of format {format}, and cannot be read");
            Err(refused.unwrap_or(StoreError::Damaged { url, cause }))
        }
    }
}

/// These segments as one of the next level; nothing when one of them is missing or damaged.
pub async fn joined(bucket: &Bucket, keys: &Keys, spans: &[Span]) -> Result<Option<(Span, Vec<u8>)>, StoreError> {
    let (Some(begin), Some(end)) = (spans.first(), spans.last()) else {
        return Ok(None);
    };
    let span = Span { level: begin.level + 1, first: begin.first, last: end.last, bytes: 0 };
    let reading = stream::iter(spans.iter().copied()).map(|span| bucket_segment(bucket, keys, span));
    let parts: Vec<Option<Vec<u8>>> = reading.buffered(AT_ONCE).try_collect().await?;
    let mut lines = Vec::new();
    for (span, part) in spans.iter().zip(&parts) {
        match part.as_deref().and_then(|bytes| batch::lines(*span, bytes)) {
            Some(part) => lines.extend(part),
            None => return Ok(None),
        }
    }
    Ok(Some((span, batch::segment(span.first, span.last, lines.into_iter()))))
}

async fn bucket_segment(bucket: &Bucket, keys: &Keys, span: Span) -> Result<Option<Vec<u8>>, StoreError> {
    Ok(bucket.get(&keys.segment(&span)).await?.map(|found| found.bytes))
}
