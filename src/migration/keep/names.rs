//! Names of what is set aside. Pure.
//!
//! Invariant: a name says the version that set it aside, fits into 63 bytes, and is that of nothing else.

use crate::digest::Digest;

/// PostgreSQL cuts longer names without an error.
const LONGEST_BYTES: usize = 63;

/// Which of the things that a version takes away.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The version of the migration.
    pub version: i64,
    /// The number among what it takes away, from one.
    pub number: usize,
}

impl Place {
    /// The schema where the thing, or what is noted of it, lies.
    pub fn schema(self) -> String {
        format!("switchback_kept_{}_{}", self.version, self.number)
    }

    /// How a column is called while it is set aside.
    pub fn column(self, column: &str) -> String {
        let whole = format!("switchback_kept_{}_{}_{column}", self.version, self.number);
        if whole.len() <= LONGEST_BYTES {
            return whole;
        }
        let digest: String = Digest::of_bytes(column.as_bytes()).to_string().chars().rev().take(8).collect();
        let mut end = LONGEST_BYTES - digest.len() - 1;
        while !whole.is_char_boundary(end) {
            end -= 1;
        }
        format!("{}_{digest}", &whole[..end])
    }
}

/// A string literal, whatever `standard_conforming_strings` is.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match quoted.contains('\\') {
        true => format!(" E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    }
}

/// The texts that set one thing aside, give it back, and drop it at last.
pub struct Parts {
    /// Sets aside.
    pub up: String,
    /// Gives back.
    pub down: String,
    /// Drops.
    pub purge: String,
}

/// A block of code whose quotes nothing in it can end.
pub fn block(declarations: &str, body: &str) -> String {
    let mut mark = "keep".to_owned();
    while declarations.contains(&mark_of(&mark)) || body.contains(&mark_of(&mark)) {
        mark.push('_');
    }
    let mark = mark_of(&mark);
    format!("DO {mark}\nDECLARE\n{declarations}BEGIN\n{body}END\n{mark}")
}

fn mark_of(word: &str) -> String {
    format!("${word}$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_told_apart() {
        let place = Place { version: 12, number: 1 };
        assert_eq!(place.column("fullname"), "switchback_kept_12_1_fullname");
        let (one, two) = (format!("{}a", "ö".repeat(30)), format!("{}b", "ö".repeat(30)));
        assert!(place.column(&one).len() <= 63 && place.column(&one) != place.column(&two));
    }

    #[test]
    fn a_block_cannot_be_ended_from_within() {
        let text = block("", "  -- $keep$ and $keep_$\n");
        assert!(text.starts_with("DO $keep__$\n") && text.ends_with("END\n$keep__$"), "{text}");
    }
}
