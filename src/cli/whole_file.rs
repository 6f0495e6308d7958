//! Files that are written whole or not at all. An edge.
//!
//! Invariant: nobody sees a part of one, and only its owner reads it.

use std::io::{Error, Result, Write as _};
use std::path::Path;

/// Writes a file, or through a link to one; into a pipe or device as it is.
///
/// # Errors
/// When the folder cannot be written; then nothing was.
pub fn write(path: &Path, text: &[u8]) -> Result<()> {
    // A pipe or a device stays what it is, and so does a link.
    let known = std::fs::metadata(path).ok();
    if known.as_ref().is_some_and(|known| !known.is_file() && !known.is_dir()) {
        let mut stream = std::fs::OpenOptions::new().write(true).open(path)?;
        return stream.write_all(text);
    }
    let whole = path.canonicalize();
    let path = whole.as_deref().unwrap_or(path);
    let name = path.file_name().ok_or_else(|| Error::other("it has no name"))?.to_string_lossy();
    let beside = path.with_file_name(format!(".{name}.{}", std::process::id()));
    let written = create_private(&beside).and_then(|mut file| {
        file.write_all(text)?;
        file.sync_all()?;
        std::fs::rename(&beside, path)
    });
    if written.is_err() {
        // What is left is a file that nobody asked for; that it cannot be removed changes nothing.
        let _left = std::fs::remove_file(&beside);
    }
    written
}

fn create_private(path: &Path) -> Result<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
