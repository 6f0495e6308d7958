//! sqlx's layout: `20260101120000_add_email.sql`, or `.up.sql` and `.down.sql` beside each other. Pure.
//!
//! Invariant: versions, descriptions and checksums are those that sqlx writes into `_sqlx_migrations`.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::Layout;
use super::pairing::{self, File, Style, numbered};
use crate::files::Files;
use crate::migration::folder::FolderMistake;
use crate::migration::{Direction, Migration};

/// Reads a folder.
pub fn load(files: &dyn Files, folder: &Path, off: &BTreeSet<i64>) -> (Vec<Migration>, Vec<FolderMistake>) {
    let style = Style { layout: Layout::Sqlx, name, text: Ok, same_name: false };
    pairing::load(&style, files, folder, off)
}

fn name(file: &str) -> File {
    static NAME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(\d+)_(.*?)(\.up|\.down)?\.sql$").expect("the expression is a constant"));
    let Some(found) = NAME.captures(file) else {
        return super::pairing::unnumbered(Layout::Sqlx, file);
    };
    let is_back = found.get(3).is_some_and(|tail| tail.as_str() == ".down");
    let direction = if is_back { Direction::Down } else { Direction::Up };
    numbered(Layout::Sqlx, direction, &found[1], &found[2])
}
