//! The judgements of ways back, by example. Pure.
//!
//! Invariant: what is called exact here was run on a real server.

use super::*;
use crate::migration::addition::Count;
use crate::migration::certificate::{Basis, Verdict};

fn of(up: &str, down: Option<&str>) -> Migration {
    Migration::plain(2, "m", up, down)
}

fn judge_down(up: &str, down: Option<&str>) -> Judgement {
    judge(&of(up, down), Direction::Up)
}

fn judge_up(up: &str, down: &str) -> Judgement {
    judge(&of(up, Some(down)), Direction::Down)
}

fn exact(up: &str, down: &str) {
    assert_eq!(judge_down(up, Some(down)), Judgement::Exact, "{up} <- {down}");
}

fn unproved(up: &str, down: &str) -> String {
    match judge_down(up, Some(down)) {
        Judgement::LosesData(why) => {
            assert!(why.starts_with("not proved: "), "{why}");
            why
        }
        other => panic!("{up} <- {down}: {other:?}"),
    }
}

#[test]
fn what_is_made_and_dropped_is_exact() {
    for (up, down) in [
        ("create table t (id int)", "drop table t"),
        ("CREATE TABLE T (id int)", "drop table \"t\""),
        ("create table app.t (id serial primary key)", "DROP TABLE app.t;"),
        ("create unlogged table t ()", "drop table if exists t restrict"),
        ("create table t partition of p default", "drop table t"),
        ("create index i on t (a)", "drop index i"),
        ("create unique index concurrently i on app.t (a) where a > 0", "drop index concurrently app.i"),
        ("create view v as select 1", "drop view v"),
        ("create materialized view m as select 1", "drop materialized view m"),
        ("create function f() returns int language sql as 'select 1'", "drop function f"),
        (
            "create function f(a int, b text default 'x') returns int language sql as 'select 1'",
            "drop function f(int, text)",
        ),
        ("create function f(a int) returns int language sql as 'select 1'", "drop function f(a int)"),
        (
            "create function f(x double precision) returns int language sql as 'select 1'",
            "drop function f(double precision)",
        ),
        ("create procedure p(a numeric(10,2)) language sql as 'select 1'", "drop procedure p(numeric(10, 2))"),
        ("create type mood as enum ('a', 'b')", "drop type mood"),
        ("create domain d as int check (value > 0)", "drop domain d"),
        ("create schema app", "drop schema app"),
        ("create schema app authorization bob", "drop schema app"),
        ("create sequence s", "drop sequence s"),
        ("create extension citext", "drop extension citext"),
        ("create trigger tr before update of a on app.t for each row execute function f()", "drop trigger tr on app.t"),
        ("create policy p on t using (true)", "drop policy p on t"),
        ("create statistics s on a, b from t", "drop statistics s"),
    ] {
        exact(up, down);
    }
}

#[test]
fn columns_renames_and_known_defaults_are_exact() {
    for (up, down) in [
        ("alter table t add column a int not null default 5", "alter table t drop column a"),
        ("alter table t add a int, add b text", "alter table t drop b, drop a"),
        (
            "alter table t add column a numeric(10, 2), add b int",
            "alter table t drop column b; alter table t drop column a",
        ),
        ("alter table only t add a int", "alter table only t drop a"),
        ("alter table t rename to u", "alter table u rename to t"),
        ("alter table app.t rename to u", "alter table app.u rename to t"),
        ("alter table t rename a to b", "alter table t rename column b to a"),
        ("alter table t rename constraint a to b", "alter table t rename constraint b to a"),
        ("alter index i rename to j", "alter index j rename to i"),
        ("alter type mood rename value 'a' to 'b'", "alter type mood rename value 'b' to 'a'"),
        ("alter schema a rename to b", "alter schema b rename to a"),
        (
            "alter table t add a int; alter table t alter a set default 5",
            "alter table t alter column a drop default; alter table t drop a",
        ),
        (
            "alter table t add a int; alter table t alter a set default 5; alter table t alter a set default 6",
            "alter table t alter a set default 5; alter table t alter a drop default; alter table t drop a",
        ),
        (
            "alter table t add a int; alter table t alter a set default 5; alter table t alter a drop default",
            "alter table t alter a set default 5; alter table t alter a drop default; alter table t drop a",
        ),
        ("set lock_timeout = '1s'; create table t ()", "set local statement_timeout to 0; drop table t"),
    ] {
        exact(up, down);
    }
}

#[test]
fn an_old_default_that_nobody_knows_is_not_proved() {
    for (up, down) in [
        ("alter table t alter a set default 5", "alter table t alter a drop default"),
        ("alter table t alter a drop default", "alter table t alter a set default 5"),
        (
            "alter table t add a int default 1; alter table t alter a set default 5",
            "alter table t alter a drop default; alter table t drop a",
        ),
        (
            "alter table t add a serial; alter table t alter a set default 5",
            "alter table t alter a drop default; alter table t drop a",
        ),
        (
            "alter table t add a serial4; alter table t alter a set default 5",
            "alter table t alter a drop default; alter table t drop a",
        ),
        (
            "alter table t add a int; alter table t rename a to b; alter table t alter a set default 1",
            "alter table t alter a drop default; alter table t rename b to a; alter table t drop a",
        ),
    ] {
        unproved(up, down);
    }
}

#[test]
fn what_may_have_been_there_before_is_not_proved() {
    for (up, down) in [
        ("create table if not exists t ()", "drop table t"),
        ("create or replace view v as select 1", "drop view v"),
        ("create or replace function f() returns int language sql as 'select 1'", "drop function f"),
        ("create or replace trigger g before insert on t for each row execute function f()", "drop trigger g on t"),
        ("create index if not exists i on t (a)", "drop index i"),
        ("create index on t (a)", "drop index t_a_idx"),
        ("create schema if not exists s", "drop schema s"),
        ("create schema authorization s", "drop schema s"),
        ("create extension if not exists citext", "drop extension citext"),
        ("create extension earthdistance cascade", "drop extension earthdistance"),
        ("create temp table t ()", "drop table t"),
        ("alter table t add column if not exists a int", "alter table t drop a"),
        ("alter table if exists t add a int", "alter table t drop a"),
        ("create type shell", "drop type shell"),
    ] {
        unproved(up, down);
    }
}

#[test]
fn what_takes_more_or_less_away_is_not_proved() {
    for (up, down) in [
        ("create table t ()", "drop table t cascade"),
        ("create table t ()", "drop table u"),
        ("create table t ()", "drop table app.t"),
        ("create table t ()", "drop table \"T\""),
        ("create table t ()", "drop view t"),
        ("create table t ()", ""),
        ("create table t ()", "drop table t; drop table u"),
        ("create table a (); create table b ()", "drop table a; drop table b"),
        ("create table a (); create table b ()", "drop table a, b"),
        ("create table a (); create table b ()", "drop table b"),
        ("create table t (); create index i on t (a)", "drop table t"),
        ("create function f(a int) returns int language sql as 'select 1'", "drop function f(text)"),
        ("create function f(a int, b int) returns int language sql as 'select 1'", "drop function f(int)"),
        ("create index i on app.t (a)", "drop index i"),
        ("create trigger tr before update on t for each row execute function f()", "drop trigger tr on u"),
        ("alter table t add a int", "alter table t drop a cascade"),
        ("alter table t add a int", "alter table u drop a"),
        ("alter table t add a int", "alter table t drop b"),
        ("alter table t rename to u", "alter table t rename to u"),
        ("alter table t rename a to b", "alter table t rename a to b"),
    ] {
        unproved(up, down);
    }
}

#[test]
fn everything_else_is_not_proved() {
    for (up, down) in [
        ("insert into t values (1)", "delete from t"),
        ("update t set a = 1", "update t set a = 0"),
        ("create table t (); insert into t default values", "drop table t"),
        ("alter table t add primary key (a)", "alter table t drop constraint t_pkey"),
        ("alter table t add constraint c check (a > 0)", "alter table t drop constraint c"),
        ("alter table t add a int, add constraint c check (a > 0)", "alter table t drop constraint c, drop a"),
        ("alter table t alter a set not null", "alter table t alter a drop not null"),
        ("alter table t alter a type bigint", "alter table t alter a type int"),
        ("alter type mood add value 'c'", ""),
        ("drop table t", "create table t ()"),
        ("alter table t drop a", "alter table t add a int"),
        ("grant select on t to bob", "revoke select on t from bob"),
        ("comment on table t is 'x'", "comment on table t is null"),
        ("do $$ begin end $$", "do $$ begin end $$"),
        ("set search_path = app", "set search_path = public"),
        ("set search_path = app; create table t ()", "drop table t"),
        ("select pg_catalog.set_config('search_path', '', false)", ""),
        ("create foreign table t (a int) server s", "drop foreign table t"),
        ("create table t (", "drop table t"),
    ] {
        unproved(up, down);
    }
}

#[test]
fn the_reason_names_the_statement() {
    assert_eq!(
        unproved("create table t ();\nUPDATE u SET a = 1;", "drop table t"),
        "not proved: `UPDATE u SET a = 1` has no inverse that is known to be exact"
    );
    assert_eq!(
        unproved("create table t ()", "drop table t cascade"),
        "not proved: `drop table t cascade` is not the inverse of `create table t ()`"
    );
    assert_eq!(unproved("create table t ()", ""), "not proved: nothing takes back `create table t ()`");
}

#[test]
fn no_way_back_says_which_file_is_missing() {
    assert!(matches!(judge_down("create table t ()", None), Judgement::Impossible(_)));
    let migration = Migration::plain(12, "x", "select 1", None);
    assert_eq!(judge(&migration, Direction::Up), Judgement::Impossible("no V12__x.down.sql".to_owned()));
}

#[test]
fn running_the_up_again_does_not_bring_content_back() {
    let lost = |up, down| match judge_up(up, down) {
        Judgement::LosesData(what) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(lost("create table t ()", "drop table t"), "every row of table t");
    assert_eq!(lost("alter table t add a int", "alter table t drop a"), "the values of column t.a");
    assert_eq!(lost("create sequence s", "drop sequence s"), "the position of sequence s");
    assert!(lost("update t set a = 1", "").starts_with("not proved"));
    assert_eq!(judge_up("create index i on t (a)", "drop index i"), Judgement::Exact);
    assert_eq!(judge_up("alter table t rename a to b", "alter table t rename b to a"), Judgement::Exact);
    assert!(matches!(judge_up("create view v as select 1", "drop view v"), Judgement::Recreates(_)));
}

#[test]
fn earlier_migrations_tell_what_a_default_was() {
    let up = "alter table t alter a set default 5";
    let judged = |earlier: &[&str], down: &str| {
        let earlier: Vec<_> = earlier.iter().map(|text| Arc::new(of(text, None))).collect();
        judge_among(&of(up, Some(down)), Direction::Up, &earlier)
    };
    let none = "alter table t alter a drop default";
    let three = "alter table t alter a set default 3";
    for (earlier, down) in [
        (&["create table t (b text default 'x', a int not null)"][..], none),
        (&["create table t (a int default 3 not null, check (a > 0))"], three),
        (&["create table t (a int)", "insert into t values (1)", "comment on table t is 'x'"], none),
        (&["create table t (a int)", "alter table t alter a set default 3"], three),
        (&["create table u (b int)", "alter table u rename to t", "alter table t rename b to a"], none),
        (&["alter table t add a int default 3"], three),
    ] {
        assert_eq!(judged(earlier, down), Judgement::Exact, "{earlier:?} {down}");
    }
    for (earlier, down) in [
        (&["create table t (a int default 3)"][..], none),
        (&["create table t (a int)"], three),
        (&["create table t (a int)", "do $$ begin end $$"], none),
        (&["create table t (a int)", "select change_everything()"], none),
        (&["create table t (a serial)"], none),
        (&["create table t (a int default 3 + (select 1))"], three),
        (&["create table t (a int)", "drop table t", "create table t as select 1 as a"], none),
        (&["create table t (a int)", "alter table t rename a to b"], none),
        (&["create table t (a int)", "create table ("], none),
        (&[], none),
    ] {
        assert!(matches!(judged(earlier, down), Judgement::LosesData(_)), "{earlier:?} {down}");
    }
}

#[test]
fn what_was_found_decides_what_is_lost() {
    let one = of(
        "create table t (a int); alter table u add b int; create sequence s; create index i on t (a)",
        Some("drop index i; drop sequence s; alter table u drop b; drop table t"),
    );
    let later = Arc::new(of("alter table t rename to v; alter table u rename b to c; update v set a = 1", None));
    let added = additions(&[Arc::new(one.clone()), later]);
    let table = Addition::Table { name: "v".to_owned() };
    let column = Addition::Column { table: "u".to_owned(), column: "c".to_owned() };
    let sequence = Addition::Sequence { name: "s".to_owned() };
    assert_eq!(added, [vec![Some(table.clone()), Some(column.clone()), Some(sequence.clone())], vec![]]);
    let judged = |found: [Written; 3]| {
        let found = [table.clone(), column.clone(), sequence.clone()].into_iter().zip(found).collect();
        judge_now(&one, &[], &added[0], &found)
    };
    let nothing = || Written::Nothing;
    assert_eq!(judged([nothing(), nothing(), nothing()]), Judgement::Exact);
    let lost = |found| match judged(found) {
        Judgement::LosesData(what) => what,
        other => panic!("{other:?}"),
    };
    assert_eq!(lost([Written::Rows(Count::of(12)), nothing(), nothing()]), "every row of table t (10 to 99 rows)");
    assert_eq!(
        lost([nothing(), Written::Rows(Count::of(1)), Written::Position]),
        "the values of column u.b (1 to 9 rows), the position of sequence s"
    );
    let untold = Written::Untold("it is locked".to_owned());
    assert_eq!(lost([untold, nothing(), nothing()]), "every row of table t (not told: it is locked)");
    assert!(
        matches!(judged([Written::Dressed, nothing(), nothing()]), Judgement::Recreates(what) if what.ends_with("table t"))
    );
    // Nobody looked.
    assert!(matches!(judge_now(&one, &[], &added[0], &BTreeMap::new()), Judgement::LosesData(_)));
    // Without its name it is not asked for.
    let moved =
        additions(&[Arc::new(of("create table a.t ()", None)), Arc::new(of("alter schema a rename to b", None))]);
    assert_eq!(moved, [vec![None], vec![]]);
}

fn certificate(verdict: Verdict, basis: Basis) -> Certificate {
    let key = crate::digest::Digest::of_bytes(b"");
    let server = "15.18".to_owned();
    let (derived, group, undone, forth, back) = (None, None, Vec::new(), Vec::new(), Vec::new());
    Certificate { key, server, basis, verdict, derived, group, undone, forth, back }
}

#[test]
fn a_rehearsal_settles_what_the_texts_leave_open_and_nothing_else() {
    let rehearsed = |up: &str, down: &str, basis: Basis| {
        judge_rehearsed(&of(up, Some(down)), &[], &certificate(Verdict::Exact, basis))
    };
    let (empty, seeded) = (Basis::Empty, Basis::Seeded { rows: 12 });
    let check = ("alter table t add constraint c check (a > 0)", "alter table t drop constraint c");
    unproved(check.0, check.1);
    assert_eq!(rehearsed(check.0, check.1, empty), Judgement::Exact);
    let (up, down) = ("update t set a = a * 2", "update t set a = a / 2");
    assert!(matches!(rehearsed(up, down, empty), Judgement::LosesData(why) if why.contains("without any")));
    assert_eq!(rehearsed(up, down, seeded), Judgement::Exact);
    assert!(matches!(rehearsed(up, down, Basis::Sampled { rows: 0 }), Judgement::LosesData(_)));
    for basis in [empty, seeded] {
        let lost = rehearsed("alter table t drop column a", "alter table t add column a int", basis);
        assert_eq!(lost, Judgement::LosesData("the values of column t.a".to_owned()));
    }
}

#[test]
fn a_rehearsal_lowers_what_the_texts_promise() {
    let migration = of("create table t (a int)", Some("drop table t"));
    let rehearsed = |verdict: Verdict| judge_rehearsed(&migration, &[], &certificate(verdict, Basis::Empty));
    let lines = |count: usize| (0..count).map(|line| format!("line {line}")).collect::<Vec<_>>();
    assert_eq!(rehearsed(Verdict::Exact), Judgement::Exact);
    assert!(matches!(rehearsed(Verdict::Reordered { difference: lines(1) }), Judgement::Recreates(_)));
    let loses = Verdict::LosesData { what: vec!["rows of u".to_owned()] };
    assert_eq!(rehearsed(loses), Judgement::LosesData("rows of u".to_owned()));
    let why = "restores something else: line 0; line 1; and 3 more";
    assert_eq!(rehearsed(Verdict::Otherwise { difference: lines(5) }), Judgement::Impossible(why.to_owned()));
    let error = "line 1: no such table".to_owned();
    let fails = rehearsed(Verdict::Fails { direction: Direction::Down, error });
    assert_eq!(fails, Judgement::Impossible("fails: down: line 1: no such table".to_owned()));
    let missing = rehearsed(Verdict::NotRehearsed { why: "no citext".to_owned() });
    assert_eq!(missing, Judgement::Impossible("not rehearsed: no citext".to_owned()));
    // Both lose something: both are told.
    let dropped = of("alter table t drop column a", Some("alter table t add column a int"));
    let loses = certificate(Verdict::LosesData { what: vec!["t.b".to_owned()] }, Basis::Empty);
    let both = Judgement::LosesData("the values of column t.a; t.b".to_owned());
    assert_eq!(judge_rehearsed(&dropped, &[], &loses), both);
    let reordered = certificate(Verdict::Reordered { difference: lines(1) }, Basis::Empty);
    assert!(matches!(judge_rehearsed(&dropped, &[], &reordered), Judgement::LosesData(_)));
}

#[test]
fn on_the_way_down_a_rehearsal_leaves_what_was_written_to_be_counted() {
    let one = of("create table t (a int); create rule r as on insert to t do nothing", Some("drop table t"));
    let added = additions(&[Arc::new(one.clone())]);
    let judged = |written: Written, verdict: Verdict| {
        let found = BTreeMap::from([(Addition::Table { name: "t".to_owned() }, written)]);
        judge_now_rehearsed(&one, &[], &added[0], &found, &certificate(verdict, Basis::Empty))
    };
    assert!(
        matches!(judge_now(&one, &[], &added[0], &BTreeMap::new()), Judgement::LosesData(why) if why.starts_with("not proved"))
    );
    let anew = judged(Written::Nothing, Verdict::Exact);
    assert!(!matches!(anew, Judgement::LosesData(_) | Judgement::Impossible(_)), "{anew:?}");
    let lost = judged(Written::Rows(Count::of(12)), Verdict::Exact);
    assert_eq!(lost, Judgement::LosesData("every row of table t (10 to 99 rows)".to_owned()));
    let otherwise = judged(Written::Nothing, Verdict::Otherwise { difference: vec!["x".to_owned()] });
    assert!(matches!(otherwise, Judgement::Impossible(_)));
}
