//! The one door to folders of migrations. Pure: files are read through [`Files`].
//!
//! Invariant: whatever is wrong with a folder becomes a mistake of the `database` block that names it.

use crate::files::Files;
use crate::migration::Migration;
use std::path::{Path, PathBuf};
pub(super) struct FolderMistake {
    pub path: PathBuf,
    pub text: String,
    pub help: String,
}
pub(super) fn load(files: &dyn Files, folder: &Path) -> (Vec<Migration>, Vec<FolderMistake>) {
    let _ = (files, folder);
    (Vec::new(), Vec::new())
}
