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
        "update t set a = 1",
    ] {
        assert_eq!(of(text), Ok(None), "{text}");
    }
    let new = made("create table t (a int); create table if not exists u (a int)");
    assert_eq!(new, BTreeSet::from(["t".to_owned()]));
    let drops = |text| kept(&Migration::plain(12, "drop", text, None), &new).map(|kept| kept.is_some());
    assert_eq!(drops("alter table t drop a"), Ok(false), "nothing is in it");
    assert_eq!(drops("drop table u"), Ok(true));
}

#[test]
fn what_cannot_be_kept_says_why() {
    for (text, part) in [
        ("alter table t drop column a, add column b int", "beside something else"),
        ("alter table t drop column a; update t set b = 1", "may write rows"),
        ("alter table t drop column a; alter table t alter b set default 1", "the previous default of t.b"),
    ] {
        let error = of(text).unwrap_err();
        assert!(error.to_string().contains(part) && !error.help().is_empty(), "{text}: {error}");
    }
    let outside = Migration { transaction: false, ..Migration::plain(1, "x", "drop table t", None) };
    assert_eq!(kept(&outside, &BTreeSet::new()), Err(NotKept::Outside));
}
