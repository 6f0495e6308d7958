//! `format` and `formatlist`, with the verbs of Go that Terraform has. Pure.
//!
//! Invariant: every argument is used, or it is a mistake.

use bigdecimal::RoundingMode;
use unicode_segmentation::UnicodeSegmentation as _;

use super::collection::made;
use super::{Arguments, Function, FunctionError, Kind, LARGEST, Outcome, nullable, parameter, row};
use crate::number::Number;
use crate::value::{Data, Type, Unknown, Value};
use crate::value::{marks_of, unknown_from};

pub(super) static ROWS: &[Function] = &[
    row("format", &[parameter("format", Kind::Text)], Kind::Text, format).variadic(nullable("values", Kind::Any)).raw(),
    row("formatlist", &[parameter("format", Kind::Text)], Kind::Texts, format_list)
        .variadic(nullable("values", Kind::Any))
        .raw(),
];

#[derive(Default)]
struct Verb {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
    /// The argument's number, from one, where it is given.
    argument: Option<usize>,
    letter: char,
}

/// A text being formatted: what is known of it, and whether it ended at an unknown.
struct Formatted {
    text: String,
    cut_short: bool,
}

fn format(arguments: &Arguments<'_>) -> Outcome {
    let marks = marks_of(arguments.all());
    let Some(pattern) = arguments.value(0).as_str() else {
        return Ok(unknown_from(Type::String, arguments.all()));
    };
    let values: Vec<Value> = arguments.all()[1..].iter().map(Value::reveal).collect();
    let formatted = write(pattern, &values)?;
    if !formatted.cut_short {
        return made(formatted.text).map(|text| text.mark(marks));
    }
    let unknown = unknown_from(Type::String, arguments.all());
    Ok(match unknown.data() {
        Data::Unknown(inner) => {
            let prefix = (!formatted.text.is_empty()).then_some(formatted.text);
            Value::unknown(Unknown { not_null: true, prefix, ..(**inner).clone() }).mark(marks)
        }
        _ => unknown,
    })
}

fn format_list(arguments: &Arguments<'_>) -> Outcome {
    let marks = marks_of(arguments.all());
    let Some(pattern) = arguments.value(0).as_str() else {
        return Ok(unknown_from(Type::list(Type::String), arguments.all()));
    };
    let values = &arguments.all()[1..];
    let is_list = |value: &Value| matches!(value.ty(), Type::List(_) | Type::Set(_) | Type::Tuple(_));
    if values.iter().any(|value| {
        value.items().is_none() && (is_list(value) || matches!(value.data(), Data::Unknown(u) if u.ty == Type::Any))
    }) {
        return Ok(unknown_from(Type::list(Type::String), arguments.all()));
    }
    let mut length = None;
    for (index, items) in values.iter().enumerate().filter_map(|(index, value)| Some((index, value.items()?))) {
        if *length.get_or_insert(items.len()) != items.len() {
            return Err(FunctionError::at(index + 1, "all lists must be of one length"));
        }
    }
    let mut texts = Vec::new();
    for row in 0..length.unwrap_or(1) {
        let values: Vec<Value> = values
            .iter()
            .map(|value| value.items().map_or_else(|| value.reveal(), |items| items[row].reveal()))
            .collect();
        let formatted = write(pattern, &values)?;
        texts.push(match formatted.cut_short {
            true => unknown_from(Type::String, &values),
            false => made(formatted.text)?,
        });
    }
    Ok(Value::list(Type::String, texts).mark(marks))
}

fn write(pattern: &str, values: &[Value]) -> Result<Formatted, FunctionError> {
    let mut formatted = Formatted { text: String::new(), cut_short: false };
    let mut used = vec![false; values.len()];
    let mut next = 0;
    let mut any_numbered = false;
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '%' {
            push(&mut formatted, &letter.to_string());
            continue;
        }
        let verb = parse_verb(&mut letters)?;
        if verb.letter == '%' {
            push(&mut formatted, "%");
            continue;
        }
        any_numbered |= verb.argument.is_some();
        let index = verb.argument.map_or(next, |number| number.wrapping_sub(1));
        next = index.wrapping_add(1);
        let value = values.get(index).ok_or_else(|| {
            FunctionError::at(
                0,
                format!("there is no argument for the `%{}` at number {}", verb.letter, index.wrapping_add(1)),
            )
        })?;
        used[index] = true;
        if !value.is_known() || matches!(value.data(), Data::Sealed(_)) {
            formatted.cut_short = true;
            continue;
        }
        let text = one(&verb, value).map_err(|message| FunctionError::at(index + 1, message))?;
        push(&mut formatted, &pad(&verb, text));
        if formatted.text.len() > LARGEST {
            return Err(FunctionError::at(0, "the result is too large"));
        }
    }
    match used.iter().position(|used| !used) {
        Some(index) if !any_numbered => Err(FunctionError::at(index + 1, "no verb of the format uses this argument")),
        _ => Ok(formatted),
    }
}

fn push(formatted: &mut Formatted, text: &str) {
    if !formatted.cut_short {
        formatted.text.push_str(text);
    }
}

fn parse_verb(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Verb, FunctionError> {
    let mut verb = Verb::default();
    while let Some(letter) = letters.peek().copied() {
        match letter {
            '+' => verb.plus = true,
            '-' => verb.minus = true,
            '#' => verb.sharp = true,
            ' ' => verb.space = true,
            '0' => verb.zero = true,
            _ => break,
        }
        letters.next();
    }
    verb.width = digits(letters)?;
    if letters.next_if_eq(&'.').is_some() {
        verb.precision = Some(digits(letters)?.unwrap_or(0));
    }
    if letters.next_if_eq(&'[').is_some() {
        verb.argument = digits(letters)?;
        if verb.argument.is_none_or(|number| number == 0) || letters.next() != Some(']') {
            return Err(FunctionError::at(0, "an argument's number is written `%[1]s`, counted from one"));
        }
    }
    verb.letter =
        letters.next().ok_or_else(|| FunctionError::at(0, "it ends within a verb; a percent sign is written `%%`"))?;
    Ok(verb)
}

fn digits(letters: &mut std::iter::Peekable<std::str::Chars<'_>>) -> Result<Option<usize>, FunctionError> {
    let mut number = None;
    while let Some(digit) = letters.peek().and_then(|letter| letter.to_digit(10)) {
        letters.next();
        let next = number.unwrap_or(0_usize) * 10 + digit as usize;
        if next > 10_000 {
            return Err(FunctionError::at(0, "a width or precision lies below 10,000"));
        }
        number = Some(next);
    }
    Ok(number)
}

fn one(verb: &Verb, value: &Value) -> Result<String, String> {
    let wants = |ty: &Type| {
        let converted = value.convert(ty).map_err(|error| format!("`%{}`: {error}", verb.letter))?;
        if converted.is_null() { Err(format!("`%{}` has no form for null", verb.letter)) } else { Ok(converted) }
    };
    match verb.letter {
        'v' if verb.sharp => Ok(super::json::encode(value)),
        'v' => match value.data() {
            Data::String(text) => Ok(cut(verb, text)),
            Data::Number(number) => Ok(signed(verb, number, general(number.to_f64(), verb.precision))),
            Data::Bool(truth) => Ok(truth.to_string()),
            _ => Ok(super::json::encode(value)),
        },
        's' => wants(&Type::String).map(|value| cut(verb, value.as_str().unwrap_or_default())),
        'q' => wants(&Type::String)
            .map(|value| serde_json::Value::from(cut(verb, value.as_str().unwrap_or_default())).to_string()),
        't' => wants(&Type::Bool).map(|value| value.to_string()),
        'd' | 'b' | 'o' | 'x' | 'X' => {
            let value = wants(&Type::Number)?;
            let number = value.as_number().ok_or("a number is needed")?;
            let integer = number.to_integer().ok_or_else(|| format!("`%{}` needs a whole number", verb.letter))?;
            let (radix, prefix) = match verb.letter {
                'b' => (2, "0b"),
                'o' => (8, "0"),
                'x' | 'X' => (16, "0x"),
                _ => (10, ""),
            };
            let text = integer.magnitude().to_str_radix(radix);
            let text = if verb.sharp { format!("{prefix}{text}") } else { text };
            let text = if verb.letter == 'X' { text.to_uppercase() } else { text };
            Ok(signed(verb, number, if number.is_negative() { format!("-{text}") } else { text }))
        }
        'e' | 'E' | 'f' | 'F' | 'g' | 'G' => {
            let value = wants(&Type::Number)?;
            let number = value.as_number().ok_or("a number is needed")?;
            let text = match verb.letter {
                'f' | 'F' => {
                    let scale = i64::try_from(verb.precision.unwrap_or(6)).unwrap_or(6);
                    number.decimal().with_scale_round(scale, RoundingMode::HalfEven).to_plain_string()
                }
                'e' | 'E' => scientific(&format!("{:.*e}", verb.precision.unwrap_or(6), number.to_f64())),
                _ => general(number.to_f64(), verb.precision),
            };
            let text = if verb.letter.is_uppercase() { text.to_uppercase() } else { text };
            Ok(signed(verb, number, text))
        }
        other => Err(format!("there is no verb `%{other}`; there are v, s, q, t, d, b, o, x, X, e, E, f, g, G")),
    }
}

/// The first letters, as many as the precision says.
fn cut(verb: &Verb, text: &str) -> String {
    verb.precision.map_or_else(|| text.to_owned(), |count| text.graphemes(true).take(count).collect())
}

fn signed(verb: &Verb, number: &Number, text: String) -> String {
    match (number.is_negative(), verb.plus, verb.space) {
        (false, true, _) => format!("+{text}"),
        (false, false, true) => format!(" {text}"),
        (true, ..) if !text.starts_with('-') => format!("-{text}"),
        _ => text,
    }
}

/// `1.5e4` as `1.5e+04`.
fn scientific(text: &str) -> String {
    let Some((mantissa, exponent)) = text.split_once('e') else {
        return text.to_owned();
    };
    let (sign, digits) = exponent.strip_prefix('-').map_or(('+', exponent), |digits| ('-', digits));
    format!("{mantissa}e{sign}{digits:0>2}")
}

/// The shorter of both forms: with an exponent below 10^-4, and from 10^6 or the precision on.
fn general(number: f64, precision: Option<usize>) -> String {
    let shortest = match precision {
        None => format!("{number:e}"),
        Some(precision) => format!("{:.*e}", precision.max(1) - 1, number),
    };
    let exponent: i64 = shortest.split_once('e').and_then(|(_, exponent)| exponent.parse().ok()).unwrap_or(0);
    let limit = precision.map_or(6, |precision| i64::try_from(precision.max(1)).unwrap_or(6));
    if exponent < -4 || exponent >= limit {
        let (mantissa, exponent) = shortest.split_once('e').unwrap_or((&shortest, "0"));
        let mantissa =
            if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
        return scientific(&format!("{mantissa}e{exponent}"));
    }
    match precision {
        None => format!("{number}"),
        Some(_) => {
            let digits = usize::try_from(limit - 1 - exponent).unwrap_or(0);
            let text = format!("{number:.digits$}");
            if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
        }
    }
}

fn pad(verb: &Verb, text: String) -> String {
    let missing = verb.width.unwrap_or(0).saturating_sub(text.graphemes(true).count());
    if missing == 0 {
        return text;
    }
    if verb.minus {
        return text + &" ".repeat(missing);
    }
    if verb.zero && !matches!(verb.letter, 's' | 'q' | 't') {
        let sign = text.chars().next().filter(|letter| "+- ".contains(*letter));
        let rest = sign.map_or(text.as_str(), |_| &text[1..]);
        return sign.map(String::from).unwrap_or_default() + &"0".repeat(missing) + rest;
    }
    (if verb.zero { "0" } else { " " }).repeat(missing) + &text
}
