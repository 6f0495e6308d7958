//! Which brace of a text that does not parse was never closed. Pure.
//!
//! Invariant: braces in strings, heredocs and comments do not count; those of `${ … }` in them are matched among themselves.
//! Which of the open ones lacks its partner is told from how the lines are indented.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

/// A brace that was opened and never closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unclosed {
    /// The block, in words that hold nothing secret.
    pub what: String,
    /// Its line, from one.
    pub line: usize,
    /// From the first word of that line to the brace.
    pub header: Range<usize>,
    /// The line before which the partner has to stand, where something shows it.
    before: Option<usize>,
}

impl Unclosed {
    /// How to mend it.
    pub fn help(&self) -> String {
        match self.before {
            Some(line) => format!("add its `}}` before line {line}"),
            None => "add its `}` at the end".to_owned(),
        }
    }
}

/// A brace that waits for its partner.
#[derive(Clone, Copy, Debug)]
struct Open {
    at: usize,
    line: usize,
    /// How far its line is indented; nothing inside of a string.
    indent: Option<usize>,
}

/// The brace that was never closed; nothing where all are, or where a string has no end, so that nobody can tell.
pub(super) fn find(text: &str) -> Option<Unclosed> {
    let mut scanner = Scanner { text, at: 0, line: 1, open: Vec::new(), suspect: None };
    scanner.run()?;
    let innermost = scanner.open.last()?;
    let (open, before) = match scanner.suspect {
        Some((open, before)) => (open, Some(before)),
        None => (*innermost, None),
    };
    let begin = text[..open.at].rfind('\n').map_or(0, |at| at + 1);
    let start = begin + text[begin..].len() - text[begin..].trim_start().len();
    let header = start.min(open.at)..open.at + 1;
    Some(Unclosed { what: what(&text[header.clone()]), line: open.line, header, before })
}

/// A block by its word and labels. Whatever else stands before a brace may be a secret.
fn what(header: &str) -> String {
    static BLOCK: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"^([A-Za-z_][\w-]*(?:\s+"[\w.-]*")*)\s*\{$"#).expect("the expression is a constant")
    });
    match BLOCK.captures(header) {
        Some(found) => format!("the block `{}`", &found[1]),
        None => "the brace".to_owned(),
    }
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    open: Vec<Open>,
    /// The first brace whose partner the indentation does not show, and the line by which it is missed.
    suspect: Option<(Open, usize)>,
}

impl Scanner<'_> {
    /// Goes through the text; nothing when it cannot be told.
    fn run(&mut self) -> Option<()> {
        while let Some(letter) = self.rest().chars().next() {
            let rest = self.rest();
            match letter {
                '#' => self.skip_line(),
                '/' if rest.starts_with("//") => self.skip_line(),
                '/' if rest.starts_with("/*") => self.skip(rest.find("*/")? + 2),
                '"' => self.string()?,
                '<' if rest.starts_with("<<") => self.heredoc()?,
                '{' => {
                    self.opened();
                    self.skip(1);
                }
                '}' => {
                    self.closed()?;
                    self.skip(1);
                }
                _ => self.skip(letter.len_utf8()),
            }
        }
        Some(())
    }

    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn skip(&mut self, bytes: usize) {
        let passed = &self.text[self.at..self.at + bytes];
        self.line += passed.matches('\n').count();
        self.at += bytes;
    }

    fn skip_line(&mut self) {
        let end = self.rest().find('\n').unwrap_or(self.rest().len());
        self.skip(end);
    }

    /// What stands before this place on its line.
    fn before(&self) -> &str {
        let begin = self.text[..self.at].rfind('\n').map_or(0, |at| at + 1);
        &self.text[begin..self.at]
    }

    fn indent(&self) -> usize {
        self.before().chars().take_while(|letter| letter.is_whitespace()).count()
    }

    fn opened(&mut self) {
        let indent = self.indent();
        // A line that is indented no further than the one it should lie within does not lie in it.
        let around = self.open.last().filter(|around| around.line < self.line);
        let around = around.filter(|around| around.indent.is_some_and(|outer| indent <= outer)).copied();
        if let Some(around) = around {
            self.suspect.get_or_insert((around, self.line));
        }
        self.open.push(Open { at: self.at, line: self.line, indent: Some(indent) });
    }

    fn closed(&mut self) -> Option<()> {
        let is_first = self.before().trim().is_empty();
        let closed = self.open.pop()?;
        // A brace that stands further left than what it closes was meant for something around that.
        if is_first && closed.line < self.line && closed.indent.is_some_and(|inner| self.indent() < inner) {
            self.suspect.get_or_insert((closed, self.line));
        }
        Some(())
    }

    /// A string in quotes: it ends on its line, but for what stands in `${ … }`.
    fn string(&mut self) -> Option<()> {
        self.skip(1);
        loop {
            let letter = self.rest().chars().next()?;
            let rest = self.rest();
            match letter {
                '"' => {
                    self.skip(1);
                    return Some(());
                }
                '\n' => return None,
                '\\' => self.skip(1 + rest[1..].chars().next()?.len_utf8()),
                '$' | '%' if rest[1..].starts_with(letter) && rest[2..].starts_with('{') => self.skip(3),
                '$' | '%' if rest[1..].starts_with('{') => self.template()?,
                _ => self.skip(letter.len_utf8()),
            }
        }
    }

    /// `${ … }` in a string.
    fn template(&mut self) -> Option<()> {
        self.skip(2);
        let mut depth = 1;
        while depth > 0 {
            let letter = self.rest().chars().next()?;
            match letter {
                '"' => self.string()?,
                '{' => {
                    depth += 1;
                    self.skip(1);
                }
                '}' => {
                    depth -= 1;
                    self.skip(1);
                }
                _ => self.skip(letter.len_utf8()),
            }
        }
        Some(())
    }

    /// `<<WORD` and `<<-WORD`, to the line that holds the word alone; `<<` elsewhere is nothing.
    fn heredoc(&mut self) -> Option<()> {
        static WORD: LazyLock<Regex> =
            LazyLock::new(|| Regex::new(r"^<<-?([A-Za-z_][\w-]*)[ \t]*\r?\n").expect("the expression is a constant"));
        let Some(found) = WORD.captures(self.rest()) else {
            self.skip(2);
            return Some(());
        };
        let (head, word) = (found[0].len(), found[1].to_owned());
        self.skip(head);
        loop {
            let line = self.rest().split_inclusive('\n').next()?;
            let (is_end, length) = (line.trim() == word, line.len());
            self.skip(if is_end { line.trim_end().len() } else { length });
            if is_end {
                return Some(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The line of the brace that is told, in which words, and how it is mended.
    fn told(text: &str) -> Option<(usize, String, String)> {
        find(text).map(|open| (open.line, open.what.clone(), open.help()))
    }

    fn block(line: usize, what: &str, help: &str) -> Option<(usize, String, String)> {
        Some((line, format!("the block `{what}`"), help.to_owned()))
    }

    #[test]
    fn the_block_that_lacks_its_brace_is_told_by_how_lines_are_indented() {
        let last = "resource \"a\" \"b\" {\n  x = 1\n}\nlocals {\n  y = 2\n";
        assert_eq!(told(last), block(4, "locals", "add its `}` at the end"));
        let first = "resource \"a\" \"b\" {\n  x = 1\n\nlocals {\n  y = 2\n}\n";
        assert_eq!(told(first), block(1, "resource \"a\" \"b\"", "add its `}` before line 4"));
        let inner = "resource \"a\" \"b\" {\n  lifecycle {\n    x = 1\n}\n\noutput \"o\" {\n  value = 1\n}\n";
        assert_eq!(told(inner), block(2, "lifecycle", "add its `}` before line 4"));
        let object = "resource \"a\" \"b\" {\n  tags = {\n    x = 1\n}\n";
        assert_eq!(told(object), Some((2, "the brace".to_owned(), "add its `}` before line 4".to_owned())));
        let siblings = "a {\n  b {\n    x = 1\n  c {\n    y = 1\n  }\n}\n";
        assert_eq!(told(siblings), block(2, "b", "add its `}` before line 4"));
    }

    #[test]
    fn braces_in_strings_heredocs_and_comments_do_not_count() {
        let text = "a {\n  # {\n  // {\n  /* { */ x = \"{ ${f({ a = \"}\" })} $${ \\\" {\"\n  y = <<-EOT\n    { ${z} \"\n  EOT\n}\n";
        assert_eq!(told(text), None);
        assert_eq!(told(&text[..text.len() - 2]), block(1, "a", "add its `}` at the end"));
        assert_eq!(told("a {\n  x = \"no end\n}\nb {\n"), None, "a string without an end leaves all open");
        assert_eq!(told("a {\n}\n}\n"), None, "one too many is the parser's");
        assert_eq!(told("a { b = 1 }\nc {\n  d = [{ e = 1 }, { f = 2 }]\n"), block(2, "c", "add its `}` at the end"));
    }
}
