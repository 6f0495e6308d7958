//! Functions of numbers. Pure.
//!
//! Invariant: results are exact where the function has an exact result; `log` and fractional powers are those of
//! 64-bit floating point.

use bigdecimal::num_bigint::BigInt;

use super::{Arguments, Function, FunctionError, Kind, Outcome, Parameter, parameter, row};
use crate::number::Number;
use crate::value::{Type, Value};

const NUMBER: Parameter = parameter("number", Kind::Number);

pub(super) static ROWS: &[Function] = &[
    row("abs", &[NUMBER], Kind::Number, |a| {
        let number = a.number(0);
        Ok(if number.is_negative() { number.negate() } else { number }.into())
    }),
    row("ceil", &[NUMBER], Kind::Number, |a| Ok(a.number(0).ceiling().into())),
    row("floor", &[NUMBER], Kind::Number, |a| Ok(a.number(0).floor().into())),
    row("log", &[NUMBER, parameter("base", Kind::Number)], Kind::Number, log),
    row("max", &[], Kind::Number, |a| extreme(a, Ord::max)).variadic(parameter("numbers", Kind::Number)),
    row("min", &[], Kind::Number, |a| extreme(a, Ord::min)).variadic(parameter("numbers", Kind::Number)),
    row("parseint", &[parameter("text", Kind::Any), parameter("base", Kind::Number)], Kind::Number, parse_integer),
    row("pow", &[NUMBER, parameter("power", Kind::Number)], Kind::Number, pow),
    row("signum", &[NUMBER], Kind::Number, |a| {
        let number = a.number(0);
        Ok(i64::from(!number.is_zero()).wrapping_mul(if number.is_negative() { -1 } else { 1 }).into())
    }),
    row("sum", &[parameter("list", Kind::Any)], Kind::Number, sum),
    row("range", &[], Kind::Numbers, range).variadic(parameter("limits", Kind::Number)),
];

fn extreme(arguments: &Arguments<'_>, pick: fn(Number, Number) -> Number) -> Outcome {
    let numbers = arguments.all().iter().filter_map(Value::as_number).cloned();
    numbers.reduce(pick).map(Into::into).ok_or_else(|| FunctionError::whole("it needs at least one number"))
}

fn float(number: f64) -> Outcome {
    Number::from_f64(number)
        .map(Into::into)
        .ok_or_else(|| FunctionError::whole("there is no such number: the result is infinite or undefined"))
}

fn log(arguments: &Arguments<'_>) -> Outcome {
    let (number, base) = (arguments.number(0).to_f64(), arguments.number(1).to_f64());
    float(number.ln() / base.ln())
}

fn pow(arguments: &Arguments<'_>) -> Outcome {
    let (base, power) = (arguments.number(0), arguments.number(1));
    if let Some(exact) = power.to_i64().filter(|power| (0..=4_096).contains(power)) {
        let mut result = Number::from(1);
        let exact_digits = base.to_f64().abs().log10() * f64::from(u16::try_from(exact).unwrap_or(u16::MAX));
        if base.is_integer() && exact_digits < 150.0 {
            for _ in 0..exact {
                result = result.multiply(&base).map_err(|error| FunctionError::whole(error.to_string()))?;
            }
            return Ok(result.into());
        }
    }
    float(base.to_f64().powf(power.to_f64()))
}

fn parse_integer(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.value(0).as_str().ok_or_else(|| FunctionError::at(0, arguments.not_a("string", 0)))?;
    let base = arguments.integer(1)?;
    let Some(base) = u32::try_from(base).ok().filter(|base| (2..=62).contains(base)) else {
        return Err(FunctionError::at(1, "the base lies between 2 and 62"));
    };
    let refuse = || FunctionError::at(0, format!("this text is not a whole number of base {base}"));
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty() || digits.len() > 4_096 {
        return Err(refuse());
    }
    let mut number = BigInt::from(0);
    for digit in digits.chars() {
        // Up to base 36 letters count the same in both cases; beyond, capitals come after small letters.
        let worth = match digit {
            '0'..='9' => digit as u32 - '0' as u32,
            'a'..='z' => digit as u32 - 'a' as u32 + 10,
            'A'..='Z' if base <= 36 => digit as u32 - 'A' as u32 + 10,
            'A'..='Z' => digit as u32 - 'A' as u32 + 36,
            _ => return Err(refuse()),
        };
        if worth >= base {
            return Err(refuse());
        }
        number = number * base + worth;
    }
    Ok(Number::from(if negative { -number } else { number }).into())
}

fn sum(arguments: &Arguments<'_>) -> Outcome {
    let items = arguments.items(0)?;
    if items.is_empty() {
        return Err(FunctionError::at(0, "it needs at least one number"));
    }
    let mut total = Number::from(0);
    for item in items {
        let number = item.convert(&Type::Number).map_err(|error| FunctionError::at(0, error.to_string()))?;
        let number = number.as_number().ok_or_else(|| FunctionError::at(0, "an element is null"))?.clone();
        total = total.add(&number).map_err(|error| FunctionError::at(0, error.to_string()))?;
    }
    Ok(total.into())
}

/// The longest list that `range` makes, as in Terraform.
const LONGEST_RANGE: usize = 1_024;

fn range(arguments: &Arguments<'_>) -> Outcome {
    let zero = Number::from(0);
    let (start, end) = match arguments.all().len() {
        1 => (zero.clone(), arguments.number(0)),
        2 | 3 => (arguments.number(0), arguments.number(1)),
        count => return Err(FunctionError::whole(format!("it takes one to three numbers, these are {count}"))),
    };
    let down = end < start;
    let step = match arguments.given(2) {
        Some(_) => arguments.number(2),
        None if down => Number::from(-1),
        None => Number::from(1),
    };
    if step.is_zero() || step.is_negative() != down && start != end {
        return Err(FunctionError::at(
            2.min(arguments.all().len() - 1),
            "the step must lead from the start to the end",
        ));
    }
    let mut numbers = Vec::new();
    let mut number = start;
    while if down { number > end } else { number < end } {
        if numbers.len() >= LONGEST_RANGE {
            return Err(FunctionError::whole(format!("it makes at most {LONGEST_RANGE} numbers")));
        }
        numbers.push(number.clone().into());
        number = number.add(&step).map_err(|error| FunctionError::whole(error.to_string()))?;
    }
    Ok(Value::list(Type::Number, numbers))
}
