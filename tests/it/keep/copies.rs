//! What cannot be set aside in place is copied: written over, written beside, put back, purged.

use std::collections::BTreeSet;

use switchback::migration::{Direction, KeptWhen, Migration, keep};

use super::{ground, kept, lines, purge};
use crate::postgres::{down, migration, run, up, value};

const GROUND: &str = "
create schema app;
create table app.items (
    id int primary key, name text not null, price numeric(10,2) not null default 1.50, note varchar(20),
    base int default 3, total int generated always as (base * 2) stored, touched int not null default 0
);
create table app.parts (id int primary key, item int references app.items on delete cascade, size text);
create table app.marks (item int references app.items on delete set null deferrable initially deferred, mark text, id serial primary key);
create table app.plain (a int, b text);
create function app.touch() returns trigger language plpgsql as 'begin new.touched := new.touched + 1; return new; end';
create trigger touched before update on app.items for each row execute function app.touch();
create trigger always before update on app.items for each row when (false) execute function app.touch();
alter table app.items enable always trigger always;
create index on app.items (price);
comment on column app.items.price is 'in euros';
insert into app.items (id, name, price, note) select n, 'i' || n, n + 0.25, case when n % 3 = 0 then n::text end from generate_series(1, 300) n;
insert into app.parts select n, 1 + n % 300, 's' || n from generate_series(1, 600) n;
insert into app.marks (item, mark) select n, 'm' || n from generate_series(1, 300) n;
insert into app.plain select n % 5, 'p' || n from generate_series(1, 20) n;
";

const SUM: &str = "select md5((select string_agg(x::text, '|' order by id) from app.items x)
    || (select string_agg(x::text, '|' order by id) from app.parts x) || (select string_agg(x::text, '|' order by id) from app.marks x)
    || coalesce((select string_agg(x::text, '|' order by a, b) from app.plain x), ''))";

const PLACES: &str = "select count(*) from pg_namespace where nspname ~ '^switchback_kept'";

fn by_file(version: i64, text: &str, back: &str) -> Migration {
    let plain = migration(version, "write", text, Some(back));
    let kept = keep::kept(&plain, &BTreeSet::new()).unwrap().expect("it writes something over");
    assert_eq!(kept.when, KeptWhen::ThereByFile);
    Migration { kept: Some(Box::new(kept)), ..plain }
}

#[tokio::test]
async fn what_a_statement_writes_over_comes_back_as_it_was() {
    let (url, client) = ground("copied_all", GROUND).await;
    let (before, sum) = (lines(&url).await, value(&url, SUM).await);
    for text in [
        "update app.items set price = 0, name = 'gone', base = 4 where id % 2 = 0",
        "update app.items i set (price, note) = (p.id, p.size) from app.parts p where p.item = i.id and p.id <= 300",
        "delete from app.items where id between 10 and 40",
        "delete from app.plain where a > 2",
        "truncate app.parts, app.plain",
        "truncate app.marks, app.parts, app.items",
        "alter table app.items alter price type int",
        "alter table app.items alter column name type int using length(name), alter note type text",
        "alter table app.parts alter item type bigint",
        "update app.items set price = price * 2; update app.items set price = price + 1; delete from app.parts; alter table app.items drop note",
        "update app.items set price = 7 where false",
        "update app.items set name = name || '!'; alter table app.items alter note type text using 'x' || note; update app.items set note = 'y'",
    ] {
        let write = kept(7, text);
        up(&url, &write).await;
        assert_ne!((&before, &sum), (&lines(&url).await, &value(&url, SUM).await), "{text}");
        let triggers = "select count(*) from pg_trigger where tgname ~ '^switchback'";
        assert_eq!(value(&url, triggers).await, "0", "{text}");
        down(&url, &write).await;
        assert_eq!(before, lines(&url).await, "{text}");
        assert_eq!(sum, value(&url, SUM).await, "{text}");
        assert_eq!(value(&url, PLACES).await, "0", "{text}");
    }
    client.batch_execute("update app.items set price = 1 where id = 1").await.unwrap();
    assert_eq!(value(&url, "select touched from app.items where id = 1").await, "1", "triggers are on again");
}

#[tokio::test]
async fn nobody_is_written_over() {
    let (url, client) = ground("copied_since", GROUND).await;
    let before = lines(&url).await;
    for text in ["update app.items set price = 0", "alter table app.items alter price type int using 0"] {
        let write = kept(7, text);
        up(&url, &write).await;
        client
            .batch_execute(
                "update app.items set price = 99 where id = 5; update app.items set note = 'new' where id = 6; \
                 delete from app.parts where item = 7; delete from app.marks where item = 7; delete from app.items where id = 7; \
                 insert into app.items (id, name, price) values (1000, 'new', 3)",
            )
            .await
            .unwrap();
        down(&url, &write).await;
        let found = value(&url, "select string_agg(id || ':' || price || ':' || coalesce(note, '-'), ' ' order by id) from app.items where id in (5, 6, 7, 8, 1000)").await;
        assert_eq!(found, "5:99.00:- 6:6.25:new 8:8.25:- 1000:3.00:-", "{text}");
        assert_eq!(before, lines(&url).await, "{text}");
        client
            .batch_execute("delete from app.items where id = 1000; update app.items set price = 5.25 where id = 5; update app.items set note = '6' where id = 6; insert into app.items (id, name, price) values (7, 'i7', 7.25)")
            .await
            .unwrap();
    }
    let gone = kept(8, "delete from app.items where id = 9");
    up(&url, &gone).await;
    client.batch_execute("insert into app.items (id, name) values (9, 'another')").await.unwrap();
    let error = run(&url, &gone, Direction::Down).await.unwrap_err();
    assert!(error.error.cause.contains("others have their key") && error.error.cause.contains("23505"), "{error}");
    assert_eq!(value(&url, "select name from app.items where id = 9").await, "another");
    client.batch_execute("delete from app.items where id = 9").await.unwrap();
    down(&url, &gone).await;
    assert_eq!(value(&url, "select count(*) from app.parts where item = 9").await, "2", "what went along is back");
}

#[tokio::test]
async fn the_file_takes_back_and_what_was_copied_is_put_back_after_it() {
    let (url, client) = ground("copied_file", GROUND).await;
    let (before, sum) = (lines(&url).await, value(&url, SUM).await);
    let write = by_file(
        7,
        "update app.items set price = round(price), touched = 0; insert into app.plain values (9, 'nine')",
        "delete from app.plain where a = 9;\nupdate app.items set price = price + 0.01, touched = 5",
    );
    up(&url, &write).await;
    down(&url, &write).await;
    assert_eq!((before.clone(), sum.clone()), (lines(&url).await, value(&url, SUM).await));
    up(&url, &write).await;
    client.batch_execute("update app.items set price = 50 where id = 5").await.unwrap();
    down(&url, &write).await;
    let found = value(&url, "select string_agg(price::text, ' ' order by id) from app.items where id in (4, 5)").await;
    assert_eq!(found, "4.25 50.01", "what was written since is as the file makes it");
    client.batch_execute("alter table app.items disable trigger touched; update app.items set price = 5.25, touched = 0 where id = 5; alter table app.items enable trigger touched").await.unwrap();
    let retyped = by_file(
        8,
        "alter table app.items alter note type int using note::int, add constraint few check (note < 1000)",
        "alter table app.items drop constraint few, alter note type varchar(20) using 'n' || note",
    );
    up(&url, &retyped).await;
    client.batch_execute("update app.items set note = 12 where id = 3").await.unwrap();
    down(&url, &retyped).await;
    let notes = value(&url, "select string_agg(note, ' ' order by id) from app.items where id in (3, 6)").await;
    assert_eq!(notes, "n12 6");
    let again = by_file(
        9,
        "delete from app.plain where a = 3; delete from app.parts where id = 1",
        "insert into app.parts values (1, 9, 'file')",
    );
    up(&url, &again).await;
    down(&url, &again).await;
    assert_eq!(
        value(&url, "select size from app.parts where id = 1").await,
        "s1",
        "the row itself, not what the file makes of it"
    );
    assert_eq!(before, lines(&url).await);
}

#[tokio::test]
async fn what_cannot_be_copied_is_refused_by_name() {
    let (url, client) = ground("copied_not", GROUND).await;
    let more = "create view app.v as select id, name from app.items; create table app.base (a int primary key); create table app.heir () inherits (app.base);
        insert into app.base values (1);
        create table app.hidden (a int primary key); insert into app.hidden values (1), (2);
        alter table app.hidden enable row level security, force row level security; create policy p on app.hidden using (a > 1);
        create table app.codes (code text unique not null, id int primary key); create table app.uses (code text references app.codes (code) on update cascade);
        insert into app.codes values ('a', 1); insert into app.uses values ('a');";
    client.batch_execute(more).await.unwrap();
    let before = (lines(&url).await, value(&url, SUM).await);
    for (text, part) in [
        ("update app.plain set b = 'x'", "app.plain cannot be kept: it has no primary key"),
        ("alter table app.plain alter a type text", "the values of column a of table app.plain cannot be kept"),
        ("alter table app.items alter id type text", "has no primary key"),
        ("update app.parts set id = id + 10000", "the key by which its rows are told apart is changed"),
        ("update app.v set name = 'x'", "it is no table"),
        ("delete from app.base", "other tables inherit from it"),
        ("update app.codes set code = 'b'", "foreign keys take changes of code along"),
    ] {
        let error = run(&url, &kept(7, text), Direction::Up).await.expect_err(text);
        assert!(error.error.cause.contains(part), "{text}: {error}");
        assert_eq!(before, (lines(&url).await, value(&url, SUM).await), "{text}");
    }
    let missing = run(&url, &kept(7, "update app.nothing set a = 1"), Direction::Up).await.unwrap_err();
    assert!(missing.error.cause.contains("42P01"), "{missing}");
}

#[tokio::test]
async fn a_copy_is_purged() {
    let (url, _client) = ground("copied_purged", GROUND).await;
    let all =
        kept(7, "update app.items set price = 0; delete from app.parts; alter table app.items alter price type text");
    up(&url, &all).await;
    assert_eq!(value(&url, PLACES).await, "3");
    let columns = "select string_agg(attname, ',' order by attnum) from pg_attribute where attrelid = 'switchback_kept_7_1.old_1'::regclass and attnum > 0 and not attisdropped";
    assert_eq!(value(&url, columns).await, "id,price,touched", "the key, and what was written over");
    purge(&url, &all).await;
    assert_eq!(value(&url, PLACES).await, "0");
}
