//! SQL with its words told apart, line by line. Pure.
//!
//! Invariant: it only adds colour: the text of the lines is the text that was given, whatever that is.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use super::markup::{Markup, of_class};

/// Words that are printed as words of the language.
static WORDS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| LIST.split_whitespace().collect());

/// The same as a text.
const LIST: &str = "add after all alter always analyze and any array as asc attach before begin between by cascade case cast check \
    column comment commit concurrently constraint create cross current_date current_timestamp database declare \
    default deferrable delete desc detach distinct do domain drop each else elsif end enum except exclude execute \
    exists extension false for foreign from full function generated grant group having identity if ilike immutable \
    in include index inherit inner insert instead into is join key language lateral left like limit lock loop \
    materialized not null of on only or order over owner partition policy primary procedure raise references refresh \
    reindex rename replace return returning returns revoke right rollback row schema select sequence set share some \
    stable statement strict table tablespace temporary then to trigger true truncate type union unique update using \
    vacuum valid validate values view volatile when where while with without";

/// What a piece of SQL is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sort {
    Plain,
    Word,
    Text,
    Number,
    Comment,
}

/// The lines of a text, without their line feeds.
pub fn lines(text: &str) -> Vec<Markup> {
    let mut lines = vec![Markup::new()];
    for (sort, piece) in pieces(text) {
        for (index, part) in piece.split('\n').enumerate() {
            if index > 0 {
                lines.push(Markup::new());
            }
            let Some(line) = lines.last_mut().filter(|_| !part.is_empty()) else {
                continue;
            };
            match sort {
                Sort::Plain => line.push(part),
                Sort::Word => line.push(of_class("span", "word", part)),
                Sort::Text => line.push(of_class("span", "text", part)),
                Sort::Number => line.push(of_class("span", "number", part)),
                Sort::Comment => line.push(of_class("span", "comment", part)),
            }
        }
    }
    lines
}

fn pieces(text: &str) -> Vec<(Sort, &str)> {
    let mut pieces: Vec<(Sort, &str)> = Vec::new();
    let (mut at, mut plain) = (0, 0);
    while at < text.len() {
        let (sort, length) = next(&text[at..]);
        if sort != Sort::Plain {
            if plain < at {
                pieces.push((Sort::Plain, &text[plain..at]));
            }
            pieces.push((sort, &text[at..at + length]));
            plain = at + length;
        }
        at += length;
    }
    if plain < text.len() {
        pieces.push((Sort::Plain, &text[plain..]));
    }
    pieces
}

/// What stands at the start of a text that is not empty, and how long that is.
fn next(text: &str) -> (Sort, usize) {
    let first = text.chars().next().unwrap_or_default();
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    if text.starts_with("--") {
        return (Sort::Comment, text.find('\n').unwrap_or(text.len()));
    }
    if let Some(inside) = text.strip_prefix("/*") {
        return (Sort::Comment, inside.find("*/").map_or(text.len(), |end| end + 4));
    }
    match first {
        '\'' => (Sort::Text, until(text, '\'')),
        '"' => (Sort::Plain, until(text, '"')),
        '$' => match tag(text) {
            // The inside of a body is SQL again, so only its marks are texts.
            Some(tag) => (Sort::Text, tag),
            None => (Sort::Plain, 1),
        },
        digit if digit.is_ascii_digit() => {
            let end = text.find(|character: char| !is_part(character) && character != '.').unwrap_or(text.len());
            (Sort::Number, end)
        }
        letter if is_part(letter) => {
            let end = text.find(|character: char| !is_part(character)).unwrap_or(text.len());
            let is_word = WORDS.contains(text[..end].to_ascii_lowercase().as_str());
            (if is_word { Sort::Word } else { Sort::Plain }, end)
        }
        other => (Sort::Plain, other.len_utf8()),
    }
}

/// How long a quoted text is, its two quotes included.
fn until(text: &str, quote: char) -> usize {
    text[1..].find(quote).map_or(text.len(), |end| end + 2)
}

/// How long the mark of a dollar-quoted text is that starts here.
fn tag(text: &str) -> Option<usize> {
    let end = text[1..].find('$')? + 1;
    let name = &text[1..end];
    let is_tag = name.chars().all(|character| character.is_alphanumeric() || character == '_')
        && !name.starts_with(|character: char| character.is_ascii_digit());
    is_tag.then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_texts_and_comments_are_told_apart() {
        let told = lines("SELECT 'it''s\nmore', 12 -- why\n/* a\nb */ FROM \"from\" $x$ end $x$").into_iter();
        let told: Vec<String> = told.map(Markup::into_string).collect();
        let span = |class: &str, text: &str| format!("<span class=\"{class}\">{text}</span>");
        let first = format!("{} {}{}", span("word", "SELECT"), span("text", "&#39;it&#39;"), span("text", "&#39;s"));
        let second = format!("{}, {} {}", span("text", "more&#39;"), span("number", "12"), span("comment", "-- why"));
        let last = format!(
            "{} {} &quot;from&quot; {} {} {}",
            span("comment", "b */"),
            span("word", "FROM"),
            span("text", "$x$"),
            span("word", "end"),
            span("text", "$x$")
        );
        assert_eq!(told, [first, second, span("comment", "/* a"), last]);
    }

    #[test]
    fn no_text_is_lost_whatever_it_is() {
        for text in ["", "'", "$", "$1", "$$", "\"", "/*", "--", "é'ü\n\n", "1.2.3e4", "a$b$c", "\u{202e}'\u{1b}"] {
            assert_eq!(pieces(text).iter().map(|(_, piece)| *piece).collect::<String>(), text);
            assert_eq!(lines(text).len(), text.split('\n').count(), "{text}");
        }
    }
}
