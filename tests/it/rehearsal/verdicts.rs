//! Each verdict, and what is said with it.

use std::sync::Arc;

use switchback::migration::certificate::{Basis, Verdict};
use switchback::migration::{Direction, Migration};

use super::{certificates, job, migration};

const BASE: &str = "create table t (a int, b text not null default 'x', c int); create index t_by_b on t (b)";

async fn verdict(up: &str, down: Option<&str>) -> Verdict {
    certificates(&job(&[BASE], &[migration(2, up, down)])).await.remove(0).verdict
}

#[tokio::test(flavor = "multi_thread")]
async fn each_verdict_is_given_where_it_is_due() {
    let exact = verdict("alter table t add d int", Some("alter table t drop column d")).await;
    assert_eq!(exact, Verdict::Exact);
    let reordered = verdict("alter table t drop column a", Some("alter table t add a int")).await;
    let lines = vec!["table public.t: columns in the order b, c, a, was a, b, c".to_owned()];
    assert_eq!(reordered, Verdict::Reordered { difference: lines });
    let forth = verdict("select 1;\n\nselect nothing", Some("select 1")).await;
    let Verdict::Fails { direction: Direction::Up, error } = forth else { panic!("{forth:?}") };
    assert!(error.starts_with("line 3: column \"nothing\" does not exist"), "{error}");
    let back = verdict("alter table t add d int", Some("alter table t\ndrop column e")).await;
    let Verdict::Fails { direction: Direction::Down, error } = back else { panic!("{back:?}") };
    assert!(error.contains("column \"e\" of relation \"t\" does not exist"), "{error}");
    let again = verdict("create table u ()", Some("alter table u rename to v; alter table v rename to u")).await;
    assert_eq!(again.detail(), "table public.u: left behind");
    let none = verdict("create table u ();\nselect 1", None).await;
    let why = "there is no V2__it.down.sql, and none can be derived: line 2: \
               `select 1` may write rows, and what they were is not kept";
    assert_eq!(none, Verdict::NoWayBack { why: why.to_owned() });
    let missing = verdict("create extension nobody_has_it", Some("drop extension nobody_has_it")).await;
    let Verdict::NotRehearsed { why } = missing else { panic!("{missing:?}") };
    assert!(why.contains("nobody_has_it") && why.contains("not available"), "{why}");
    let unknown = verdict("grant select on t to nobody_is_it", Some("select 1")).await;
    assert!(matches!(&unknown, Verdict::NotRehearsed { why } if why.contains("name it in `roles`")), "{unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_back_that_no_file_has_is_derived_and_certified_like_a_written_one() {
    let first = migration(2, "alter table t alter b set default 'y', add d int; drop index t_by_b", None);
    let second = migration(3, "comment on column t.d is 'new'; alter table t rename d to e", None);
    let found = certificates(&job(&[BASE], &[first, second])).await;
    assert_eq!(found.iter().map(|one| &one.verdict).collect::<Vec<_>>(), [&Verdict::Exact, &Verdict::Exact]);
    let down = found[0].derived.as_deref().unwrap();
    assert!(down.starts_with("-- takes back statement 2, line 1\nCREATE INDEX t_by_b ON public.t"), "{down}");
    assert!(down.contains("DROP COLUMN \"d\"") && down.contains("SET DEFAULT 'x'"), "{down}");
    assert!(found[1].derived.as_deref().unwrap().contains("IS NULL"), "{:?}", found[1].derived);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_kept_is_certified_as_it_runs() {
    use std::collections::BTreeSet;
    use switchback::migration::keep;
    let plain =
        migration(2, "alter table t drop column a; drop table if exists nothing", Some("alter table t add a int"));
    let kept = keep::kept(&plain, &BTreeSet::new()).unwrap().map(Box::new);
    let kept = Arc::new(Migration { kept, ..Migration::clone(&plain) });
    let mut job = job(&[BASE], &[kept]);
    job.settings.seed = Some("insert into t select i, 'b' || i, i from generate_series(1, 5) i".to_owned());
    let found = certificates(&job).await;
    assert_eq!(found[0].verdict, Verdict::Exact, "columns in their order, values and all");
    assert_eq!(found[0].basis, Basis::Seeded { rows: 5 });
    assert_eq!(found[0].derived, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_copied_or_kept_on_the_way_back_is_certified_with_rows() {
    use std::collections::BTreeSet;
    use switchback::migration::keep;
    let base = "create table t (a int primary key, b text not null, c int)";
    let of = |version, up: &str, down| {
        let plain = migration(version, up, down);
        let kept = keep::kept(&plain, &BTreeSet::new()).unwrap().map(Box::new);
        Arc::new(Migration { kept, ..Migration::clone(&plain) })
    };
    let steps = [
        of(2, "update t set c = 0; delete from t where a > 3", None),
        of(3, "alter table t alter b type int using length(b)", None),
        of(4, "update t set c = c * 10", Some("update t set c = c - 1")),
        of(5, "update t set c = 1; insert into t values (9, 1)", Some("delete from t where a > 8 or a = 1")),
    ];
    let mut job = job(&[base], &steps);
    job.settings.seed = Some("insert into t select i, 'b' || i, i from generate_series(1, 5) i".to_owned());
    let found = certificates(&job).await;
    let words: Vec<&str> = found.iter().map(|found| found.verdict.word()).collect();
    assert_eq!(
        words,
        ["exact", "exact", "exact", "loses data"],
        "the last one's file removes a row of others: {found:?}"
    );
    let grown = migration(2, "alter table t add d int default 7", Some("alter table t drop d"));
    let kept = keep::kept_on_the_way_back(&grown).map(Box::new);
    job.applied = vec![migration(1, base, None), grown.clone()];
    job.steps = vec![(Direction::Down, Arc::new(Migration { kept, ..Migration::clone(&grown) }))];
    let found = certificates(&job).await;
    assert_eq!((&found[0].verdict, found[0].basis), (&Verdict::Exact, Basis::Seeded { rows: 5 }));
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_that_do_not_come_back_are_named() {
    let seed = "insert into t select i, 'b' || i, i from generate_series(1, 5) i; create sequence s; select nextval('s'), nextval('s')";
    for (up, down, lost) in [
        (
            "alter table t drop column b",
            "alter table t add b text not null default 'x'; create index t_by_b on t (b)",
            "the values of public.t.b",
        ),
        ("delete from t where a > 3", "select 1", "public.t has 3 rows, had 5"),
        ("update t set c = c * 10", "select 1", "the values of public.t.c"),
        ("update t set c = c * 10; update t set a = a * 10", "update t set a = a / 10", "the values of public.t.c"),
        ("drop sequence s", "create sequence s", "the position of sequence public.s: 1, was 2"),
        (
            "drop table t",
            "create table t (a int, b text not null default 'x', c int); create index t_by_b on t (b)",
            "public.t has 0 rows, had 5",
        ),
    ] {
        let mut job = job(&[BASE], &[migration(2, up, Some(down))]);
        job.settings.seed = Some(seed.to_owned());
        let found = certificates(&job).await.remove(0);
        assert_eq!(found.basis, Basis::Seeded { rows: 5 });
        let Verdict::LosesData { what } = &found.verdict else { panic!("{up}: {:?}", found.verdict) };
        assert!(what.iter().any(|line| line == lost), "{up}: {what:?}");
    }
    let mut job =
        job(&[BASE], &[migration(2, "update t set c = -c, a = a + 1", Some("update t set c = -c, a = a - 1"))]);
    job.settings.seed = Some(seed.to_owned());
    assert_eq!(certificates(&job).await.remove(0).verdict, Verdict::Exact);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_comes_after_a_bad_step_is_rehearsed_as_if_it_had_been_good() {
    let steps = [
        migration(2, "alter table t drop column b", Some("alter table t add b text")),
        migration(3, "create index t_by_c on t (c)", Some("drop index t_by_c")),
        migration(4, "create table u ()", Some("drop table nothing")),
        migration(5, "create table w ()", Some("drop table w")),
        migration(6, "drop table nothing", Some("select 1")),
        migration(7, "create table x ()", Some("drop table x")),
    ];
    let found = certificates(&job(&[BASE], &steps)).await;
    let words: Vec<&str> = found.iter().map(|found| found.verdict.word()).collect();
    assert_eq!(words, ["restores something else", "exact", "fails", "exact", "fails", "not rehearsed"]);
    assert_eq!(found[5].verdict.detail(), "V6__it before it could not be run here");
    assert_eq!(found[3].undone, ["rows written to table public.w"]);
    assert!(found.iter().all(|found| found.server.starts_with("15.")), "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_group_is_judged_as_one() {
    let of = |version, up: &str, down: &str| {
        let mut migration = Migration::clone(&migration(version, up, Some(down)));
        migration.said.group = Some("rename".to_owned());
        Arc::new(migration)
    };
    let steps = [
        of(2, "alter table t add d int; comment on table t is 'x'", "alter table t drop column d"),
        of(3, "alter table t add e int", "alter table t drop column e; comment on table t is null"),
    ];
    let found = certificates(&job(&[BASE], &steps)).await;
    assert!(
        found.iter().all(|found| found.verdict == Verdict::Exact && found.group.as_deref() == Some("rename")),
        "{found:?}"
    );
    let alone: Vec<_> = steps.iter().map(|step| migration(step.version, &step.up, step.down.as_deref())).collect();
    let found = certificates(&job(&[BASE], &alone)).await;
    assert_eq!(found[0].verdict.detail(), "table public.t: comment left behind (x)");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_down_is_rehearsed_too() {
    let step = migration(2, "create table u ()", Some("drop table u"));
    let mut job = job(&[BASE, "create table u ()"], &[]);
    job.steps = vec![(Direction::Down, step)];
    assert_eq!(certificates(&job).await.remove(0).verdict, Verdict::Exact);
    job.steps = vec![(Direction::Down, migration(2, "create table u (a int)", Some("drop table u")))];
    assert_eq!(certificates(&job).await.remove(0).verdict.detail(), "table public.u: column a: left behind");
}

#[tokio::test(flavor = "multi_thread")]
async fn statements_outside_of_a_transaction_run_as_they_would() {
    let up = "-- switchback: transaction off\ncreate index concurrently t_by_c on t (c)";
    let down = "-- switchback: transaction off\ndrop index concurrently t_by_c";
    assert_eq!(verdict(up, Some(down)).await, Verdict::Exact);
    let refused = verdict("create index concurrently t_by_c on t (c)", Some("select 1")).await;
    assert!(refused.detail().contains("cannot run inside a transaction"), "{refused:?}");
    let refused = verdict("create table u (); commit", Some("select 1")).await;
    assert!(refused.detail().contains("would end or begin the transaction"), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_of_all_that_the_evidence_rests_on() {
    let key = |job| async move { certificates(&job).await.remove(0).key };
    let step = |down| migration(2, "create table u ()", Some(down));
    let one = key(job(&[BASE], &[step("drop table u")])).await;
    assert_eq!(one, key(job(&[BASE], &[step("drop table u")])).await);
    assert_ne!(one, key(job(&[BASE], &[step("drop table if exists u")])).await);
    assert_ne!(one, key(job(&[BASE, "select 1"], &[step("drop table u")])).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_ends_is_not_waited_for() {
    let limited = |steps: &[Arc<Migration>]| {
        let mut job = job(&[BASE], steps);
        job.settings.statement_timeout_milliseconds = Some(3_000);
        job
    };
    let table =
        |number: i64| migration(number, &format!("create table u{number} ()"), Some(&format!("drop table u{number}")));
    let sleeps = migration(3, "set statement_timeout = 0;\nselect pg_sleep(600)", Some("select 1"));
    let found = certificates(&limited(&[table(2), sleeps, table(4)])).await;
    assert_eq!(found[0].verdict, Verdict::Exact);
    let why = "line 2 was not done within 3s; a longer `statement_timeout` in the `rehearsal` block lets it go on";
    assert_eq!(found[1].verdict, Verdict::NotRehearsed { why: why.to_owned() });
    assert_eq!(found[2].verdict, Verdict::NotRehearsed { why: "V3__it before it could not be run here".to_owned() });
    // On the way back, what holds the locks goes with the database, and the next one is rehearsed.
    let back = migration(2, "create table u2 ()", Some("drop table u2; do $$ begin loop end loop; end $$"));
    let found = certificates(&limited(&[back, table(3)])).await;
    assert!(
        matches!(&found[0].verdict, Verdict::NotRehearsed { why } if why.starts_with("line 1 was not")),
        "{found:?}"
    );
    assert_eq!(found[1].verdict, Verdict::Exact);
    // What is applied already is not waited for any longer.
    let mut job = limited(&[table(2)]);
    job.applied = vec![migration(1, "select pg_sleep(600)", None)];
    let found = certificates(&job).await.remove(0).verdict;
    assert!(
        matches!(&found, Verdict::NotRehearsed { why } if why.starts_with("V1__it, which is applied: ")),
        "{found:?}"
    );
}
