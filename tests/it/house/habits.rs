//! Habits that a reader relies on: every module says what it is, nothing is silenced, no path of one machine.

use std::fs;
use std::sync::LazyLock;

use regex::Regex;

use super::source::{Source, blank, line, sources};

static ALLOW: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"#!?\[\s*(?:cfg_attr\s*\([^\]]*,\s*)?allow\s*\(").expect("the pattern is right"));
static UNWRAP: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\.\s*unwrap\s*\(\s*\)").expect("the pattern is right"));
static MACHINE_PATH: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?:^|[^\w./~$}-])/(?:work|root|home|Users)/").expect("the pattern is right"));

/// The places in a text where a pattern stands.
fn places(path: &str, code: &str, pattern: &Regex) -> Vec<String> {
    pattern
        .find_iter(code)
        .map(|found| format!("{path}:{}: {}", line(code, found.start()), found.as_str().trim()))
        .collect()
}

fn opens_with_its_purpose(text: &str) -> bool {
    text.lines().find(|line| !line.trim().is_empty()).is_some_and(|line| line.starts_with("//!"))
}

#[test]
fn every_module_says_what_it_is() {
    let rust = super::files().into_iter().filter(|path| path.ends_with(".rs"));
    let silent: Vec<String> = rust.filter(|path| !opens_with_its_purpose(&super::text(path))).collect();
    super::none("every Rust file opens with `//!`: its purpose, whether it is pure, one invariant:", &silent);
    assert!(!opens_with_its_purpose("use a::b;\n//! late\n"));
}

#[test]
fn nothing_is_allowed_only_expected() {
    let rust = super::files().into_iter().filter(|path| path.ends_with(".rs"));
    let found: Vec<String> = rust.flat_map(|path| places(&path, &blank(&super::text(&path)), &ALLOW)).collect();
    super::none("`#[expect(lint, reason = …)]` goes when its cause goes, `#[allow]` stays for ever:", &found);
    for bad in ["#[allow(dead_code)]", "#![allow(x)]", "#[cfg_attr(test, allow(x))]"] {
        assert_eq!(places("sample", bad, &ALLOW).len(), 1, "{bad}");
    }
    assert!(places("sample", "#[expect(dead_code)] fn allow(a: u8) {}", &ALLOW).is_empty());
}

#[test]
fn nothing_unwraps_outside_tests() {
    let found: Vec<String> = sources().iter().flat_map(|source| places(&source.path, &source.code, &UNWRAP)).collect();
    super::none("a bug is an `expect(\"why it cannot be\")`:", &found);
    let sample = Source::new(
        "src/a.rs",
        "fn f() { a.unwrap(); }\n#[cfg(test)]\nmod tests { fn g() { b.unwrap() } } // .unwrap()\n",
    );
    assert_eq!(places(&sample.path, &sample.code, &UNWRAP), ["src/a.rs:1: .unwrap()"]);
}

#[test]
fn no_file_names_a_path_of_one_machine() {
    let mut found = Vec::new();
    for path in super::files() {
        let bytes = fs::read(super::root().join(&path)).expect("a file of the repository can be read");
        found.extend(places(&path, &String::from_utf8_lossy(&bytes), &MACHINE_PATH));
    }
    super::none("a path of one machine means nothing on another:", &found);
    let sample = format!("see `/{}/a`, https://example.com/{0}/b and $HOME/{0}/c", "work");
    assert_eq!(places("sample", &sample, &MACHINE_PATH).len(), 1);
}
