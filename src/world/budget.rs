//! What an environment or a database can bear of a change: the `budget` block. Plain data.
//!
//! Invariant: a limit that nobody set is none; the one that stands nearer to the database counts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// The limits, and what becomes of a change that is above one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Budget(pub BTreeMap<Quantity, Limit>);

/// What is limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Quantity {
    /// The longest that somebody who writes is kept waiting.
    MaxBlockedWrites,
    /// The longest that somebody who reads is kept waiting.
    MaxBlockedReads,
    /// Disk that is needed for a while, in bytes.
    MaxDisk,
    /// Log that is written, in bytes.
    MaxWal,
    /// How far replicas fall behind.
    MaxLag,
}

/// A limit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// In milliseconds or bytes.
    pub value: u64,
    /// What becomes of what is above.
    #[serde(default, skip_serializing_if = "Above::is_refused")]
    pub above: Above,
}

/// What becomes of a change that is above a limit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Above {
    /// It is refused.
    #[default]
    Refused,
    /// Somebody of this class has to sign it: `dba`.
    Signed(String),
}

impl Above {
    fn is_refused(&self) -> bool {
        *self == Self::Refused
    }
}

impl Quantity {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::MaxBlockedWrites, Self::MaxBlockedReads, Self::MaxDisk, Self::MaxWal, Self::MaxLag];

    /// As it stands in the spec.
    pub fn word(self) -> &'static str {
        match self {
            Self::MaxBlockedWrites => "max_blocked_writes",
            Self::MaxBlockedReads => "max_blocked_reads",
            Self::MaxDisk => "max_disk",
            Self::MaxWal => "max_wal",
            Self::MaxLag => "max_lag",
        }
    }

    /// Whether it is counted in bytes, not in seconds.
    pub fn is_bytes(self) -> bool {
        match self {
            Self::MaxDisk | Self::MaxWal => true,
            Self::MaxBlockedWrites | Self::MaxBlockedReads | Self::MaxLag => false,
        }
    }
}

impl Budget {
    /// This budget of a database, and of its environment's what it says nothing about.
    #[must_use]
    pub fn within(&self, environment: &Self) -> Self {
        let mut all = environment.clone();
        all.0.extend(self.0.iter().map(|(quantity, limit)| (*quantity, limit.clone())));
        all
    }
}

/// A number of bytes as people write it: `800MB`, `1.5 GB`, `64MiB`; nothing where there is no unit.
pub fn bytes(text: &str) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
    let (number, unit) = text.split_at(end);
    let factor: u64 = match unit.trim() {
        "B" => 1,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        "TB" => 1_000_000_000_000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return None,
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
    let (whole, digits) = (whole.parse::<u64>().ok()?, part.parse::<u64>().ok()?);
    let part = digits.checked_mul(factor)? / 10_u64.checked_pow(u32::try_from(part.len()).ok()?)?;
    whole.checked_mul(factor)?.checked_add(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_bytes() {
        for (text, wanted) in [
            ("12B", 12),
            ("5kB", 5_000),
            ("800MB", 800_000_000),
            ("1.5 GB", 1_500_000_000),
            ("0.25TB", 250_000_000_000),
            ("64MiB", 67_108_864),
        ] {
            assert_eq!(bytes(text), Some(wanted), "{text}");
        }
        for bad in ["5", "GB", "5 gigabytes", "-1GB", "1.2.3GB", "99999999999TB", "", ".5GB", "1e3MB"] {
            assert_eq!(bytes(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_nearer_limit_counts() {
        let limit = |value, above| Limit { value, above };
        let environment = Budget(BTreeMap::from([
            (Quantity::MaxBlockedWrites, limit(2_000, Above::Refused)),
            (Quantity::MaxDisk, limit(5, Above::Refused)),
        ]));
        let database =
            Budget(BTreeMap::from([(Quantity::MaxBlockedWrites, limit(9, Above::Signed("dba".to_owned())))]));
        let both = database.within(&environment);
        assert_eq!(both.0[&Quantity::MaxBlockedWrites], limit(9, Above::Signed("dba".to_owned())));
        assert_eq!(both.0[&Quantity::MaxDisk], limit(5, Above::Refused));
        assert_eq!(both.0.len(), 2);
    }
}
