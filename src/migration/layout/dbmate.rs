//! dbmate's layout: one file with both ways, `-- migrate:up` and `-- migrate:down`. Pure (it reads through [`Files`]).
//!
//! Invariant: each way is exactly what dbmate sends for it, and the versions are the texts that it writes into
//! `schema_migrations`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use super::Layout;
use super::pairing;
use crate::files::Files;
use crate::migration::Migration;
use crate::migration::directives::Beside;
use crate::migration::folder::{self, FolderMistake, check, file_name};

/// dbmate's own expression is `^(\d+).*\.sql$`.
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^(\d+)_?(.*)\.sql$").expect("the expression is a constant"));
static MARK: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?m)^--[ \t]*migrate:(up|down)(?:[ \t]+(\S[^\n]*?))?[ \t\r]*$").expect("the expression is a constant")
});

/// Reads a folder.
pub fn load(files: &dyn Files, folder: &Path, off: &BTreeSet<i64>) -> (Vec<Migration>, Vec<FolderMistake>) {
    let mut listed = match folder::list(files, folder) {
        Ok(listed) => listed,
        Err(mistake) => return (Vec::new(), vec![mistake]),
    };
    // dbmate runs them in the order of their names.
    listed.sort_by_key(|path| file_name(path));
    let (mut migrations, mut mistakes): (Vec<(Migration, PathBuf)>, Vec<FolderMistake>) = Default::default();
    for path in listed {
        let file = file_name(&path);
        let mut wrong = |text: String, help: &str| {
            mistakes.push(FolderMistake::new(&path, text, help));
        };
        let Some(found) = NAME.captures(&file) else {
            if let pairing::File::Wrong { text, help } = pairing::unnumbered(Layout::Dbmate, &file) {
                wrong(text, &help);
            }
            continue;
        };
        let Some(version) = Layout::Dbmate.number(&found[1]) else {
            wrong(format!("version `{}` is too large", &found[1]), &format!("a version is at most {}", i64::MAX));
            continue;
        };
        if found[2].ends_with(".up") || found[2].ends_with(".down") {
            let help = "join the two files into one, with `-- migrate:up` and `-- migrate:down`; or set `layout`";
            wrong(format!("dbmate would take `{file}` for a migration of its own: it has both ways in one file"), help);
            continue;
        }
        if let Some((other, _)) = migrations.iter().find(|(other, _)| other.version == version) {
            let text = format!("version {} is given more than once: also by `{}`", &found[1], other.name);
            wrong(text, "give each migration a version of its own");
            continue;
        }
        if let Some((last, _)) = migrations.last().filter(|(last, _)| last.version > version) {
            let text = format!("dbmate runs it after version {}, in the order of names", last.version_text());
            wrong(text, "give all versions the same number of digits");
            continue;
        }
        let Some(text) = folder::read(files, &path, &mut mistakes) else { continue };
        let beside = if off.contains(&version) { Beside::Off } else { Beside::Nothing };
        let Some((up, down)) = ways(&path, &text, &mut mistakes) else { continue };
        let Some(directives) = check(&path, &up, beside, &mut mistakes) else { continue };
        if down.as_ref().is_some_and(|down| check(&path, down, beside, &mut mistakes).is_none()) {
            continue;
        }
        let plain = Migration::plain(version, &found[2], &up, down.as_deref());
        let spelling = (version.to_string() != found[1]).then(|| found[1].to_owned());
        migrations
            .push((Migration { transaction: directives.transaction, said: directives.said, spelling, ..plain }, path));
    }
    mistakes.sort_by(|left, right| left.path.cmp(&right.path));
    (migrations.into_iter().map(|(migration, _)| migration).collect(), mistakes)
}

/// The two ways of a text, lines as they were.
fn ways(path: &Path, text: &str, mistakes: &mut Vec<FolderMistake>) -> Option<(String, Option<String>)> {
    let mut wrong = |text: String, help: &str| {
        mistakes.push(FolderMistake::new(path, text, help));
        None
    };
    let line = |at: usize| text[..at].matches('\n').count() + 1;
    let marks: Vec<_> = MARK.captures_iter(text).collect();
    let place = |way: &str| -> Vec<usize> {
        marks.iter().filter(|mark| &mark[1] == way).filter_map(|mark| mark.get(0)).map(|mark| mark.start()).collect()
    };
    let (ups, downs) = (place("up"), place("down"));
    let &[up] = ups.as_slice() else {
        let said = if ups.is_empty() { "there is no `-- migrate:up` in it" } else { "`-- migrate:up` is there twice" };
        return wrong(said.to_owned(), "write `-- migrate:up` once, on a line of its own before the statements");
    };
    let down = match downs.as_slice() {
        [] => None,
        [down] if *down > up => Some(*down),
        [down] => {
            let said = format!("line {}: `-- migrate:down` stands before `-- migrate:up`", line(*down));
            return wrong(said, "put the way back behind the other");
        }
        [_, second, ..] => {
            let said = format!("line {}: `-- migrate:down` is there twice", line(*second));
            return wrong(said, "join the two into one");
        }
    };
    let before = text[..up].lines().find(|line| !line.trim().is_empty() && !line.trim_start().starts_with("--"));
    if let Some(before) = before {
        let said = format!("`{}` stands before `-- migrate:up`", before.trim());
        return wrong(said, "move it behind `-- migrate:up`: dbmate refuses the file");
    }
    let mut sides = Vec::new();
    for mark in &marks {
        let (whole, start) = (&mark[0], mark.get(0).map_or(0, |mark| mark.start()));
        let side = match mark.get(2).map(|options| options.as_str()) {
            None => "",
            Some("transaction:true") => "",
            Some("transaction:false") => "/* switchback: transaction off */",
            Some(other) => {
                let said = format!("line {}: dbmate has no option `{other}`", line(start));
                return wrong(said, "the only one is `transaction:false`");
            }
        };
        // Lines stay where they are, so that messages name the right one.
        let end = if &mark[1] == "up" { down.unwrap_or(text.len()) } else { text.len() };
        let blank = "\n".repeat(text[..start].matches('\n').count());
        sides.push(format!("{blank}{side}{}", &text[start + whole.len()..end]));
    }
    let mut sides = sides.into_iter();
    Some((sides.next().unwrap_or_default(), sides.next()))
}
