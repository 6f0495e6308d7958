//! Notes which files are read, for the digest of a spec. Pure: it reads through another door.
//!
//! Invariant: a file that was read is noted, by its path relative to the project, whoever asked for it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::digest::Digest;
use crate::files::Files;

/// A door to files that notes what passes.
pub(super) struct Recorder<'a> {
    files: &'a dyn Files,
    folder: &'a Path,
    read: Mutex<BTreeMap<PathBuf, Digest>>,
}

impl<'a> Recorder<'a> {
    /// Notes paths relative to this folder.
    pub fn new(files: &'a dyn Files, folder: &'a Path) -> Self {
        Self { files, folder, read: Mutex::default() }
    }

    /// What was read, by path.
    pub fn into_read(self) -> BTreeMap<PathBuf, Digest> {
        self.read.into_inner().expect("nobody panics while holding it")
    }
}

impl Files for Recorder<'_> {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        let bytes = self.files.read(path)?;
        let short = path.strip_prefix(self.folder).unwrap_or(path);
        let mut read = self.read.lock().expect("nobody panics while holding it");
        read.insert(short.to_owned(), Digest::of_bytes(&bytes));
        Ok(bytes)
    }

    fn list(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        self.files.list(folder)
    }

    fn exists(&self, path: &Path) -> bool {
        self.files.exists(path)
    }
}
