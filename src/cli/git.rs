//! What only git itself can say or do: what differs from the commit, and tags. An edge: it runs `git`.
//!
//! Invariant: nothing is changed but by [`tag`], which makes one tag and never moves one.

use std::path::Path;
use std::process::{Command, Stdio};

use super::commit;
use super::failure::Failure;
use crate::release::Commit;

/// The commit of the checkout that a folder is in, and whether tracked or new files below the folder differ from it.
/// Nothing where it is in no checkout.
pub fn commit(folder: &Path) -> Option<Commit> {
    let hash = commit::of(folder)?;
    // Where git cannot be asked, nobody can say that nothing differs.
    let changed = run(folder, &["status", "--porcelain", "--", "."]);
    let dirty = changed.map_or(true, |changed| !changed.is_empty());
    Some(Commit { hash, dirty })
}

/// What a tag is: its own hash, and the commit that it names. Nothing when there is none.
pub fn tag_of(folder: &Path, tag: &str) -> Option<(String, String)> {
    let name = format!("refs/tags/{tag}");
    let object = run(folder, &["rev-parse", "--verify", "--quiet", &name]).ok()?;
    let commit = run(folder, &["rev-parse", "--verify", "--quiet", &format!("{name}^{{commit}}")]).ok()?;
    Some((object, commit))
}

/// Makes an annotated tag of a commit; gives its hash.
///
/// # Errors
/// As git says, also when there is such a tag.
pub fn tag(folder: &Path, tag: &str, commit: &str, message: &str) -> Result<String, Failure> {
    run(folder, &["check-ref-format", &format!("refs/tags/{tag}")])
        .map_err(|_| Failure::usage(format!("`{tag}` is no name of a tag; nothing was done")))?;
    run(folder, &["tag", "--annotate", "--message", message, "--", tag, commit]).map_err(|cause| {
        Failure::failed(format!("git did not make the tag `{tag}`; nothing was recorded"))
            .cause(cause)
            .help("git needs to know who you are: `git config user.name` and `user.email`")
    })?;
    let made = tag_of(folder, tag);
    made.map(|(object, _)| object)
        .ok_or_else(|| Failure::failed(format!("git made the tag `{tag}`, and does not know it")))
}

/// What git says on its standard output; else why not.
fn run(folder: &Path, words: &[&str]) -> Result<String, String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(folder).args(words).stdin(Stdio::null());
    let output = git.output().map_err(|error| format!("git cannot be run: {error}"))?;
    match output.status.success() {
        true => Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
