//! Lengths of time as people write them: `500ms`, `2s`, `5m`, `1h`, `14d`, `2w`. Pure.
//!
//! Invariant: a number without a unit is none.

/// A length of time in milliseconds.
pub fn milliseconds(text: &str) -> Option<u64> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let factor = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" | "min" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 7 * 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// As PostgreSQL takes time-outs: up to 24 days.
pub fn timeout_milliseconds(text: &str) -> Option<u64> {
    milliseconds(text).filter(|milliseconds| *milliseconds <= i32::MAX as u64)
}

/// In the largest unit that it is whole in.
pub fn shown(milliseconds: u64) -> String {
    let units = [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000)];
    let unit = units.into_iter().find(|(_, factor)| milliseconds > 0 && milliseconds.is_multiple_of(*factor));
    unit.map_or_else(|| format!("{milliseconds}ms"), |(unit, factor)| format!("{}{unit}", milliseconds / factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time() {
        for (text, wanted) in [
            ("500ms", 500),
            ("3s", 3_000),
            ("2m", 120_000),
            ("1h", 3_600_000),
            ("14d", 1_209_600_000),
            ("2w", 1_209_600_000),
        ] {
            assert_eq!(milliseconds(text), Some(wanted), "{text}");
        }
        for bad in ["3", "s", "3 weeks", "-1s", "99999999999999999h", ""] {
            assert_eq!(milliseconds(bad), None, "{bad}");
        }
        assert_eq!(timeout_milliseconds("4w"), None);
        assert_eq!([0, 500, 90_000, 1_209_600_000].map(shown), ["0ms", "500ms", "90s", "2w"]);
    }
}
