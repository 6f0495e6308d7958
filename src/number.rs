//! Numbers of the spec language: exact integers and decimals of any size. Pure.
//!
//! Invariant: two numbers that are equal compare, hash and print the same (`1.50` is `1.5`), and none has more
//! than [`Number::DIGITS`] digits or a magnitude beyond 10^±[`Number::LARGEST_EXPONENT`].

use std::cmp::Ordering;
use std::fmt;
use std::num::NonZeroU64;
use std::str::FromStr;

use bigdecimal::num_bigint::{BigInt, Sign};
use bigdecimal::{BigDecimal, Context, RoundingMode, ToPrimitive, Zero};

/// An exact number.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Number(Repr);

/// Machine integers stay small; the other form never holds one, so that equality is structural.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    Small(i64),
    Big(Box<BigDecimal>),
}

/// Why an operation has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ArithmeticError {
    /// Division, or remainder of a division, by zero.
    #[error("a number cannot be divided by zero")]
    DivisionByZero,
    /// Larger or smaller than any number may be.
    #[error("the result is too large or too small: numbers lie between 10^-10000 and 10^10000")]
    OutOfRange,
}

impl Number {
    /// How many significant digits a result is rounded to: those of Terraform's 512 bits.
    pub const DIGITS: u64 = 154;

    /// The largest power of ten.
    pub const LARGEST_EXPONENT: i64 = 10_000;

    /// Takes over a decimal, in its shortest form.
    #[expect(clippy::needless_pass_by_value, reason = "callers hand over what they have just made")]
    pub fn new(decimal: BigDecimal) -> Self {
        let decimal = decimal.normalized();
        match decimal.is_integer().then(|| decimal.to_i64()).flatten() {
            Some(small) => Self(Repr::Small(small)),
            None => Self(Repr::Big(Box::new(decimal))),
        }
    }

    /// The decimal itself.
    pub fn decimal(&self) -> BigDecimal {
        match &self.0 {
            Repr::Small(number) => (*number).into(),
            Repr::Big(number) => (**number).clone(),
        }
    }

    /// Whether it has no fraction.
    pub fn is_integer(&self) -> bool {
        match &self.0 {
            Repr::Small(_) => true,
            Repr::Big(number) => number.is_integer(),
        }
    }

    /// As a machine integer, when it is one and fits.
    pub fn to_i64(&self) -> Option<i64> {
        match &self.0 {
            Repr::Small(number) => Some(*number),
            Repr::Big(_) => None,
        }
    }

    /// As an integer of any size, when it is one.
    pub fn to_integer(&self) -> Option<BigInt> {
        match &self.0 {
            Repr::Small(number) => Some((*number).into()),
            Repr::Big(number) => number.is_integer().then(|| number.with_scale(0).as_bigint_and_exponent().0),
        }
    }

    /// The nearest floating-point number.
    pub fn to_f64(&self) -> f64 {
        match &self.0 {
            #[expect(clippy::cast_precision_loss, reason = "the nearest one is what is asked for")]
            Repr::Small(number) => *number as f64,
            Repr::Big(number) => number.to_f64().unwrap_or(f64::NAN),
        }
    }

    /// The shortest decimal that reads back as this floating-point number; none for infinities and NaN.
    pub fn from_f64(number: f64) -> Option<Self> {
        number.is_finite().then(|| format!("{number}").parse().ok()).flatten()
    }

    /// Whether it is below zero.
    pub fn is_negative(&self) -> bool {
        match &self.0 {
            Repr::Small(number) => *number < 0,
            Repr::Big(number) => number.sign() == Sign::Minus,
        }
    }

    /// Whether it is zero.
    pub fn is_zero(&self) -> bool {
        self.0 == Repr::Small(0)
    }

    /// The largest integer that is not larger.
    #[must_use]
    pub fn floor(&self) -> Self {
        self.round(RoundingMode::Floor)
    }

    /// The smallest integer that is not smaller.
    #[must_use]
    pub fn ceiling(&self) -> Self {
        self.round(RoundingMode::Ceiling)
    }

    /// The integer towards zero.
    #[must_use]
    pub fn truncate(&self) -> Self {
        self.round(RoundingMode::Down)
    }

    fn round(&self, mode: RoundingMode) -> Self {
        match &self.0 {
            Repr::Small(_) => self.clone(),
            Repr::Big(number) => Self::new(number.with_scale_round(0, mode)),
        }
    }

    fn checked(decimal: BigDecimal) -> Result<Self, ArithmeticError> {
        let digits = NonZeroU64::new(Self::DIGITS).expect("it is not zero");
        let decimal = match decimal.digits() > Self::DIGITS {
            true => Context::default().with_precision(digits).round_decimal(decimal),
            false => decimal,
        };
        if decimal.is_zero() || decimal.order_of_magnitude().abs() <= Self::LARGEST_EXPONENT {
            return Ok(Self::new(decimal));
        }
        Err(ArithmeticError::OutOfRange)
    }

    /// `self + other`.
    ///
    /// # Errors
    /// [`ArithmeticError::OutOfRange`].
    pub fn add(&self, other: &Self) -> Result<Self, ArithmeticError> {
        match (&self.0, &other.0) {
            (Repr::Small(left), Repr::Small(right)) if left.checked_add(*right).is_some() => Ok((left + right).into()),
            _ => Self::checked(self.decimal() + other.decimal()),
        }
    }

    /// `self - other`.
    ///
    /// # Errors
    /// [`ArithmeticError::OutOfRange`].
    pub fn subtract(&self, other: &Self) -> Result<Self, ArithmeticError> {
        match (&self.0, &other.0) {
            (Repr::Small(left), Repr::Small(right)) if left.checked_sub(*right).is_some() => Ok((left - right).into()),
            _ => Self::checked(self.decimal() - other.decimal()),
        }
    }

    /// `self * other`.
    ///
    /// # Errors
    /// [`ArithmeticError::OutOfRange`].
    pub fn multiply(&self, other: &Self) -> Result<Self, ArithmeticError> {
        match (&self.0, &other.0) {
            (Repr::Small(left), Repr::Small(right)) if left.checked_mul(*right).is_some() => Ok((left * right).into()),
            _ => Self::checked(self.decimal() * other.decimal()),
        }
    }

    /// `self / other`.
    ///
    /// # Errors
    /// [`ArithmeticError::DivisionByZero`], [`ArithmeticError::OutOfRange`].
    pub fn divide(&self, other: &Self) -> Result<Self, ArithmeticError> {
        if other.is_zero() {
            return Err(ArithmeticError::DivisionByZero);
        }
        if let (Repr::Small(left), Repr::Small(right)) = (&self.0, &other.0)
            && left.checked_rem(*right) == Some(0)
        {
            return Ok((left / right).into());
        }
        let digits = i64::try_from(Self::DIGITS).expect("a small number") + 2;
        // Integer division with enough digits; the crate's own division stops at its default precision.
        let (left, left_scale) = self.decimal().into_bigint_and_exponent();
        let (right, right_scale) = other.decimal().into_bigint_and_exponent();
        let wanted = digits + decimal_digits(&right) - decimal_digits(&left);
        let shift = u32::try_from(wanted.max(0)).map_err(|_| ArithmeticError::OutOfRange)?;
        let quotient = left * BigInt::from(10).pow(shift) / right;
        Self::checked(BigDecimal::new(quotient, left_scale - right_scale + i64::from(shift)))
    }

    /// The remainder of `self / other`; it has the sign of `self`.
    ///
    /// # Errors
    /// [`ArithmeticError::DivisionByZero`], [`ArithmeticError::OutOfRange`].
    pub fn remainder(&self, other: &Self) -> Result<Self, ArithmeticError> {
        if other.is_zero() {
            return Err(ArithmeticError::DivisionByZero);
        }
        if let (Repr::Small(left), Repr::Small(right)) = (&self.0, &other.0) {
            return Ok(left.checked_rem(*right).unwrap_or(0).into());
        }
        Self::checked(self.decimal() % other.decimal())
    }

    /// `-self`.
    #[must_use]
    pub fn negate(&self) -> Self {
        Self::new(-self.decimal())
    }
}

fn decimal_digits(number: &BigInt) -> i64 {
    i64::try_from(BigDecimal::from(number.clone()).digits()).unwrap_or(i64::MAX / 2)
}

impl From<i64> for Number {
    fn from(number: i64) -> Self {
        Self(Repr::Small(number))
    }
}

impl From<BigInt> for Number {
    fn from(number: BigInt) -> Self {
        Self::new(number.into())
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.0, &other.0) {
            (Repr::Small(left), Repr::Small(right)) => left.cmp(right),
            _ => self.decimal().cmp(&other.decimal()),
        }
    }
}

/// Why a text is not a number.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not a number")]
pub struct NotANumber(String);

impl FromStr for Number {
    type Err = NotANumber;

    /// Decimal digits with an optional sign, fraction and exponent; nothing else, above all no spaces and no
    /// underscores.
    fn from_str(text: &str) -> Result<Self, NotANumber> {
        let refuse = || NotANumber(text.chars().take(80).collect());
        if let Ok(small) = text.parse::<i64>() {
            return Ok(Self(Repr::Small(small)));
        }
        let plain = text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte));
        let exponent = text.split(['e', 'E']).nth(1).unwrap_or("0").parse::<i64>().map_err(|_| refuse())?;
        let digits_first = text.trim_start_matches(['+', '-']).starts_with(|letter: char| letter.is_ascii_digit());
        let usable = text.len() <= 20_000 && exponent.abs() <= Self::LARGEST_EXPONENT;
        if !plain || !digits_first || !usable || text.ends_with('.') {
            return Err(refuse());
        }
        let decimal = text.parse::<BigDecimal>().map_err(|_| refuse())?;
        Ok(Self::new(decimal))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Small(number) => write!(formatter, "{number}"),
            Repr::Big(number) => formatter.write_str(&number.to_plain_string()),
        }
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> Number {
        text.parse().expect("a number")
    }

    #[test]
    fn numbers_are_exact_and_have_one_form() {
        assert_eq!(number("1.50"), number("1.5"));
        assert_eq!(number("1e3"), number("1000"));
        assert_eq!(number("9223372036854775808").subtract(&number("1")).expect("fits").to_i64(), Some(i64::MAX));
        assert_eq!(number("0.1").add(&number("0.2")), Ok(number("0.3")));
        assert_eq!(number("18446744073709551615").add(&number("1")).expect("fits").to_string(), "18446744073709551616");
        let two_thirds = number("2").divide(&number("3")).expect("not by zero");
        assert_eq!(two_thirds.multiply(&number("3")), Ok(number("2")));
        assert_eq!(number("-10").remainder(&number("3")), Ok(number("-1")));
        assert_eq!(number("-1.1").floor(), number("-2"));
        assert_eq!(number("-1.1").ceiling(), number("-1"));
    }

    #[test]
    fn what_has_no_result_says_so() {
        assert_eq!(number("1").divide(&number("0")), Err(ArithmeticError::DivisionByZero));
        assert_eq!(number("1e9999").multiply(&number("1e9999")), Err(ArithmeticError::OutOfRange));
        assert_eq!(number("-9223372036854775808").remainder(&number("-1")), Ok(number("0")));
        for text in ["", "abc", " 1", "1_000", "0x10", "1e99999999", "1e", ".5", "1.", "--1", "Inf", "1e5e5"] {
            assert!(text.parse::<Number>().is_err(), "{text}");
        }
    }
}
