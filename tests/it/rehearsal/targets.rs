//! Targets: their schema is copied or the rehearsal is refused, and they are only read.

use std::sync::Arc;

use switchback::migration::Migration;
use switchback::migration::certificate::{Basis, Verdict};
use switchback::provider::postgres::fingerprint_text;
use switchback::world::RehearsalJob;

use super::{certificates, job, migration};
use crate::postgres::{connection, session, up, value};
use crate::stack;

const APPLIED: &str = "create schema app; create table app.people (id int primary key, kind varchar(10), boss int references app.people); \
    alter table app.people add constraint kinds check (kind in ('a', 'b')); create view app.all_people as select * from app.people";

/// A database with these migrations, and a job to add a column there.
async fn target(prefix: &str, applied: &str) -> (String, RehearsalJob) {
    let url = stack::shared().new_database(prefix);
    let first = Migration::plain(1, "it", applied, None);
    up(&url, &first).await;
    let step = migration(2, "alter table app.people add note text", Some("alter table app.people drop column note"));
    let mut job = job(&[], &[step]);
    job.settings.version = None;
    job.settings.roles.clear();
    job.applied = vec![Arc::new(first)];
    job.target = Some(connection(&url));
    (url, job)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_is_replayed_compared_and_left_alone() {
    let (url, job) = target("replayed", APPLIED).await;
    let before = fingerprint_text(&connection(&url)).await.unwrap();
    let found = certificates(&job).await.remove(0);
    assert_eq!(found.verdict, Verdict::Exact);
    assert_eq!(found.undone, ["values written to column app.people.note"]);
    assert_eq!(fingerprint_text(&connection(&url)).await.unwrap(), before);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_by_hand_is_copied_too() {
    let (url, job) = target("by_hand", APPLIED).await;
    let client = session(&url).await;
    let name = stack::unique("it_owner");
    client
        .batch_execute(&format!(
            "create role {name} nologin; alter table app.people owner to {name}; grant usage on schema app to {name}"
        ))
        .await
        .unwrap();
    client.batch_execute("comment on table app.people is 'by hand'; create index on app.people (kind)").await.unwrap();
    let database = value(&url, "select current_database()").await;
    client.batch_execute(&format!("alter database {database} set work_mem = '7MB'")).await.unwrap();
    let found = certificates(&job).await.remove(0).verdict;
    client.batch_execute(&format!("drop schema app cascade; drop role {name}")).await.unwrap();
    assert_eq!(found, Verdict::Exact);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_adopted_database_is_dumped() {
    let (_, mut job) = target("adopted", APPLIED).await;
    job.adopted = true;
    job.applied.clear();
    assert_eq!(certificates(&job).await.remove(0).verdict, Verdict::Exact);
    // A version of which there is no copy.
    job.settings.version = Some(9);
    let refused = certificates(&job).await.remove(0).verdict;
    assert!(matches!(&refused, Verdict::NotRehearsed { why } if why.contains("PostgreSQL 9")), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_none_is_refused_with_what_differs() {
    let (url, job) = target("differs", APPLIED).await;
    // An INVALID index is something that neither the migrations nor a dump bring along.
    let spoil = "create index spoiled on app.people (kind); update pg_index set indisvalid = false where indexrelid = 'app.spoiled'::regclass";
    session(&url).await.batch_execute(spoil).await.unwrap();
    let refused = certificates(&job).await.remove(0).verdict;
    let Verdict::NotRehearsed { why } = refused else { panic!("{refused:?}") };
    assert!(
        why.contains(
            "the applied migrations alone do not give the target's schema: table app.people: index spoiled: missing"
        ),
        "{why}"
    );
    assert!(
        why.contains("the copy by pg_dump is not the target's schema: table app.people: index spoiled: missing"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_the_target_are_taken_along_whole() {
    let (url, mut job) = target("sampled", APPLIED).await;
    let rows = "insert into app.people select i, 'a', case when i > 1 then 101 - i + (i / 51) * 50 end from generate_series(1, 100) i";
    session(&url)
        .await
        .batch_execute(&rows.replace("case when i > 1 then 101 - i + (i / 51) * 50 end", "nullif(i - 1, 0)"))
        .await
        .unwrap();
    job.settings.sample = Some(10);
    let step = migration(
        2,
        "alter table app.people drop constraint kinds; alter table app.people add constraint k foreign key (boss) references app.people",
        Some(
            "alter table app.people drop constraint k; alter table app.people add constraint kinds check (kind in ('a', 'b'))",
        ),
    );
    job.steps[0].1 = step;
    let found = certificates(&job).await.remove(0);
    assert_eq!((found.verdict, found.basis), (Verdict::Exact, Basis::Sampled { rows: 10 }));
    job.steps[0].1 = migration(2, "update app.people set kind = 'b'", Some("select 1"));
    let lost = certificates(&job).await.remove(0).verdict;
    assert_eq!(lost, Verdict::LosesData { what: vec!["the values of app.people.kind".to_owned()] });
}

#[tokio::test(flavor = "multi_thread")]
async fn on_a_given_server_only_databases_of_ours_come_and_go() {
    let (url, mut job) = target("given", APPLIED).await;
    job.server = Some(connection(&stack::shared().postgres_url()));
    let ours = || {
        stack::shared().psql(
            &stack::shared().postgres_url(),
            "select count(*) from pg_database where datname like 'switchback\\_rehearsal\\_%'",
        )
    };
    // One whose maker is dead.
    stack::shared().psql(&stack::shared().postgres_url(), "create database switchback_rehearsal_0000001_1");
    assert_eq!(certificates(&job).await.remove(0).verdict, Verdict::Exact);
    assert_eq!(ours(), "0");
    drop(url);
    job.steps[0].1 = migration(2, "create role it_never", Some("drop role it_never"));
    let refused = certificates(&job).await.remove(0).verdict;
    let why = "V2__it changes the server as a whole, and the one for rehearsals is not ours alone".to_owned();
    assert_eq!(refused, Verdict::NotRehearsed { why });
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_little_at_the_target_may_little_here() {
    let stack = stack::shared();
    let (owner, user) = (stack::unique("it_owner"), stack::unique("it_user"));
    let admin = stack.postgres_url();
    let roles = format!(
        "create role {owner} nologin; create role {user} login password 'it' in role {owner}; alter role {user} set search_path = app, public"
    );
    for statement in roles.split(';') {
        stack.psql(&admin, statement);
    }
    let name = stack::unique("poor");
    stack.psql(&admin, &format!("create database {name} owner {owner}"));
    let (_, place) = admin.split_once('@').unwrap();
    let url = format!("postgres://{user}:it@{}/{name}?set_role={owner}", place.rsplit_once('/').unwrap().0);
    let first = Migration::plain(1, "it", "create schema app; create table app.people (id int primary key)", None);
    up(&url, &first).await;
    let of = |up: &str, down: &str| {
        let mut job = job(&[], &[migration(2, up, Some(down))]);
        job.settings.version = None;
        job.settings.roles.clear();
        job.applied = vec![Arc::new(first.clone())];
        job.target = Some(connection(&url));
        job
    };
    // Its search path is there, and what it makes belongs to the role that it takes on.
    let found = certificates(&of("create table notes ()", "drop table app.notes")).await.remove(0);
    let refused = certificates(&of("create extension file_fdw", "drop extension file_fdw")).await.remove(0).verdict;
    for statement in [format!("drop database {name}"), format!("drop role {user}"), format!("drop role {owner}")] {
        stack.psql(&admin, &statement);
    }
    assert_eq!(found.verdict, Verdict::Exact);
    assert_eq!(found.undone, ["rows written to table app.notes"]);
    assert!(matches!(&refused, Verdict::Fails { error, .. } if error.contains("permission denied")), "{refused:?}");
}
