//! What people told the ledger about a database's history, beside what was run. Pure data.
//!
//! Invariant: nothing that is told changes the database; each of it is a recorded change of the ledger, which a way
//! back takes back by telling what was told before.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

/// What was told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    /// Versions that another tool had applied before the ledger knew of them: a way back to before that leaves them.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub adopted: BTreeSet<i64>,
    /// Versions that count as applied although no history table says so.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub baselined: BTreeSet<i64>,
    /// Versions that are never run, each with the reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", with = "reasons")]
    pub skipped: BTreeMap<i64, String>,
    /// Versions whose altered text was accepted, each with the reason.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", with = "reasons")]
    pub blessed: BTreeMap<i64, String>,
}

impl Told {
    /// Whether nothing was told.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// Whether the ledger has a version from somebody else, not from a run of ours.
    pub fn was_there(&self, version: i64) -> bool {
        self.adopted.contains(&version) || self.baselined.contains(&version)
    }

    /// What is still to be told when these versions are struck from the ledger.
    #[must_use]
    pub fn without(mut self, versions: &BTreeSet<i64>) -> Self {
        self.adopted.retain(|version| !versions.contains(version));
        self.baselined.retain(|version| !versions.contains(version));
        self.blessed.retain(|version, _| !versions.contains(version));
        self
    }
}

/// Versions with their reasons as pairs: where a kind is told by a tag, JSON's own keys do not come back as numbers.
mod reasons {
    use std::collections::BTreeMap;

    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(reasons: &BTreeMap<i64, String>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(reasons)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<i64, String>, D::Error> {
        Ok(Vec::<(i64, String)>::deserialize(deserializer)?.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_comes_back_from_where_a_kind_is_told_by_a_tag() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "was")]
        enum Tagged {
            Database { told: Told },
        }
        let told = Told {
            adopted: BTreeSet::from([1, 2]),
            skipped: BTreeMap::from([(3, "never".to_owned())]),
            blessed: BTreeMap::from([(2, "a comment".to_owned())]),
            ..Told::default()
        };
        let tagged = Tagged::Database { told: told.clone() };
        let text = serde_json::to_string(&tagged).unwrap();
        assert_eq!(serde_json::from_str::<Tagged>(&text).unwrap(), tagged, "{text}");
        assert_eq!(told.without(&BTreeSet::from([2])).adopted, BTreeSet::from([1]));
    }
}
