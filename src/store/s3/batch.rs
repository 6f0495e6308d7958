//! What lies in the objects: a batch at the key of its first sequence, and segments, which are copies of many. Pure.
//!
//! Invariant: a batch is read only if its records follow each other from the sequence that its key names; a segment
//! only if its digest is right and it covers exactly what its key names.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::outline::Span;
use crate::digest::Digest;
use crate::ledger::record::{self, Record, Sequence};
use crate::ledger::text;

/// The format of segments. They are caches: one of another format is passed over.
const SEGMENT_FORMAT: u32 = 1;

/// Records that were appended as one, and the very bytes that say so.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The first sequence.
    pub first: Sequence,
    /// The last sequence.
    pub last: Sequence,
    /// The nonce of the append that wrote it.
    pub writer: String,
    /// The records.
    pub records: Vec<Record>,
    /// The object, on one line.
    pub text: Arc<[u8]>,
}

/// Why an object is not what its key says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is of a newer format.
    Newer(u32),
    /// It cannot be read, or contradicts its key.
    Damaged(String),
}

#[derive(Serialize)]
struct Written<'a> {
    writer: &'a str,
    records: &'a [Record],
}

#[derive(Deserialize)]
struct Read {
    writer: String,
    records: Vec<Record>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    format: u32,
    first: Sequence,
    last: Sequence,
    digest: Digest,
}

impl Batch {
    /// Of records that follow each other, for an append with this nonce. Nothing for no records.
    pub fn of(writer: &str, records: &[Record]) -> Option<Self> {
        let (first, last) = (records.first()?.sequence, records.last()?.sequence);
        let text = serde_json::to_vec(&Written { writer, records }).expect("records hold only sealed, plain data");
        Some(Self { first, last, writer: writer.to_owned(), records: records.to_vec(), text: text.into() })
    }

    /// Reads the object at the key of this sequence.
    pub fn read(first: Sequence, bytes: &[u8]) -> Result<Self, Fault> {
        let Read { writer, records } = serde_json::from_slice(bytes).map_err(|cause| why_not(bytes, &cause))?;
        if let Some(newer) = records.iter().map(|record| record.format).find(|format| *format > record::FORMAT) {
            return Err(Fault::Newer(newer));
        }
        let mut expected = first;
        for record in &records {
            if record.sequence != expected {
                let cause = format!("record {} stands where record {expected} should be", record.sequence);
                return Err(Fault::Damaged(cause));
            }
            expected += 1;
        }
        if records.is_empty() {
            return Err(Fault::Damaged("it holds no record".to_owned()));
        }
        // A line break can only be white space in JSON.
        let line = bytes.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte });
        Ok(Self { first, last: expected - 1, writer, records, text: line.collect() })
    }
}

fn why_not(bytes: &[u8], cause: &serde_json::Error) -> Fault {
    #[derive(Deserialize)]
    struct Versioned {
        format: u32,
    }
    #[derive(Deserialize)]
    struct Outer {
        records: Vec<Versioned>,
    }
    let newer = serde_json::from_slice::<Outer>(bytes)
        .ok()
        .and_then(|outer| outer.records.into_iter().map(|one| one.format).find(|format| *format > record::FORMAT));
    newer.map_or_else(|| Fault::Damaged(format!("it cannot be read: {cause}")), Fault::Newer)
}

/// The texts of the records in the object of a batch, byte for byte; all of it, where it is not as we write it.
pub fn texts(bytes: &[u8]) -> Vec<String> {
    let all = String::from_utf8_lossy(bytes);
    let records = all.split_once("\"records\":").and_then(|(_, rest)| rest.trim_end().strip_suffix('}'));
    text::split(records.unwrap_or(&all)).into_iter().map(str::to_owned).collect()
}

/// A segment of these lines, each a batch.
pub fn segment<'a>(first: Sequence, last: Sequence, lines: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut body = Vec::new();
    for line in lines {
        body.extend_from_slice(line);
        body.push(b'\n');
    }
    let head = Head { format: SEGMENT_FORMAT, first, last, digest: Digest::of_bytes(&body) };
    let mut bytes = serde_json::to_vec(&head).expect("plain data");
    bytes.push(b'\n');
    bytes.append(&mut body);
    bytes
}

/// The lines of a segment, if it is whole and covers what its key says.
pub fn lines(span: Span, bytes: &[u8]) -> Option<impl Iterator<Item = &[u8]>> {
    let end = bytes.iter().position(|byte| *byte == b'\n')?;
    let (head, body) = (&bytes[..end], &bytes[end + 1..]);
    let head: Head = serde_json::from_slice(head).ok()?;
    let is_right = head.format == SEGMENT_FORMAT
        && (head.first, head.last) == (span.first, span.last)
        && head.digest == Digest::of_bytes(body);
    is_right.then(|| body.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()))
}

/// The batches of a segment, if it is whole.
pub fn batches(span: Span, bytes: &[u8]) -> Option<Vec<Batch>> {
    let mut next = span.first;
    let mut batches = Vec::new();
    for line in lines(span, bytes)? {
        let batch = Batch::read(next, line).ok()?;
        next = batch.last + 1;
        batches.push(batch);
    }
    (next == span.last + 1).then_some(batches)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Actor, Body};

    fn records(from: Sequence, count: u64) -> Vec<Record> {
        let actor = Actor { name: "a".into(), host: "h".into(), tool: "0".into(), process: 1, commit: None };
        let record = |sequence| Record {
            format: record::FORMAT,
            sequence,
            previous: Digest::of_bytes(b""),
            time: jiff::Timestamp::UNIX_EPOCH,
            lease: None,
            body: Body::Resumed { run: sequence, actor: actor.clone() },
        };
        (from..from + count).map(record).collect()
    }

    #[test]
    fn a_batch_is_read_back_from_its_own_key_only() {
        let batch = Batch::of("me", &records(4, 3)).unwrap();
        let read = Batch::read(4, &batch.text).unwrap();
        assert_eq!((read.first, read.last, &*read.writer, &read.records), (4, 6, "me", &batch.records));
        assert!(matches!(Batch::read(5, &batch.text), Err(Fault::Damaged(_))));
        assert!(matches!(Batch::read(4, &batch.text[1..]), Err(Fault::Damaged(_))));
        assert!(matches!(Batch::read(1, br#"{"writer":"x","records":[]}"#), Err(Fault::Damaged(_))));
        let newer = br#"{"writer":"x","more":1,"records":[{"format":99,"record":"dreamt"}]}"#;
        assert_eq!(Batch::read(1, newer).unwrap_err(), Fault::Newer(99));
    }

    #[test]
    fn a_segment_is_whole_or_nothing() {
        let (one, two) = (Batch::of("a", &records(1, 2)).unwrap(), Batch::of("b", &records(3, 1)).unwrap());
        let span = Span { level: 1, first: 1, last: 3, bytes: 0 };
        let bytes = segment(1, 3, [&*one.text, &*two.text].into_iter());
        let read = batches(span, &bytes).unwrap();
        assert_eq!(read.iter().map(|batch| batch.records.len()).collect::<Vec<_>>(), [2, 1]);
        assert!(batches(Span { last: 4, ..span }, &bytes).is_none());
        for at in [0, 20, bytes.len() / 2, bytes.len() - 2] {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1;
            assert!(batches(span, &damaged).is_none(), "byte {at}");
            assert!(batches(span, &bytes[..at]).is_none(), "cut at {at}");
        }
    }

    #[test]
    fn a_batch_that_somebody_formatted_is_still_one_line() {
        let batch = Batch::of("me", &records(1, 1)).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&batch.text).unwrap();
        let pretty = serde_json::to_vec_pretty(&value).unwrap();
        let read = Batch::read(1, &pretty).unwrap();
        let bytes = segment(1, 1, [&*read.text].into_iter());
        assert!(batches(Span { level: 1, first: 1, last: 1, bytes: 0 }, &bytes).is_some());
    }
}
