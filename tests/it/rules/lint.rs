//! `migrate lint` on a folder alone, and with a database whose sizes count.

use serde_json::Value;

use crate::postgres_project::Bench;

fn folder(files: &[(&str, &str)]) -> Bench {
    let bench = Bench::new("linted", files);
    bench.remove("environments");
    bench.remove("switchback.hcl");
    bench
}

fn json(bench: &Bench, words: &str) -> (i32, Value) {
    let said = bench.command(words).output().unwrap();
    let found = serde_json::from_slice(&said.stdout);
    (said.status.code().unwrap(), found.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&said.stderr))))
}

const MADE: &str = "create table orders (id bigint primary key, total int);\n";

/// What is found of a rule on the way there.
fn of<'a>(found: &'a Value, rule: &str) -> &'a Value {
    let all = found["found"].as_array().unwrap();
    all.iter()
        .find(|one| one["rule"] == rule && one["place"]["way"] == "forth")
        .unwrap_or_else(|| panic!("no {rule}: {found}"))
}

#[test]
fn a_folder_is_linted_without_any_database() {
    let bench = folder(&[
        ("V1__made.sql", MADE),
        ("V1__made.down.sql", "drop table orders;\n"),
        ("V2__index.sql", "-- why\ncreate index orders_total on orders (total);\n"),
        ("V2__index.down.sql", "drop index orders_total;\n"),
    ]);
    let said = bench.expect(0, "migrate lint --postgres 15");
    assert!(
        said.contains("warning: writers of `public.orders` wait until the index is built [create-index]"),
        "{said}"
    );
    assert!(said.contains("at migrations/V2__index.sql:2"), "{said}");
    assert!(said.contains("> create index concurrently orders_total on orders (total);"), "{said}");
    assert!(said.contains("at way back, migrations/V2__index.down.sql:1"), "{said}");
    assert!(said.contains("2 migrations: 2 warnings"), "{said}");
    bench.expect(1, "migrate lint --postgres 15 --deny warning");
    let (code, found) = json(&bench, "migrate lint --postgres 15 --json");
    assert_eq!(
        (code, &found["found"][0]["rule"], &found["found"][0]["place"]["line"]),
        (0, &"create-index".into(), &2.into())
    );
}

#[test]
fn a_comment_silences_with_a_reason_and_an_error_ends_with_1() {
    let bench = folder(&[
        ("V1__made.sql", MADE),
        (
            "V2__index.sql",
            "create index a on orders (total);\n-- switchback: ignore create-index: ten rows everywhere\n\
             create index b on orders (total, id);\n-- switchback: ignore drop-column: not there\nselect 1;\n\
             -- switchback: ignore create-indx: typed wrongly\nselect 2;\n",
        ),
    ]);
    let (code, found) = json(&bench, "migrate lint --postgres 15 --json");
    assert_eq!(code, 0, "{found}");
    let rules: Vec<&str> = found["found"].as_array().unwrap().iter().map(|one| one["rule"].as_str().unwrap()).collect();
    assert_eq!(rules.iter().filter(|rule| **rule == "create-index").count(), 1, "{found}");
    assert_eq!(rules.iter().filter(|rule| **rule == "ignore-without-effect").count(), 2, "{found}");
    assert_eq!(found["ignored"][0]["reason"], "ten rows everywhere");
    let text = found.to_string();
    assert!(text.contains("did you mean `create-index`?"), "{text}");
    // What a project calls an error ends with 1, and a name that is no rule is a mistake.
    bench.write("switchback.hcl", "project \"shop\" {}\nrule \"create-index\" {\n  level = \"error\"\n}\n");
    bench.expect(1, "migrate lint --postgres 15");
    bench.write("switchback.hcl", "project \"shop\" {}\nrule \"create-idx\" {\n  level = \"error\"\n}\n");
    let said = bench.expect(4, "migrate lint --postgres 15");
    assert!(said.contains("no rule is called `create-idx`"), "{said}");
}

#[test]
fn the_size_in_the_database_weighs() {
    let bench = folder(&[("V1__made.sql", MADE), ("V2__index.sql", "create index orders_total on orders (total);\n")]);
    bench.expect(0, &format!("migrate up --url {} --to 1 --auto-approve", bench.url));
    let lint = format!("migrate lint --url {} --json", bench.url);
    bench.ask("insert into orders select n, n from generate_series(1, 100) as n; analyze orders");
    let (_, found) = json(&bench, &lint);
    assert_eq!(of(&found, "create-index")["level"], "note", "{found}");
    bench.ask("insert into orders select n, n from generate_series(101, 20000) as n; analyze orders");
    let (_, found) = json(&bench, &lint);
    assert_eq!(of(&found, "create-index")["level"], "warning", "{found}");
    assert!(of(&found, "create-index")["reason"].as_str().unwrap().contains("about 20 thousand rows here"), "{found}");
    // An error of its own: the column may not be null, and there are rows.
    bench.write("migrations/V3__strict.sql", "alter table orders add column rest int not null;\n");
    let (code, found) = json(&bench, &lint);
    assert_eq!((code, &of(&found, "not-null-without-default")["level"]), (1, &"error".into()), "{found}");
}
