//! Which versions of a schema a revision of something works with. Pure data.
//!
//! Invariant: the level of a schema is the highest version that is applied to it, 0 when none is.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::address::Address;

/// Versions of a schema.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SchemaRange {
    /// The lowest version that will do.
    pub at_least: i64,
    /// The highest version that will do, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at_most: Option<i64>,
}

/// The schema versions that something works with, by database.
pub type SchemaNeeds = BTreeMap<Address, SchemaRange>;

impl SchemaRange {
    /// Whether it works with a schema of this level.
    pub fn holds(self, level: i64) -> bool {
        self.at_least <= level && self.at_most.is_none_or(|most| level <= most)
    }

    /// The versions that both hold.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let at_most = self.at_most.into_iter().chain(other.at_most).min();
        Self { at_least: self.at_least.max(other.at_least), at_most }
    }

    /// Whether no version is in it.
    pub fn is_empty(self) -> bool {
        self.at_most.is_some_and(|most| most < self.at_least)
    }
}

impl fmt::Display for SchemaRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.at_least, self.at_most) {
            (i64::MIN..=0, None) => formatter.write_str("any version"),
            (i64::MIN..=0, Some(most)) => write!(formatter, "V{most} and earlier"),
            (least, None) => write!(formatter, "V{least} and later"),
            (least, Some(most)) if least == most => write!(formatter, "V{least} alone"),
            (least, Some(most)) => write!(formatter, "V{least} to V{most}"),
        }
    }
}

/// The same needs, with databases under other addresses.
pub fn rename_ranges(needs: &mut SchemaNeeds, renamed: &dyn Fn(&Address) -> Option<Address>) {
    if needs.keys().any(|database| renamed(database).is_some()) {
        let all = std::mem::take(needs).into_iter();
        *needs = all.map(|(database, range)| (renamed(&database).unwrap_or(database), range)).collect();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_holds_its_ends_and_says_so() {
        let between = SchemaRange { at_least: 12, at_most: Some(17) };
        assert_eq!([11, 12, 17, 18].map(|level| between.holds(level)), [false, true, true, false]);
        let open = SchemaRange { at_least: 14, at_most: None };
        assert_eq!(between.and(open), SchemaRange { at_least: 14, at_most: Some(17) });
        assert!(between.and(SchemaRange { at_least: 18, at_most: None }).is_empty() && !between.is_empty());
        let up_to = SchemaRange { at_least: 0, at_most: Some(3) };
        let words = [between, open, up_to, SchemaRange::default()].map(|range| range.to_string());
        assert_eq!(words, ["V12 to V17", "V14 and later", "V3 and earlier", "any version"]);
    }
}
