//! Functions of time. Pure: what time it is comes in with the surroundings.
//!
//! Invariant: a timestamp is RFC 3339, and keeps the offset it came with.

use jiff::tz::Offset;
use jiff::{SignedDuration, Timestamp, civil};

use super::{Arguments, Function, FunctionError, Kind, Outcome, Parameter, parameter, row};
use crate::value::unknown_from;
use crate::value::{Type, Value};

const TIMESTAMP: Parameter = parameter("timestamp", Kind::Text);

pub(super) static ROWS: &[Function] = &[
    row("formatdate", &[parameter("format", Kind::Text), TIMESTAMP], Kind::Text, format_date),
    row("timeadd", &[TIMESTAMP, parameter("duration", Kind::Text)], Kind::Text, time_add),
    row("timecmp", &[parameter("one", Kind::Text), parameter("other", Kind::Text)], Kind::Number, |a| {
        let (one, other) = (parse(a, 0)?.0, parse(a, 1)?.0);
        Ok((one.cmp(&other) as i64).into())
    }),
    row("timestamp", &[], Kind::Text, |a| {
        let now = a.surroundings.now.map(|now| write(now, Offset::UTC));
        Ok(now.map_or_else(|| unknown_from(Type::String, [] as [&Value; 0]), Into::into))
    })
    .raw(),
    row("plantimestamp", &[], Kind::Text, |a| {
        let planned_at = a.surroundings.planned_at.map(|now| write(now, Offset::UTC).into());
        planned_at.ok_or_else(|| FunctionError::whole("there is no plan here"))
    })
    .raw(),
];

fn parse(arguments: &Arguments<'_>, index: usize) -> Result<(Timestamp, Offset), FunctionError> {
    read(arguments.text(index)).ok_or_else(|| {
        FunctionError::at(index, "this is not a timestamp; one looks like `2026-01-31T15:04:05Z` or ends in `+02:00`")
    })
}

/// RFC 3339 to the letter: both date and time, `T` between them, an offset at the end.
fn read(text: &str) -> Option<(Timestamp, Offset)> {
    let (date, rest) = text.split_at_checked(10)?;
    let time = rest.strip_prefix('T')?;
    let (clock, offset) = match time.strip_suffix('Z') {
        Some(clock) => (clock, Offset::UTC),
        None => {
            let at = time.rfind(['+', '-'])?;
            let (clock, offset) = time.split_at(at);
            let (hours, minutes) = offset[1..].split_once(':')?;
            let (hours, minutes) = (two_digits(hours)?, two_digits(minutes)?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let seconds = (i32::from(hours) * 60 + i32::from(minutes)) * 60;
            (clock, Offset::from_seconds(if offset.starts_with('-') { -seconds } else { seconds }).ok()?)
        }
    };
    let (whole, fraction) = clock.split_once('.').map_or((clock, None), |(whole, fraction)| (whole, Some(fraction)));
    let dashed = date.bytes().enumerate().all(|(at, byte)| (byte == b'-') == (at == 4 || at == 7));
    let parts: Vec<&str> = whole.split(':').collect();
    let [hour, minute, second] = parts[..] else { return None };
    if !dashed || fraction.is_some_and(|digits| digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()))
    {
        return None;
    }
    let nanoseconds = fraction.map_or(Some(0), |digits| format!("{digits:0<9}").get(..9)?.parse().ok())?;
    let date = civil::Date::new(date.get(..4)?.parse().ok()?, two(date.get(5..7)?)?, two(date.get(8..)?)?).ok()?;
    let time = civil::Time::new(two(hour)?, two(minute)?, two(second)?, nanoseconds).ok()?;
    offset.to_timestamp(civil::DateTime::from_parts(date, time)).ok().map(|timestamp| (timestamp, offset))
}

/// Whether a text is a timestamp.
pub(super) fn is_timestamp(text: &str) -> bool {
    read(text).is_some()
}

fn two_digits(text: &str) -> Option<u8> {
    (text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn two(text: &str) -> Option<i8> {
    two_digits(text).and_then(|number| i8::try_from(number).ok())
}

/// To the second, since nobody writes smaller parts of it.
fn write(timestamp: Timestamp, offset: Offset) -> String {
    let moment = offset.to_datetime(timestamp);
    format!("{}{}", moment.strftime("%Y-%m-%dT%H:%M:%S"), zone(offset, ":", "Z"))
}

fn zone(offset: Offset, between: &str, utc: &str) -> String {
    let minutes = offset.seconds() / 60;
    if minutes == 0 {
        return utc.to_owned();
    }
    let sign = if minutes < 0 { '-' } else { '+' };
    format!("{sign}{:02}{between}{:02}", minutes.abs() / 60, minutes.abs() % 60)
}

fn time_add(arguments: &Arguments<'_>) -> Outcome {
    let (timestamp, offset) = parse(arguments, 0)?;
    let duration = read_duration(arguments.text(1)).ok_or_else(|| {
        FunctionError::at(1, "this is not a duration; one looks like `1h30m`, `-10m`, `1.5s` (h is the largest unit)")
    })?;
    let moved = timestamp
        .checked_add(duration)
        .map_err(|_| FunctionError::at(1, "the result lies outside of all calendars"))?;
    Ok(write(moved, offset).into())
}

fn read_duration(text: &str) -> Option<SignedDuration> {
    let (negative, mut rest) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if rest == "0" {
        return Some(SignedDuration::ZERO);
    }
    let mut total = SignedDuration::ZERO;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let end = rest.find(|letter: char| !letter.is_ascii_digit() && letter != '.')?;
        let (amount, after) = rest.split_at(end);
        if !amount.contains(|letter: char| letter.is_ascii_digit()) {
            return None;
        }
        let end = after.find(|letter: char| letter.is_ascii_digit() || letter == '.').unwrap_or(after.len());
        let (unit, after) = after.split_at(end);
        let nanoseconds: i64 = match unit {
            "h" => 3_600_000_000_000,
            "m" => 60_000_000_000,
            "s" => 1_000_000_000,
            "ms" => 1_000_000,
            "us" | "µs" | "μs" => 1_000,
            "ns" => 1,
            _ => return None,
        };
        let (whole, fraction) = amount.split_once('.').unwrap_or((amount, "0"));
        let exact = format!(
            "{}.{}",
            if whole.is_empty() { "0" } else { whole },
            if fraction.is_empty() { "0" } else { fraction }
        );
        let product = exact.parse::<crate::number::Number>().ok()?.multiply(&nanoseconds.into()).ok()?;
        total = total.checked_add(SignedDuration::from_nanos(product.truncate().to_i64()?))?;
        rest = after;
    }
    Some(if negative { -total } else { total })
}

fn format_date(arguments: &Arguments<'_>) -> Outcome {
    let (timestamp, offset) = parse(arguments, 1)?;
    let moment = offset.to_datetime(timestamp);
    let mut text = String::new();
    let mut rest = arguments.text(0);
    while let Some(letter) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("''") {
            text.push('\'');
            rest = after;
            continue;
        }
        if letter == '\'' {
            let (quoted, after) = quoted(&rest[1..]).ok_or_else(|| FunctionError::at(0, "a quote has no end"))?;
            text.push_str(&quoted);
            rest = after;
            continue;
        }
        let end = rest.find(|other| other != letter).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        match letter.is_ascii_alphabetic() {
            true => text.push_str(&part(word, moment, offset).ok_or_else(|| {
                FunctionError::at(0, format!("there is no part `{word}`; put plain text in single quotes"))
            })?),
            false => text.push_str(word),
        }
        rest = after;
    }
    Ok(text.into())
}

/// A quoted text, in which two quotes are one, and what follows it.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut made = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('\'')?;
        made.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('\'') {
            Some(after) => {
                made.push('\'');
                rest = after;
            }
            None => return Some((made, rest)),
        }
    }
}

fn part(word: &str, moment: civil::DateTime, offset: Offset) -> Option<String> {
    let hour = match moment.hour() % 12 {
        0 => 12,
        hour => hour,
    };
    let half = if moment.hour() < 12 { "AM" } else { "PM" };
    Some(match word {
        "YYYY" => format!("{:04}", moment.year()),
        "YY" => format!("{:02}", moment.year() % 100),
        "MMMM" => moment.strftime("%B").to_string(),
        "MMM" => moment.strftime("%b").to_string(),
        "MM" => format!("{:02}", moment.month()),
        "M" => moment.month().to_string(),
        "DD" => format!("{:02}", moment.day()),
        "D" => moment.day().to_string(),
        "EEEE" => moment.strftime("%A").to_string(),
        "EEE" => moment.strftime("%a").to_string(),
        "hh" => format!("{:02}", moment.hour()),
        "h" => moment.hour().to_string(),
        "HH" => format!("{hour:02}"),
        "H" => hour.to_string(),
        "AA" => half.to_owned(),
        "aa" => half.to_lowercase(),
        "mm" => format!("{:02}", moment.minute()),
        "m" => moment.minute().to_string(),
        "ss" => format!("{:02}", moment.second()),
        "s" => moment.second().to_string(),
        "Z" => zone(offset, ":", "Z"),
        "ZZZ" => zone(offset, "", "UTC"),
        "ZZZZ" => zone(offset, "", "+0000"),
        "ZZZZZ" => zone(offset, ":", "+00:00"),
        _ => return None,
    })
}
