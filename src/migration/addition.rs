//! What a migration added and that can hold what nobody else keeps, and what was found in it. Pure.
//!
//! Invariant: where it cannot be told whether something was written, that is said, and never taken for "nothing".

use std::fmt;

/// Something that a migration added, under the name that it has now.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Addition {
    /// A table.
    Table {
        /// Its name, with its schema where the migration gives one.
        name: String,
    },
    /// A column of a table that was there.
    Column {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A sequence.
    Sequence {
        /// Its name.
        name: String,
    },
}

/// What was found in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// Nothing: it is as it was made.
    Nothing,
    /// Nothing but grants or comments.
    Dressed,
    /// Rows.
    Rows(Count),
    /// The position of a sequence.
    Position,
    /// It could not be told, and why.
    Untold(String),
}

/// How many rows, in powers of ten: a review does not change with each row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Count(u32);

impl Count {
    /// More are not counted.
    pub const MOST: u64 = 10_000;

    /// Of at least one row; more than [`Count::MOST`] are all the same.
    pub fn of(rows: u64) -> Self {
        Self(rows.clamp(1, Self::MOST).ilog10())
    }
}

impl fmt::Display for Count {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let low = 10_u64.pow(self.0);
        match low >= Self::MOST {
            true => write!(formatter, "{low} rows or more"),
            false => write!(formatter, "{low} to {} rows", low * 10 - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_told_in_powers_of_ten() {
        let told: Vec<_> = [1, 9, 10, 999, 9_999, 10_000, 10_001].map(|rows| Count::of(rows).to_string()).into();
        let nine = "1 to 9 rows";
        let most = "10000 rows or more";
        assert_eq!(told, [nine, nine, "10 to 99 rows", "100 to 999 rows", "1000 to 9999 rows", most, most]);
    }
}
