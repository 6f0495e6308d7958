//! The spec's files on a local disk. An edge.
//!
//! Invariant: it reads; nothing here writes.

use std::io;
use std::path::{Path, PathBuf};

use crate::files::Files;

/// Files of the local disk.
pub struct DiskFiles;

impl Files for DiskFiles {
    #[expect(clippy::disallowed_methods, reason = "this is the edge through which the spec's files are read")]
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn list(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        // Links count as what they lead to, so that a linked file is a file; of all others the folder itself knows.
        entries(folder, |path, is| is.is_file() || (is.is_symlink() && path.is_file()))
    }

    fn folders(&self, folder: &Path) -> io::Result<Vec<PathBuf>> {
        // A link may lead to what it lies in, and a walk through it would have no end.
        entries(folder, |_, is| is.is_dir())
    }

    fn exists(&self, path: &Path) -> bool {
        path.is_file()
    }
}

fn entries(folder: &Path, wanted: fn(&Path, std::fs::FileType) -> bool) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let (path, is) = (entry.path(), entry.file_type()?);
        if wanted(&path, is) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make their own files")]
mod tests {
    use super::*;

    #[test]
    fn files_are_listed_sorted_and_folders_are_not() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.hcl", "a.hcl"] {
            std::fs::write(folder.path().join(name), name).unwrap();
        }
        std::fs::create_dir(folder.path().join("c.hcl")).unwrap();
        let names: Vec<_> = DiskFiles.list(folder.path()).unwrap();
        assert_eq!(names, [folder.path().join("a.hcl"), folder.path().join("b.hcl")]);
        assert_eq!(DiskFiles.folders(folder.path()).unwrap(), [folder.path().join("c.hcl")]);
        assert!(DiskFiles.exists(&names[0]) && !DiskFiles.exists(&folder.path().join("c.hcl")));
        assert_eq!(DiskFiles.read(&names[1]).unwrap(), b"b.hcl");
        assert!(DiskFiles.list(&folder.path().join("none")).is_err());
    }
}
