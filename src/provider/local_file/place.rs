//! Where a file is, and that the way there is what its path says. An edge: it looks at folders.
//!
//! Invariant: below the project's folder no link is followed; where a link or a folder has the file's name, nothing is
//! read and nothing is done.

use std::fs::{Metadata, symlink_metadata};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use super::rules::path_mistake;

/// A file, which may be there.
#[derive(Clone, Debug)]
pub struct Place {
    /// Where it is.
    pub path: PathBuf,
    /// The folder that it is in.
    pub folder: PathBuf,
    /// The folders around it that are not there, outermost first.
    pub missing: Vec<PathBuf>,
    /// What is there.
    pub there: Option<Metadata>,
}

/// Why nothing can be done there.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{cause}")]
pub struct Unfit {
    /// Why.
    pub cause: String,
    /// What to do.
    pub help: String,
    /// Whether the system refuses to say what is there.
    pub denied: bool,
}

fn unfit(cause: String, help: &str) -> Unfit {
    Unfit { cause, help: help.to_owned(), denied: false }
}

impl Place {
    /// Looks where a file is, whose path begins at the project's folder if it is not absolute.
    ///
    /// # Errors
    /// When its way leads elsewhere, or something else has its name.
    pub fn of(project: &Path, name: &str) -> Result<Self, Unfit> {
        if let Some(mistake) = path_mistake("filename", name) {
            return Err(unfit(mistake.text, &mistake.help));
        }
        let path = project.join(name);
        let folder = path.parent().unwrap_or(project).to_owned();
        let missing = match Path::new(name).is_absolute() {
            true => look_absolute(&folder)?,
            false => look_below(project, name)?,
        };
        let there = if missing.is_empty() { looked_at(&path)? } else { None };
        match &there {
            Some(found) if found.is_symlink() => Err(unfit(
                format!("{} is a link, and is not followed", path.display()),
                "remove the link, or give the path that it leads to",
            )),
            Some(found) if found.is_dir() => Err(unfit(
                format!("a folder is in the way: {}", path.display()),
                "remove the folder, or give the file another path",
            )),
            Some(found) if !found.is_file() => Err(unfit(
                format!("{} is no file", path.display()),
                "remove what is there, or give the file another path",
            )),
            Some(_) | None => Ok(Self { path, folder, missing, there }),
        }
    }

    /// The file beside it that becomes it, or what is left of one.
    pub fn beside(&self) -> PathBuf {
        let name = self.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        self.folder.join(format!(".{name}.switchback"))
    }
}

/// The folders of a path below the project that are not there.
fn look_below(project: &Path, name: &str) -> Result<Vec<PathBuf>, Unfit> {
    let mut folder = project.to_owned();
    let mut missing = Vec::new();
    let parts: Vec<_> = Path::new(name).components().collect();
    for part in &parts[..parts.len().saturating_sub(1)] {
        folder.push(part);
        match looked_at(&folder)? {
            None => missing.push(folder.clone()),
            Some(found) if found.is_symlink() => {
                let help = "give an absolute path if the file belongs where the link leads";
                return Err(unfit(format!("{} is a link, and is not followed", folder.display()), help));
            }
            Some(found) if !found.is_dir() => {
                let help = "remove what is there, or give the file another path";
                return Err(unfit(format!("{} is no folder", folder.display()), help));
            }
            Some(_) => {}
        }
    }
    Ok(missing)
}

/// Whoever gives an absolute path knows the machine: its folders are there, and may be links.
fn look_absolute(folder: &Path) -> Result<Vec<PathBuf>, Unfit> {
    match std::fs::metadata(folder) {
        Ok(found) if found.is_dir() => Ok(Vec::new()),
        Ok(_) => Err(unfit(format!("{} is no folder", folder.display()), "give the file another path")),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            // Seen as absent; whoever makes the file is told.
            Ok(vec![folder.to_owned()])
        }
        Err(error) => Err(denied(folder, &error)),
    }
}

fn looked_at(path: &Path) -> Result<Option<Metadata>, Unfit> {
    match symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(denied(path, &error)),
    }
}

fn denied(path: &Path, error: &io::Error) -> Unfit {
    let help = "see who owns the folder, and whom the program runs as".to_owned();
    Unfit { cause: format!("{}: {error}", path.display()), help, denied: error.kind() == ErrorKind::PermissionDenied }
}
