//! Rust sources as the rules read them: comments, literals and test items blanked, line numbers kept.
//!
//! Invariant: blanking never moves a line, so that every offender can be named with its line.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use regex::Regex;

/// One file below `src/`.
pub struct Source {
    /// `src/value/json.rs`.
    pub path: String,
    /// `["value", "json"]`; empty for `lib.rs`.
    pub module: Vec<String>,
    /// The text as it is on disk.
    pub text: String,
    /// The text without comments, literals and test items.
    pub code: String,
}

impl Source {
    /// A source from its path and text.
    pub fn new(path: &str, text: &str) -> Self {
        let module = path.strip_prefix("src/").unwrap_or(path).trim_end_matches(".rs").trim_end_matches("/mod");
        let module = if module == "lib" { Vec::new() } else { module.split('/').map(str::to_owned).collect() };
        let (code, _) = without_tests(&blank(text));
        Self { path: path.to_owned(), module, text: text.to_owned(), code }
    }
}

/// The library's sources and `main.rs`, without the files that are compiled for tests only.
pub fn sources() -> Vec<Source> {
    let texts: Vec<(String, String)> = super::files()
        .into_iter()
        .filter(|path| path.starts_with("src/") && path.ends_with(".rs"))
        .map(|path| (path.clone(), super::text(&path)))
        .collect();
    assert!(texts.len() > 10, "the sources were not found");
    let mut for_tests = BTreeSet::new();
    for (path, text) in &texts {
        let folder = path.trim_end_matches("lib.rs").trim_end_matches(".rs").trim_end_matches('/');
        for module in without_tests(&blank(text)).1 {
            for_tests.insert(format!("{folder}/{module}.rs"));
            for_tests.insert(format!("{folder}/{module}/"));
        }
    }
    let is_test =
        |path: &String| for_tests.iter().any(|test| path == test || (test.ends_with('/') && path.starts_with(test)));
    texts.iter().filter(|(path, _)| !is_test(path)).map(|(path, text)| Source::new(path, text)).collect()
}

/// The line, counted from one, in which the byte at `offset` stands.
pub fn line(code: &str, offset: usize) -> usize {
    code[..offset].matches('\n').count() + 1
}

/// The text with comments and the insides of literals replaced by spaces.
pub fn blank(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match chars[at] {
            '/' if chars.get(at + 1) == Some(&'/') => end_of_line(&chars, at),
            '/' if chars.get(at + 1) == Some(&'*') => end_of_block_comment(&chars, at),
            '"' => end_of_string(&chars, at),
            '\'' => end_of_character(&chars, at),
            'r' if !is_word(at.checked_sub(1).map_or(' ', |before| chars[before])) || is_byte_prefix(&chars, at) => {
                end_of_raw_string(&chars, at)
            }
            _ => at,
        };
        if end == at {
            out.push(chars[at]);
            at += 1;
        } else {
            out.extend(chars[at..end].iter().map(|c| if *c == '\n' { '\n' } else { ' ' }));
            at = end;
        }
    }
    out
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_byte_prefix(chars: &[char], at: usize) -> bool {
    at >= 1 && matches!(chars[at - 1], 'b' | 'c') && (at < 2 || !is_word(chars[at - 2]))
}

fn end_of_line(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|c| *c == '\n').map_or(chars.len(), |length| at + length)
}

fn end_of_block_comment(chars: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut here = at;
    while here < chars.len() {
        match (chars[here], chars.get(here + 1)) {
            ('/', Some('*')) => (depth, here) = (depth + 1, here + 2),
            ('*', Some('/')) => (depth, here) = (depth - 1, here + 2),
            _ => here += 1,
        }
        if depth == 0 {
            break;
        }
    }
    here
}

fn end_of_string(chars: &[char], at: usize) -> usize {
    let mut here = at + 1;
    while here < chars.len() && chars[here] != '"' {
        here += if chars[here] == '\\' { 2 } else { 1 };
    }
    (here + 1).min(chars.len())
}

/// The end of a character literal; `at` itself when the quote begins a lifetime.
fn end_of_character(chars: &[char], at: usize) -> usize {
    if chars.get(at + 1) == Some(&'\\') {
        let close = chars.iter().skip(at + 3).position(|c| *c == '\'');
        return close.map_or(chars.len(), |length| at + 3 + length + 1);
    }
    if chars.get(at + 2) == Some(&'\'') { at + 3 } else { at }
}

/// The end of a raw string; `at` itself when the `r` begins a word or a raw identifier.
fn end_of_raw_string(chars: &[char], at: usize) -> usize {
    let hashes = chars[at + 1..].iter().take_while(|c| **c == '#').count();
    if chars.get(at + 1 + hashes) != Some(&'"') {
        return at;
    }
    let mut here = at + 2 + hashes;
    while here < chars.len() {
        if chars[here] == '"' && chars[here + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes {
            return here + 1 + hashes;
        }
        here += 1;
    }
    here
}

static TEST_ATTRIBUTE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"#\[cfg\((?:test|(?:all|any)\([^\]]*\btest\b[^\]]*)\)\s*\]").expect("the pattern is right")
});
static ITEM: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"^\s*(?:pub|fn|mod|use|impl|struct|enum|const|static|type|trait|async|unsafe|extern|macro_rules|let)\b")
        .expect("the pattern is right")
});
static TEST_MODULE: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bmod\s+(\w+)\s*;").expect("the pattern is right"));

/// Blanked code without the items under `#[cfg(test)]`, and the modules among them that have their own file.
fn without_tests(code: &str) -> (String, Vec<String>) {
    let mut code = code.to_owned();
    let mut modules = Vec::new();
    if code.trim_start().starts_with("#![cfg(test)]") {
        return (code.chars().map(|c| if c == '\n' { '\n' } else { ' ' }).collect(), modules);
    }
    while let Some(attribute) = TEST_ATTRIBUTE.find(&code) {
        let (start, after) = (attribute.start(), attribute.end());
        let end = end_of_item(&code, after);
        let item = &code[start..end];
        modules.extend(TEST_MODULE.captures(item).map(|found| found[1].to_owned()));
        let blanked: String = item.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect();
        code.replace_range(start..end, &blanked);
    }
    (code, modules)
}

/// Where the item, field or arm that begins at `start` ends, further attributes included.
fn end_of_item(code: &str, start: usize) -> usize {
    let attributes = Regex::new(r"^(?:\s*#\[[^\]]*\])*").expect("the pattern is right");
    let start = start + attributes.find(&code[start..]).map_or(0, |found| found.end());
    let stops_at_comma = !ITEM.is_match(&code[start..]);
    let mut depth = 0_usize;
    for (offset, byte) in code.as_bytes()[start..].iter().enumerate() {
        let here = start + offset;
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' if depth == 0 => return here,
            b'}' if depth == 1 => return here + 1,
            b')' | b']' | b'}' => depth -= 1,
            b';' if depth == 0 => return here + 1,
            b',' if depth == 0 && stops_at_comma => return here + 1,
            _ => {}
        }
    }
    code.len()
}

#[test]
fn comments_and_literals_are_blanked_and_lines_stay() {
    let text = "let a = \"use crate::cli; \\\" x\"; // crate::cli\n/* crate::cli /* twice */ crate::cli */ let b = 'x';\n\
                let c = r#\"a \" crate::cli\"#; let d: &'static str = b\"crate::cli\"; let r#type = '\\''; let e = '\"';\n";
    let code = blank(text);
    assert!(!code.contains("crate"), "{code}");
    assert_eq!(code.matches('\n').count(), text.matches('\n').count());
    for kept in ["let a =", "let b =", "let c =", "&'static str", "r#type", "let e ="] {
        assert!(code.contains(kept), "`{kept}` is gone from {code}");
    }
}

#[test]
fn test_items_are_left_out_and_the_rest_stays() {
    let text = "fn one() {}\n#[cfg(test)]\n#[expect(x, reason = \"y\")]\nmod tests {\n    fn two(a: [u8; 2]) { {} }\n}\n\
                #[cfg(all(test, feature = \"aws\"))]\nuse a::{b, c};\n#[cfg(not(test))]\nfn three() {}\n#[cfg(test)]\nmod big;\n\
                struct S { #[cfg(test)] seen: u8, kept: u8 }\nstruct T { #[cfg(test)] seen: u8 }\nfn four() {}\n";
    let (code, modules) = without_tests(&blank(text));
    for gone in ["two", "a::", "mod big", "seen"] {
        assert!(!code.contains(gone), "`{gone}` is left in {code}");
    }
    for kept in ["fn one", "fn three", "kept", "fn four"] {
        assert!(code.contains(kept), "`{kept}` is gone from {code}");
    }
    assert_eq!(modules, ["big"]);
    assert_eq!(line(&code, code.find("fn three").expect("it was kept")), 10);
}
