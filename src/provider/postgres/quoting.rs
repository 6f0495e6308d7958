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

#[cfg(test)]
mod tests {
    #[test]
    fn quotes_are_doubled_and_backslashes_kept() {
        assert_eq!(super::name("a\"; drop"), "\"a\"\"; drop\"");
        assert_eq!(super::literal("it's"), "'it''s'");
        assert_eq!(super::literal("a\\'b"), " E'a\\\\''b'");
    }
}
