//! What rehearsals proved, kept for all projects of a user. An edge.
//!
//! Invariant: an entry is there whole or not at all, only its owner reads it, and one that is damaged counts as absent.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::environment::{self, Name};
use super::whole_file;
use crate::digest::Digest;
use crate::migration::certificate::Certificate;
use crate::rehearse::Shelf;

/// The version of the form of an entry.
const FORMAT: u32 = 1;

/// A folder of certificates, by what they are about.
pub struct Folder {
    folder: Option<PathBuf>,
}

/// An entry: the certificate and its digest, so that a damaged one is known.
#[derive(Serialize, Deserialize)]
struct Entry {
    format: u32,
    digest: Digest,
    certificate: Certificate,
}

impl Folder {
    /// The user's own: below `XDG_CACHE_HOME`, else `~/.cache`; nothing is kept where there is neither.
    pub fn of_the_user() -> Self {
        let cache = environment::read(Name::CacheHome).map(PathBuf::from).filter(|folder| folder.is_absolute());
        let cache = cache.or_else(|| environment::read(Name::Home).map(|home| Path::new(&home).join(".cache")));
        Self { folder: cache.map(|cache| cache.join("switchback/evidence")) }
    }

    /// This one.
    pub fn at(folder: &Path) -> Self {
        Self { folder: Some(folder.to_owned()) }
    }

    /// Two letters make a folder, so that none becomes too large.
    pub(super) fn path(&self, key: &Digest) -> Option<PathBuf> {
        let name =
            serde_json::to_value(key).ok()?.as_str()?.replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        let start: String = name.chars().rev().take(2).collect();
        Some(self.folder.as_ref()?.join(start).join(format!("{name}.json")))
    }
}

impl Shelf for Folder {
    fn find(&self, key: &Digest) -> Option<Certificate> {
        #[expect(clippy::disallowed_methods, reason = "evidence is read by the command line itself")]
        let text = std::fs::read(self.path(key)?).ok()?;
        let entry: Entry = serde_json::from_slice(&text).ok()?;
        let is_whole = entry.format == FORMAT && Digest::of_json(&entry.certificate) == entry.digest;
        is_whole.then_some(entry.certificate)
    }

    fn keep(&self, key: &Digest, certificate: &Certificate) {
        let Some(path) = self.path(key) else { return };
        let entry = Entry { format: FORMAT, digest: Digest::of_json(certificate), certificate: certificate.clone() };
        let text = serde_json::to_vec(&entry).expect("a certificate is plain data");
        let kept = path.parent().map_or(Ok(()), make_private).and_then(|()| whole_file::write(&path, &text));
        if let Err(error) = kept {
            tracing::info!(%error, path = %path.display(), "evidence cannot be kept; it is rehearsed again next time");
        }
    }
}

pub(super) fn make_private(folder: &Path) -> std::io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests make their own files")]
mod tests {
    use super::*;
    use crate::rehearse::not_rehearsed;

    #[test]
    fn what_is_kept_is_found_and_nobody_else_reads_it() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Folder::at(&folder.path().join("switchback/evidence"));
        let (key, other) = (Digest::of_bytes(b"one"), Digest::of_bytes(b"other"));
        let certificate = not_rehearsed("because");
        assert_eq!(shelf.find(&key), None);
        shelf.keep(&key, &certificate);
        assert_eq!(shelf.find(&key), Some(certificate));
        assert_eq!(shelf.find(&other), None);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let path = shelf.path(&key).unwrap();
            let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
            assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing lies beside it");
        }
    }

    #[test]
    fn a_damaged_entry_is_as_good_as_none() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Folder::at(folder.path());
        let key = Digest::of_bytes(b"one");
        shelf.keep(&key, &not_rehearsed("because"));
        let path = shelf.path(&key).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        for damaged in [
            text[..text.len() / 2].to_owned(),
            text.replace("because", "otherwise"),
            text.replace("\"format\":1", "\"format\":9"),
        ] {
            std::fs::write(&path, damaged).unwrap();
            assert_eq!(shelf.find(&key), None);
        }
        std::fs::write(&path, text).unwrap();
        assert!(shelf.find(&key).is_some());
    }

    #[test]
    fn without_a_place_nothing_is_kept_and_nothing_breaks() {
        let shelf = Folder { folder: None };
        shelf.keep(&Digest::of_bytes(b"one"), &not_rehearsed("because"));
        assert_eq!(shelf.find(&Digest::of_bytes(b"one")), None);
    }
}
