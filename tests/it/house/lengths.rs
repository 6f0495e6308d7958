//! Files and functions stay short: 600 lines and 70 lines, test items apart.

use std::sync::LazyLock;

use regex::Regex;

use super::source::{Source, line, sources};

const FILE_LINES: usize = 600;
const FUNCTION_LINES: usize = 70;

static FUNCTION: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bfn\s+(\w+)").expect("the pattern is right"));

/// The functions of blanked code: name, first line, number of lines.
fn functions(code: &str) -> Vec<(String, usize, usize)> {
    FUNCTION
        .captures_iter(code)
        .filter_map(|found| {
            let start = found.get(0).expect("the whole match is there").start();
            let end = end_of_body(&code[start..])?;
            let first = line(code, start);
            Some((found[1].to_owned(), first, line(code, start + end) - first + 1))
        })
        .collect()
}

/// Where the body of the function that begins here closes; nothing for a declaration.
fn end_of_body(code: &str) -> Option<usize> {
    let (mut round, mut curly) = (0_usize, 0_usize);
    for (offset, byte) in code.bytes().enumerate() {
        match byte {
            b'(' | b'[' => round += 1,
            b')' | b']' => round = round.saturating_sub(1),
            b';' if round == 0 && curly == 0 => return None,
            b'{' => curly += 1,
            b'}' if curly <= 1 => return Some(offset),
            b'}' => curly -= 1,
            _ => {}
        }
    }
    None
}

fn long_functions(source: &Source) -> Vec<String> {
    functions(&source.code)
        .into_iter()
        .filter(|(_, _, lines)| *lines > FUNCTION_LINES)
        .map(|(name, first, lines)| format!("{}:{first}: `{name}` has {lines} lines", source.path))
        .collect()
}

/// How many lines of a source are not part of its test items.
fn lines_without_tests(source: &Source) -> usize {
    let blanked = super::source::blank(&source.text);
    let is_test = |(code, whole): (&str, &str)| code.trim().is_empty() && !whole.trim().is_empty();
    source.text.lines().count() - source.code.lines().zip(blanked.lines()).filter(|pair| is_test(*pair)).count()
}

#[test]
fn files_are_short() {
    let own = sources().into_iter().map(|source| (lines_without_tests(&source), source.path));
    let tests = super::files().into_iter().filter(|path| path.starts_with("tests/") && path.ends_with(".rs"));
    let tests = tests.map(|path| (super::text(&path).lines().count(), path));
    let long = own.chain(tests).filter(|(lines, _)| *lines > FILE_LINES);
    let long: Vec<String> = long.map(|(lines, path)| format!("{path} has {lines} lines")).collect();
    super::none("a file splits before 600 lines:", &long);
}

#[test]
fn functions_are_short() {
    let long: Vec<String> = sources().iter().flat_map(long_functions).collect();
    super::none("a function splits before 70 lines:", &long);
}

#[test]
fn a_long_function_is_seen_and_test_lines_do_not_count() {
    let long = format!(
        "trait T {{ fn declared(a: [u8; 2]); }}\nfn short() {{}}\nfn long(f: fn(u8)) {{\n{}}}\n#[cfg(test)]\nmod tests {{\n{}}}\n",
        "    { a(); }\n".repeat(FUNCTION_LINES),
        "    fn x() {}\n".repeat(FILE_LINES)
    );
    let source = Source::new("src/sample.rs", &long);
    assert_eq!(long_functions(&source), ["src/sample.rs:3: `long` has 72 lines"]);
    assert!(lines_without_tests(&source) < 90, "{}", lines_without_tests(&source));
}
