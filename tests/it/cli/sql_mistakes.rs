//! A mistake in a migration is shown where it stands: in its own file, in every verb that reads migrations.

use super::Bench;

fn with_migrations(second: &str) -> Bench {
    let bench = Bench::with_spec(
        "environment \"dev\" {}\n\ndatabase \"app\" {\n  url = \"postgres://me@localhost/app\"\n  \
         migrations = \"../migrations/shop\"\n}\n",
    );
    bench.write("migrations/shop/V1__first.sql", "create table a (id int);\n");
    bench.write("migrations/shop/V2__second.sql", second);
    bench
}

const VERBS: [&str; 7] = [
    "plan dev",
    "validate",
    "validate dev",
    "migrate lint --dir migrations/shop",
    "migrate rehearse --all --dir migrations/shop",
    "migrate new more",
    "rehearse dev",
];

#[test]
fn a_syntax_error_points_at_the_migration_and_its_line() {
    let bench = with_migrations("-- Makes more.\ncreate table b (id int);\nselekt 1;\n");
    for words in VERBS {
        let said = bench.expect(4, words);
        said.has("--> migrations/shop/V2__second.sql:3:1").has("3 | selekt 1;").has("| ^^^^^^");
        said.has("not understood as SQL").has("found `selekt`").has_not("environments/dev.hcl:").has_not("IDENT");
    }
    let json = bench.json(4, "plan dev");
    let told = &json["error"]["diagnostics"][0];
    assert_eq!((&told["file"], &told["line"]), (&"migrations/shop/V2__second.sql".into(), &3.into()), "{json}");
    let json = bench.json(4, "migrate lint --dir migrations/shop");
    assert_eq!(json["error"]["diagnostics"][0], *told, "one form for all verbs");
    assert!(!bench.path().join("migrations/shop/V3__more.sql").exists());
}

#[test]
fn what_may_not_stand_in_a_migration_is_shown_as_well() {
    let bench = with_migrations("create table b (id int);\n  create index concurrently b_id on b (id);\n");
    for words in VERBS {
        let said = bench.expect(4, words);
        said.has("--> migrations/shop/V2__second.sql:2:3").has("2 |   create index concurrently b_id on b (id);");
        said.has("cannot run inside a transaction").has("switchback: transaction off");
    }
}

#[test]
fn a_text_that_ends_too_early_is_shown_at_its_end() {
    let bench = with_migrations("create table b (\n  id int\n");
    bench.expect(4, "plan dev").has("--> migrations/shop/V2__second.sql:").has("not understood as SQL");
}
