//! What a migration takes away and a way back gives again, as typed.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::Bench;
use crate::stack::shared;

const MAKE: &str = "
create table regions (id int primary key);
insert into regions select generate_series(1, 50);
create table customers (
    id bigint generated always as identity primary key,
    name text not null,
    region int not null default 7 references regions,
    email text
);
comment on column customers.region is 'where they are';
create index customers_region on customers (region);
insert into customers (name, region, email) select 'n' || n, 1 + n % 50, 'e' || n from generate_series(1, 100000) n;
";

/// A project with a database of its own, and its superuser's URL.
fn bench(name: &str, keep: &str) -> (Bench, String) {
    let stack = shared();
    let url = stack.new_database(name);
    let (head, host) = url.rsplit_once('@').expect("it has a user");
    let user = head.rsplit_once(':').map_or(head, |(user, _)| user);
    let bench = Bench::with_spec(&format!(
        "environment \"dev\" {{}}\ndatabase \"app\" {{\n  url = \"{user}@{host}\"\n  password_file = \"{}\"\n  migrations = \"../migrations\"\n  keep = \"{keep}\"\n}}\n",
        stack.postgres_password_file().display()
    ));
    bench.write("migrations/V1__make.sql", MAKE);
    bench.write("migrations/V1__make.down.sql", "drop table customers;\ndrop table regions;\n");
    (bench, url)
}

fn look(url: &str) -> (String, String) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let place = crate::postgres::connection(url);
        let lines = switchback::provider::postgres::fingerprint_text(&place).await.unwrap();
        let sum = "select md5(string_agg(c::text, '|' order by id)) || count(*) from customers c";
        (lines, crate::postgres::value(url, sum).await)
    })
}

fn value(url: &str, query: &str) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(crate::postgres::value(url, query))
}

/// Runs plain SQL beside our own code.
fn run(url: &str, sql: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { crate::postgres::session(url).await.batch_execute(sql).await.unwrap() });
}

const TAKE: &str = "alter table customers drop column region;\n";

#[test]
fn a_dropped_column_comes_back_with_its_values_and_all_that_hangs_on_it() {
    let (bench, url) = bench("keep_cli", "14d");
    bench.expect(0, "up dev").has_not("kept for");
    let before = look(&url);
    // All that hangs on the column is in the fingerprint, which is compared below.
    for part in ["where they are", "customers_region", "customers_region_fkey", "REFERENCES", "DEFAULT 7", "NOT NULL"] {
        let line = before.0.lines().find(|line| line.contains("region") && line.contains(part));
        assert!(line.is_some(), "`{part}` is missing in {}", before.0);
    }
    let order = "select string_agg(attname, ',' order by attnum) from pg_attribute where attrelid = 'customers'::regclass and attnum > 0 and not attisdropped";
    assert_eq!(value(&url, order), "id,name,region,email");
    assert_eq!(value(&url, "select count(region) from customers"), "100000");
    bench.write("migrations/V2__take.sql", TAKE);
    bench
        .expect(0, "plan dev")
        .has("kept for 14 days instead of dropped: customers.region")
        .has("way back: exact")
        .has("everything can be taken back exactly");
    bench.expect(0, "up dev").has("verified");
    assert_eq!(value(&url, "select count(*) from information_schema.columns where column_name = 'region'"), "0");
    bench.expect(0, "status dev").has("kept        customers.region of V2__take until");
    let status = bench.json(0, "status dev");
    assert_eq!(status["databases"][0]["kept"][0]["what"][0], "customers.region");
    bench
        .expect(0, "plan dev --detailed-exitcode")
        .has("nothing to do")
        .has("kept: customers.region of V2__take until");
    bench.expect(0, "rollback dev --last --auto-approve").has("1 done, 0 failed");
    assert_eq!(before, look(&url));
    assert_eq!(value(&url, order), "id,name,region,email");
    bench.expect(0, "status dev").has_not("kept ");
}

#[test]
fn what_is_written_over_is_copied_and_put_back() {
    let (bench, url) = bench("keep_copied", "14d");
    bench.expect(0, "up dev");
    run(&url, "analyze customers");
    let before = look(&url);
    let write = "update customers set email = 'x' where id <= 500;\nalter table customers alter name type varchar(3) using left(name, 3);\n";
    bench.write("migrations/V2__write.sql", write);
    bench
        .expect(0, "plan dev")
        .has("kept for 14 days: values of customers.email, values of customers.name")
        .has("copied first, from customers: ")
        .has("about 100 thousand rows as a whole, by the target's catalog")
        .has("way back: exact")
        .has("everything can be taken back exactly");
    let plan = bench.json(0, "plan dev");
    let step = &plan["steps"][0]["migration"]["kept"];
    assert_eq!(step["copied"][0]["table"], "customers", "{plan}");
    bench.expect(0, "up dev").has("verified");
    assert_eq!(value(&url, "select count(*) from customers where email = 'x'"), "500");
    assert_eq!(value(&url, "select max(length(name)) from customers"), "3");
    bench
        .expect(0, "status dev")
        .has("kept        values of customers.email, values of customers.name of V2__write until");
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");
    bench.expect(0, "rollback dev --last --auto-approve").has("1 done, 0 failed");
    assert_eq!(before, look(&url));
    bench.write("migrations/V2__write.sql", &format!("-- switchback: keep 0s\n{write}"));
    bench.expect(0, "plan dev").has_not("kept for").has("way back: impossible");
}

const GROW: &str = "alter table customers add column points int;\ncreate index points_of on customers (points);\n";

#[test]
fn a_way_back_keeps_what_was_written_since() {
    let (bench, url) = bench("keep_back", "14d");
    bench.expect(0, "up dev");
    bench.write("migrations/V2__grow.sql", GROW);
    bench.write("migrations/V2__grow.down.sql", "drop index points_of;\nalter table customers drop column points;\n");
    bench.expect(0, "up dev").has_not("kept for");
    // As long as nothing is in it, there is nothing to keep.
    bench.expect(0, "rollback dev --last --auto-approve").has_not("kept for");
    bench.expect(0, "up dev").has_not("comes back");
    run(&url, "update customers set points = id * 3 where id <= 1000");
    let full = look(&url);
    bench
        .expect(0, "rollback dev --last --auto-approve")
        .has("kept for 14 days instead of dropped: customers.points")
        .has("way back: exact")
        .has("1 done, 0 failed");
    assert_eq!(value(&url, "select count(*) from information_schema.columns where column_name = 'points'"), "0");
    bench.expect(0, "status dev").has("kept        customers.points of V2__grow until");
    bench.write("migrations/V2__grow.sql", &format!("{GROW}select 1;"));
    bench.expect(4, "plan dev").has("a migration was altered while what it had added is kept");
    bench.write("migrations/V2__grow.sql", GROW);
    bench.expect(0, "plan dev").has("comes back from where it was kept: customers.points").has("way back: exact");
    bench.expect(0, "up dev").has("verified");
    assert_eq!(full, look(&url));
    assert_eq!(value(&url, "select count(*) from customers where points = id * 3"), "1000");
    bench.expect(0, "status dev").has_not("kept ");
    // Back and forth once more.
    bench.expect(0, "rollback dev --last --auto-approve").has("kept for 14 days");
    bench.expect(0, "up dev");
    assert_eq!(full, look(&url));
}

#[test]
fn what_a_way_back_kept_is_purged_where_it_is_not_wanted_again() {
    let (bench, url) = bench("keep_back_purge", "2s");
    bench.expect(0, "up dev");
    let begin = look(&url);
    bench.write("migrations/V2__grow.sql", GROW);
    bench.run("up dev");
    run(&url, "update customers set points = 5 where id <= 1000");
    bench
        .expect(0, "rollback dev --last --auto-approve")
        .has("kept for 2 seconds instead of dropped: customers.points");
    std::fs::remove_file(bench.path().join("migrations/V2__grow.sql")).unwrap();
    std::thread::sleep(Duration::from_millis(2_500));
    bench
        .expect(0, "plan dev")
        .has("purge        database.app V2__grow")
        .has("way back: impossible (what was kept is dropped: customers.points)");
    bench.expect(0, "up dev").has("verified");
    assert_eq!(begin, look(&url));
    bench.expect(0, "status dev").has_not("kept ");
    bench.write("migrations/V2__grow.sql", GROW);
    bench.expect(0, "up dev").has_not("comes back");
    assert_eq!(value(&url, "select count(points) from customers"), "0");
}

#[test]
fn what_was_kept_long_enough_is_purged_by_a_step_that_says_so() {
    let (bench, url) = bench("keep_purge", "2s");
    bench.expect(0, "up dev");
    bench.write("migrations/V2__take.sql", TAKE);
    bench.write("migrations/V2__take.down.sql", "alter table customers add column region int;\n");
    bench.run("up dev");
    std::thread::sleep(Duration::from_millis(2_500));
    bench
        .expect(0, "plan dev")
        .has("purge        database.app V2__take")
        .has("kept long enough, until")
        .has("way back: impossible (what was kept is dropped: customers.region)")
        .has("1 to purge");
    bench.expect(0, "up dev").has("verified");
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");
    bench.expect(0, "status dev").has_not("kept ");
    let left = "select count(*) from pg_attribute where attname ~ '^switchback_kept' and not attisdropped";
    assert_eq!(value(&url, left), "0");
    // Now the file alone says what the way back is.
    bench.expect(0, "rollback dev --to 2 --auto-approve").has("what was kept is purged");
    bench.expect(9, "rollback dev --to 1 --auto-approve").has("loses data");
    bench.expect(0, "rollback dev --to 1 --auto-approve --accept-loss all");
    assert_eq!(value(&url, "select count(*) from information_schema.columns where column_name = 'region'"), "1");
}

#[test]
fn a_kill_in_the_middle_leaves_all_or_nothing() {
    let (bench, url) = bench("keep_killed", "14d");
    bench.expect(0, "up dev");
    let before = look(&url);
    bench.write("migrations/V2__take.sql", TAKE);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let blocker = runtime.block_on(crate::postgres::session(&url));
    runtime.block_on(blocker.batch_execute("begin; lock table customers in access share mode")).unwrap();
    let mut command = bench.command("up dev");
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let waiting = "select count(*) from pg_locks where not granted and relation = 'customers'::regclass";
    let since = Instant::now();
    while value(&url, waiting) == "0" {
        assert!(since.elapsed() < Duration::from_secs(180), "it never came to the table");
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    drop(blocker);
    drop(runtime);
    bench.expect(0, "resume dev --auto-approve");
    assert_eq!(value(&url, "select count(*) from information_schema.columns where column_name = 'region'"), "0");
    bench.expect(0, "rollback dev --last --auto-approve");
    assert_eq!(before, look(&url));
}

#[test]
fn what_cannot_be_kept_is_refused_and_can_be_let_go() {
    let (bench, _url) = bench("keep_refused", "14d");
    bench.expect(0, "up dev");
    bench.write("migrations/V2__take.sql", "alter table customers drop column region, add column place int;\n");
    bench
        .expect(4, "plan dev")
        .has("what a migration takes away cannot be kept")
        .has("drops a column beside something else")
        .has("drop the column by a statement of its own");
    bench.write("migrations/V2__take.sql", TAKE);
    let spec = bench.read("environments/dev.hcl");
    bench.write("environments/dev.hcl", &spec.replace("14d", "soon"));
    bench.expect(4, "validate dev").has("`keep` takes a number and a unit");
    bench.write("environments/dev.hcl", &spec.replace("14d", "0s"));
    bench.expect(0, "plan dev").has_not("kept for");
}
