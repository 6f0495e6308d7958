//! What a database is like, so that two places can be compared: the server, its extensions, how large its tables are. Plain
//! data.
//!
//! Invariant: two databases of which the same is known have no gap between them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::bytes_in_words;

/// A table that holds less than this, in bytes, is not named.
pub const LARGE_BYTES: u64 = 10_000_000;

/// What is larger by this factor is of another class: what was measured with the smaller one says little.
const OTHER_CLASS: u64 = 10;

/// What a database is like.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Parity {
    /// The major version of the server: 15.
    pub major: u32,
    /// Its extensions with their versions.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub extensions: BTreeMap<String, String>,
    /// The bytes of its large tables (`schema.name`), as the server estimated them when it last looked.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub large: BTreeMap<String, u64>,
}

impl Parity {
    /// What of this database is otherwise than in the one of the place before, in lines: versions, extensions that only one
    /// of the two has, tables that are much larger here.
    pub fn gaps(&self, before: &Self, place: &str) -> Vec<String> {
        let mut lines = Vec::new();
        if self.major != before.major {
            lines.push(format!("is PostgreSQL {} here, {} in {place}", self.major, before.major));
        }
        for (name, there) in &before.extensions {
            match self.extensions.get(name) {
                None => lines.push(format!("lacks the extension {name} {there}, which {place} has")),
                Some(here) if here != there => {
                    lines.push(format!("has the extension {name} {here}, {there} in {place}"));
                }
                Some(_) => {}
            }
        }
        let more = self.extensions.iter().filter(|(name, _)| !before.extensions.contains_key(*name));
        lines.extend(more.map(|(name, here)| format!("has the extension {name} {here}, which {place} lacks")));
        for (table, here) in &self.large {
            let there = before.large.get(table);
            if *here < there.copied().unwrap_or(LARGE_BYTES).saturating_mul(OTHER_CLASS) {
                continue;
            }
            let known = there.map_or_else(
                || format!("at most {}", bytes_in_words(LARGE_BYTES)),
                |there| format!("about {}", bytes_in_words(*there)),
            );
            let here = bytes_in_words(*here);
            lines.push(format!(
                "holds about {here} in {table}, {place} {known}: how long a step took there says little"
            ));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn database(major: u32, extensions: &[(&str, &str)], large: &[(&str, u64)]) -> Parity {
        let text = |(name, version): &(&str, &str)| ((*name).to_owned(), (*version).to_owned());
        Parity {
            major,
            extensions: extensions.iter().map(text).collect(),
            large: large.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect(),
        }
    }

    #[test]
    fn what_is_alike_has_no_gap() {
        let one = database(15, &[("pg_trgm", "1.6")], &[("app.orders", 50_000_000)]);
        assert_eq!(one.gaps(&one, "staging"), Vec::<String>::new());
        // Ten times as much is another class, nine times is not; what is larger there is no concern here.
        let larger = database(15, &[("pg_trgm", "1.6")], &[("app.orders", 450_000_000), ("app.few", 99_000_000)]);
        assert_eq!(larger.gaps(&one, "staging"), Vec::<String>::new());
        assert_eq!(one.gaps(&larger, "staging"), Vec::<String>::new());
    }

    #[test]
    fn every_gap_is_named() {
        let here = database(
            15,
            &[("hstore", "1.8"), ("pg_trgm", "1.5")],
            &[("app.orders", 2_300_000_000), ("b", 100_000_000)],
        );
        let before = database(16, &[("pg_trgm", "1.6"), ("citext", "1.6")], &[("app.orders", 50_000_000)]);
        let wanted = [
            "is PostgreSQL 15 here, 16 in staging",
            "lacks the extension citext 1.6, which staging has",
            "has the extension pg_trgm 1.5, 1.6 in staging",
            "has the extension hstore 1.8, which staging lacks",
            "holds about 2.3 GB in app.orders, staging about 50 MB: how long a step took there says little",
            "holds about 100 MB in b, staging at most 10 MB: how long a step took there says little",
        ];
        assert_eq!(here.gaps(&before, "staging"), wanted);
    }
}
