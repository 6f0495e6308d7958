//! Numbers of the spec language: exact integers and decimals of any size. Pure.
//!
//! Invariant: two numbers that are equal compare, hash and print the same (`1.50` is `1.5`).

use std::fmt;
use std::str::FromStr;

use bigdecimal::{BigDecimal, ToPrimitive};

/// An exact number.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(BigDecimal);

impl Number {
    /// Takes over a decimal, in its shortest form.
    pub fn new(decimal: BigDecimal) -> Self {
        Self(decimal.normalized())
    }

    /// The decimal itself.
    pub fn decimal(&self) -> &BigDecimal {
        &self.0
    }

    /// Whether it has no fraction.
    pub fn is_integer(&self) -> bool {
        self.0.is_integer()
    }

    /// As a machine integer, when it is one and fits.
    pub fn to_i64(&self) -> Option<i64> {
        self.is_integer().then(|| self.0.to_i64()).flatten()
    }
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self::new(number.into())
    }
}

/// Why a text is not a number.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a number")]
pub struct NotANumber(String);

impl FromStr for Number {
    type Err = NotANumber;

    fn from_str(text: &str) -> Result<Self, NotANumber> {
        text.parse().map(Self::new).map_err(|_| NotANumber(text.to_owned()))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.to_plain_string())
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}
