//! Whether a chain is what was once written: from its stored texts alone, without asking anybody. Pure, but for the
//! store that it is given.
//!
//! Invariant: a digest is taken of the very bytes that are stored, so that nothing can be added to a record unseen.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::record::Sequence;
use super::{Store, StoreError};
use crate::digest::Digest;

/// A chain in which nothing was altered, lost or put elsewhere, as far as it can tell by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Whole {
    /// How many records it has.
    pub records: Sequence,
    /// The digest of the last one.
    pub head: Digest,
    /// Where a head that was noted elsewhere stands in it, if one was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noted: Option<Noted>,
}

/// Where a noted head stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Noted {
    /// The record it is the digest of; 0 when it was noted before the first.
    pub record: Sequence,
    /// How many records came after it.
    pub after: Sequence,
}

/// The first thing that is wrong with a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "fault", rename_all = "snake_case")]
pub enum Fault {
    /// What is stored is no record.
    #[error("record {record} cannot be read, so it was altered: {cause}")]
    Unreadable {
        /// Its place.
        record: Sequence,
        /// Why.
        cause: String,
    },
    /// Its digest is not the one that its successor names.
    #[error("record {record} was altered: its digest is {}, record {} names {}{}", .has.short(), record + 1, .named.short(), or_words(.or))]
    Altered {
        /// Its place.
        record: Sequence,
        /// The digest of what is stored.
        has: Digest,
        /// The digest that was written down.
        named: Digest,
        /// The successor, where it may as well be that its own words were altered.
        #[serde(skip_serializing_if = "Option::is_none")]
        or: Option<Sequence>,
    },
    /// The first record names a record before it.
    #[error("record 1 was altered: it names a record before it")]
    NotTheFirst {
        /// 1.
        record: Sequence,
    },
    /// It is nowhere.
    #[error("record {record} is missing: record {found} stands in its place")]
    Missing {
        /// Its place.
        record: Sequence,
        /// What stands there.
        found: Sequence,
    },
    /// It is there, elsewhere.
    #[error("record {record} was put elsewhere: record {found} stands in its place")]
    Reordered {
        /// Its place.
        record: Sequence,
        /// What stands there.
        found: Sequence,
    },
    /// The chain ends before a head that was noted, or its last record was altered.
    #[error(
        "no record has the noted head {}: records after record {record} are missing, or record {record}, the last one, was altered",
        .noted.short()
    )]
    Head {
        /// The last record that is there.
        record: Sequence,
        /// The head that was noted.
        noted: Digest,
    },
    /// A copy that makes reading quicker says something else than the record itself.
    #[error("the copy of record {record} that is read in its place is another one: {cause}")]
    Copy {
        /// The record.
        record: Sequence,
        /// How.
        cause: String,
    },
}

fn or_words(or: &Option<Sequence>) -> String {
    or.map(|next| format!(" (or record {next} was, which nothing after it vouches for)")).unwrap_or_default()
}

impl Fault {
    /// The record that it is about.
    pub fn record(&self) -> Sequence {
        match self {
            Self::Unreadable { record, .. }
            | Self::Altered { record, .. }
            | Self::NotTheFirst { record }
            | Self::Missing { record, .. }
            | Self::Reordered { record, .. }
            | Self::Head { record, .. }
            | Self::Copy { record, .. } => *record,
        }
    }
}

/// What records of every version have, so that a chain can be checked by any version.
#[derive(Deserialize)]
struct Link {
    sequence: Sequence,
    previous: Digest,
}

/// Checks a chain by the texts of its records, in the order in which they are stored.
///
/// # Errors
/// The first fault.
pub fn check(texts: &[String], noted: Option<Digest>) -> Result<Whole, Fault> {
    let digests = digests(texts)?;
    let head = digests.last().copied().unwrap_or_else(before_all);
    let records = digests.len() as Sequence;
    let noted = match noted {
        None => None,
        Some(noted) if noted == before_all() => Some(Noted { record: 0, after: records }),
        Some(noted) => {
            let place = digests.iter().rposition(|digest| *digest == noted);
            let record = place.ok_or(Fault::Head { record: records, noted })? as Sequence + 1;
            Some(Noted { record, after: records - record })
        }
    };
    Ok(Whole { records, head, noted })
}

/// Checks a store: its chain, and the copies that it reads in place of the records themselves.
///
/// # Errors
/// When it cannot be read; the fault is within.
pub async fn examine(store: &dyn Store, noted: Option<Digest>) -> Result<Result<Whole, Fault>, StoreError> {
    // The copies first: whatever is appended meanwhile is only among the originals then.
    let copies = store.read(0).await;
    let texts = store.texts().await?;
    let whole = match check(&texts, noted) {
        Ok(whole) => whole,
        Err(fault) => return Ok(Err(fault)),
    };
    let copies = match copies {
        Ok(copies) => copies,
        // A chain of a newer version can be checked, but not read.
        Err(StoreError::Newer { .. }) => return Ok(Ok(whole)),
        Err(StoreError::Damaged { cause, .. }) => return Ok(Err(Fault::Copy { record: 1, cause })),
        Err(error) => return Err(error),
    };
    for (record, (copy, text)) in (1..).zip(copies.iter().zip(&texts)) {
        let (copy, original) = (copy.digest(), Digest::of_bytes(text.as_bytes()));
        if copy != original {
            let cause = format!("its digest is {}, that of the record {}", copy.short(), original.short());
            return Ok(Err(Fault::Copy { record, cause }));
        }
    }
    if copies.len() > texts.len() {
        let record = texts.len() as Sequence;
        return Ok(Err(Fault::Missing { record: record + 1, found: record }));
    }
    Ok(Ok(whole))
}

/// What the first record names.
fn before_all() -> Digest {
    Digest::of_bytes(b"")
}

fn digests(texts: &[String]) -> Result<Vec<Digest>, Fault> {
    let mut digests: Vec<Digest> = Vec::with_capacity(texts.len());
    for (record, text) in (1..).zip(texts) {
        let link = link(record, text)?;
        if link.sequence != record {
            return Err(misplaced(record, link.sequence, &texts[digests.len()..]));
        }
        let has = digests.last().copied().unwrap_or_else(before_all);
        if link.previous != has {
            if record == 1 {
                return Err(Fault::NotTheFirst { record });
            }
            let or = (!is_vouched_for(text, texts.get(digests.len() + 1))).then_some(record);
            return Err(Fault::Altered { record: record - 1, has, named: link.previous, or });
        }
        digests.push(Digest::of_bytes(text.as_bytes()));
    }
    Ok(digests)
}

fn link(record: Sequence, text: &str) -> Result<Link, Fault> {
    serde_json::from_str(text).map_err(|error| Fault::Unreadable { record, cause: error.to_string() })
}

/// Whether the next record names the digest of this one.
fn is_vouched_for(text: &str, next: Option<&String>) -> bool {
    let named = next.and_then(|next| serde_json::from_str::<Link>(next).ok()).map(|link| link.previous);
    named == Some(Digest::of_bytes(text.as_bytes()))
}

/// Another record stands where this one should.
fn misplaced(record: Sequence, found: Sequence, rest: &[String]) -> Fault {
    let later: BTreeSet<Sequence> =
        rest.iter().filter_map(|text| serde_json::from_str::<Link>(text).ok()).map(|link| link.sequence).collect();
    match found < record || later.contains(&record) {
        true => Fault::Reordered { record, found },
        false => Fault::Missing { record, found },
    }
}

#[cfg(test)]
mod tests {
    use super::super::record::{self, Body, Record};
    use super::*;

    fn chain(count: u64) -> Vec<String> {
        let mut previous = before_all();
        (1..=count)
            .map(|sequence| {
                let body = Body::Parked { run: sequence, reason: format!("reason {sequence}") };
                let time = jiff::Timestamp::UNIX_EPOCH;
                let record = Record { format: record::FORMAT, sequence, previous, time, lease: None, body };
                previous = record.digest();
                serde_json::to_string(&record).unwrap()
            })
            .collect()
    }

    fn digest(text: &str) -> Digest {
        Digest::of_bytes(text.as_bytes())
    }

    #[test]
    fn a_whole_chain_has_its_head_and_any_head_it_ever_had() {
        let texts = chain(5);
        let whole = check(&texts, None).unwrap();
        assert_eq!((whole.records, whole.head, whole.noted), (5, digest(&texts[4]), None));
        for record in 1..=5 {
            let whole = check(&texts, Some(digest(&texts[record as usize - 1]))).unwrap();
            assert_eq!(whole.noted, Some(Noted { record, after: 5 - record }));
        }
        assert_eq!(check(&texts, Some(before_all())).unwrap().noted, Some(Noted { record: 0, after: 5 }));
        assert_eq!(check(&[], None).unwrap().records, 0);
    }

    #[test]
    fn every_single_edit_is_named_with_the_first_record_it_concerns() {
        let texts = chain(5);
        let head = digest(&texts[4]);
        for at in 0..5_usize {
            let mut edited = texts.clone();
            edited[at] = edited[at].replace("reason", "season");
            let record = at as Sequence + 1;
            match check(&edited, Some(head)).unwrap_err() {
                Fault::Altered { record: named, .. } => assert_eq!(named, record),
                fault => assert!(at == 4 && matches!(fault, Fault::Head { record: 5, .. }), "{at}: {fault}"),
            }
            // What a reader would not even notice: a further field, a blank.
            for (find, put) in [("{\"format\"", "{\"note\":1,\"format\""), (",\"time\"", ", \"time\"")] {
                let mut edited = texts.clone();
                edited[at] = edited[at].replacen(find, put, 1);
                assert_ne!(edited[at], texts[at]);
                assert_eq!(check(&edited, Some(head)).unwrap_err().record(), record);
            }
        }
    }

    #[test]
    fn only_a_record_that_its_successor_vouches_for_is_beyond_doubt() {
        let texts = chain(4);
        let mut link_edited = texts.clone();
        link_edited[2] = link_edited[2].replacen(&digest(&texts[1]).to_string(), &"0".repeat(64), 1);
        let fault = check(&link_edited, None).unwrap_err();
        assert!(matches!(fault, Fault::Altered { record: 2, or: Some(3), .. }), "{fault}");
        assert!(fault.to_string().contains("or record 3 was"), "{fault}");
        let mut body_edited = texts;
        body_edited[1] = body_edited[1].replace("reason", "season");
        assert!(matches!(check(&body_edited, None), Err(Fault::Altered { record: 2, or: None, .. })));
    }

    #[test]
    fn dropped_swapped_doubled_and_unreadable_records_are_told_apart() {
        let texts = chain(5);
        let picked = |places: &[usize]| check(&places.iter().map(|at| texts[*at].clone()).collect::<Vec<_>>(), None);
        assert_eq!(picked(&[0, 1, 3, 4]), Err(Fault::Missing { record: 3, found: 4 }));
        assert_eq!(picked(&[1, 2, 3, 4]), Err(Fault::Missing { record: 1, found: 2 }));
        assert_eq!(picked(&[0, 2, 1, 3, 4]), Err(Fault::Reordered { record: 2, found: 3 }));
        assert_eq!(picked(&[0, 1, 1, 2]), Err(Fault::Reordered { record: 3, found: 2 }));
        assert_eq!(picked(&[0, 1, 2]).unwrap().records, 3, "nothing inside it knows how long it was");
        let mut broken = texts.clone();
        broken[3] = "nonsense".to_owned();
        assert!(matches!(check(&broken, None), Err(Fault::Unreadable { record: 4, .. })));
        let mut early = texts;
        early[0] = early[0].replacen(&before_all().to_string(), &"0".repeat(64), 1);
        assert_eq!(check(&early, None), Err(Fault::NotTheFirst { record: 1 }));
    }

    #[test]
    fn a_shortened_chain_is_noticed_by_its_head() {
        let texts = chain(5);
        let head = digest(&texts[4]);
        assert_eq!(check(&texts[..3], Some(head)), Err(Fault::Head { record: 3, noted: head }));
        assert_eq!(check(&[], Some(head)), Err(Fault::Head { record: 0, noted: head }));
    }
}
