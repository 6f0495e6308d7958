//! Names inside SQL text that is written by us. Pure.
//!
//! Invariant: whatever the name, each of its parts comes out as one quoted token.

/// The parts of a name as it was written, `app."Us""er"`, without their quotes.
pub fn parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut in_quotes = false;
    let mut letters = name.chars().peekable();
    while let Some(letter) = letters.next() {
        let part = parts.last_mut().expect("there is always one");
        match letter {
            '"' if in_quotes && letters.peek() == Some(&'"') => part.extend(letters.next()),
            '"' => in_quotes = !in_quotes,
            '.' if !in_quotes => parts.push(String::new()),
            _ => part.push(letter),
        }
    }
    parts
}

/// A name as it was written, with each part in quotes, so that keywords are names too.
pub fn quoted(name: &str) -> String {
    parts(name).iter().map(|part| identifier(part)).collect::<Vec<_>>().join(".")
}

/// One part of a name in quotes.
pub fn identifier(part: &str) -> String {
    format!("\"{}\"", part.replace('"', "\"\""))
}

/// The schema of a name, with its dot, if it has one.
pub fn schema(name: &str) -> String {
    let parts = parts(name);
    match parts.split_last() {
        Some((_, [])) | None => String::new(),
        Some((_, before)) => before.iter().map(|part| identifier(part) + ".").collect(),
    }
}

/// The last part of a name.
pub fn last(name: &str) -> String {
    parts(name).pop().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_quoted_once() {
        assert_eq!(quoted("app.order"), "\"app\".\"order\"");
        assert_eq!(quoted("\"a.b\".\"I\"\"x\""), "\"a.b\".\"I\"\"x\"");
        assert_eq!((schema("app.t"), last("app.t"), schema("t")), ("\"app\".".into(), "t".into(), String::new()));
    }
}
