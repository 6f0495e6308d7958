//! Which commit is checked out, without asking git. An edge: it reads `.git` and what the CI says.
//!
//! Invariant: what is not a commit's hash is never taken for one; finding none is no failure.

use std::path::{Path, PathBuf};

use super::environment::{self, Name};

/// The commit of the checkout that a folder is in; where there is none, the one that the CI says.
pub fn of(folder: &Path) -> Option<String> {
    let said = || [Name::GithubSha, Name::GitlabSha].into_iter().find_map(environment::read);
    folder.ancestors().find_map(repository).map_or_else(said, |found| head(&found)).filter(|text| is_hash(text))
}

/// The branch of the checkout that a folder is in; where only a commit is checked out, the one that the CI says.
/// Nothing where it is in no checkout, or on no branch.
pub fn branch_of(folder: &Path) -> Option<String> {
    let found = folder.ancestors().find_map(repository)?;
    let head = text(&found.own.join("HEAD"))?;
    let named = |text: &str| text.strip_prefix("refs/heads/").map(str::to_owned);
    match head.strip_prefix("ref:") {
        Some(reference) => named(reference.trim()),
        None => {
            let github = environment::read(Name::GithubRef).and_then(|text| named(&text));
            github.or_else(|| environment::read(Name::GitlabBranch))
        }
    }
}

/// Where git keeps what belongs to a checkout.
struct Repository {
    /// What is its own: `HEAD`.
    own: PathBuf,
    /// What it shares with other checkouts of the same repository: branches.
    shared: PathBuf,
}

fn repository(folder: &Path) -> Option<Repository> {
    let inside = folder.join(".git");
    // In a further checkout (`git worktree`) and in a submodule, `.git` is a file that says where.
    let own = match text(&inside) {
        Some(pointer) => folder.join(pointer.strip_prefix("gitdir:")?.trim()),
        None => inside,
    };
    if !own.join("HEAD").is_file() {
        return None;
    }
    let shared = text(&own.join("commondir")).map_or_else(|| own.clone(), |shared| own.join(shared));
    Some(Repository { own, shared })
}

fn head(repository: &Repository) -> Option<String> {
    let mut name = text(&repository.own.join("HEAD"))?;
    // A name may stand for another one; more than a few in a row are a circle.
    for _ in 0..5 {
        let Some(reference) = name.strip_prefix("ref:").map(str::trim) else {
            return Some(name);
        };
        if reference.split('/').any(|part| part == "..") {
            return None;
        }
        let loose = [&repository.own, &repository.shared].into_iter().find_map(|place| text(&place.join(reference)));
        name = loose.or_else(|| packed(repository, reference))?;
    }
    None
}

fn packed(repository: &Repository, reference: &str) -> Option<String> {
    let all = text(&repository.shared.join("packed-refs"))?;
    all.lines().find_map(|line| line.strip_suffix(reference)?.strip_suffix(' ').map(str::to_owned))
}

#[expect(clippy::disallowed_methods, reason = "the edge reads what git wrote beside the project")]
fn text(path: &Path) -> Option<String> {
    Some(std::fs::read_to_string(path).ok()?.trim().to_owned())
}

fn is_hash(text: &str) -> bool {
    (text.len() == 40 || text.len() == 64) && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make their own files")]
mod tests {
    use super::*;

    fn write(folder: &Path, path: &str, text: &str) {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    #[test]
    fn it_is_found_loose_packed_detached_and_in_a_further_checkout() {
        let folder = tempfile::tempdir().unwrap();
        let (a, b, c) = ("a".repeat(40), "b".repeat(40), "c".repeat(64));
        let found = |inner: &str| of(&folder.path().join(inner));
        write(folder.path(), "main/.git/HEAD", "ref: refs/heads/main\n");
        write(folder.path(), "main/.git/packed-refs", &format!("# pack-refs\n{b} refs/heads/main\n^{a}\n"));
        write(folder.path(), "main/deep/in/file", "");
        assert_eq!(found("main/deep/in"), Some(b));
        write(folder.path(), "main/.git/refs/heads/main", &format!("{a}\n"));
        assert_eq!(found("main"), Some(a.clone()), "a loose one is newer");
        write(folder.path(), "main/.git/worktrees/w/HEAD", "ref: refs/heads/side\n");
        write(folder.path(), "main/.git/worktrees/w/commondir", "../..\n");
        write(folder.path(), "main/.git/refs/heads/side", &c);
        write(folder.path(), "w/.git", "gitdir: ../main/.git/worktrees/w\n");
        assert_eq!(found("w"), Some(c));
        write(folder.path(), "main/.git/HEAD", &a);
        assert_eq!(found("main"), Some(a));
    }

    #[test]
    fn what_is_no_commit_is_none() {
        let folder = tempfile::tempdir().unwrap();
        for head in ["", "nonsense", "ref: refs/heads/none", "ref: HEAD", "ref: ../../../etc/hostname"] {
            write(folder.path(), ".git/HEAD", head);
            assert_eq!(of(folder.path()), None, "{head}");
        }
    }
}
