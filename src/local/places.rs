//! Where the stack keeps things outside the project. Pure, but for asking who we are.
//!
//! Invariant: root's PostgreSQL runs as another user, so what root keeps lies in folders that everybody can pass.

use std::path::{Path, PathBuf};

use crate::digest::Digest;
use crate::provider::postgres::programs::is_root;

/// The folders of the stack outside the project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// For what can be made again: virtual environments.
    pub cache: PathBuf,
    /// For the data of stacks; `None` keeps them in the project folder.
    pub data: Option<PathBuf>,
}

impl Places {
    /// The usual ones: root's under `/var`, others' under `XDG_CACHE_HOME` (or `~/.cache`) and in the project.
    pub fn usual(cache_home: Option<&Path>, home: Option<&Path>) -> Self {
        if is_root() {
            let data = Some(PathBuf::from("/var/lib/switchback"));
            return Self { cache: "/var/cache/switchback".into(), data };
        }
        let cache = cache_home
            .filter(|folder| folder.is_absolute())
            .map(Path::to_owned)
            .or_else(|| home.map(|home| home.join(".cache")))
            .unwrap_or_else(|| PathBuf::from("/var/tmp"));
        Self { cache: cache.join("switchback"), data: None }
    }

    /// The folder for the data of one project's stack.
    pub(super) fn data_of(&self, project: &Path) -> PathBuf {
        match &self.data {
            Some(folder) => {
                let name = super::disk::file_name(project);
                let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(30).collect();
                let digest = Digest::of_bytes(project.as_os_str().as_encoded_bytes());
                folder.join(format!("{name}-{}", digest.short()))
            }
            None => super::memory::folder(project).join("data"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_projects_of_one_name_have_two_folders() {
        let places = Places { cache: "/c".into(), data: Some("/d".into()) };
        let (one, two) = (places.data_of(Path::new("/a/shop")), places.data_of(Path::new("/b/shop")));
        assert_ne!(one, two);
        assert!(one.starts_with("/d") && one.to_string_lossy().contains("shop-"), "{}", one.display());
    }

    #[test]
    fn without_a_data_folder_data_lie_in_the_project() {
        let places = Places { cache: "/c".into(), data: None };
        assert_eq!(places.data_of(Path::new("/a/shop")), Path::new("/a/shop/.switchback/local/data"));
    }
}
