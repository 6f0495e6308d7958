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

const TAKE: &str = "alter table customers drop column region;\n";

#[test]
fn a_dropped_column_comes_back_with_its_values_and_all_that_hangs_on_it() {
    let (bench, url) = bench("keep_cli", "14d");
    bench.expect(0, "up dev").has_not("kept for");
    let before = look(&url);
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
    bench.expect(0, "status dev").has_not("kept ");
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
        assert!(since.elapsed() < Duration::from_secs(60), "it never came to the table");
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
