//! Lengths of time as people write them in `timeouts`: `90s`, `20m`, `1h30m`. Pure.
//!
//! Invariant: a text that is not wholly understood is refused, never read in part.

use std::time::Duration;

use crate::kind::{Attribute, Mistake};
use crate::value::{Object, Type, Value};

/// The `timeouts` block.
pub fn attribute() -> Attribute {
    let part = |name, documentation| Attribute::optional(name, Type::String, documentation);
    Attribute::block(
        "timeouts",
        vec![
            part("create", "How long a creation may take; absent: 20m."),
            part("update", "How long a change may take; absent: 20m."),
            part("delete", "How long a removal may take; absent: 20m."),
        ],
        "How long is waited, as `90s`, `20m` or `1h30m`.",
    )
    .write_only()
}

/// How long this part (`create`, `update`, `delete`) may take.
pub fn limit(object: &Object, part: &str) -> Duration {
    let block = object.get("timeouts").and_then(Value::items).and_then(<[Value]>::first);
    let text = block.and_then(|block| block.get(part)).and_then(Value::as_str);
    text.and_then(parse).unwrap_or(Duration::from_secs(20 * 60))
}

/// Reads one.
pub fn parse(text: &str) -> Option<Duration> {
    let mut total = 0_u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.find(|letter: char| !letter.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let seconds = match rest[digits..].chars().next()? {
            'h' => 3600,
            'm' => 60,
            's' => 1,
            _ => return None,
        };
        total = total.checked_add(number.checked_mul(seconds)?)?;
        rest = &rest[digits + 1..];
    }
    (total > 0).then_some(Duration::from_secs(total))
}

/// Mistakes in a `timeouts` block.
pub fn check(object: &Object) -> Vec<Mistake> {
    let blocks = object.get("timeouts").and_then(Value::items).into_iter().flatten();
    let texts = blocks.filter_map(Value::entries).flatten().filter_map(|(_, value)| value.as_str());
    texts
        .filter(|text| parse(text).is_none())
        .map(|text| Mistake {
            attribute: Some("timeouts".to_owned()),
            text: format!("`{text}` is not a length of time"),
            help: "write hours, minutes and seconds, as `90s`, `20m` or `1h30m`".to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_whole_or_not_at_all() {
        assert_eq!(parse("90s"), Some(Duration::from_secs(90)));
        assert_eq!(parse("1h30m"), Some(Duration::from_secs(5400)));
        for wrong in ["", "20", "m", "20 m", "1d", "0s", "-5s", "99999999999999999999h"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
