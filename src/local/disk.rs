//! The local stack's own files: read, written so that a crash leaves the old or the new one. An edge.
//!
//! Invariant: a file that others may read at any time is replaced by a rename, never rewritten in place.
#![expect(clippy::disallowed_methods, reason = "an edge: these are the stack's own files, which no spec names")]

use std::fs::{File, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use super::LocalError;

/// The text of a file; `None` when there is none.
pub(super) fn read(path: &Path) -> Result<Option<String>, LocalError> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(LocalError::disk("read", path)(source)),
    }
}

/// Puts a file in place of the old one, at once and durably. `mode` are its rights.
pub(super) fn replace(path: &Path, text: &str, mode: u32) -> Result<(), LocalError> {
    let folder = path.parent().expect("a file of ours lies in a folder");
    let beside = folder.join(format!(".{}.{}.new", file_name(path), std::process::id()));
    let written = (|| {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&beside)?;
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, path)?;
        File::open(folder)?.sync_all()
    })();
    written.map_err(|source| {
        // What could not be put in place must not lie around; that it may not exist is fine.
        let _ = std::fs::remove_file(&beside);
        LocalError::disk("write", path)(source)
    })
}

/// Makes a folder and those above it.
pub(super) fn make_folder(path: &Path) -> Result<(), LocalError> {
    std::fs::create_dir_all(path).map_err(LocalError::disk("make the folder", path))
}

/// Removes a folder with all that is in it; what is gone already is removed.
pub(super) fn remove_folder(path: &Path) -> Result<(), LocalError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LocalError::disk("remove", path)(error)),
        _ => Ok(()),
    }
}

/// Removes a file; what is gone already is removed.
pub(super) fn remove_file(path: &Path) -> Result<(), LocalError> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(LocalError::disk("remove", path)(error)),
        _ => Ok(()),
    }
}

/// What lies in a folder; nothing when there is none.
pub(super) fn list(path: &Path) -> Result<Vec<PathBuf>, LocalError> {
    match std::fs::read_dir(path) {
        Ok(entries) => {
            let mut found: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
            found.sort();
            Ok(found)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(LocalError::disk("list", path)(source)),
    }
}

/// Opens a log for a process to go on writing to.
pub(super) fn open_log(path: &Path) -> Result<File, LocalError> {
    OpenOptions::new().append(true).create(true).mode(0o640).open(path).map_err(LocalError::disk("open", path))
}

/// The last lines of a log, for an error.
pub(super) fn tail(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// The last part of a path, as text.
pub(super) fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_and_reads_with_the_rights_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        assert_eq!(read(&path).unwrap(), None);
        replace(&path, "one", 0o600).unwrap();
        replace(&path, "two", 0o600).unwrap();
        assert_eq!(read(&path).unwrap().as_deref(), Some("two"));
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(list(folder.path()).unwrap(), [path], "nothing is left beside it");
    }

    #[test]
    fn a_tail_is_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        std::fs::write(&path, (0..40).map(|line| format!("line {line}\n")).collect::<String>()).unwrap();
        let tail = tail(&path);
        assert!(tail.starts_with("line 25") && tail.ends_with("line 39"), "{tail}");
    }
}
