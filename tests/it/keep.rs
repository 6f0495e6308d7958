//! Keeping what a migration takes away: set aside, written beside, given back, purged.

mod back;
mod copies;

use std::collections::BTreeSet;

use switchback::migration::{Direction, Migration, keep};
use switchback::provider::postgres::{Migrator, fingerprint_text};
use switchback::world::{Databases as _, Settlement};

use crate::postgres::{Heard, connection, down, effect, migration, run, session, up, value};
use crate::stack;

/// A migration that keeps what it takes away.
fn kept(version: i64, text: &str) -> Migration {
    let plain = migration(version, "take", text, None);
    let kept = keep::kept(&plain, &BTreeSet::new()).unwrap().expect("it takes something away");
    Migration { kept: Some(Box::new(kept)), ..plain }
}

async fn lines(url: &str) -> String {
    fingerprint_text(&connection(url)).await.unwrap()
}

async fn ground(name: &str, sql: &str) -> (String, tokio_postgres::Client) {
    let url = stack::shared().new_database(name);
    let client = session(&url).await;
    client.batch_execute(sql).await.unwrap();
    (url, client)
}

async fn purge(url: &str, migration: &Migration) {
    let effect = effect(migration, Direction::Up, "p0");
    let place = connection(url);
    Migrator::default().purge(&place, &effect, &Heard::default()).await.unwrap();
    let settled = Migrator::default().settle_purge(&place, &effect).await.unwrap();
    assert!(matches!(settled, Settlement::Done(_)), "{settled:?}");
}

const GROUND: &str = "
create schema app;
create table app.regions (id int primary key, name text);
create table app.customers (
    id int generated always as identity primary key,
    code text not null constraint coded check (code <> ''),
    region int not null default 1 references app.regions on delete cascade,
    note text default 'none',
    email text unique,
    tenant int,
    born date,
    unique (tenant, email),
    constraint sensible check (note <> code)
);
comment on column app.customers.region is 'where';
comment on constraint customers_region_fkey on app.customers is 'binds';
comment on constraint coded on app.customers is 'never empty';
create index on app.customers (region, born);
create unique index once on app.customers (lower(code));
comment on index app.once is 'once';
alter table app.customers alter region set statistics 77;
grant update (region) on app.customers to public;
insert into app.regions select n, 'r' || n from generate_series(1, 10) n;
insert into app.customers (code, region, email, tenant, born)
    select 'c' || n, 1 + n % 10, 'e' || n, n % 3, date '2000-01-01' + n from generate_series(1, 1000) n;
";

const SUM: &str = "select md5(string_agg(c::text, '|' order by id)) from app.customers c";

#[tokio::test]
async fn every_column_comes_back_as_it_was() {
    let (url, client) = ground("kept_columns", GROUND).await;
    let (before, sum) = (lines(&url).await, value(&url, SUM).await);
    for (column, others) in [
        ("region", "code, email, tenant"),
        ("code", "email, tenant"),
        ("note", "code"),
        ("email", "code"),
        ("tenant", "code, email"),
        ("id", "code"),
        ("born", "code"),
    ] {
        let take = kept(7, &format!("alter table app.customers drop column {column}"));
        up(&url, &take).await;
        let columns = value(&url, "select string_agg(attname, ',') from pg_attribute where attrelid = 'app.customers'::regclass and not attisdropped").await;
        assert!(!columns.split(',').any(|name| name == column), "{columns}");
        // Who writes now knows nothing of it.
        let values = others.split(", ").map(|name| if name == "tenant" { "1" } else { "'new'" });
        let values: Vec<_> = values.collect();
        let insert = format!("insert into app.customers ({others}) values ({})", values.join(", "));
        let inserted = client.batch_execute(&insert).await;
        inserted.unwrap_or_else(|error| panic!("{column}: {insert}: {:?}", error.as_db_error()));
        client.batch_execute("begin; delete from app.regions where id = 5; rollback").await.unwrap();
        client
            .batch_execute(&format!(
                "delete from app.customers where {} = 'new'",
                if column == "code" { "email" } else { "code" }
            ))
            .await
            .unwrap();
        down(&url, &take).await;
        assert_eq!(before, lines(&url).await, "{column}");
        assert_eq!(sum, value(&url, SUM).await, "{column}");
    }
}

#[tokio::test]
async fn rows_that_were_written_since_must_fit() {
    let (url, client) = ground("kept_since", GROUND).await;
    let before = lines(&url).await;
    let take = kept(7, "alter table app.customers drop code");
    up(&url, &take).await;
    client.batch_execute("insert into app.customers (email) values ('a'), ('b')").await.unwrap();
    let error = run(&url, &take, Direction::Down).await.unwrap_err();
    assert!(
        error.error.cause.contains("what was written since does not fit column code of table app.customers as it was"),
        "{error}"
    );
    let help = error.error.help.unwrap_or_default() + &error.error.cause;
    assert!(help.contains("switchback_kept_7_1_code"), "{help}");
    client
        .batch_execute(
            "update app.customers set switchback_kept_7_1_code = email where switchback_kept_7_1_code is null",
        )
        .await
        .unwrap();
    down(&url, &take).await;
    assert_eq!(before, lines(&url).await);
    assert_eq!(value(&url, "select count(*) from app.customers where code in ('a', 'b')").await, "2");
}

#[tokio::test]
async fn what_stands_in_the_way_of_a_drop_stands_in_the_way_of_keeping() {
    let (url, client) = ground("kept_way", GROUND).await;
    client
        .batch_execute("create function app.f() returns trigger language plpgsql as 'begin return new; end'; create table app.uses (c app.regions)")
        .await
        .unwrap();
    for (before, text, after) in [
        (
            "create view app.v as select note from app.customers",
            "alter table app.customers drop note",
            "drop view app.v",
        ),
        (
            "create trigger g before update of note on app.customers for each row execute function app.f()",
            "alter table app.customers drop note",
            "drop trigger g on app.customers",
        ),
        (
            "alter table app.customers add long text generated always as (upper(note)) stored",
            "alter table app.customers drop note",
            "alter table app.customers drop long",
        ),
        (
            "create policy p on app.customers using (note <> '')",
            "alter table app.customers drop note",
            "drop policy p on app.customers",
        ),
        ("create view app.v as select 1 as one from app.customers", "drop table app.customers", "drop view app.v"),
        ("select 1", "drop table app.regions", "select 1"),
    ] {
        client.batch_execute(before).await.unwrap();
        let fingerprint = lines(&url).await;
        let plain = client.batch_execute(text).await.expect_err(text);
        let error = run(&url, &kept(7, text), Direction::Up).await.expect_err(text);
        let code = plain.code().unwrap().code();
        assert!(
            error.error.cause.contains("other objects depend on it") && error.error.cause.contains(code),
            "{text}: {error} ({code})"
        );
        assert_eq!(fingerprint, lines(&url).await);
        client.batch_execute(after).await.unwrap();
    }
    for (text, code) in [("alter table app.customers drop nothing", "42703"), ("drop table app.nothing", "42P01")] {
        let error = run(&url, &kept(7, text), Direction::Up).await.expect_err(text);
        assert!(error.error.cause.contains(code), "{error}");
    }
    up(&url, &kept(8, "alter table app.customers drop if exists nothing; drop table if exists app.nothing")).await;
}

#[tokio::test]
async fn a_table_comes_back_with_all_that_hangs_on_it() {
    let more = "create table app.orders (id bigserial primary key, customer int not null references app.customers, parent bigint references app.orders);
        insert into app.orders (customer) select id from app.customers;
        comment on table app.orders is 'ordered';
        create table app.lines (id int primary key, part_of bigint references app.orders);
        create table app.parted (a int primary key) partition by range (a);
        create table app.part partition of app.parted for values from (0) to (10); insert into app.parted values (3);";
    let (url, client) = ground("kept_tables", &format!("{GROUND}{more}")).await;
    let sums = "select md5((select string_agg(o::text, '' order by id) from app.orders o) || (select string_agg(p::text, '') from app.parted p))";
    let (before, sum) = (lines(&url).await, value(&url, sums).await);
    let takes = [
        kept(7, "drop table app.lines, app.orders"),
        kept(8, "drop table app.customers"),
        kept(9, "drop table app.regions cascade"),
        kept(10, "drop table app.part"),
    ];
    for take in &takes {
        up(&url, take).await;
    }
    let left = value(&url, "select count(*) from pg_class where relnamespace = 'app'::regnamespace").await;
    assert_eq!(left, "2", "the parted table and its index are left");
    // Whoever wants the names now gets them.
    client.batch_execute("create table app.customers (id int primary key); drop table app.customers").await.unwrap();
    for take in takes.iter().rev() {
        down(&url, take).await;
    }
    assert_eq!(before, lines(&url).await);
    assert_eq!(sum, value(&url, sums).await);
}

#[tokio::test]
async fn a_name_can_be_used_again_and_the_table_around_it_can_go() {
    let (url, _client) = ground("kept_again", GROUND).await;
    let (before, sum) = (lines(&url).await, value(&url, SUM).await);
    let first = kept(7, "alter table app.customers drop note");
    let again =
        migration(8, "again", "alter table app.customers add note int", Some("alter table app.customers drop note"));
    let second = kept(9, "alter table app.customers drop note");
    let renamed = migration(
        10,
        "rename",
        "alter table app.customers rename to clients",
        Some("alter table app.clients rename to customers"),
    );
    let all = kept(11, "drop table app.clients");
    for step in [&first, &again, &second, &renamed, &all] {
        up(&url, step).await;
    }
    for step in [&all, &renamed, &second, &again, &first] {
        down(&url, step).await;
    }
    assert_eq!((before, sum), (lines(&url).await, value(&url, SUM).await));
    for step in [&first, &again, &second, &renamed] {
        up(&url, step).await;
    }
    let names = "select count(*) from pg_attribute where attname ~ '^switchback_kept' and not attisdropped";
    assert_eq!(value(&url, names).await, "2");
    purge(&url, &first).await;
    assert_eq!(value(&url, names).await, "1", "the table is called otherwise by now");
    up(&url, &all).await;
    purge(&url, &second).await;
    assert_eq!(value(&url, names).await, "0", "it lies in a table that is kept itself");
    purge(&url, &all).await;
    purge(&url, &all).await;
    let places = "select count(*) from pg_namespace where nspname ~ '^switchback_kept'";
    assert_eq!(value(&url, places).await, "0");
}
