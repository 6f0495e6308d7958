//! `soak`, `windows`, `accept`, `requires_tests` and `actors` of an `environment` block. Pure.
//!
//! Invariant: what is not understood is a mistake, never an open gate.

use std::collections::BTreeSet;

use super::body::Body;
use super::paths::TEST_ENDING;
use super::settings::{Plain, plain};
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::release::gates::{Gates, Window};
use crate::value::Value;

/// Reads what a release has to wait for.
pub(super) fn read(body: &Body, diagnostics: &mut Diagnostics) -> Gates {
    let mut plain = Plain { body, diagnostics };
    let (soak, windows, accept) = (plain.text("soak"), plain.texts("windows"), plain.texts("accept"));
    let actors = plain.texts("actors").into_iter().flatten().collect();
    let mut mistake = |name: &str, summary: &str, detail: String, help: &str| {
        let span = body.expr(name).map(|expr| expr.span);
        diagnostics.push(Diagnostic::error(summary).at(span).detail(detail).help(help));
    };
    let soak_seconds = soak.as_deref().and_then(|text| {
        let read = seconds(text);
        if read.is_none() {
            mistake(
                "soak",
                "a time is not understood",
                format!("`soak` is `{text}`"),
                "write it as `30m`, `24h` or `7d`",
            );
        }
        read
    });
    let mut open = Vec::new();
    for text in windows.into_iter().flatten() {
        match text.parse::<Window>() {
            Ok(window) => open.push(window),
            Err(why) => mistake("windows", "a window is not understood", why, "as in `mon-thu 09:00-16:00 UTC`"),
        }
    }
    let tests = tests(body, diagnostics);
    Gates { soak_seconds, windows: open, accept: accept.into_iter().flatten().collect(), tests, actors }
}

/// `requires_tests = true`, or the names of files.
fn tests(body: &Body, diagnostics: &mut Diagnostics) -> Option<BTreeSet<String>> {
    let expr = body.expr("requires_tests")?;
    let value = plain(expr);
    if let Some(wanted) = value.as_ref().and_then(Value::as_bool) {
        return wanted.then(BTreeSet::new);
    }
    let items = value.as_ref().and_then(Value::items).into_iter().flatten();
    let names: Option<BTreeSet<String>> = items
        .map(|item| {
            let name = item.as_str()?;
            Some(name.strip_suffix(TEST_ENDING).unwrap_or(name).to_owned())
        })
        .collect();
    if names.as_ref().is_none_or(BTreeSet::is_empty) {
        diagnostics.push(
            Diagnostic::error("a plain value is wanted here")
                .at(expr.span)
                .detail("`requires_tests` takes `true`, or the names of files of tests")
                .help("write `requires_tests = true`, or like `[\"smoke\"]` for `tests/smoke.test.hcl`"),
        );
    }
    names
}

fn seconds(text: &str) -> Option<u64> {
    let digits = text.find(|character: char| !character.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().ok()?;
    let of_unit = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.checked_mul(of_unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_units() {
        assert_eq!((seconds("90s"), seconds("24h"), seconds("7d")), (Some(90), Some(86_400), Some(604_800)));
        assert_eq!((seconds("24"), seconds("h"), seconds("1w")), (None, None, None));
    }
}
