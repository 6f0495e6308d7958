//! golang-migrate's layout: `000001_add_email.up.sql` and `000001_add_email.down.sql`. Pure.
//!
//! Invariant: a text does here what it does there. golang-migrate opens no transaction of its own, so texts often
//! bring `BEGIN` and `COMMIT`, which ours takes the place of; and a text of one statement may be one that cannot run
//! inside of a transaction.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::LazyLock;

use regex::Regex;

use super::Layout;
use super::pairing::{self, File, Style, numbered};
use crate::files::Files;
use crate::migration::folder::FolderMistake;
use crate::migration::statements::{Script, Statement};
use crate::migration::{Direction, Migration};

/// Reads a folder.
pub fn load(files: &dyn Files, folder: &Path, off: &BTreeSet<i64>) -> (Vec<Migration>, Vec<FolderMistake>) {
    let style = Style { layout: Layout::GolangMigrate, name, text: in_our_transaction, same_name: false };
    let (mut migrations, mistakes) = pairing::load(&style, files, folder, off);
    // The history table holds the newest version and nothing else: on the way back it gets the one before.
    let mut before = None;
    for migration in &mut migrations {
        migration.follows = before.replace(migration.version);
    }
    (migrations, mistakes)
}

fn name(file: &str) -> File {
    static NAME: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r"^(\d+)_(.*)\.(up|down)\.sql$").expect("the expression is a constant"));
    let Some(found) = NAME.captures(file) else {
        return pairing::unnumbered(Layout::GolangMigrate, file);
    };
    let direction = if &found[3] == "up" { Direction::Up } else { Direction::Down };
    numbered(Layout::GolangMigrate, direction, &found[1], &found[2])
}

/// The text without a `BEGIN` at its head and a `COMMIT` at its end, lines as they were; what cannot run inside of a
/// transaction says so.
fn in_our_transaction(text: String) -> Result<String, (String, String)> {
    // What cannot be understood is told with the line later.
    let Ok(script) = Script::parse(&text) else { return Ok(text) };
    let is = |at: Option<&Statement>, words: &[&str]| {
        at.is_some_and(|one| one.tokens.len() <= 2 && words.iter().any(|word| one.starts_with(&[*word])))
    };
    let (first, last) = (script.statements.first(), script.statements.last());
    let between = script.statements.get(1..script.statements.len().saturating_sub(1)).unwrap_or_default();
    let is_wrapped = is(first, &["begin", "start"])
        && is(last, &["commit", "end"])
        && script.statements.len() >= 2
        && !between.iter().any(Statement::controls_transaction);
    if is_wrapped && let (Some(first), Some(last)) = (first, last) {
        let mut bare = text.clone();
        for (one, place) in [(first, place_of(&text, first)), (last, place_of(&text, last))] {
            let Some(place) = place else { return Ok(text) };
            bare.replace_range(place..place + one.text.len(), &" ".repeat(one.text.len()));
        }
        return Ok(bare);
    }
    let is_outside = match script.statements.as_slice() {
        [only] => only.refuses_transaction().is_some(),
        _ => false,
    };
    let says = script.comments.iter().any(|comment| comment.text.contains("switchback:"));
    Ok(if is_outside && !says { format!("/* switchback: transaction off */ {text}") } else { text })
}

/// Where a statement begins: behind the beginning of its line.
fn place_of(text: &str, statement: &Statement) -> Option<usize> {
    let mut begins = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at + 1);
    let from = if statement.line <= 1 { 0 } else { begins.nth(statement.line - 2)? };
    text[from..].find(&statement.text).map(|at| from + at)
}
