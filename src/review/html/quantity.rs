//! Times, sizes and counts as people read them. Pure.
//!
//! Invariant: no more digits than the number deserves: an estimate has two.

/// A time in seconds: `4 ms`, `1.2 s`, `3 min 20 s`.
pub fn time(seconds: f64) -> String {
    let seconds = seconds.max(0.0);
    if seconds < 0.001 {
        return "less than 1 ms".to_owned();
    }
    if seconds < 1.0 {
        return format!("{:.0} ms", rounded(seconds * 1000.0));
    }
    if seconds < 10.0 {
        return format!("{} s", rounded(seconds));
    }
    let whole = seconds.round();
    let (minutes, rest) = ((whole / 60.0).floor(), whole % 60.0);
    if minutes < 1.0 {
        return format!("{whole:.0} s");
    }
    if minutes < 60.0 {
        return format!("{minutes:.0} min {rest:.0} s");
    }
    format!("{:.0} h {:.0} min", (minutes / 60.0).floor(), minutes % 60.0)
}

/// A time that is not exact: `about 4 ms`, and what is too short to be told as it is.
pub fn about(seconds: f64) -> String {
    if seconds < 0.001 { time(seconds) } else { format!("about {}", time(seconds)) }
}

/// A size: `1.2 GB`.
pub fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "two digits of it are shown")]
    scaled(bytes as f64, &["bytes", "kB", "MB", "GB", "TB"])
}

/// A number of things that are expected: `340`, `1.2 million`.
pub fn expected(count: f64) -> String {
    if count < 10.0 {
        return format!("{count:.0}");
    }
    scaled(count, &["", "thousand", "million", "billion"])
}

fn scaled(mut number: f64, units: &[&str]) -> String {
    let mut unit = 0;
    while number >= 1000.0 && unit + 1 < units.len() {
        number /= 1000.0;
        unit += 1;
    }
    format!("{} {}", rounded(number), units[unit]).trim_end().to_owned()
}

/// Two digits.
fn rounded(number: f64) -> f64 {
    if number == 0.0 {
        return 0.0;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the number of digits of a number is small")]
    let digits = 1 - number.abs().log10().floor() as i32;
    let factor = 10f64.powi(digits);
    (number * factor).round() / factor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        let times = [0.0, 0.0042, 0.25, 1.234, 9.96, 42.4, 200.0, 7_265.0].map(time);
        assert_eq!(times, ["less than 1 ms", "4 ms", "250 ms", "1.2 s", "10 s", "42 s", "3 min 20 s", "2 h 1 min"]);
        assert_eq!([0, 999, 1_234_000_000].map(size), ["0 bytes", "1000 bytes", "1.2 GB"]);
        assert_eq!([0.0, 1.6, 7.0, 340.0, 1_250_000.0].map(expected), ["0", "2", "7", "340", "1.3 million"]);
    }
}
