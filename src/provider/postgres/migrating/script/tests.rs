//! What a script refuses, and where its parts stand.

use std::collections::{BTreeMap, BTreeSet};

use super::{Way, blocks, line, write};
use crate::migration::position::Position;
use crate::migration::{Direction, Migration};
use crate::step::{Action, ChangeSet, Fingerprint, Inverse, Operation, Reason, Standing, Step, StepId};
use crate::world::Binding;

fn step(id: u32, database: &str, migration: Migration) -> Step {
    Step {
        id: StepId(id),
        address: database.parse().unwrap(),
        binding: Binding { provider: "postgres".to_owned(), ..Binding::default() },
        action: Action::Migrate {
            direction: Direction::Up,
            migration: Box::new(migration),
            lock_timeout_milliseconds: 3000,
            from: Position::default(),
        },
        reason: Reason::Pending,
        inverse: Inverse::LosesData { way: crate::step::Way::MigrateBack, what: "rows".to_owned() },
        after: BTreeSet::new(),
        rests_on: BTreeMap::new(),
        found: Fingerprint::Unasked,
        needs: BTreeSet::new(),
        needs_schema: BTreeMap::new(),
        ahead: BTreeSet::new(),
    }
}

fn change_set(steps: Vec<Step>) -> ChangeSet {
    ChangeSet {
        approval_rules: None,
        format: crate::step::FORMAT,
        project: "shop".to_owned(),
        environment: "dev\n\\! rm -rf /".to_owned(),
        operation: Operation::Apply,
        chain: None,
        spec_digest: None,
        steps,
        point_of_no_return: None,
        checks: Vec::new(),
        outputs: BTreeMap::new(),
        standing: Standing::default(),
        owed: BTreeSet::new(),
        with_schema: false,
        release: None,
        images: Default::default(),
        gates: Default::default(),
        origins: BTreeMap::new(),
    }
}

fn plain(up: &str, down: Option<&str>) -> Migration {
    Migration::plain(1, "one", up, down)
}

#[test]
fn one_script_is_of_one_database() {
    let both = change_set(vec![
        step(1, "database.a", plain("create table a ()", None)),
        step(2, "database.b", plain("create table b ()", None)),
    ]);
    let several = write(&both, Way::Forth, None).unwrap_err();
    assert_eq!(several.summary, "the plan migrates 2 databases, and a script is for one");
    assert!(several.help.ends_with("`database.a`, `database.b`"), "{several:?}");
    let b = write(&both, Way::Forth, Some(&"database.b".parse().unwrap())).unwrap();
    assert!(b.contains("create table b ()") && !b.contains("create table a ()"), "{b}");
    assert!(b.contains("-- not in this script: step 1, migrate database.a V1__one"), "{b}");
    assert!(write(&both, Way::Forth, Some(&"database.c".parse().unwrap())).is_err());
    assert!(write(&change_set(Vec::new()), Way::Forth, None).unwrap_err().summary.contains("no migration"));
}

#[test]
fn what_stands_in_names_stays_in_its_comment() {
    let script = write(&change_set(vec![step(1, "database.a", plain("create table a ()", None))]), Way::Forth, None);
    let script = script.unwrap();
    let commands: Vec<&str> = script.lines().filter(|line| line.starts_with("\\!")).collect();
    assert!(commands.is_empty() && script.contains("-- database.a of dev \\! rm -rf / of project shop"), "{script}");
}

#[test]
fn what_no_script_can_do_is_refused_by_name() {
    let refused =
        |migration: Migration, way| write(&change_set(vec![step(3, "database.a", migration)]), way, None).unwrap_err();
    let no_way = refused(plain("create table a ()", None), Way::Back);
    assert_eq!(no_way.summary, "there is no script that goes back from there");
    assert_eq!(no_way.causes, ["step 3 database.a V1__one: there is no V1__one.down.sql"]);
    let copied = refused(plain("create table a (b int);\ncopy a from stdin", None), Way::Forth);
    assert!(copied.causes[0].contains("line 2: psql would take the lines behind `COPY`"), "{copied:?}");
    let mut left = change_set(vec![step(1, "database.a", plain("vacuum", None))]);
    let Action::Migrate { from, .. } = &mut left.steps[0].action else { unreachable!() };
    *from = Position::after(1);
    assert!(write(&left, Way::Forth, None).unwrap_err().causes[0].contains("left in the middle"));
}

#[test]
fn what_psql_would_take_for_a_variable_is_told_from_casts_and_slices() {
    for (sql, is_fine) in [
        ("select a[1:n] from t", false),
        ("select a[1: n] from t", true),
        ("select a[1:2] from t", true),
        ("select a::text, b :: int, 'x':: \"Big\" from t", true),
        ("select ':n', $$ :n $$, e'\\':n' from t", true),
        ("select a[:\"N\"] from t", false),
        ("do $$ begin perform a[1:n]; end $$", true),
    ] {
        assert_eq!(line::check_text(sql).is_ok(), is_fine, "{sql}: {:?}", line::check_text(sql));
    }
}

#[test]
fn a_block_ends_where_it_should() {
    assert_eq!(blocks::dollar("a"), "$switchback0$a$switchback0$");
    assert_eq!(blocks::dollar("$switchback0$"), "$switchback1$$switchback0$$switchback1$");
}
