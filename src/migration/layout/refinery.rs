//! refinery's layout: `V12__add_email.sql`, and beside it our `V12__add_email.down.sql`. Pure.
//!
//! Invariant: the versions, names and checksums are those that refinery itself reads.

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
    let style = Style { layout: Layout::Refinery, name, text: Ok, same_name: true };
    pairing::load(&style, files, folder, off)
}

/// refinery's own expression is `^([U|V])(\d+(?:\.\d+)?)__(\w+)\.sql$`; ours allows only what it can also run.
static NAME: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"^V(\d+)__(\w+?)(\.down)?\.sql$").expect("the expression is a constant"));

fn name(file: &str) -> File {
    let Some(found) = NAME.captures(file) else {
        return bad_name(file);
    };
    let direction = if found.get(3).is_none() { Direction::Up } else { Direction::Down };
    numbered(Layout::Refinery, direction, &found[1], &found[2])
}

/// What is wrong with a name that is none.
fn bad_name(file: &str) -> File {
    static LOOKS: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^[uv|]?\s*(\d+)([.\d]*)[_\-. ]*(.*?)(\.down|\.up|\.undo)?\.(sql|rs)$")
            .expect("the expression is a constant")
    });
    let mistake = |text: String, help: String| File::Wrong { text, help };
    let lower = file.to_lowercase();
    let is_rust = lower.ends_with(".rs");
    let Some(found) = LOOKS.captures(file) else {
        return if lower.ends_with(".sql") {
            let help = "call it `V1__what_it_does.sql`, or move it out of the folder".to_owned();
            mistake(format!("`{file}` is not the name of a migration, so it would never run"), help)
        } else {
            File::Unmeant
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
        return mistake(text, format!("{mend}; or is this Flyway's? Then set `layout = \"flyway\"`"));
    }
    if !found[2].is_empty() {
        let help = format!(
            "versions are whole numbers: {mend}, with a number of its own; or is this Flyway's? Then set `layout = \"flyway\"`"
        );
        return mistake(format!("`{}{}` is not a version", &found[1], &found[2]), help);
    }
    let mend = match tail == ".down" || lower.ends_with(".up.sql") {
        true => format!("{mend}; or is this another tool's? Then say so with `layout`"),
        false => mend,
    };
    mistake(format!("`{file}` is not the name of a migration, so it would never run"), mend)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::PathBuf;

    use super::*;
    use crate::migration::folder::file_name;

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
        let (_, mistakes) = load(&Folder::of(files), Path::new("m"), &BTreeSet::new());
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
        let (migrations, mistakes) = load(&folder, Path::new("m"), &BTreeSet::new());
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
        let (migrations, mistakes) = load(&Folder::of(&[]), Path::new("elsewhere"), &BTreeSet::new());
        assert!(migrations.is_empty());
        assert!(mistakes[0].text.contains("cannot be read"), "{mistakes:?}");
    }
}
