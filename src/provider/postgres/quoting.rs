//! Names and literals inside SQL text, where parameters are not allowed. Pure.
//!
//! Invariant: whatever the text, what comes out is one token of SQL.

/// A name in double quotes.
pub fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

/// A string literal that means the same whatever `standard_conforming_strings` is.
pub fn literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    match quoted.contains('\\') {
        true => format!(" E'{}'", quoted.replace('\\', "\\\\")),
        false => format!("'{quoted}'"),
    }
}

/// A name as a migration writes it, with each part in quotes, so that keywords are names too.
pub fn written(name: &str) -> String {
    let mut parts = Vec::new();
    let mut part = String::new();
    let mut in_quotes = false;
    for letter in name.chars() {
        match letter {
            '"' => {
                in_quotes = !in_quotes;
                part.push(letter);
            }
            '.' if !in_quotes => parts.push(std::mem::take(&mut part)),
            _ => part.push(letter),
        }
    }
    parts.push(part);
    let quote = |part: &String| if part.starts_with('"') { part.clone() } else { format!("\"{part}\"") };
    parts.iter().map(quote).collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_part_of_a_name_is_quoted_once() {
        assert_eq!(super::written("app.i"), "\"app\".\"i\"");
        assert_eq!(super::written("\"a.b\".\"I\"\"x\""), "\"a.b\".\"I\"\"x\"");
    }

    #[test]
    fn quotes_are_doubled_and_backslashes_kept() {
        assert_eq!(super::name("a\"; drop"), "\"a\"\"; drop\"");
        assert_eq!(super::literal("it's"), "'it''s'");
        assert_eq!(super::literal("a\\'b"), " E'a\\\\''b'");
    }
}
