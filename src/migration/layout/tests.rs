//! What each layout reads, and every mistake that it names.
//!
//! Invariant: nothing here computes a checksum with the code that is tested.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::*;
use crate::migration::folder::file_name;

struct Folder(BTreeMap<PathBuf, String>);

impl Files for Folder {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        self.0.get(path).map(|text| text.clone().into_bytes()).ok_or_else(|| std::io::ErrorKind::NotFound.into())
    }

    fn list(&self, _folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        Ok(self.0.keys().cloned().collect())
    }
}

fn load(layout: Layout, files: &[(&str, &str)]) -> (Vec<Migration>, Vec<String>) {
    let texts = files.iter().map(|(name, text)| (Path::new("m").join(name), (*text).to_owned()));
    let (found, mistakes) = layout.load(&Folder(texts.collect()), Path::new("m"));
    let told = mistakes.iter().map(|one| format!("{}: {} | {}", file_name(&one.path), one.text, one.help));
    (found, told.collect())
}

fn good(layout: Layout, files: &[(&str, &str)]) -> Vec<Migration> {
    let (found, mistakes) = load(layout, files);
    assert_eq!(mistakes, [""; 0], "{layout}");
    found
}

fn wrong(layout: Layout, files: &[(&str, &str)], part: &str) {
    let (_, mistakes) = load(layout, files);
    assert!(mistakes.len() == 1 && mistakes[0].contains(part), "{layout} {files:?}: {mistakes:?} lacks `{part}`");
}

fn told(found: &[Migration]) -> Vec<(String, Option<&str>, bool)> {
    found.iter().map(|one| (one.label(), one.down.as_deref(), one.transaction)).collect()
}

#[test]
fn flyway_has_dotted_versions_undo_and_repeatable_ones() {
    let found = good(
        Layout::Flyway,
        &[
            ("V1.10__ten.sql", "select 10"),
            ("V1_2__two parts.sql", "select 2"),
            ("U1.2__two.sql", "select -2"),
            ("V20260101120000__late.sql", "-- switchback: transaction off\nvacuum t"),
            ("R__b_views.sql", "create or replace view b as select 1"),
            ("R__a.sql", "select 1"),
            ("notes.txt", ""),
        ],
    );
    let labels = ["V1.2__two parts", "V1.10__ten", "V20260101120000__late", "R__a", "R__b_views"];
    assert_eq!(told(&found).iter().map(|one| one.0.as_str()).collect::<Vec<_>>(), labels);
    assert_eq!((found[0].down.as_deref(), found[2].transaction), (Some("select -2"), false));
    assert!(found[3].is_repeatable() && found[3].version > found[2].version && !found[2].is_repeatable());
    assert_eq!(Layout::Flyway.row_name(&found[4]), "b views");
}

#[test]
fn flyways_checksum_is_over_lines() {
    // Checked against `zlib.crc32` over the lines joined without what ends them.
    assert_eq!(flyway::checksum("123456789"), -873_187_034);
    assert_eq!(flyway::checksum("1234\n56\r\n789\n"), -873_187_034);
    assert_eq!(flyway::checksum("1234\r56789"), -873_187_034);
    assert_ne!(flyway::checksum("1234 56789"), -873_187_034);
}

#[test]
fn flyways_mistakes_are_named() {
    for (file, part) in [
        ("V1_users.sql", "call it `V1__users.sql`"),
        ("v1__users.sql", "call it `V1__users.sql`"),
        ("1__users.sql", "call it `V1__users.sql`"),
        ("V1__users.down.sql", "call it `U1__users.sql`"),
        ("V1__users.undo.sql", "call it `U1__users.sql`"),
        ("B1__base.sql", "baseline migration"),
        ("V1__users.java", "in Java"),
        ("V1__users.sql.conf", "says how Flyway runs a script"),
        ("V99999999999999999999__users.sql", "too large parts"),
        ("users.sql", "would never run"),
    ] {
        wrong(Layout::Flyway, &[(file, "select 1")], part);
    }
    wrong(Layout::Flyway, &[("U1__a.sql", "select 1")], "this is the way back of `V1__a.sql`");
    wrong(Layout::Flyway, &[("V1__a.sql", "select 1"), ("V1.0__b.sql", "select 1")], "is given more than once");
    wrong(Layout::Flyway, &[("V1__a.sql", "select\n'${who}'")], "line 2: Flyway would replace `${who}`");
    wrong(Layout::Flyway, &[("R__a_b.sql", "select 1"), ("R__a b.sql", "select 1")], "more than once");
}

#[test]
fn sqlx_has_simple_and_reversible_files() {
    let found = good(
        Layout::Sqlx,
        &[
            ("0001_users.sql", "select 1"),
            ("2_more_users.up.sql", "-- no-transaction\ncreate index concurrently i on t (a)"),
            ("2_more_users.down.sql", "select -2"),
        ],
    );
    let expected = [("V1__users".to_owned(), None, true), ("V2__more_users".to_owned(), Some("select -2"), false)];
    assert_eq!(told(&found), expected);
    assert_eq!(Layout::Sqlx.row_name(&found[1]), "more users");
    // `printf 'select 1' | sha384sum`
    let sum = Layout::Sqlx.checksum(&found[0], false);
    assert_eq!((sum.len(), &sum[..16]), (96, "645e440deb3b1b7a"));
    wrong(Layout::Sqlx, &[("users.sql", "select 1")], "call it `1_users.up.sql`");
    wrong(Layout::Sqlx, &[("V1__users.sql", "select 1")], "call it `1_users.up.sql`");
    wrong(Layout::Sqlx, &[("1_a.down.sql", "select 1")], "this is the way back of `1_a.up.sql`");
    wrong(Layout::Sqlx, &[("1_a.sql", "select 1"), ("01_b.up.sql", "select 1")], "version 1 is given more than once");
    wrong(Layout::Sqlx, &[("99999999999999999999_a.sql", "select 1")], "too large");
}

#[test]
fn golang_migrate_has_pairs_and_brings_its_own_transactions() {
    let found = good(
        Layout::GolangMigrate,
        &[
            ("000001_users.up.sql", "-- begin\nBEGIN;\nselect 1;\nCOMMIT;\n-- done"),
            ("000001_users.down.sql", "start transaction;\nselect -1;\nend;"),
            ("000003_index.up.sql", "create index concurrently i on t (a);"),
            ("000003_index.down.sql", ""),
        ],
    );
    assert_eq!(found[0].up, "-- begin\n     ;\nselect 1;\n      ;\n-- done");
    assert!(!found[0].down.as_ref().unwrap().contains("transaction"));
    assert!(!found[1].transaction);
    assert_eq!((found[0].follows, found[1].follows), (None, Some(1)));
    wrong(Layout::GolangMigrate, &[("1_a.sql", "select 1")], "call it `1_a.up.sql`");
    wrong(Layout::GolangMigrate, &[("1_a.down.sql", "select 1")], "this is the way back of `1_a.up.sql`");
    wrong(Layout::GolangMigrate, &[("1_a.up.sql", "begin; select 1; select 2")], "`begin` would end or begin");
    wrong(Layout::GolangMigrate, &[("1_a.up.sql", "select 1"), ("01_b.up.sql", "select 1")], "more than once");
}

#[test]
fn dbmate_has_both_ways_in_one_file() {
    let found = good(
        Layout::Dbmate,
        &[
            ("001_users.sql", "-- by me\n-- migrate:up\ncreate table u ();\n\n-- migrate:down\ndrop table u;\n"),
            ("002_index.sql", "-- migrate:up transaction:false\ncreate index concurrently i on t (a);"),
        ],
    );
    assert_eq!(found[0].up, "\n\ncreate table u ();\n\n");
    assert_eq!(found[0].down.as_deref(), Some("\n\n\n\n\ndrop table u;\n"));
    assert_eq!((found[1].transaction, found[1].down.as_deref()), (false, None));
    assert_eq!((found[0].version, found[0].version_text().as_str(), found[0].name.as_str()), (1, "001", "users"));
    let up = "-- migrate:up\nselect 1";
    wrong(Layout::Dbmate, &[("1_a.sql", "select 1")], "no `-- migrate:up`");
    wrong(Layout::Dbmate, &[("1_a.sql", "select 0;\n-- migrate:up\nselect 1")], "`select 0;` stands before");
    wrong(Layout::Dbmate, &[("1_a.sql", "-- migrate:down\nselect 0;\n-- migrate:up\nselect 1")], "stands before");
    wrong(Layout::Dbmate, &[("1_a.sql", "-- migrate:up transaction:no\nselect 1")], "no option `transaction:no`");
    wrong(Layout::Dbmate, &[("1_a.sql", up), ("01_b.sql", up)], "is given more than once");
    wrong(Layout::Dbmate, &[("10_a.sql", up), ("9_b.sql", up)], "order of names");
    wrong(Layout::Dbmate, &[("1_a.up.sql", up)], "both ways in one file");
    wrong(Layout::Dbmate, &[("a.sql", up)], "call it `1_a.sql`");
    wrong(Layout::Dbmate, &[("1_a.sql", "-- migrate:up\nselect 1;\nselekt 2")], "line 3");
}

#[test]
fn the_next_files_are_those_of_the_tool() {
    let names = |layout: Layout, files: &[(&str, &str)]| -> Vec<String> {
        let found = good(layout, files);
        let files = layout.next(&found, "more", "20260101120000");
        files.into_iter().map(|file| file.name).collect()
    };
    assert_eq!(names(Layout::Refinery, &[]), ["V1__more.sql", "V1__more.down.sql"]);
    assert_eq!(names(Layout::Refinery, &[("V9__a.sql", "select 1")]), ["V10__more.sql", "V10__more.down.sql"]);
    assert_eq!(names(Layout::Flyway, &[("V1.2__a.sql", "select 1")]), ["V2__more.sql", "U2__more.sql"]);
    assert_eq!(names(Layout::Sqlx, &[]), ["20260101120000_more.up.sql", "20260101120000_more.down.sql"]);
    assert_eq!(
        names(Layout::Sqlx, &[("20270101120000_a.sql", "select 1")]),
        ["20270101120001_more.up.sql", "20270101120001_more.down.sql"]
    );
    assert_eq!(names(Layout::GolangMigrate, &[]), ["000001_more.up.sql", "000001_more.down.sql"]);
    assert_eq!(names(Layout::Dbmate, &[]), ["20260101120000_more.sql"]);
    assert_eq!(names(Layout::Dbmate, &[("001_a.sql", "-- migrate:up\nselect 1")]), ["002_more.sql"]);
}

#[test]
fn a_layout_is_known_by_its_name() {
    for layout in Layout::ALL {
        assert_eq!(layout.name().parse(), Ok(layout));
    }
    assert!("liquibase".parse::<Layout>().is_err());
    let settings = Object::from([(Layout::SETTING.to_owned(), crate::value::Value::from("dbmate"))]);
    assert_eq!((Layout::of(&Object::new()), Layout::of(&settings)), (Ok(Layout::Refinery), Ok(Layout::Dbmate)));
}
