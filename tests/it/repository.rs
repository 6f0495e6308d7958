//! A Git repository for a test: nobody's settings are read in it, and whoever commits is called the same.
//!
//! Invariant: every `git` of a test, and every one that the program calls in a test, gets [`VARIABLES`].

#[cfg(all(feature = "aws", feature = "postgres"))]
pub mod ci;

use std::path::Path;
use std::process::{Command, Stdio};

/// What Git has in its environment.
pub const VARIABLES: [(&str, &str); 6] = [
    ("GIT_AUTHOR_NAME", "tester"),
    ("GIT_AUTHOR_EMAIL", "tester@example.org"),
    ("GIT_COMMITTER_NAME", "tester"),
    ("GIT_COMMITTER_EMAIL", "tester@example.org"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
];

/// Runs Git in a folder and gives what it prints.
///
/// # Panics
/// When it fails.
#[track_caller]
pub fn git(folder: &Path, words: &[&str]) -> String {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(words).envs(VARIABLES).stdin(Stdio::null());
    let output = git.output().unwrap();
    assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Makes a folder a repository, with the branch `main`.
pub fn begin(folder: &Path) {
    git(folder, &["init", "--quiet", "--initial-branch", "main"]);
}

/// Commits all that is there.
pub fn commit(folder: &Path, message: &str) {
    git(folder, &["add", "--all"]);
    git(folder, &["commit", "--quiet", "--message", message]);
}
