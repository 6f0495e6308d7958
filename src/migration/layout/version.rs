//! Flyway's dotted versions as numbers of our own. Pure.
//!
//! Invariant: numbers are in the order of the versions, and equal exactly where Flyway takes two versions for one
//! (`1`, `1.0`, `01`), whatever else is in the folder: so a version keeps its number for ever.
//!
//! A number has 63 bits and is filled from the top: each part of the version is the length of its binary form in six
//! bits, then that form without its first digit, which is always one. A longer part is larger, as with plain numbers;
//! what comes behind the last part is nothing but zeros, as parts of zero are. `1.2` is 000001 000010 0 followed by
//! zeros. So `1` < `1.0.1` < `1.1` < `2` < `20260101120000`, and up to six parts of two digits have room, or a time
//! stamp and one small part behind it.

const BITS: u32 = 63;
const LENGTH_BITS: u32 = 6;
/// A longer part would look like what is repeatable.
const LONGEST_PART: u32 = 57;

/// The first number that no version has; repeatable migrations have theirs from here on.
pub const BEHIND_ALL: i64 = 63 << 57;

/// The number of a version; nothing when it is none, or has no room in the number.
pub fn number(version: &str) -> Option<i64> {
    let mut parts: Vec<u64> = Vec::new();
    for part in version.split(['.', '_']) {
        let is_number = !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        parts.push(part.parse().ok().filter(|_| is_number)?);
    }
    while parts.len() > 1 && parts.last() == Some(&0) {
        parts.pop();
    }
    let (mut number, mut room) = (0_u64, BITS);
    for part in parts {
        let length = u64::BITS - part.leading_zeros();
        let digits = length.saturating_sub(1);
        if length > LONGEST_PART {
            return None;
        }
        room = room.checked_sub(LENGTH_BITS + digits)?;
        let form = (u64::from(length) << digits) | (part & ((1 << digits) - 1));
        number |= form << room;
    }
    i64::try_from(number).ok()
}

/// The version as Flyway writes it into its table.
pub fn spelled(version: &str) -> String {
    version.replace('_', ".")
}

/// The version after this one: its first part, and nothing behind.
pub fn next(version: &str) -> String {
    let first = version.split(['.', '_']).next().unwrap_or_default();
    let next = first.parse::<u64>().map_or(1, |first| first.saturating_add(1));
    format!("{next:0width$}", width = first.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_the_order_of_versions() {
        let order = [
            "0",
            "0.0.1",
            "0.1",
            "1",
            "1.0.0.1",
            "1.0.1",
            "1.1",
            "1.1.1",
            "1.2",
            "1.10",
            "1.11",
            "2",
            "2.0.9",
            "3.99",
            "9",
            "10",
            "10.0.1",
            "99.99.99.99",
            "100",
            "2026.1.1",
            "20251231",
            "20260101120000",
            "20260101120000.1",
            "20260101120001",
        ];
        let numbers: Vec<i64> = order.iter().map(|version| number(version).expect(version)).collect();
        assert!(numbers.is_sorted_by(|left, right| left < right), "{numbers:?}");
        assert!(numbers.iter().all(|number| *number < BEHIND_ALL));
    }

    #[test]
    fn what_flyway_takes_for_one_is_one() {
        for (left, right) in [("1", "1.0"), ("1", "001"), ("1.2", "1_2"), ("1.2", "1.02.0.0"), ("0", "0.0")] {
            assert_eq!(number(left), number(right), "{left} {right}");
        }
    }

    #[test]
    fn what_is_no_version_or_has_no_room_has_no_number() {
        for bad in ["", ".", "1.", ".1", "a", "1.a", "+1", "99999999999999999999", "20260101120000.20260101120000"] {
            assert_eq!(number(bad), None, "{bad}");
        }
        assert_eq!(number("99.99.99.99.99").map(|number| number > 0), Some(true));
    }

    #[test]
    fn the_next_one_is_a_whole_number() {
        assert_eq!([next("1.2"), next("009"), next("20260101120000")], ["2", "010", "20260101120001"]);
    }
}
