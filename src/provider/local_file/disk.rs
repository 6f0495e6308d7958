//! Reads, writes and removes one file. An edge.
//!
//! Invariant: a text is written beside, made durable and then gets the file's name in one act; what an earlier try left
//! beside is removed.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use super::place::Place;

/// The longest file that is read.
const LARGEST: u64 = 16 * 1024 * 1024;

/// What is in a file.
#[derive(Clone, PartialEq, Eq)]
pub struct Found {
    /// Its text; of what is none, words about it.
    pub text: String,
    /// The bits of its mode.
    pub mode: u32,
}

/// Reads the file, if it is there.
pub fn read(place: &Place) -> io::Result<Option<Found>> {
    if place.there.is_none() {
        return Ok(None);
    }
    let options = OpenOptions::new().read(true).custom_flags(no_follow()).open(&place.path);
    let mut file = match options {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let metadata = file.metadata()?;
    let mut bytes = Vec::new();
    (&mut file).take(LARGEST).read_to_end(&mut bytes)?;
    let text = match String::from_utf8(bytes) {
        Ok(text) if metadata.len() <= LARGEST => text,
        Ok(_) | Err(_) => format!("(no text of ours: {} bytes)", metadata.len()),
    };
    Ok(Some(Found { text, mode: metadata.permissions().mode() & 0o7777 }))
}

/// Makes the folders that are missing.
pub fn make_folders(place: &Place) -> io::Result<()> {
    for folder in &place.missing {
        match std::fs::create_dir(folder) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
            Ok(()) | Err(_) => {}
        }
        folder.parent().map_or(Ok(()), settle_folder)?;
    }
    Ok(())
}

/// Writes the text beside the file, durably.
pub fn write_beside(place: &Place, wanted: &Found) -> io::Result<()> {
    clear_beside(place)?;
    let beside = place.beside();
    let written = (|| {
        let mut file =
            OpenOptions::new().write(true).create_new(true).mode(0o600).custom_flags(no_follow()).open(&beside)?;
        file.write_all(wanted.text.as_bytes())?;
        file.set_permissions(Permissions::from_mode(wanted.mode))?;
        file.sync_all()
    })();
    if written.is_err() {
        clear_beside(place)?;
    }
    written
}

/// What lies beside becomes the file, where none is.
pub fn become_new(place: &Place) -> io::Result<()> {
    let linked = std::fs::hard_link(place.beside(), &place.path);
    clear_beside(place)?;
    linked?;
    settle_folder(&place.folder)
}

/// What lies beside becomes the file, in place of the one that is there.
pub fn become_next(place: &Place) -> io::Result<()> {
    std::fs::rename(place.beside(), &place.path)?;
    settle_folder(&place.folder)
}

/// Removes the file, and as many of the innermost folders around it as were made for it and are empty.
pub fn remove(place: &Place, folders: usize) -> io::Result<()> {
    match std::fs::remove_file(&place.path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    settle_folder(&place.folder)?;
    let mut folder = Some(&*place.folder);
    for _ in 0..folders {
        // Somebody else may have put something there.
        let Some(empty) = folder.filter(|folder| std::fs::remove_dir(folder).is_ok()) else { break };
        folder = empty.parent();
        folder.map_or(Ok(()), settle_folder)?;
    }
    Ok(())
}

/// Removes what an earlier try left beside.
pub fn clear_beside(place: &Place) -> io::Result<()> {
    match std::fs::remove_file(place.beside()) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Makes durable what a folder holds.
fn settle_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn no_follow() -> i32 {
    i32::try_from(rustix::fs::OFlags::NOFOLLOW.bits()).unwrap_or(0)
}
