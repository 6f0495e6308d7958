//! The rules of the house, as tests: they read the repository and name every offender.
//!
//! Invariant: each rule is also proven on a small bad sample, so that a rule that sees nothing is noticed.

mod documents;
mod habits;
mod layers;
mod lengths;
mod source;
mod supply;

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The text of a file of the repository.
fn text(path: &str) -> String {
    let file = root().join(path);
    fs::read_to_string(&file).unwrap_or_else(|error| panic!("{} cannot be read: {error}", file.display()))
}

/// Every file of the repository that `.gitignore` does not name, relative to the root, sorted.
///
/// It walks instead of asking git, so that an exported tree is held to the same rules as a clone.
fn files() -> Vec<String> {
    let ignored: Vec<String> = text(".gitignore")
        .lines()
        .map(|line| line.trim_matches('/').to_owned())
        .filter(|line| !line.is_empty())
        .collect();
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::new()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).expect("a folder of the repository can be listed") {
            let entry = entry.expect("an entry of a folder can be read");
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = folder.join(&name);
            if name == ".git" || ignored.iter().any(|pattern| *pattern == name || Path::new(pattern) == path) {
                continue;
            }
            let kind = entry.file_type().expect("the kind of an entry is known");
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    found
}

/// Fails with the rule and all of its offenders, one a line.
#[track_caller]
fn none(rule: &str, offenders: &[String]) {
    assert!(offenders.is_empty(), "{rule}\n  {}\n", offenders.join("\n  "));
}

#[test]
fn the_walk_sees_the_repository_and_not_what_is_built() {
    let files = files();
    for expected in ["Cargo.toml", "src/lib.rs", "tests/it/house/layers.rs", ".ci/run", "dev"] {
        assert!(files.iter().any(|file| file == expected), "{expected} is not among {} files", files.len());
    }
    assert!(!files.iter().any(|file| file.starts_with("target/") || file.starts_with(".git/")));
}
