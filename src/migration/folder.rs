//! Loads a folder of migrations in refinery's layout, and finds everything that is wrong with it. Pure (it reads
//! through [`Files`]).
//!
//! Invariant: what refinery would ignore in silence although somebody meant it as a migration is a mistake here.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use regex::Regex;

use super::Migration;
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

/// The migrations of a folder by version, and all mistakes in it. A file with a mistake gives no migration.
pub fn load(files: &dyn Files, folder: &Path) -> (Vec<Migration>, Vec<FolderMistake>) {
    load_beside(files, folder, &BTreeSet::new())
}

/// The same, where the spec says of these versions that they run outside of a transaction.
pub fn load_beside(files: &dyn Files, folder: &Path, off: &BTreeSet<i64>) -> (Vec<Migration>, Vec<FolderMistake>) {
    let mut mistakes = Vec::new();
    let listed = match files.list(folder) {
        Ok(listed) => listed,
        Err(error) => {
            let text = format!("the folder of migrations cannot be read: {error}");
            let help = "make the folder, or correct `migrations` of the database block".to_owned();
            return (Vec::new(), vec![FolderMistake { path: folder.to_owned(), text, help }]);
        }
    };
    let (ups, mut downs) = sort_out(listed, &mut mistakes);
    let mut migrations = Vec::new();
    for (version, mut named) in ups {
        named.sort();
        if let [(name, path)] = named.as_slice() {
            let down = downs.remove(&(version, name.clone()));
            let beside = if off.contains(&version) { Beside::Off } else { Beside::Nothing };
            migrations.extend(read_pair(files, (version, name), path, down.as_deref(), beside, &mut mistakes));
        } else {
            downs.retain(|(other, _), _| *other != version);
            mistakes.extend(duplicates(version, &named));
        }
    }
    mistakes.extend(downs.into_iter().map(|((version, name), path)| orphan(version, &name, path, &migrations)));
    mistakes.sort_by(|left, right| left.path.cmp(&right.path));
    (migrations, mistakes)
}

type Ups = BTreeMap<i64, Vec<(String, PathBuf)>>;
type Downs = BTreeMap<(i64, String), PathBuf>;

/// refinery's own expression is `^([U|V])(\d+(?:\.\d+)?)__(\w+)\.sql$`; ours allows only what it can also run.
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^V(\d+)__(\w+?)(\.down)?\.sql$").expect("the expression is a constant"));

fn sort_out(listed: Vec<PathBuf>, mistakes: &mut Vec<FolderMistake>) -> (Ups, Downs) {
    let (mut ups, mut downs) = (Ups::new(), Downs::new());
    for path in listed {
        let Some(file) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        let Some(found) = NAME.captures(&file) else {
            if let Some(mistake) = bad_name(&file) {
                mistakes.push(FolderMistake { path, ..mistake });
            }
            continue;
        };
        let Ok(version) = found[1].parse::<i64>() else {
            let text = format!("version `{}` is too large", &found[1]);
            mistakes.push(FolderMistake { path, text, help: format!("a version is at most {}", i64::MAX) });
            continue;
        };
        let name = found[2].to_owned();
        if found.get(3).is_none() {
            ups.entry(version).or_default().push((name, path));
        } else if let Some(other) = downs.insert((version, name), path.clone()) {
            let text = format!("this and `{}` are the way back of the same migration", other.display());
            mistakes.push(FolderMistake { path, text, help: "keep one of the two files".to_owned() });
        }
    }
    (ups, downs)
}

/// What is wrong with a name that is none; `None` when nobody can have meant it as a migration.
fn bad_name(file: &str) -> Option<FolderMistake> {
    static LOOKS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^[uv|]?\s*(\d+)([.\d]*)[_\-. ]*(.*?)(\.down|\.up|\.undo)?\.(sql|rs)$")
            .expect("the expression is a constant")
    });
    let mistake = |text: String, help: String| Some(FolderMistake { path: PathBuf::new(), text, help });
    let lower = file.to_lowercase();
    let is_rust = lower.ends_with(".rs");
    let Some(found) = LOOKS.captures(file) else {
        return if lower.ends_with(".sql") {
            let help = "call it `V1__what_it_does.sql`, or move it out of the folder".to_owned();
            mistake(format!("`{file}` is not the name of a migration, so it would never run"), help)
        } else {
            None
        };
    };
    if is_rust {
        let help = "write it as SQL in a file that ends in `.sql`".to_owned();
        return mistake(format!("`{file}` is a migration in Rust, which is not supported"), help);
    }
    let tail = found.get(4).map_or("", |tail| tail.as_str()).to_lowercase();
    let tail = if tail == ".down" || tail == ".undo" { ".down" } else { "" };
    let words: String = found[3].chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' }).collect();
    let words = if words.trim_matches('_').is_empty() { "what_it_does" } else { words.trim_matches('_') };
    let mend = format!("call it `V{}__{words}{tail}.sql`", &found[1]);
    let first = file.chars().next().unwrap_or_default();
    if first.eq_ignore_ascii_case(&'u') {
        let text = format!("`{file}` is an unversioned migration (`U…`), which has no place in an order");
        return mistake(text, mend);
    }
    if !found[2].is_empty() {
        let help = format!("versions are whole numbers: {mend}, with a number of its own");
        return mistake(format!("`{}{}` is not a version", &found[1], &found[2]), help);
    }
    mistake(format!("`{file}` is not the name of a migration, so it would never run"), mend)
}

fn duplicates(version: i64, named: &[(String, PathBuf)]) -> Vec<FolderMistake> {
    let all = named.iter().map(|(_, path)| format!("`{}`", file_name(path))).collect::<Vec<_>>().join(", ");
    let mistake = |path: &PathBuf| FolderMistake {
        path: path.clone(),
        text: format!("version {version} is given more than once: {all}"),
        help: "give each migration a version of its own".to_owned(),
    };
    named.iter().skip(1).map(|(_, path)| mistake(path)).collect()
}

fn orphan(version: i64, name: &str, path: PathBuf, migrations: &[Migration]) -> FolderMistake {
    let text = format!("this is the way back of `V{version}__{name}.sql`, which is not there");
    let help = match migrations.iter().find(|migration| migration.version == version) {
        Some(migration) => format!("call it `V{version}__{}.down.sql`", migration.name),
        None => "add that file, or remove this one".to_owned(),
    };
    FolderMistake { path, text, help }
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn read_pair(
    files: &dyn Files,
    (version, name): (i64, &str),
    up_path: &Path,
    down_path: Option<&Path>,
    beside: Beside,
    mistakes: &mut Vec<FolderMistake>,
) -> Option<Migration> {
    let up = read_one(files, up_path, beside, mistakes);
    let down = down_path.map(|path| read_one(files, path, beside, mistakes));
    let (up, directives) = up?;
    let down = match down {
        Some(None) => return None,
        Some(Some((text, _))) => Some(text),
        None => None,
    };
    let plain = Migration::plain(version, name, &up, down.as_deref());
    Some(Migration { transaction: directives.transaction, said: directives.said, ..plain })
}

fn read_one(
    files: &dyn Files,
    path: &Path,
    beside: Beside,
    mistakes: &mut Vec<FolderMistake>,
) -> Option<(String, Directives)> {
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
    let script = match Script::parse(&text) {
        Ok(script) => script,
        Err(error) => {
            return wrong(
                format!("not understood as SQL: {error}"),
                "correct the statement; what cannot be understood is not run (psql's own commands such as `\\i` are not SQL)",
            );
        }
    };
    match directives::check_beside(&script, beside) {
        Ok(directives) => Some((text, directives)),
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Folder(BTreeMap<PathBuf, Vec<u8>>);

    impl Folder {
        fn of(files: &[(&str, &str)]) -> Self {
            Self(files.iter().map(|(name, text)| (Path::new("m").join(name), text.as_bytes().to_vec())).collect())
        }
    }

    impl Files for Folder {
        fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
            self.0.get(path).cloned().ok_or_else(|| std::io::ErrorKind::NotFound.into())
        }

        fn list(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
            match folder == Path::new("m") {
                true => Ok(self.0.keys().cloned().collect()),
                false => Err(std::io::ErrorKind::NotFound.into()),
            }
        }
    }

    fn wrong(files: &[(&str, &str)]) -> Vec<String> {
        let (_, mistakes) = load(&Folder::of(files), Path::new("m"));
        mistakes.iter().map(|one| format!("{}: {} | {}", file_name(&one.path), one.text, one.help)).collect()
    }

    #[test]
    fn a_good_folder_gives_its_migrations_in_order_of_number() {
        let folder = Folder::of(&[
            ("README.md", "hello"),
            ("V10__ten.sql", "select 10"),
            ("V2__two.down.sql", "drop table two"),
            ("V2__two.sql", "create table two ()"),
            ("V3__index.sql", "-- switchback: transaction off\ncreate index concurrently i on two (a)"),
        ]);
        let (migrations, mistakes) = load(&folder, Path::new("m"));
        assert_eq!(mistakes, []);
        let found: Vec<_> = migrations
            .iter()
            .map(|one| (one.version, one.name.as_str(), one.down.as_deref(), one.transaction))
            .collect();
        assert_eq!(
            found,
            [(2, "two", Some("drop table two"), true), (3, "index", None, false), (10, "ten", None, true)]
        );
    }

    #[test]
    fn names_that_look_like_migrations_are_mended() {
        for (file, mend) in [
            ("V1_users.sql", "call it `V1__users.sql`"),
            ("v1__users.sql", "call it `V1__users.sql`"),
            ("V1__add-email.sql", "call it `V1__add_email.sql`"),
            ("1_users.up.sql", "call it `V1__users.sql`"),
            ("0001_users.down.sql", "call it `V0001__users.down.sql`"),
            ("V1__.sql", "call it `V1__what_it_does.sql`"),
            ("V1__users.SQL", "call it `V1__users.sql`"),
            ("U1__users.sql", "unversioned"),
            ("V1.2__users.sql", "versions are whole numbers"),
            ("V1__users.rs", "in Rust"),
            ("users.sql", "would never run"),
            ("V99999999999999999999__users.sql", "too large"),
        ] {
            let mistakes = wrong(&[(file, "select 1")]);
            assert_eq!(mistakes.len(), 1, "{file}");
            assert!(mistakes[0].contains(mend), "{}", mistakes[0]);
        }
        assert_eq!(wrong(&[("notes.txt", ""), (".gitkeep", ""), ("V1__a.sql~", "")]), [""; 0]);
    }

    #[test]
    fn duplicates_and_orphans_are_found() {
        let mistakes = wrong(&[
            ("V01__a.sql", "select 1"),
            ("V1__b.sql", "select 1"),
            ("V2__c.sql", "select 1"),
            ("V2__d.down.sql", "select 1"),
            ("V3__e.down.sql", "select 1"),
        ]);
        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
        assert!(mistakes[0].starts_with("V1__b.sql: version 1 is given more than once"), "{}", mistakes[0]);
        assert!(mistakes[1].ends_with("call it `V2__c.down.sql`"), "{}", mistakes[1]);
        assert!(mistakes[2].ends_with("add that file, or remove this one"), "{}", mistakes[2]);
    }

    #[test]
    fn texts_are_checked_both_ways() {
        let mistakes = wrong(&[
            ("V1__a.sql", "create table a ();\ncommit;"),
            ("V2__b.sql", "select 1"),
            ("V2__b.down.sql", "selekt 1"),
            ("V3__c.sql", "\u{feff}select 1"),
        ]);
        assert_eq!(mistakes.len(), 3, "{mistakes:?}");
        assert!(mistakes[0].contains("line 2: `commit`"), "{}", mistakes[0]);
        assert!(mistakes[1].starts_with("V2__b.down.sql: not understood as SQL: line 1"), "{}", mistakes[1]);
        assert!(mistakes[2].contains("byte order mark"), "{}", mistakes[2]);
    }

    #[test]
    fn a_missing_folder_is_one_mistake() {
        let (migrations, mistakes) = load(&Folder::of(&[]), Path::new("elsewhere"));
        assert!(migrations.is_empty());
        assert!(mistakes[0].text.contains("cannot be read"), "{mistakes:?}");
    }
}
