//! What a database in use says about itself.

use std::collections::BTreeSet;
use std::time::Duration;

use switchback::migration::observation::LockMode;
use switchback::provider::postgres::Migrator;
use switchback::world::Databases as _;

use crate::postgres::{connection, session};
use crate::stack;

#[tokio::test]
async fn sizes_waiting_sessions_and_long_transactions_are_told() {
    let url = stack::shared().new_database("facts");
    let client = session(&url).await;
    client
        .batch_execute(
            "create schema app; create table app.orders (id int primary key, note text); \
             insert into app.orders select n, repeat('x', 100) from generate_series(1, 5000) as n; \
             create table app.parted (a int) partition by range (a); \
             create table app.part partition of app.parted for values from (1) to (9); \
             insert into app.parted values (1), (2), (3); create table app.fresh (a int); analyze app.orders; analyze app.parted",
        )
        .await
        .unwrap();
    client.batch_execute("begin; lock table app.orders; select 'secret'").await.unwrap();
    let waiter = session(&url).await;
    let waiting =
        tokio::spawn(async move { waiter.batch_execute("delete from app.orders where note = 'secret'").await });
    tokio::time::sleep(Duration::from_millis(5300)).await;
    let asked = BTreeSet::from(["app.orders", "app.parted", "app.fresh", "app.never"].map(str::to_owned));
    let facts = Migrator::default().facts(&connection(&url), &asked).await.unwrap().unwrap();
    client.batch_execute("rollback").await.unwrap();
    waiting.await.unwrap().unwrap();

    assert_eq!(facts.sizes.keys().collect::<Vec<_>>(), ["app.fresh", "app.orders", "app.parted"]);
    assert_eq!(facts.sizes["app.orders"].rows, Some(5000));
    assert!(facts.sizes["app.orders"].bytes > 500_000, "{facts:?}");
    assert_eq!(facts.sizes["app.parted"].rows, Some(3));
    let [waiting] = facts.waiting.as_slice() else { panic!("{facts:?}") };
    assert_eq!(waiting.query, "delete from app.orders where note = '…'");
    let [holder, _deleting] = facts.long.as_slice() else { panic!("{facts:?}") };
    assert_eq!(waiting.waits_for, [holder.process]);
    assert!(holder.seconds >= 5.0 && !format!("{facts:?}").contains("secret"), "{facts:?}");
    assert!(facts.replicas.is_empty());
}

#[tokio::test]
async fn the_catalogs_foretell_what_a_text_does() {
    let url = stack::shared().new_database("foresee");
    session(&url).await.batch_execute("create table public.orders (id int primary key, total int)").await.unwrap();
    let text = "alter table orders alter column total type bigint;\ncreate index on later (a);\ndo 'begin end'";
    let found = Migrator::default().foresee(&connection(&url), &[text, "selec"]).await.unwrap();
    let [first, second, third] = found[0].as_slice() else { panic!("{found:?}") };
    let first = first.as_ref().unwrap();
    assert_eq!(first.locks["public.orders"], LockMode::AccessExclusive);
    assert!(first.rewrites.contains("public.orders"));
    assert_eq!(second.as_ref().unwrap_err().to_string(), "there is no relation later");
    assert_eq!(third.as_ref().unwrap_err().to_string(), "no rule is known for this statement");
    assert!(found[1][0].is_err());
}
