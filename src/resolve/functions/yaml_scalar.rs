//! What YAML's scalars mean: plain words, escapes, folding, tags. Pure.
//!
//! Invariant: plain words mean what YAML 1.1 says (`yes` is true), as in Terraform.

use super::{FunctionError, normalised};
use crate::number::Number;
use crate::value::Value;

/// The tags that mean something.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag {
    Text,
    Integer,
    Float,
    Bool,
    Null,
    Binary,
    Timestamp,
    /// `!!map`, `!!seq`, `!`: says nothing new.
    Plain,
}

impl Tag {
    pub(super) fn parse(word: &str) -> Option<Self> {
        Some(match word.strip_prefix("!<tag:yaml.org,2002:").map_or(word, |rest| rest.trim_end_matches('>')) {
            "!!str" | "str" | "!" => Self::Text,
            "!!int" | "int" => Self::Integer,
            "!!float" | "float" => Self::Float,
            "!!bool" | "bool" => Self::Bool,
            "!!null" | "null" => Self::Null,
            "!!binary" | "binary" => Self::Binary,
            "!!timestamp" | "timestamp" => Self::Timestamp,
            "!!map" | "!!seq" | "map" | "seq" => Self::Plain,
            _ => return None,
        })
    }
}

/// A scalar with a tag; nothing when it does not fit.
pub(super) fn tagged(tag: Tag, text: &str) -> Result<Option<Value>, FunctionError> {
    let meant = plain(text)?;
    Ok(match tag {
        Tag::Text => Some(normalised(text.to_owned())),
        Tag::Integer => Some(meant).filter(|value| value.as_number().is_some_and(Number::is_integer)),
        Tag::Float => Some(meant).filter(|value| value.as_number().is_some()),
        Tag::Bool => Some(meant).filter(|value| value.as_bool().is_some()),
        Tag::Null => Some(Value::null()),
        Tag::Binary => {
            use base64::Engine as _;
            let packed: String = text.split_whitespace().collect();
            base64::engine::general_purpose::STANDARD.decode(&packed).ok().map(|_| packed.into())
        }
        Tag::Timestamp => timestamp(text),
        Tag::Plain => Some(meant),
    })
}

/// A word without quotes.
pub(super) fn plain(text: &str) -> Result<Value, FunctionError> {
    Ok(match text {
        "" | "~" | "null" | "Null" | "NULL" => Value::null(),
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => true.into(),
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => false.into(),
        _ => match text.trim_start_matches(['+', '-']) {
            ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN" => {
                return Err(FunctionError::at(0, format!("there is no number `{text}` here")));
            }
            _ => {
                number(text).map(Value::from).or_else(|| timestamp(text)).unwrap_or_else(|| normalised(text.to_owned()))
            }
        },
    })
}

fn number(text: &str) -> Option<Number> {
    if !text.starts_with(|letter: char| letter.is_ascii_digit() || "+-.".contains(letter)) {
        return None;
    }
    let radix = |prefix: &str, radix: u32| {
        let digits = text.strip_prefix(prefix)?;
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        plain.then(|| bigdecimal::num_bigint::BigInt::parse_bytes(digits.as_bytes(), radix))?.map(Number::from)
    };
    radix("0x", 16).or_else(|| radix("0o", 8)).or_else(|| {
        let (negative, unsigned) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        // `.5` and `5.` are numbers here, though not in our own language.
        let bare = unsigned.starts_with('.') && unsigned.len() > 1;
        let padded = if bare { format!("0{unsigned}") } else { unsigned.to_owned() };
        let number: Number = padded.strip_suffix('.').unwrap_or(&padded).parse().ok()?;
        Some(if negative { number.negate() } else { number })
    })
}

/// A date, or a date with a time, as RFC 3339; it is always a text for the language.
fn timestamp(text: &str) -> Option<Value> {
    let (date, clock) = match text.find(['T', 't', ' ']) {
        Some(at) => (&text[..at], &text[at + 1..]),
        None => (text, "00:00:00"),
    };
    let parts: Vec<&str> = date.split('-').collect();
    let [year, month, day] = parts[..] else { return None };
    let digits = |text: &str, least: usize, most: usize| {
        let fits = (least..=most).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| text.parse::<i16>().ok()).flatten()
    };
    let (year, month, day) = (digits(year, 4, 4)?, digits(month, 1, 2)?, digits(day, 1, 2)?);
    let zone = clock.find(['Z', 'z', '+', '-']).unwrap_or(clock.len());
    let (time, zone) = clock.split_at(zone);
    // Parts of a second are cut off; an offset that was written stays.
    let time = time.trim_end().split('.').next().unwrap_or_default();
    let zone = if zone.is_empty() { "Z".to_owned() } else { zone.to_uppercase() };
    let written = format!("{year:04}-{month:02}-{day:02}T{time:0>8}{zone}");
    super::time::is_timestamp(&written).then(|| written.into())
}

/// A quoted text over several lines: one line break is a space, more are one less.
pub(super) fn fold(text: &str) -> String {
    if !text.contains('\n') {
        return text.to_owned();
    }
    let lines: Vec<&str> = text.split('\n').collect();
    let last = lines.len() - 1;
    let mut made = String::new();
    let mut breaks = 0;
    for (index, line) in lines.iter().enumerate() {
        let line = if index > 0 { line.trim_start_matches([' ', '\t']) } else { line };
        let line = if index < last { line.trim_end_matches([' ', '\t']) } else { line };
        if index > 0 {
            breaks += 1;
        }
        if line.is_empty() && index < last && index > 0 {
            continue;
        }
        if breaks > 0 {
            made.push_str(&if breaks > 1 { "\n".repeat(breaks - 1) } else { " ".to_owned() });
            breaks = 0;
        }
        made.push_str(line);
    }
    made
}

/// The inside of a text in double quotes; nothing when an escape means nothing.
pub(super) fn unescape(inside: &str) -> Option<String> {
    // Escaped line breaks first, since folding would eat their indentation.
    let mut joined = String::with_capacity(inside.len());
    let mut letters = inside.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            joined.push(letter);
        } else if letters.peek() == Some(&'\n') {
            letters.next();
            while letters.next_if(|next| *next == ' ' || *next == '\t').is_some() {}
        } else {
            joined.push('\\');
            joined.extend(letters.next());
        }
    }
    let folded = fold(&joined);
    let mut made = String::with_capacity(folded.len());
    let mut letters = folded.chars();
    while let Some(letter) = letters.next() {
        if letter != '\\' {
            made.push(letter);
            continue;
        }
        let escape = letters.next()?;
        let digits = match escape {
            'x' => 2,
            'u' => 4,
            'U' => 8,
            _ => 0,
        };
        made.push(if digits > 0 {
            let code: String = letters.by_ref().take(digits).collect();
            u32::from_str_radix(&code, 16).ok().filter(|_| code.len() == digits).and_then(char::from_u32)?
        } else {
            match escape {
                '0' => '\0',
                'a' => '\u{7}',
                'b' => '\u{8}',
                't' | '\t' => '\t',
                'n' => '\n',
                'v' => '\u{b}',
                'f' => '\u{c}',
                'r' => '\r',
                'e' => '\u{1b}',
                ' ' | '"' | '\\' | '\'' => escape,
                'N' => '\u{85}',
                '_' => '\u{a0}',
                'L' => '\u{2028}',
                'P' => '\u{2029}',
                _ => return None,
            }
        });
    }
    Some(made)
}

/// The lines of a `|` or `>` text, their margin already gone.
pub(super) fn block(lines: &[&str], folded: bool, keep: bool, strip: bool) -> String {
    let used = lines.iter().rposition(|line| !line.is_empty()).map_or(0, |last| last + 1);
    let (body, trailing) = lines.split_at(used);
    let mut made = String::new();
    let mut breaks = 0;
    let mut previous_plain = false;
    for (index, line) in body.iter().enumerate() {
        if folded && line.is_empty() {
            breaks += 1;
            continue;
        }
        let is_plain = !line.starts_with([' ', '\t']);
        if index > 0 || breaks > 0 {
            let joinable = folded && is_plain && previous_plain;
            made.push_str(&match (joinable, breaks, made.is_empty()) {
                (true, 0, _) => " ".to_owned(),
                (true, breaks, _) => "\n".repeat(breaks),
                (false, breaks, true) => "\n".repeat(breaks),
                (false, breaks, false) => "\n".repeat(breaks + 1),
            });
        }
        made.push_str(line);
        breaks = 0;
        previous_plain = is_plain;
    }
    if !body.is_empty() && !strip {
        made.push('\n');
    }
    if keep {
        made.push_str(&"\n".repeat(trailing.len()));
    }
    made
}
