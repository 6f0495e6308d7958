//! The one door to files: stages ask for texts, an edge reads them. Pure (a trait).
//!
//! Invariant: nothing but an implementation of [`Files`] opens a file on behalf of the spec.

use std::path::{Path, PathBuf};

/// Reads files for the spec: its own sources, migrations, and what `file()` names.
pub trait Files: Send + Sync {
    /// The bytes of a file.
    ///
    /// # Errors
    /// As the operating system says.
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>>;

    /// The files (not folders) of a folder, sorted by name.
    ///
    /// # Errors
    /// As the operating system says; a folder that does not exist is an error.
    fn list(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>>;

    /// The folders of a folder, sorted by name.
    ///
    /// # Errors
    /// As the operating system says; also where an implementation has no folders within folders.
    fn folders(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        let _ = folder;
        Err(std::io::Error::from(std::io::ErrorKind::Unsupported))
    }

    /// Whether a file is there.
    fn exists(&self, path: &Path) -> bool {
        self.read(path).is_ok()
    }
}
