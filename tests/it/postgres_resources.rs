//! Roles and databases on a real server, and what settling says of each interrupted change.

use switchback::address::Address;
use switchback::provider::postgres::Postgres;
use switchback::value::{Object, SealKey, Value};
use switchback::world::{
    Connection, Effect, EffectChange, EffectError, ErrorClass, Provider as _, Query, Settlement, Trace,
};

use crate::postgres::{Heard, connection, in_database, session, value};
use crate::stack;

fn object(pairs: &[(&str, Value)]) -> Object {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

fn effect(kind: &str, token: &str, change: EffectChange) -> Effect {
    Effect {
        token: token.to_owned(),
        fence: switchback::world::Fence::open(),
        environment: "test".to_owned(),
        address: Address::root(kind, "it"),
        kind: kind.to_owned(),
        change,
    }
}

fn create(kind: &str, token: &str, after: &Object) -> Effect {
    effect(kind, token, EffectChange::Create { after: after.clone() })
}

fn update(kind: &str, token: &str, before: &Object, after: &Object) -> Effect {
    effect(kind, token, EffectChange::Update { before: before.clone(), after: after.clone() })
}

fn delete(kind: &str, token: &str, before: &Object) -> Effect {
    effect(kind, token, EffectChange::Delete { before: before.clone() })
}

async fn carry_out(connection: &Connection, effect: &Effect) -> Result<Object, EffectError> {
    Postgres.carry_out(connection, effect, &Heard::default()).await
}

async fn observe(connection: &Connection, kind: &str, names: &[&str]) -> Vec<Option<Object>> {
    let query = |name: &&str| Query {
        address: Address::root(kind, "it"),
        kind: kind.to_owned(),
        object: object(&[("name", Value::from(*name))]),
    };
    let queries: Vec<_> = names.iter().map(query).collect();
    Postgres.observe(connection, &queries).await.into_iter().map(|found| found.unwrap()).collect()
}

async fn settle(connection: &Connection, effect: &Effect) -> Settlement {
    Postgres.settle(connection, effect).await.unwrap()
}

#[tokio::test]
async fn a_role_is_made_changed_and_dropped() {
    let url = stack::shared().postgres_url();
    let server = connection(&url);
    let first = object(&[
        ("name", "it Role".into()),
        ("login", true.into()),
        ("password", Value::from("first-secret").sensitive()),
        ("connection_limit", Value::from(7_i64)),
        ("valid_until", "2031-01-01T00:00:00Z".into()),
    ]);
    let made = carry_out(&server, &create("postgres_role", "r1", &first)).await.unwrap();
    assert_eq!((&made["login"], &made["valid_until"]), (&Value::from(true), &Value::from("2031-01-01T00:00:00Z")));
    assert!(made["oid"].as_i64().unwrap() > 0 && made["password"].is_sensitive());
    let found = observe(&server, "postgres_role", &["nobody", "it Role"]).await;
    assert!(found[0].is_none());
    let found = found[1].as_ref().unwrap();
    assert!(!found.contains_key("password") && found["connection_limit"] == Value::from(7_i64), "{found:?}");
    let as_role = |password: &str| {
        let mut other = server.clone();
        other.settings.insert("user".to_owned(), "it Role".into());
        other.settings.insert("password".to_owned(), Value::from(password).sensitive());
        other
    };
    Postgres.check(&as_role("first-secret")).await.unwrap();
    let stored = value(&url, "select rolpassword from pg_authid where rolname = 'it Role'").await;
    assert!(stored.starts_with("SCRAM-SHA-256$"), "{stored}");

    let second = object(&[
        ("name", "it Role".into()),
        ("login", true.into()),
        ("createdb", true.into()),
        ("password", Value::from("second-secret").sensitive()),
    ]);
    let changed = carry_out(&server, &update("postgres_role", "r2", &made, &second)).await.unwrap();
    assert_eq!((&changed["createdb"], &changed["connection_limit"]), (&Value::from(true), &Value::from(-1_i64)));
    assert!(changed["valid_until"].is_null());
    Postgres.check(&as_role("second-secret")).await.unwrap();
    assert_eq!(Postgres.check(&as_role("first-secret")).await.unwrap_err().class, ErrorClass::Denied);

    let again = carry_out(&server, &create("postgres_role", "r3", &first)).await.unwrap_err();
    assert!(again.trace == Trace::Nothing && again.error.cause.contains("(42710)"), "{again}");
    carry_out(&server, &delete("postgres_role", "r4", &changed)).await.unwrap();
    assert_eq!(observe(&server, "postgres_role", &["it Role"]).await, [None]);
    carry_out(&server, &delete("postgres_role", "r4", &changed)).await.unwrap();
}

#[tokio::test]
async fn a_password_that_nobody_kept_is_not_put_back() {
    let server = connection(&stack::shared().postgres_url());
    let key = SealKey::from_random([3; 32]);
    let with =
        |password: Value| object(&[("name", "it_sealed".into()), ("login", true.into()), ("password", password)]);
    let now = with(Value::from("new").sensitive());
    carry_out(&server, &create("postgres_role", "s1", &now)).await.unwrap();
    let earlier = with(Value::from("old").sensitive().seal(Some(&key)));
    let error = carry_out(&server, &update("postgres_role", "s2", &now, &earlier)).await.unwrap_err();
    assert!(error.trace == Trace::Nothing && error.error.cause.contains("not at hand"), "{error}");
    carry_out(&server, &delete("postgres_role", "s3", &now)).await.unwrap();
}

#[tokio::test]
async fn a_role_that_owns_things_stays_and_says_why() {
    let url = stack::shared().new_database("owner");
    let server = connection(&url);
    let role = object(&[("name", "it_owner".into())]);
    carry_out(&server, &create("postgres_role", "o1", &role)).await.unwrap();
    session(&url).await.batch_execute("create table kept (); alter table kept owner to it_owner").await.unwrap();
    let error = carry_out(&server, &delete("postgres_role", "o2", &role)).await.unwrap_err();
    assert!(error.error.cause.contains("(2BP01)") && error.error.cause.contains("kept"), "{error}");
    assert!(error.trace == Trace::Nothing && error.error.help.unwrap().contains("REASSIGN OWNED"));
    session(&url).await.batch_execute("drop table kept").await.unwrap();
    carry_out(&server, &delete("postgres_role", "o2", &role)).await.unwrap();
}

#[tokio::test]
async fn roles_are_settled_by_their_tag() {
    let url = stack::shared().postgres_url();
    let server = connection(&url);
    let role = object(&[("name", "it_settled".into()), ("login", true.into())]);
    let making = create("postgres_role", "t1", &role);
    assert_eq!(settle(&server, &making).await, Settlement::NotDone);
    let made = carry_out(&server, &making).await.unwrap();
    assert_eq!(settle(&server, &making).await, Settlement::Done(made.clone()));
    assert!(matches!(settle(&server, &create("postgres_role", "other", &role)).await, Settlement::Doubt(_)));

    let mut after = role.clone();
    after.insert("createdb".to_owned(), true.into());
    let changing = update("postgres_role", "t2", &made, &after);
    assert_eq!(settle(&server, &changing).await, Settlement::NotDone);
    let changed = carry_out(&server, &changing).await.unwrap();
    assert_eq!(settle(&server, &changing).await, Settlement::Done(changed.clone()));
    session(&url).await.batch_execute("alter role it_settled nocreatedb nologin").await.unwrap();
    assert!(matches!(settle(&server, &update("postgres_role", "t3", &changed, &after)).await, Settlement::Doubt(_)));

    let dropping = delete("postgres_role", "t4", &changed);
    assert_eq!(settle(&server, &dropping).await, Settlement::NotDone);
    carry_out(&server, &dropping).await.unwrap();
    assert_eq!(settle(&server, &dropping).await, Settlement::Done(Object::new()));
    session(&url).await.batch_execute("create role it_settled").await.unwrap();
    assert!(matches!(settle(&server, &dropping).await, Settlement::Doubt(_)));
    session(&url).await.batch_execute("drop role it_settled").await.unwrap();
}

#[tokio::test]
async fn a_database_is_made_changed_and_dropped_politely() {
    let url = stack::shared().postgres_url();
    let server = connection(&url);
    let owner = object(&[("name", "it_db_owner".into())]);
    carry_out(&server, &create("postgres_role", "d0", &owner)).await.unwrap();
    let wanted = object(&[("name", "it Shop".into()), ("owner", "it_db_owner".into()), ("encoding", "UTF8".into())]);
    let made = carry_out(&server, &create("postgres_database", "d1", &wanted)).await.unwrap();
    assert_eq!((&made["owner"], &made["encoding"]), (&Value::from("it_db_owner"), &Value::from("UTF8")));
    let place = made["url"].as_str().unwrap();
    assert!(place.ends_with("/it%20Shop") && !place.contains('@'), "{place}");
    assert_eq!(observe(&server, "postgres_database", &["it Shop"]).await, [Some(made.clone())]);

    let mut after = made.clone();
    after.insert("connection_limit".to_owned(), Value::from(9_i64));
    let us = value(&url, "select current_user").await;
    after.insert("owner".to_owned(), us.as_str().into());
    let changed = carry_out(&server, &update("postgres_database", "d2", &made, &after)).await.unwrap();
    assert_eq!((&changed["connection_limit"], &changed["owner"]), (&Value::from(9_i64), &Value::from(us)));

    let inside = in_database(&url, "it%20Shop?application_name=somebody");
    let guest = session(&inside).await;
    let error = carry_out(&server, &delete("postgres_database", "d3", &changed)).await.unwrap_err();
    assert!(error.trace == Trace::Nothing && error.error.cause.contains("application `somebody`"), "{error}");
    guest.query_one("select 1", &[]).await.expect("the guest was left alone");
    drop(guest);
    let ours = session(&inside.replace("somebody", "switchback%20old")).await;
    let heard = Heard::default();
    let dropping = delete("postgres_database", "d4", &changed);
    // The guest's session may take a moment to end.
    let mut result = Postgres.carry_out(&server, &dropping, &heard).await;
    for _ in 0..20 {
        if result.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        result = Postgres.carry_out(&server, &dropping, &heard).await;
    }
    result.unwrap();
    assert!(heard.text().contains("ending our own session"), "{}", heard.text());
    ours.query_one("select 1", &[]).await.expect_err("our own lingering session was ended");
    assert_eq!(observe(&server, "postgres_database", &["it Shop"]).await, [None]);
    carry_out(&server, &dropping).await.unwrap();
    carry_out(&server, &delete("postgres_role", "d5", &owner)).await.unwrap();
}

#[tokio::test]
async fn databases_are_settled_by_tag_or_by_what_they_are() {
    let url = stack::shared().postgres_url();
    let server = connection(&url);
    let wanted = object(&[("name", "it_settled".into())]);
    let making = create("postgres_database", "u1", &wanted);
    assert_eq!(settle(&server, &making).await, Settlement::NotDone);
    // As after a crash between CREATE DATABASE and its comment.
    session(&url).await.batch_execute("create database it_settled template template0").await.unwrap();
    assert!(matches!(settle(&server, &making).await, Settlement::Done(_)));
    let comment =
        value(&url, "select shobj_description(oid, 'pg_database') from pg_database where datname = 'it_settled'");
    assert_eq!(comment.await, "switchback: environment=test address=postgres_database.it token=u1");
    session(&url).await.batch_execute("comment on database it_settled is 'mine'").await.unwrap();
    assert!(matches!(settle(&server, &making).await, Settlement::Doubt(_)));
    let found = observe(&server, "postgres_database", &["it_settled"]).await.remove(0).unwrap();
    let own = {
        let mut own = server.clone();
        own.settings.insert("dbname".to_owned(), "it_settled".into());
        own
    };
    let error = carry_out(&own, &delete("postgres_database", "u2", &found)).await.unwrap_err();
    assert!(error.error.cause.contains("the database itself"), "{error}");
    // As after a crash within DROP DATABASE: it is the one that was to be dropped, and nobody changed it.
    let invalid = "update pg_database set datconnlimit = -2 where datname = 'it_settled'";
    session(&url).await.batch_execute(invalid).await.unwrap();
    assert_eq!(observe(&server, "postgres_database", &["it_settled"]).await, [Some(found.clone())]);
    let dropping = delete("postgres_database", "u3", &found);
    assert_eq!(settle(&server, &dropping).await, Settlement::NotDone);
    carry_out(&server, &dropping).await.unwrap();
    assert_eq!(settle(&server, &dropping).await, Settlement::Done(Object::new()));
}
