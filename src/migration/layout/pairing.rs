//! Joins the files of one migration, whatever they are called: its text and its way back. Pure (it reads through
//! [`Files`]).
//!
//! Invariant: every file that can have been meant as a migration becomes one, or a mistake.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;
use sha2::{Digest as _, Sha256};

use super::Layout;
use super::version::BEHIND_ALL;
use crate::files::Files;
use crate::migration::directives::Beside;
use crate::migration::folder::{self, FolderMistake, check, file_name};
use crate::migration::{Direction, Migration, REPEATABLE};

/// A file, by its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum File {
    /// One way of a migration.
    Side(Direction, Named),
    /// A text that runs again whenever it changes, by its name.
    Repeatable(String),
    /// Meant as a migration, and called wrongly.
    Wrong {
        /// What is wrong.
        text: String,
        /// How to mend it.
        help: String,
    },
    /// Nobody can have meant it as a migration.
    Unmeant,
}

/// What a name says.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Named {
    /// The version.
    pub version: i64,
    /// As the tool writes it, where that is no whole number.
    pub spelling: Option<String>,
    /// The words.
    pub name: String,
}

/// How a layout reads names and texts.
pub struct Style {
    /// The layout.
    pub layout: Layout,
    /// Reads a name.
    pub name: fn(&str) -> File,
    /// The text as it is run, from the text of the file; or what is wrong with it, and how to mend that.
    pub text: fn(String) -> Result<String, (String, String)>,
    /// Whether the way back bears the name of the migration, and not its version alone.
    pub same_name: bool,
}

type Sides = BTreeMap<i64, Vec<(Named, PathBuf)>>;

/// What a name says that is the layout's own, or that its version is too large.
pub fn numbered(layout: Layout, direction: Direction, version: &str, name: &str) -> File {
    match layout.number(version) {
        Some(version) => File::Side(direction, Named { version, spelling: None, name: name.to_owned() }),
        None => File::Wrong {
            text: format!("version `{version}` is too large"),
            help: format!("a version is at most {}", i64::MAX),
        },
    }
}

/// Reads the folder.
pub fn load(
    style: &Style,
    files: &dyn Files,
    folder: &Path,
    off: &BTreeSet<i64>,
) -> (Vec<Migration>, Vec<FolderMistake>) {
    let listed = match folder::list(files, folder) {
        Ok(listed) => listed,
        Err(mistake) => return (Vec::new(), vec![mistake]),
    };
    let mut mistakes = Vec::new();
    let (mut ups, mut downs, mut again) = (Sides::new(), Sides::new(), Vec::new());
    for path in listed {
        match (style.name)(&file_name(&path)) {
            File::Side(Direction::Up, named) => ups.entry(named.version).or_default().push((named, path)),
            File::Side(Direction::Down, named) => downs.entry(named.version).or_default().push((named, path)),
            File::Repeatable(name) => again.push((name, path)),
            File::Wrong { text, help } => mistakes.push(FolderMistake::new(path, text, help)),
            File::Unmeant => {}
        }
    }
    let mut migrations = Vec::new();
    for (version, mut named) in ups {
        named.sort();
        let back = downs.remove(&version).unwrap_or_default();
        let [(one, path)] = named.as_slice() else {
            mistakes.extend(duplicates(&named));
            continue;
        };
        let (back, strange): (Vec<_>, _) =
            back.into_iter().partition(|(down, _)| !style.same_name || down.name == one.name);
        mistakes.extend(strange.into_iter().map(|(down, path)| orphan(style, &down, path, Some(one))));
        mistakes.extend(twice(&back));
        let back = back.first().map(|(_, path)| path.as_path());
        let beside = if off.contains(&version) { Beside::Off } else { Beside::Nothing };
        migrations.extend(read_pair(style, files, (one, path), back, beside, &mut mistakes));
    }
    for (down, path) in downs.into_values().flatten() {
        mistakes.push(orphan(style, &down, path, None));
    }
    migrations.extend(repeatable(style, files, again, &mut mistakes));
    mistakes.sort_by(|left, right| left.path.cmp(&right.path));
    (migrations, mistakes)
}

fn duplicates(named: &[(Named, PathBuf)]) -> Vec<FolderMistake> {
    let all = named.iter().map(|(_, path)| format!("`{}`", file_name(path))).collect::<Vec<_>>().join(", ");
    let version = |named: &Named| named.spelling.clone().unwrap_or_else(|| named.version.to_string());
    let mistake = |(named, path): &(Named, PathBuf)| {
        let text = format!("version {} is given more than once: {all}", version(named));
        FolderMistake::new(path, text, "give each migration a version of its own")
    };
    named.iter().skip(1).map(mistake).collect()
}

fn twice(back: &[(Named, PathBuf)]) -> Vec<FolderMistake> {
    let Some(((_, first), others)) = back.split_first() else { return Vec::new() };
    let mistake = |(_, path): &(Named, PathBuf)| {
        let text = format!("this and `{}` are the way back of the same migration", file_name(first));
        FolderMistake::new(path, text, "keep one of the two files")
    };
    others.iter().map(mistake).collect()
}

fn orphan(style: &Style, down: &Named, path: PathBuf, beside: Option<&Named>) -> FolderMistake {
    let version = |named: &Named| named.spelling.clone().unwrap_or_else(|| named.version.to_string());
    let missing = style.layout.file_name(&version(down), &down.name, Direction::Up);
    let text = format!("this is the way back of `{missing}`, which is not there");
    let help = match beside {
        Some(one) => format!("call it `{}`", style.layout.file_name(&version(one), &one.name, Direction::Down)),
        None => "add that file, or remove this one".to_owned(),
    };
    FolderMistake::new(path, text, help)
}

fn read_pair(
    style: &Style,
    files: &dyn Files,
    (named, up_path): (&Named, &Path),
    down_path: Option<&Path>,
    beside: Beside,
    mistakes: &mut Vec<FolderMistake>,
) -> Option<Migration> {
    let up = read_one(style, files, up_path, mistakes);
    let down = down_path.map(|path| read_one(style, files, path, mistakes));
    let up = up?;
    let down = match down {
        Some(None) => return None,
        Some(Some(text)) => Some(text),
        None => None,
    };
    let directives = check(up_path, &up, beside, mistakes)?;
    if let (Some(down), Some(path)) = (&down, down_path) {
        check(path, down, beside, mistakes)?;
    }
    let plain = Migration::plain(named.version, &named.name, &up, down.as_deref());
    let (transaction, said) = (directives.transaction, directives.said);
    Some(Migration { transaction, said, spelling: named.spelling.clone(), ..plain })
}

fn read_one(style: &Style, files: &dyn Files, path: &Path, mistakes: &mut Vec<FolderMistake>) -> Option<String> {
    let text = folder::read(files, path, mistakes)?;
    match (style.text)(text) {
        Ok(text) => Some(text),
        Err((text, help)) => {
            mistakes.push(FolderMistake::new(path, text, help));
            None
        }
    }
}

/// What runs again whenever it changes, in the order of the names. Its number tells its name, and is above all
/// versions; the text that it takes the place of is its way back, which the folder does not know.
fn repeatable(
    style: &Style,
    files: &dyn Files,
    mut again: Vec<(String, PathBuf)>,
    mistakes: &mut Vec<FolderMistake>,
) -> Vec<Migration> {
    again.sort();
    let mut found: Vec<Migration> = Vec::new();
    for (name, path) in again {
        let version = repeatable_number(&name);
        if let Some(other) = found.iter().find(|other| other.version == version) {
            let text = format!("`R__{}` is given more than once", other.name);
            mistakes.push(FolderMistake::new(path, text, "give each of them a name of its own"));
            continue;
        }
        let Some(text) = read_one(style, files, &path, mistakes) else { continue };
        let Some(directives) = check(&path, &text, Beside::Nothing, mistakes) else { continue };
        let plain = Migration::plain(version, &name, &text, None);
        let spelling = Some(REPEATABLE.to_owned());
        found.push(Migration { transaction: directives.transaction, said: directives.said, spelling, ..plain });
    }
    found
}

/// The number of what has no version, from its name (spaces and underscores are one).
pub fn repeatable_number(name: &str) -> i64 {
    let digest = Sha256::digest(name.replace('_', " ").as_bytes());
    let low = digest.iter().take(7).fold(0_i64, |number, byte| (number << 8) | i64::from(*byte));
    BEHIND_ALL | low
}

/// What is wrong with a name that does not begin with a number and an underscore, as those of three tools do.
pub fn unnumbered(layout: Layout, file: &str) -> File {
    static LOOKS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^(?:[uv]?\s*(\d+))?[_\-. ]*(.*?)(\.down|\.up|\.undo)?\.sql$")
            .expect("the expression is a constant")
    });
    let Some(found) = LOOKS.captures(file) else { return File::Unmeant };
    let words: String = found[2].chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' }).collect();
    let words = if words.trim_matches('_').is_empty() { "what_it_does" } else { words.trim_matches('_') };
    let tail = found.get(3).map_or("", |tail| tail.as_str()).to_lowercase();
    let is_back = tail == ".down" || tail == ".undo" || (file.starts_with('U') && found.get(1).is_some());
    let direction = if is_back { Direction::Down } else { Direction::Up };
    let version = found.get(1).map_or("1", |version| version.as_str());
    File::Wrong {
        text: format!("`{file}` is not the name of a migration, so it would never run"),
        help: format!("call it `{}`, or move it out of the folder", layout.file_name(version, words, direction)),
    }
}
