//! Which texts are kept and which are not.

use std::collections::BTreeSet;

use super::*;

fn of(up: &str) -> Result<Option<Kept>, NotKept> {
    kept(&Migration::plain(12, "drop", up, None), &BTreeSet::new())
}

#[test]
fn columns_and_tables_are_set_aside_in_the_place_of_their_statements() {
    let text = "-- switchback: lock timeout 1s\n/* drop table b */ drop table b;\nalter table app.a drop column x, drop column if exists \"Y\" cascade;\ncreate index i on app.a (z)";
    let kept = of(text).unwrap().unwrap();
    assert_eq!(kept.what, ["table b", "app.a.x", "app.a.\"Y\""]);
    assert!(kept.up.starts_with("-- switchback: lock timeout 1s\n"), "{}", kept.up);
    assert!(!kept.up.contains("drop table b;") && !kept.up.contains("drop column x"), "{}", kept.up);
    let script = Script::parse(&kept.up).unwrap();
    assert_eq!(script.statements.len(), 4, "{}", kept.up);
    assert!(kept.up.contains("switchback_kept_12_2_x") && kept.up.contains("switchback_kept_12_3_Y"), "{}", kept.up);
    assert!(kept.down.starts_with("DROP INDEX \"app\".\"i\";\n"), "{}", kept.down);
    assert!(kept.down.find("_3_Y") < kept.down.find("_2_x"), "the last one comes back first: {}", kept.down);
    assert_eq!(Script::parse(&kept.purge).unwrap().statements.len(), 3);
}

#[test]
fn what_takes_nothing_away_is_as_it_was() {
    for text in [
        "create table t (a int)",
        "drop view v",
        "drop index i",
        "alter table t drop constraint n",
        "insert into t values (1)",
        "alter table t add a int; update t set a = 1 where b > 0",
        "create table t (a int); delete from t",
        "alter table t alter a set default 1",
    ] {
        assert_eq!(of(text), Ok(None), "{text}");
    }
    let new = made("create table t (a int); create table if not exists u (a int)");
    assert_eq!(new, BTreeSet::from(["t".to_owned()]));
    let added = made("alter table s.t add column a int, add constraint c check (true), add b int");
    assert_eq!(added, BTreeSet::from(["column s.t.a".to_owned(), "column s.t.b".to_owned()]));
    let drops = |text| kept(&Migration::plain(12, "drop", text, None), &new).map(|kept| kept.is_some());
    assert_eq!(drops("alter table t drop a"), Ok(false), "nothing is in it");
    assert_eq!(drops("drop table u"), Ok(true));
}

#[test]
fn what_cannot_be_kept_says_why() {
    for (text, part) in [
        ("alter table t drop column a, add column b int", "beside something else"),
        ("alter table t drop column a; insert into t values (1)", "may write rows"),
        ("truncate t cascade", "CASCADE empties tables"),
        ("truncate t restart identity", "RESTART IDENTITY"),
        ("alter table t alter a type int, add b int", "beside something else"),
        ("insert into u values (1); delete from t", "may write rows"),
        ("alter table t drop column a; alter table t alter b set default 1", "the previous default of t.b"),
    ] {
        let error = of(text).unwrap_err();
        assert!(error.to_string().contains(part) && !error.help().is_empty(), "{text}: {error}");
    }
    let backfill = Migration {
        said: crate::migration::said::Said { backfill: Some(filling()), ..Default::default() },
        ..Migration::plain(1, "x", "update t set a = 1", None)
    };
    assert_eq!(kept(&backfill, &BTreeSet::new()), Ok(None), "it is committed in batches");
    let outside = Migration { transaction: false, ..Migration::plain(1, "x", "drop table t", None) };
    assert_eq!(kept(&outside, &BTreeSet::new()), Err(NotKept::Outside));
}

fn filling() -> crate::migration::said::Backfill {
    crate::migration::said::Backfill { table: "t".to_owned(), key: "id".to_owned(), batch: 10, pause_milliseconds: 0 }
}

#[test]
fn what_is_written_over_is_copied_around_its_statement() {
    for (text, what) in [
        (
            "update only app.t x set a = 1, (b, \"C\") = (select 1, 2 from u) from v where x.id = v.id",
            "values of app.t.a, b, \"C\"",
        ),
        ("delete from t where a > 1", "rows of t"),
        ("truncate t, app.u", "rows of t, app.u"),
        ("alter table t alter a set data type int using a::int", "values of t.a"),
    ] {
        let kept = of(text).unwrap().unwrap();
        assert_eq!(kept.what, [what]);
        let script = Script::parse(&kept.up).unwrap();
        assert_eq!(script.statements[1].text, text, "the statement is as it was");
        assert_eq!((script.statements.len(), kept.when), (3, KeptWhen::There));
        assert!(Script::parse(&kept.down).is_ok() && Script::parse(&kept.purge).unwrap().statements.len() == 1);
    }
    let mixed = of("alter table t drop column a; update t set b = 1; delete from t").unwrap().unwrap();
    assert_eq!(mixed.what, ["t.a", "values of t.b", "rows of t"]);
    assert_eq!(mixed.copied, ["t"]);
    assert!(mixed.down.find("kept_12_3") < mixed.down.find("kept_12_2"), "the last one comes back first");
    let of_file = |text: &str, down| kept(&Migration::plain(12, "x", text, Some(down)), &BTreeSet::new());
    let by_file = of_file("insert into u values (1); update t set a = 1", "-- back\nupdate t set a = 2; delete from u");
    let by_file = by_file.unwrap().unwrap();
    assert_eq!(by_file.when, KeptWhen::ThereByFile);
    let back = Script::parse(&by_file.down).unwrap();
    assert_eq!((back.statements.len(), back.statements[1].text.as_str()), (4, "update t set a = 2"));
    let twice = of_file("update t set a = 1; update t set a = 2", "select 1").unwrap().unwrap();
    assert_eq!(twice.when, KeptWhen::There, "which of the two was the last is not to be seen afterwards");
}

#[test]
fn a_way_back_keeps_what_it_would_drop() {
    let of = |up, down| kept_on_the_way_back(&Migration::plain(12, "x", up, Some(down)));
    let kept = of("alter table t add a int", "drop index i; alter table t drop a");
    assert_eq!(kept, None, "the index would have to be asked for");
    let up = "alter table t add a int; create index i on t (a) where a > 0";
    let kept = of(up, "drop index if exists i; alter table t drop a").unwrap();
    assert!(kept.up.ends_with("create index i on t (a) where a > 0;\n"), "it is made as it was made: {}", kept.up);
    let kept = of("alter table t add a int; create table u ()", "drop table u; alter table t drop a").unwrap();
    assert_eq!(
        (kept.what.as_slice(), kept.when),
        (["table u".to_owned(), "t.a".to_owned()].as_slice(), KeptWhen::Back)
    );
    assert!(kept.down.contains("RENAME COLUMN %I TO %I', t, c, aside"), "{}", kept.down);
    assert!(kept.up.contains("t, aside, c"), "{}", kept.up);
    assert_eq!(of("update t set a = 1", "update t set a = 2"), None);
}
