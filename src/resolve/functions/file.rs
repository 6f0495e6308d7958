//! Functions of files and paths. Files are read through the one door only.
//!
//! Invariant: at apply and rollback, where no source is at hand, these refuse.

use std::path::{Component, Path, PathBuf};

use base64::Engine as _;

use super::collection::made;
use super::{Arguments, Function, FunctionError, Kind, Outcome, Parameter, digest, parameter, row};
use crate::files::Files;
use crate::value::{Type, Value};

const PATH: Parameter = parameter("path", Kind::Text);

pub(super) static ROWS: &[Function] = &[
    row("abspath", &[PATH], Kind::Text, |a| Ok(display(&clean(&a.surroundings.folder.join(a.text(0)))).into())),
    row("basename", &[PATH], Kind::Text, |a| Ok(base_name(a.text(0)).into())),
    row("dirname", &[PATH], Kind::Text, |a| Ok(folder_name(a.text(0)).into())),
    row("pathexpand", &[PATH], Kind::Text, path_expand),
    row("file", &[PATH], Kind::Text, |a| made(text(a, 0)?)),
    row("fileexists", &[PATH], Kind::Bool, exists),
    row("fileset", &[parameter("folder", Kind::Text), parameter("pattern", Kind::Text)], Kind::TextSet, file_set),
    row("filebase64", &[PATH], Kind::Text, |a| {
        Ok(base64::engine::general_purpose::STANDARD.encode(read(a, 0)?).into())
    }),
    row("filebase64sha256", &[PATH], Kind::Text, |a| Ok(digest::base64_sha256(&read(a, 0)?).into())),
    row("filebase64sha512", &[PATH], Kind::Text, |a| Ok(digest::base64_sha512(&read(a, 0)?).into())),
    row("filemd5", &[PATH], Kind::Text, |a| Ok(digest::md5(&read(a, 0)?).into())),
    row("filesha1", &[PATH], Kind::Text, |a| Ok(digest::sha1(&read(a, 0)?).into())),
    row("filesha256", &[PATH], Kind::Text, |a| Ok(digest::sha256(&read(a, 0)?).into())),
    row("filesha512", &[PATH], Kind::Text, |a| Ok(digest::sha512(&read(a, 0)?).into())),
];

fn files<'a>(arguments: &Arguments<'a>) -> Result<&'a dyn Files, FunctionError> {
    arguments.surroundings.files.ok_or_else(|| {
        FunctionError::whole("no file can be read now: this expression has to be known when planning, not at apply")
    })
}

fn place(arguments: &Arguments<'_>, index: usize) -> PathBuf {
    let text = arguments.text(index);
    let expanded = expand(text, arguments.surroundings.home);
    clean(&arguments.surroundings.folder.join(expanded.unwrap_or_else(|| PathBuf::from(text))))
}

fn refuse(error: &std::io::Error, arguments: &Arguments<'_>, index: usize) -> FunctionError {
    let name = if arguments.secret { "the file".to_owned() } else { format!("`{}`", arguments.text(index)) };
    FunctionError::at(index, format!("{name} cannot be read: {error}"))
}

fn read(arguments: &Arguments<'_>, index: usize) -> Result<Vec<u8>, FunctionError> {
    let files = files(arguments)?;
    files.read(&place(arguments, index)).map_err(|error| refuse(&error, arguments, index))
}

/// A file's text.
pub(super) fn text(arguments: &Arguments<'_>, index: usize) -> Result<String, FunctionError> {
    String::from_utf8(read(arguments, index)?)
        .map_err(|_| FunctionError::at(index, "the file is not UTF-8 text; use `filebase64` for other files"))
}

fn exists(arguments: &Arguments<'_>) -> Outcome {
    match files(arguments)?.read(&place(arguments, 0)) {
        Ok(_) => Ok(true.into()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false.into()),
        Err(error) => Err(refuse(&error, arguments, 0)),
    }
}

fn expand(text: &str, home: Option<&Path>) -> Option<PathBuf> {
    let rest = text.strip_prefix('~')?;
    let home = home?;
    match rest.strip_prefix('/') {
        Some(rest) => Some(home.join(rest)),
        None if rest.is_empty() => Some(home.to_owned()),
        None => None,
    }
}

fn path_expand(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.text(0);
    Ok(expand(text, arguments.surroundings.home).map_or_else(|| text.into(), |path| display(&path).into()))
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

/// Without `.` and `..`.
fn clean(path: &Path) -> PathBuf {
    let mut cleaned = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if cleaned.parent().is_some() && !cleaned.ends_with("..") => {
                cleaned.pop();
            }
            Component::ParentDir if cleaned.has_root() => {}
            other => cleaned.push(other),
        }
    }
    cleaned
}

fn base_name(text: &str) -> String {
    let trimmed = text.trim_end_matches('/');
    match (text.is_empty(), trimmed.is_empty()) {
        (true, _) => ".".to_owned(),
        (false, true) => "/".to_owned(),
        (false, false) => trimmed.rsplit('/').next().unwrap_or(trimmed).to_owned(),
    }
}

fn folder_name(text: &str) -> String {
    match text.rfind('/') {
        None => ".".to_owned(),
        Some(at) => {
            let folder = display(&clean(Path::new(&text[..=at])));
            if folder.is_empty() { ".".to_owned() } else { folder }
        }
    }
}

fn file_set(arguments: &Arguments<'_>) -> Outcome {
    let files = files(arguments)?;
    let base = place(arguments, 0);
    let pattern = arguments.text(1);
    let regex = glob(pattern).and_then(|pattern| regex::Regex::new(&pattern).ok());
    let regex = regex.ok_or_else(|| FunctionError::at(1, "this is not a pattern of file names"))?;
    let depth = if pattern.contains("**") { usize::MAX } else { pattern.matches('/').count() };
    let mut found = Vec::new();
    gather(files, &base, Path::new(""), depth, &mut found).map_err(|error| refuse(&error, arguments, 0))?;
    let names = found.into_iter().filter(|name| regex.is_match(name)).map(Value::from).collect();
    Ok(Value::set(Type::String, names))
}

/// The most folders within each other that are looked into.
const DEEPEST: usize = 64;

fn gather(files: &dyn Files, base: &Path, under: &Path, depth: usize, found: &mut Vec<String>) -> std::io::Result<()> {
    let folder = base.join(under);
    let named = |path: &Path| under.join(path.file_name().unwrap_or_default());
    match files.list(&folder) {
        Ok(paths) => found.extend(paths.iter().map(|path| display(&named(path)))),
        // As in Terraform: a folder that does not exist has no files.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    }
    if depth > 0 && under.components().count() < DEEPEST {
        for path in files.folders(&folder)? {
            gather(files, base, &named(&path), depth.saturating_sub(1), found)?;
        }
    }
    Ok(())
}

/// A pattern of file names as a regular expression.
fn glob(pattern: &str) -> Option<String> {
    let mut regex = String::from("^");
    let mut letters = pattern.chars().peekable();
    let mut alternatives = 0_usize;
    while let Some(letter) = letters.next() {
        match letter {
            '*' if letters.next_if_eq(&'*').is_some() => match letters.next_if_eq(&'/') {
                Some(_) => regex.push_str("(?:.*/)?"),
                None => regex.push_str(".*"),
            },
            '*' => regex.push_str("[^/]*"),
            '?' => regex.push_str("[^/]"),
            '{' => {
                alternatives += 1;
                regex.push_str("(?:");
            }
            '}' if alternatives > 0 => {
                alternatives -= 1;
                regex.push(')');
            }
            ',' if alternatives > 0 => regex.push('|'),
            '[' => {
                regex.push('[');
                if letters.next_if(|letter| "!^".contains(*letter)).is_some() {
                    regex.push('^');
                }
                loop {
                    match letters.next()? {
                        ']' => break,
                        '\\' => regex.push_str(&regex::escape(&letters.next()?.to_string())),
                        '-' => regex.push('-'),
                        other => regex.push_str(&regex::escape(&other.to_string())),
                    }
                }
                regex.push(']');
            }
            '\\' => regex.push_str(&regex::escape(&letters.next()?.to_string())),
            other => regex.push_str(&regex::escape(&other.to_string())),
        }
    }
    regex.push('$');
    (alternatives == 0).then_some(regex)
}
