//! What travels with a release, and what stays.

use super::{MODULE, STAGING, released};

#[test]
fn a_module_that_the_release_does_not_have_is_of_the_place_and_the_review_says_so() {
    let (bench, _) = released(STAGING);
    let own = "\nmodule \"own\" {\n  source = \"../modules/own\"\n}\n";
    bench.write("modules/own/main.hcl", "resource \"terraform_data\" \"own\" {\n  input = 1\n}\n");
    let staging = bench.read("environments/staging.hcl");
    bench.write("environments/staging.hcl", &format!("{staging}{own}"));
    let said = bench.expect(0, "promote dev staging --auto-approve");
    said.has("modules/own is not in the release: it comes from this checkout")
        .has("terraform_data.own is only in staging");
    bench.expect(0, "status staging").has("resources   2");
}

#[test]
fn a_ledger_of_its_own_is_read_for_the_environment_before() {
    let (bench, id) = released(STAGING);
    let elsewhere = tempfile::tempdir().unwrap();
    let url = format!("file:{}", elsewhere.path().display());
    let from = bench.json(0, "status dev")["ledger"]["url"].as_str().unwrap().to_owned();
    bench.expect(0, &format!("promote dev staging --auto-approve --ledger {url} --from-ledger {from}")).has("verified");
    bench.expect(0, &format!("history staging --ledger {url}")).has(&id[..12]);
    bench.expect(0, &format!("release show {} --env staging --ledger {url}", &id[..8])).has(&id).has("file");
}

#[test]
fn a_second_release_records_only_the_texts_that_are_new() {
    let (bench, _) = released(STAGING);
    bench.write("modules/web/more.hcl", &format!("# {}\n", "long ".repeat(2000)));
    bench.expect(0, "apply dev --auto-approve");
    bench.release("");
    let first = bench.read(".switchback/ledger/dev.jsonl");
    bench.write("modules/web/main.hcl", &MODULE.replace("hello", "howdy"));
    bench.expect(0, "apply dev --auto-approve");
    bench.release("");
    let second = bench.read(".switchback/ledger/dev.jsonl");
    assert_eq!(second.matches("long long long").count(), first.matches("long long long").count());
    bench.expect(0, "promote dev staging --auto-approve").has("verified");
    assert_eq!(bench.said("staging"), "howdy shop/web:1.0.0 times 1");
}

/// dev and staging with a database each, and a migration that makes a table; their URLs.
#[cfg(feature = "postgres")]
fn with_databases(prefix: &str) -> (crate::cli::Bench, [String; 2]) {
    let (bench, _) = released(STAGING);
    let stack = crate::stack::shared();
    let password = stack.postgres_password_file().display().to_string();
    let urls = ["dev", "staging"].map(|name| stack.new_database(&format!("{prefix}_{name}")));
    for (environment, url) in ["dev", "staging"].iter().zip(&urls) {
        let (head, host) = url.rsplit_once('@').expect("it has a user");
        let user = head.rsplit_once(':').map_or(head, |(user, _)| user);
        let path = format!("environments/{environment}.hcl");
        let database = format!(
            "\ndatabase \"app\" {{\n  url = \"{user}@{host}\"\n  password_file = \"{password}\"\n  migrations = \"../migrations/app\"\n}}\n"
        );
        bench.write(&path, &(bench.read(&path) + &database));
    }
    bench.write("migrations/app/V1__make.sql", "create table made (id int primary key);\n");
    bench.write("migrations/app/V1__make.down.sql", "drop table made;\n");
    (bench, urls)
}

#[cfg(feature = "postgres")]
#[test]
fn migrations_travel_and_those_that_came_later_do_not() {
    let (bench, urls) = with_databases("release");
    bench.expect(0, "apply dev --auto-approve").has("verified");
    bench.release("");
    bench.write("migrations/app/V2__later.sql", "create table later (id int primary key);\n");
    bench.write("migrations/app/V2__later.down.sql", "drop table later;\n");
    bench.write("migrations/app/V1__make.sql", "create table altered (id int primary key);\n");
    bench.expect(0, "promote dev staging --auto-approve").has("verified");
    let tables = "select string_agg(tablename, ',') from pg_tables where tablename in ('made', 'later', 'altered')";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(crate::postgres::value(&urls[1], tables)), "made");
    let release = bench.json(0, "release list staging")["releases"].as_array().unwrap().last().unwrap().clone();
    let newest = release["migrations"]["database.app"].as_array().unwrap().clone();
    assert_eq!(newest.len(), 1, "{newest:?}");
    bench.expect(0, "rollback staging --to 0 --auto-approve --accept-loss all");
    assert_eq!(runtime.block_on(crate::postgres::value(&urls[1], tables)), "");
}

#[cfg(feature = "postgres")]
#[test]
fn a_promotion_names_what_the_two_databases_differ_in() {
    let (bench, [dev, staging]) = with_databases("parity");
    let stack = crate::stack::shared();
    // As the server of staging estimates: 800 MB, where dev has none worth naming.
    let large = "create table big (id int); update pg_class set relpages = 100000 where relname = 'big'";
    let common = "create table big (id int); create table alike (id int); \
                  update pg_class set relpages = 100000 where relname = 'alike'";
    stack.psql(&dev, &format!("create extension hstore; create extension pg_trgm; create extension citext; {common}"));
    stack.psql(
        &staging,
        &format!(
            "create extension hstore version '1.7'; create extension btree_gin; {common}; drop table big; {large}"
        ),
    );
    bench.write("migrations/app/V2__search.sql", "create extension if not exists \"pg_trgm\";\n");
    bench.write("migrations/app/V2__search.down.sql", "drop extension pg_trgm;\n");
    bench.expect(0, "apply dev --auto-approve").has("verified");
    bench.release("");
    let wanted = [
        "database.app lacks the extension citext 1.6, which dev has",
        "database.app has the extension hstore 1.7, 1.8 in dev",
        "database.app has the extension btree_gin 1.3, which dev lacks",
        "database.app holds about 819 MB in public.big, dev at most 10 MB: how long a step took there says little",
    ];
    bench.expect(0, "promote dev staging --out p.plan.json").has(&format!("gap: {}", wanted[0]));
    // The saved plan knows them as well; what a migration of the release makes is no gap, and neither is what is alike.
    let shown = bench.json(0, "show p.plan.json");
    let gaps: Vec<&str> =
        shown["promotion"]["gaps"].as_array().unwrap().iter().map(|gap| gap.as_str().unwrap()).collect();
    assert_eq!(gaps, wanted);
    // Once the two are alike there is none.
    stack.psql(
        &staging,
        "create extension citext; alter extension hstore update; drop extension btree_gin; drop table big",
    );
    bench.expect(0, "promote dev staging --auto-approve").has("verified").has_not("gap:");
}

#[test]
fn what_runs_in_an_environment_is_told_as_of_that_environment() {
    let (bench, id) = released(STAGING);
    let short = &id[..12];
    bench.expect(0, "status dev").has(&format!("release     {short}, made here"));
    bench.expect(0, "promote dev staging --auto-approve").has("verified");
    bench.expect(0, "status staging").has(&format!("release     {short}, from dev"));
    bench.expect(0, "promote staging prod --auto-approve").has("verified");
    let said = bench.expect(0, "release show prod");
    said.has("in force in prod").has("verified in prod").has_not("in dev");
    // A tag is recorded where it was made, and known of the release wherever it runs.
    bench.expect(0, &format!("release tag {short} v1.0.0 --in staging")).has("tagged");
    bench.expect(0, "release list prod").has("tag v1.0.0").has("in force in prod");
    bench.expect(0, "release show prod").has("tag v1.0.0");
    let status = bench.json(0, "status prod");
    assert_eq!((&status["release"]["id"], &status["release"]["from"]), (&id.as_str().into(), &"staging".into()));
}
