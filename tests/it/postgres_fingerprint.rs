//! The fingerprint of a schema: what must show in it, and what must not.

use switchback::provider::postgres::{Migrator, fingerprint_text};
use switchback::world::Databases as _;

use crate::postgres::{connection, in_database, migration, session, up, value};
use crate::stack;

async fn lines(url: &str) -> String {
    fingerprint_text(&connection(url)).await.unwrap()
}

/// Every one of these changes something that a schema comparison must see.
const SHOWS: &[&str] = &[
    "create table t (a int, b text, c numeric(10,2) default 1)",
    "alter table t alter a set not null",
    "alter table t alter c set default 2",
    "alter table t alter c type numeric(12,2)",
    "alter table t alter b set storage external",
    "alter table t alter b set statistics 50",
    "alter table t alter b type text collate \"C\"",
    "alter table t add primary key (a)",
    "alter table t drop constraint t_pkey; alter table t alter a drop not null; alter table t add constraint n check (a > 0) not valid",
    "alter table t validate constraint n",
    "alter table t add d int generated always as identity",
    "alter table t add e int generated always as (a + 1) stored",
    "alter table t set (fillfactor = 70)",
    "alter table t set (toast.autovacuum_enabled = off)",
    "alter table t set unlogged",
    "alter table t enable row level security",
    "alter table t replica identity full",
    "create policy p on t using (a > 1)",
    "alter policy p on t using (a > 2)",
    "create index i on t (a)",
    "create unique index u on t (b) where a > 5",
    "create index x on t ((a + 1)); alter index x alter column 1 set statistics 7; alter index u set (fillfactor = 60)",
    "update pg_index set indisvalid = false where indexrelid = 'i'::regclass",
    "update pg_index set indisvalid = true where indexrelid = 'i'::regclass; cluster t using i",
    "comment on table t is 'x'",
    "comment on column t.a is 'x'",
    "comment on index i is 'x'",
    "grant select on t to public",
    "grant update (b) on t to public",
    "create function f(x int) returns int language sql as 'select 1'",
    "create or replace function f(x int) returns int language sql as 'select 2'",
    "revoke execute on function f from public",
    "create function g() returns trigger language plpgsql as 'begin return null; end'",
    "create trigger g after insert on t for each row execute function g()",
    "alter table t disable trigger g",
    "create view v as select a from t",
    "create or replace view v as select a from t where a > 1",
    "create rule r as on insert to v do instead nothing",
    "create materialized view m as select 1 as one",
    "refresh materialized view m with no data",
    "create type mood as enum ('a', 'c')",
    "alter type mood add value 'b' before 'c'",
    "create type pair as (x int, y int)",
    "alter type pair add attribute z int",
    "create domain positive as int check (value > 0)",
    "alter domain positive set default 3",
    "create sequence s",
    "alter sequence s increment 5",
    "alter sequence s owned by t.a",
    "create extension pg_trgm",
    "create statistics st on a, b from t",
    "create schema other",
    "alter schema other owner to pg_monitor",
    "alter default privileges in schema other grant select on tables to public",
    "create table parted (a int) partition by range (a)",
    "create table part partition of parted for values from (1) to (2)",
    "alter table parted detach partition part",
    "create table child () inherits (t)",
    "create publication pub for table parted",
    "create aggregate total(int) (sfunc = int4pl, stype = int)",
    "create operator === (leftarg = int, rightarg = int, function = int4eq)",
    "do $$ begin execute format('alter database %I set work_mem = ''7MB''', current_database()); end $$",
];

#[tokio::test]
async fn every_change_shows() {
    let url = stack::shared().new_database("shows");
    let client = session(&url).await;
    let mut before = lines(&url).await;
    assert!(before.contains("schema | public"), "{before}");
    for change in SHOWS {
        client.batch_execute(change).await.unwrap_or_else(|error| panic!("{change}: {error:?}"));
        let after = lines(&url).await;
        assert_ne!(before, after, "{change} does not show");
        before = after;
    }
}

/// None of these leaves anything that a schema comparison should see.
const HIDES: &[&str] = &[
    "insert into t values (1, 'x')",
    "select nextval('s')",
    "alter table t add column d int; alter table t drop column d",
    "grant select on t to public; revoke select on t from public",
    "create index i on t (a); drop index i",
    "alter table t rename to u; alter table u rename to t",
    "alter table t alter a set default 1; alter table t alter a drop default",
    "vacuum full t",
    "analyze t",
    "create temp table gone (a int)",
    "create role it_hidden_role; drop role it_hidden_role",
];

#[tokio::test]
async fn nothing_else_shows() {
    let url = stack::shared().new_database("hides");
    let client = session(&url).await;
    client.batch_execute("create table t (a int, b text); create sequence s").await.unwrap();
    let before = lines(&url).await;
    for change in HIDES {
        for statement in change.split(';') {
            client.batch_execute(statement).await.unwrap_or_else(|error| panic!("{change}: {error:?}"));
        }
        assert_eq!(before, lines(&url).await, "{change} shows");
    }
    up(&url, &migration(1, "nothing", "select 1", None)).await;
    assert_eq!(before, lines(&url).await, "the history table shows");
}

#[tokio::test]
async fn the_digest_is_that_of_the_schema_and_of_no_server_state() {
    let (one, two) = (stack::shared().new_database("one"), stack::shared().new_database("two"));
    // Object identifiers differ between the two.
    session(&two).await.batch_execute("create table x (); drop table x").await.unwrap();
    let text =
        "create table a (id int primary key); create table b (a int references a); create view v as select * from b";
    for url in [&one, &two] {
        session(url).await.batch_execute(text).await.unwrap();
    }
    let digest = |url: String| async move { Migrator::default().fingerprint(&connection(&url)).await.unwrap() };
    assert_eq!(digest(one.clone()).await, digest(two.clone()).await);
    session(&two).await.batch_execute("alter table b alter a set not null").await.unwrap();
    assert_ne!(digest(one.clone()).await, digest(two).await);
    let user = value(&one, "select current_user").await;
    let nowhere = in_database(&one, "nowhere");
    let error = Migrator::default().fingerprint(&connection(&nowhere)).await.unwrap_err();
    assert!(error.tried.contains(&user), "{error}");
}
