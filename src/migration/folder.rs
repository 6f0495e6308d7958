//! The texts of a folder of migrations: read, and checked. Pure (it reads through [`Files`]).
//!
//! Invariant: a text that is given out was understood as SQL, and may run as it stands.

use std::path::{Path, PathBuf};

use super::directives::{self, Beside, Directives};
use super::statements::Script;
use crate::diagnostic::{Diagnostic, Elsewhere};
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
    /// The spot in the file, where it is about one.
    pub spot: Option<Box<Elsewhere>>,
}

impl FolderMistake {
    /// A mistake of a whole file.
    pub fn new(path: impl Into<PathBuf>, text: impl Into<String>, help: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), help: help.into(), spot: None }
    }

    /// As people read it, with its path as seen from a folder.
    pub fn diagnostic(self, folder: &Path) -> Diagnostic {
        let path = self.path.strip_prefix(folder).unwrap_or(&self.path);
        Diagnostic::error("a migration is not usable")
            .elsewhere(self.spot.map(|spot| spot.below(folder)))
            .detail(format!("`{}`: {}", path.display(), self.text))
            .help(self.help)
    }
}

/// The files of a folder.
///
/// # Errors
/// When it cannot be read.
pub fn list(files: &dyn Files, folder: &Path) -> Result<Vec<PathBuf>, FolderMistake> {
    files.list(folder).map_err(|error| {
        let text = format!("the folder of migrations cannot be read: {error}");
        FolderMistake::new(folder, text, "make the folder, or correct `migrations` of the database block")
    })
}

/// The last part of a path.
pub fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The text of a file.
pub fn read(files: &dyn Files, path: &Path, mistakes: &mut Vec<FolderMistake>) -> Option<String> {
    let mut wrong = |text: String, help: &str| {
        mistakes.push(FolderMistake::new(path, text, help));
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
            let help = "correct the statement; what cannot be understood is not run (psql's own commands such as `\\i` are not SQL)";
            let mistake = FolderMistake::new(path, format!("not understood as SQL: {error}"), help);
            mistakes.push(FolderMistake { spot: Some(Box::new(Elsewhere::of(path, text, error.at))), ..mistake });
            return None;
        }
    };
    match directives::check_beside(&script, beside) {
        Ok(directives) => Some(directives),
        Err(problems) => {
            mistakes.extend(problems.into_iter().map(|problem| FolderMistake {
                spot: problem.line.map(|line| Box::new(Elsewhere::line(path, text, line))),
                ..FolderMistake::new(path, problem.text, problem.help)
            }));
            None
        }
    }
}
