//! The migrations of this repository's own shop: each goes up, down, up on a real server.

use std::path::{Path, PathBuf};

use switchback::files::Files;
use switchback::kind::Judgement;
use switchback::migration::layout::Layout;
use switchback::migration::{Direction, Migration, class};
use switchback::provider::postgres::fingerprint_text;

use crate::postgres::{connection, down, session, up, value};
use crate::stack;

/// The files of this checkout.
pub struct Disk;

impl Files for Disk {
    fn read(&self, path: &Path) -> std::io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn list(&self, folder: &Path) -> std::io::Result<Vec<PathBuf>> {
        let mut files: Vec<PathBuf> =
            std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
        files.retain(|path| path.is_file());
        files.sort();
        Ok(files)
    }
}

/// The folder of the shop's migrations.
pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/shop")
}

/// The shop's migrations, which have no mistakes and all have a way back.
pub fn shop() -> Vec<Migration> {
    let (migrations, mistakes) = Layout::Refinery.load(&Disk, &folder());
    assert_eq!(mistakes, []);
    assert!(migrations.len() >= 8 && migrations.iter().all(|migration| migration.down.is_some()));
    migrations
}

async fn lines(url: &str) -> Vec<String> {
    fingerprint_text(&connection(url)).await.unwrap().lines().map(str::to_owned).collect()
}

/// The lines that only one of the two has.
fn difference(left: &[String], right: &[String]) -> Vec<String> {
    let only =
        |these: &[String], those: &[String]| these.iter().filter(|line| !those.contains(line)).cloned().collect();
    let (mut found, more): (Vec<String>, Vec<String>) = (only(left, right), only(right, left));
    found.extend(more);
    found
}

#[tokio::test]
async fn each_migration_goes_up_down_and_up_again() {
    let url = stack::shared().new_database("shop");
    for migration in shop() {
        let before = lines(&url).await;
        up(&url, &migration).await;
        let after = lines(&url).await;
        down(&url, &migration).await;
        let back = lines(&url).await;
        up(&url, &migration).await;
        assert_eq!(difference(&lines(&url).await, &after), [""; 0], "{}: up, down, up", migration.label());
        let differs = difference(&back, &before);
        if migration.version == 11 {
            // A dropped column comes back as the last one, and nothing else differs.
            assert!(
                !differs.is_empty()
                    && differs.iter().all(|line| line.starts_with("column | table public.customers | ")),
                "{differs:#?}"
            );
        } else {
            assert_eq!(differs, [""; 0], "{}: up, down", migration.label());
        }
        let changes_nothing = [9].contains(&migration.version);
        assert_eq!(difference(&after, &before).is_empty(), changes_nothing, "{}", migration.label());
    }
}

#[test]
fn what_is_proved_of_each_way_back() {
    let shown: Vec<_> = shop()
        .iter()
        .map(|migration| match class::judge(migration, Direction::Up) {
            Judgement::Exact => format!("{} exact", migration.label()),
            Judgement::LosesData(why) => format!("{} {}", migration.label(), why.split('`').next().unwrap().trim()),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        shown,
        [
            "V1__create_customers exact",
            "V2__create_products exact",
            "V3__create_orders exact",
            "V4__keep_order_totals exact",
            "V5__index_orders_by_customer exact",
            "V6__create_sales_by_day exact",
            "V7__add_display_name exact",
            "V8__sync_display_name exact",
            "V9__backfill_display_name not proved:",
            "V10__require_display_name not proved:",
            "V11__drop_fullname not proved:",
        ]
    );
}

#[tokio::test]
async fn a_renamed_column_keeps_its_values_all_the_way() {
    let url = stack::shared().new_database("rename");
    let migrations = shop();
    let sql = |text: &'static str| {
        let url = url.clone();
        async move { session(&url).await.batch_execute(text).await.unwrap() }
    };
    for migration in &migrations[..7] {
        up(&url, migration).await;
    }
    sql("insert into customers (email, fullname) values ('a@x', 'Ada')").await;
    up(&url, &migrations[7]).await;
    sql("insert into customers (email, fullname) values ('b@x', 'Bob')").await;
    sql("insert into customers (email, display_name) values ('c@x', 'Cy')").await;
    sql("update customers set display_name = 'Robert' where email = 'b@x'").await;
    for migration in &migrations[8..] {
        up(&url, migration).await;
    }
    let names = "select string_agg(display_name, ',' order by email) from customers";
    assert_eq!(value(&url, names).await, "Ada,Robert,Cy");
    down(&url, &migrations[10]).await;
    let old = "select string_agg(fullname, ',' order by email) from customers";
    assert_eq!(value(&url, old).await, "Ada,Robert,Cy");
    sql("update customers set fullname = 'Bobby' where email = 'b@x'").await;
    up(&url, &migrations[10]).await;
    assert_eq!(value(&url, names).await, "Ada,Bobby,Cy");
}

#[tokio::test]
async fn the_total_of_an_order_follows_its_lines() {
    let url = stack::shared().new_database("totals");
    for migration in &shop() {
        up(&url, migration).await;
    }
    let text = "insert into customers (email, display_name) values ('a@x', 'Ada');
        insert into products (sku, title, price_cents) values ('p', 'Pen', 150), ('q', 'Quill', 275);
        insert into orders (customer_id, state, placed_at) values (1, 'paid', '2026-01-02 12:00Z');
        insert into order_lines values (1, 1, 2, 150), (1, 2, 1, 275);
        update order_lines set quantity = 3 where product_id = 2;
        delete from order_lines where product_id = 1;";
    session(&url).await.batch_execute(text).await.unwrap();
    assert_eq!(value(&url, "select total_cents from sales_by_day where day = '2026-01-02'").await, "825");
}
