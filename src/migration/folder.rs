//! The texts of a folder of migrations: read, and checked. Pure (it reads through [`Files`]).
//!
//! Invariant: a text that is given out was understood as SQL, and may run as it stands.

use std::path::{Path, PathBuf};

use super::directives::{self, Beside, Directives};
use super::statements::Script;
use crate::files::Files;

/// Something wrong with one file of the folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderMistake {
    /// The file, or the folder itself.
    pub path: PathBuf,
    /// What is wrong, with the line where that helps.
    pub text: String,
    /// How to mend it.
    pub help: String,
}

/// The files of a folder.
///
/// # Errors
/// When it cannot be read.
pub fn list(files: &dyn Files, folder: &Path) -> Result<Vec<PathBuf>, FolderMistake> {
    files.list(folder).map_err(|error| {
        let text = format!("the folder of migrations cannot be read: {error}");
        let help = "make the folder, or correct `migrations` of the database block".to_owned();
        FolderMistake { path: folder.to_owned(), text, help }
    })
}

/// The last part of a path.
pub fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The text of a file.
pub fn read(files: &dyn Files, path: &Path, mistakes: &mut Vec<FolderMistake>) -> Option<String> {
    let mut wrong = |text: String, help: &str| {
        mistakes.push(FolderMistake { path: path.to_owned(), text, help: help.to_owned() });
        None
    };
    let bytes = match files.read(path) {
        Ok(bytes) => bytes,
        Err(error) => return wrong(format!("cannot be read: {error}"), "check that the file can be read"),
    };
    let Ok(text) = String::from_utf8(bytes) else {
        return wrong("is not UTF-8".to_owned(), "save the file as UTF-8");
    };
    if text.starts_with('\u{feff}') {
        return wrong("starts with a byte order mark".to_owned(), "save the file as UTF-8 without a byte order mark");
    }
    Some(text)
}

/// What the header of a text says, if all of it may run.
pub fn check(path: &Path, text: &str, beside: Beside, mistakes: &mut Vec<FolderMistake>) -> Option<Directives> {
    let script = match Script::parse(text) {
        Ok(script) => script,
        Err(error) => {
            mistakes.push(FolderMistake {
                path: path.to_owned(),
                text: format!("not understood as SQL: {error}"),
                help: "correct the statement; what cannot be understood is not run (psql's own commands such as `\\i` are not SQL)".to_owned(),
            });
            return None;
        }
    };
    match directives::check_beside(&script, beside) {
        Ok(directives) => Some(directives),
        Err(problems) => {
            mistakes.extend(problems.into_iter().map(|problem| FolderMistake {
                path: path.to_owned(),
                text: problem.text,
                help: problem.help,
            }));
            None
        }
    }
}
