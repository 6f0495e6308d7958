//! The text that is signed. Pure.
//!
//! Invariant: two different intentions have different texts; nothing that a person names can add a line.

use jiff::Timestamp;

use super::class::{Class, Part};
use crate::digest::Digest;

/// The namespace of all signatures of ours (`ssh-keygen -Y sign -n switchback`).
pub const NAMESPACE: &str = "switchback";

/// Signatures that are good for less than this end at a full hour, all others at the end of a day.
const BY_THE_HOUR: u64 = 2 * 86_400;

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// What is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// The project.
    pub project: &'a str,
    /// The environment.
    pub environment: &'a str,
    /// The random name of the ledger's chain.
    pub chain: &'a str,
    /// As what it is signed.
    pub class: Class,
    /// What it covers.
    pub part: Part,
    /// The digest of that.
    pub digest: Digest,
    /// Until when it is good.
    pub until: Option<Timestamp>,
    /// The record of the newest rejection of the same: a signature from before it cannot be given again.
    pub rejected: Option<u64>,
}

impl Message<'_> {
    /// The text, byte for byte.
    pub fn text(&self) -> String {
        let quoted = |text: &str| serde_json::to_string(text).expect("a text is JSON");
        let mut text = format!(
            "switchback approval 1\nproject: {}\nenvironment: {}\nchain: {}\nclass: {}\npart: {}\ndigest: {}\nuntil: {}\n",
            quoted(self.project),
            quoted(self.environment),
            self.chain,
            self.class.word(),
            self.part.word(),
            self.digest,
            self.until.map_or_else(|| "for good".to_owned(), |until| until.to_string()),
        );
        if let Some(record) = self.rejected {
            text += &format!("after the rejection in record: {record}\n");
        }
        text
    }
}

/// Until when a signature of now is good. It is rounded up, so that whoever signs the same on the same day signs the
/// same text.
pub fn until(now: Timestamp, seconds: u64) -> Option<Timestamp> {
    let seconds_whole = i64::try_from(seconds).ok()?;
    let unit = if seconds < BY_THE_HOUR { HOUR } else { DAY };
    let end = now.as_second().checked_add(seconds_whole)?;
    Timestamp::from_second(end.checked_add(unit - 1)?.div_euclid(unit) * unit).ok()
}

/// All ends that a signature may have that is good now, or was not long ago: the latest first.
pub fn ends(now: Timestamp, seconds: u64) -> Vec<Timestamp> {
    let unit = if seconds < BY_THE_HOUR { HOUR } else { DAY };
    let Some(latest) = until(now, seconds) else { return Vec::new() };
    let earliest = now.as_second() - 30 * unit;
    let mut ends = Vec::new();
    let mut end = latest.as_second();
    while end > earliest {
        ends.extend(Timestamp::from_second(end));
        end -= unit;
    }
    ends
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message<'static> {
        Message {
            project: "shop",
            environment: "prod",
            chain: "c1",
            class: Class::Dba,
            part: Part::Database,
            digest: Digest::of_bytes(b"part"),
            until: Timestamp::from_second(1_000_000).ok(),
            rejected: None,
        }
    }

    #[test]
    fn the_text_is_what_ledgers_rest_on() {
        let digest = Digest::of_bytes(b"part");
        assert_eq!(
            message().text(),
            format!(
                "switchback approval 1\nproject: \"shop\"\nenvironment: \"prod\"\nchain: c1\nclass: dba\npart: database\n\
                 digest: {digest}\nuntil: 1970-01-12T13:46:40Z\n"
            )
        );
    }

    #[test]
    fn every_field_makes_another_text_and_no_name_adds_a_line() {
        let one = message();
        let others = [
            Message { project: "shop\"\nenvironment: \"prod", ..one.clone() },
            Message { environment: "staging", ..one.clone() },
            Message { chain: "c2", ..one.clone() },
            Message { class: Class::Owner, ..one.clone() },
            Message { part: Part::Whole, ..one.clone() },
            Message { digest: Digest::of_bytes(b"other"), ..one.clone() },
            Message { until: None, ..one.clone() },
            Message { rejected: Some(4), ..one.clone() },
        ];
        for other in &others {
            assert_ne!(other.text(), one.text());
        }
        assert_eq!(others[0].text().lines().count(), one.text().lines().count());
    }

    #[test]
    fn an_end_is_the_same_all_day_and_is_found_again_later() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let week = 7 * 86_400;
        let morning = 20_000 * DAY + 8 * HOUR;
        let (first, second) = (until(at(morning), week), until(at(morning + 9 * HOUR), week));
        assert_eq!(first, second);
        assert_eq!(first.unwrap().as_second(), 20_008 * DAY);
        assert!(ends(at(morning + 5 * DAY), week).contains(&first.unwrap()));
        assert!(ends(at(morning + 9 * DAY), week).contains(&first.unwrap()), "so that it is called expired");
        assert_eq!(until(at(morning + 60), 3_600).unwrap().as_second(), morning + 2 * HOUR);
    }
}
