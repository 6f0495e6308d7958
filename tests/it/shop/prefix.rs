//! Every prefix: an apply that was cut off after k of its n steps, for every k, is taken back; what the plan called
//! exact is exact, and what is not exact was not called so.
//!
//! A sample of the prefixes usually; all of them with `SWITCHBACK_TEST_LONG`.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;
use serde_json::Value;

use super::project::Project;
use super::running::is_done;
use super::world::{Snapshot, assert_nothing_is_left, snapshot};
use crate::place::is_long;

/// How many shops live side by side.
const SIDE_BY_SIDE: usize = 4;

/// How many prefixes the short mode takes, spread over the whole.
const SAMPLE: usize = 10;

/// A parameter that the change takes away, and rows in most tables.
const GOING: &str = r#"
resource "aws_ssm_parameter" "going" {
  name  = "/${var.name}/going"
  type  = "String"
  value = "it was here before"
}
"#;

const COMING: &str = r#"
resource "aws_ssm_parameter" "coming" {
  name  = "/${var.name}/coming"
  type  = "String"
  value = "it was not here before"
}
"#;

const ROWS: &str = "
INSERT INTO customers (email, display_name) VALUES ('ada@example.org', 'Ada'), ('bob@example.org', 'Bob');
INSERT INTO products (sku, title, price_cents, stock) VALUES ('one', 'One', 100, 5), ('two', 'Two', 250, 9);
INSERT INTO orders (customer_id, state, placed_at) VALUES (1, 'paid', '2026-01-01Z'), (2, 'cart', NULL);
INSERT INTO order_lines VALUES (1, 1, 2, 100), (1, 2, 1, 250), (2, 2, 3, 250);
";

/// Puts the rows back that the last migration takes.
const MEND: &str = "UPDATE products SET stock = 5";

const MIGRATIONS: &[(&str, &str, &str)] = &[
    ("V90__add_coupons", "CREATE TABLE coupons (code text PRIMARY KEY);\n", "DROP TABLE coupons;\n"),
    (
        "V91__loyalty",
        "ALTER TABLE customers ADD COLUMN loyalty integer;\n",
        "ALTER TABLE customers DROP COLUMN loyalty;\n",
    ),
    (
        "V92__rename_title",
        "ALTER TABLE products RENAME COLUMN title TO label;\n",
        "ALTER TABLE products RENAME COLUMN label TO title;\n",
    ),
    (
        "V93__reserve",
        "ALTER TABLE products ADD COLUMN reserve integer;\nALTER TABLE products ALTER COLUMN reserve SET DEFAULT 1;\n",
        "ALTER TABLE products ALTER COLUMN reserve DROP DEFAULT;\nALTER TABLE products DROP COLUMN reserve;\n",
    ),
    ("V94__empty_stock", "UPDATE products SET stock = 0;\n", "SELECT 1;\n"),
];

/// What must be called exact: a part of its title, and the verb.
const EXACT: &[(&str, &str)] = &[
    ("aws_ssm_parameter.coming", "create"),
    ("aws_ssm_parameter.going", "delete"),
    ("config.web[\"LOG_LEVEL\"]", "update"),
    ("aws_cloudwatch_log_group.shop", "update"),
    ("module.service[\"web\"].aws_ecs_service.this", "update"),
    ("module.service[\"mailer\"].aws_ecs_service.this", "create"),
    ("V90__add_coupons", "migrate"),
    ("V91__loyalty", "migrate"),
    ("V92__rename_title", "migrate"),
    ("V93__reserve", "migrate"),
];

fn change(shop: &Project) {
    shop.edit("environments/dev.hcl", "shop/web:1.0.0", "shop/web:1.1.0");
    shop.edit("environments/dev.hcl", "default     = \"debug\"", "default     = \"info\"");
    shop.edit("environments/dev.hcl", "log_days     = 7", "log_days     = 30");
    shop.edit("environments/dev.hcl", GOING, COMING);
    let worker = "worker = { command = [\"shop\", \"work\"], port = null, count = 1 }";
    let both = format!("{worker}\n    mailer = {{ command = [\"shop\", \"mail\"], port = null, count = 1 }}");
    shop.edit("modules/shop/main.hcl", worker, &both);
    for (name, up, down) in MIGRATIONS {
        shop.write(&format!("migrations/shop/{name}.sql"), up);
        shop.write(&format!("migrations/shop/{name}.down.sql"), down);
    }
}

/// A shop that was made, has rows, and is about to be changed.
fn changed_shop() -> Project {
    let shop = Project::shop("prefix");
    let spec = std::fs::read_to_string(shop.path("environments/dev.hcl")).unwrap();
    shop.write("environments/dev.hcl", &(spec + GOING));
    shop.ok(&["up", "dev"]);
    shop.stack().psql(&shop.database_url(), ROWS);
    shop.stack().psql(&shop.database_url(), MEND);
    change(&shop);
    shop
}

/// The steps of the plan by title: their verb and the class of their inverse.
fn planned(shop: &Project) -> BTreeMap<String, (String, String)> {
    shop.exits(2, &["plan", "dev", "--detailed-exitcode", "--out", "s.plan.json"]);
    let file: Value = serde_json::from_slice(&std::fs::read(shop.path("s.plan.json")).unwrap()).unwrap();
    let steps = file["change_set"]["steps"].as_array().unwrap();
    let plan = shop.run(&["plan", "dev", "--json"]).json();
    let shown = plan["steps"].as_array().unwrap_or_else(|| panic!("{plan:#}"));
    assert_eq!(steps.len(), shown.len());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let pairs = steps.iter().zip(shown);
    pairs
        .map(|(step, shown)| (text(&shown["title"]), (text(&shown["action"]), text(&step["inverse"]["class"]))))
        .collect()
}

/// Applies until k steps are done, and cuts it off there: each second one by Ctrl-C, the others by SIGKILL.
fn apply_a_part(shop: &Project, k: usize) {
    let mut running = shop.follow(&["apply", "dev", "--auto-approve", "--no-progress"]);
    let mut done = 0;
    let came = running.hears(|line| match k {
        0 => line.ends_with(": started"),
        _ => {
            done += usize::from(is_done(line));
            done == k
        }
    });
    running.send(if k.is_multiple_of(2) { Signal::INT } else { Signal::KILL });
    let (said, _) = running.end();
    let expected: &[i32] = if k.is_multiple_of(2) { &[0, 6] } else { &[-1, 0] };
    assert!(came && expected.contains(&said.code), "{k}: exit {}\n{}\n{}", said.code, said.out, said.err);
}

/// Which numbers are taken: all, or so many, spread evenly, first and last among them.
fn prefixes(steps: usize) -> Vec<usize> {
    match is_long() || steps < SAMPLE {
        true => (0..=steps).collect(),
        false => (0..SAMPLE).map(|number| number * steps / (SAMPLE - 1)).collect(),
    }
}

/// Takes the numbers from a list, in several threads, each with a state of its own.
fn side_by_side<S>(numbers: &[usize], begin: impl Fn() -> S + Sync, each: impl Fn(&mut S, usize) + Sync) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE.min(numbers.len()) {
            scope.spawn(|| {
                let mut state = None;
                while let Some(number) = numbers.get(next.fetch_add(1, Ordering::SeqCst)) {
                    each(state.get_or_insert_with(&begin), *number);
                }
            });
        }
    });
}

/// Without the rows of one table.
fn without(snapshot: &Snapshot, table: &str) -> Snapshot {
    let insert = format!("INSERT INTO public.{table} ");
    let rows = snapshot.rows.lines().filter(|line| !line.starts_with(&insert)).collect::<Vec<_>>().join("\n");
    Snapshot { rows, ..snapshot.clone() }
}

#[test]
fn any_part_of_a_change_is_taken_back_exactly() {
    let first = changed_shop();
    let plan = planned(&first);
    for (title, verb) in EXACT {
        let found = plan.iter().find(|(name, _)| name.contains(title)).unwrap_or_else(|| panic!("{title}: {plan:#?}"));
        assert_eq!(found.1, &((*verb).to_owned(), "exact".to_owned()), "{title}");
    }
    // One is not exact, and really is not.
    let (lossy, (_, class)) = plan.iter().find(|(name, _)| name.contains("V94__empty_stock")).unwrap();
    assert_ne!(class, "exact", "{lossy}");

    let reached = Mutex::new(BTreeMap::new());
    let first = Mutex::new(Some(first));
    let begin = || first.lock().unwrap().take().unwrap_or_else(changed_shop);
    side_by_side(&prefixes(plan.len()), begin, |shop, k| {
        let before = snapshot(shop);
        apply_a_part(shop, k);
        let status = shop.ok(&["status", "dev", "--json"]).json();
        let empty = shop.stack().psql(&shop.database_url(), "SELECT count(*) FROM products WHERE stock = 0") != "0";
        shop.ok(&["rollback", "dev", "--to", "1", "--accept-loss", "all", "--auto-approve"]);
        let after = snapshot(shop);
        match empty {
            // What was called inexact took rows that do not come back; everything else is as it was.
            true => {
                assert_ne!(after.rows, before.rows);
                assert_eq!(without(&after, "products"), without(&before, "products"), "after {k} steps\n{status:#}");
                shop.stack().psql(&shop.database_url(), MEND);
            }
            false => assert_eq!(after, before, "after {k} steps\n{status:#}"),
        }
        let done = status["unfinished"]["done"].as_u64().unwrap_or(plan.len() as u64);
        reached.lock().unwrap().insert(k, done);
    });
    let reached = reached.into_inner().unwrap();
    println!("{} steps; cut off at → done and recorded: {reached:?}", plan.len());
    let distinct: std::collections::BTreeSet<_> = reached.values().collect();
    assert!(distinct.len() >= 6, "the cuts were not spread: {reached:?}");
}

#[test]
fn any_part_of_a_fresh_shop_is_taken_back_to_nothing() {
    let steps = planned(&Project::shop("prefix")).len();
    side_by_side(
        &prefixes(steps),
        || (),
        |(), k| {
            let shop = Project::shop("prefix");
            apply_a_part(&shop, k);
            shop.ok(&["rollback", "dev", "--to", "0", "--accept-loss", "all", "--auto-approve"]);
            assert_nothing_is_left(&shop);
        },
    );
    println!("{steps} steps, {} prefixes", prefixes(steps).len());
}
