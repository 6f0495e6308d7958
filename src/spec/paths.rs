//! Paths inside a project. Pure.
//!
//! Invariant: what is given back is relative to the project and stays in it.

use std::path::{Component, Path, PathBuf};

/// How the name of a file of tests ends.
pub const TEST_ENDING: &str = ".test.hcl";

/// A path without `.` and `..`; nothing when it leads out of the project.
pub(super) fn normal(path: &Path) -> Option<PathBuf> {
    let mut parts = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => parts.push(part),
            Component::CurDir => {}
            Component::ParentDir => drop(parts.pop()?),
            Component::RootDir | Component::Prefix(_) => return None,
        }
    }
    Some(parts.iter().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_in_the_project() {
        assert_eq!(normal(Path::new("environments/../modules/./web")), Some("modules/web".into()));
        assert_eq!(normal(Path::new("environments/../../x")), None);
        assert_eq!(normal(Path::new("/etc")), None);
    }
}
