//! Findings in a review of an environment, `rule` blocks of its spec, and the refusal of errors before the first effect.

use crate::postgres_project::Bench;

const MADE: &str = "create table orders (id bigint primary key, total int);\n\
                    insert into orders select n, n from generate_series(1, 20) as n;\nanalyze orders;\n";

fn bench() -> Bench {
    Bench::new("ruled", &[("V1__made.sql", MADE), ("V1__made.down.sql", "drop table orders;\n")])
}

#[test]
fn what_this_change_set_makes_keeps_nobody_waiting() {
    let bench = bench();
    bench.write("migrations/V2__index.sql", "create index orders_total on orders (total);\n");
    bench.write("migrations/V2__index.down.sql", "drop index orders_total;\n");
    let said = bench.expect(0, "plan dev");
    assert!(!said.contains("[create-index]"), "nobody uses it yet: {said}");
    assert!(said.contains("[drop-index]") && said.contains("way back, "), "on the way back somebody does: {said}");
}

#[test]
fn findings_stand_at_their_step_and_the_spec_says_how_heavy_they_are() {
    let bench = bench();
    bench.expect(0, "apply dev --auto-approve");
    bench.write("migrations/V2__index.sql", "-- why\ncreate index orders_total on orders (total);\n");
    bench.write(
        "migrations/V2__index.down.sql",
        "-- switchback: ignore drop-index: a way back is rare\ndrop index orders_total;\n",
    );
    // Twenty rows: a note.
    let said = bench.expect(0, "plan dev");
    assert!(said.contains("note: writers of `public.orders` wait until the index is built [create-index]"), "{said}");
    assert!(said.contains("migrations/V2__index.sql:2"), "{said}");
    assert!(said.contains("rules: 1 note, 1 silenced") && said.contains("a way back is rare"), "{said}");
    bench.ask("insert into orders select n, n from generate_series(100, 30000) as n; analyze orders");
    let said = bench.expect(0, "plan dev --out it.plan.json");
    assert!(
        said.contains("warning: writers of `public.orders`") && said.contains("about 29 thousand rows here"),
        "{said}"
    );
    let markdown = bench.expect(0, "plan dev --as md");
    assert!(markdown.contains("**Rules:** 1 warning, 1 silenced"), "{markdown}");
    let said = bench.expect(0, "show it.plan.json");
    assert!(said.contains("[create-index]"), "a saved plan keeps them: {said}");
    // The environment calls it an error: refused before the first effect, by name, with the way on.
    bench.write(
        "environments/dev.hcl",
        &format!(
            "{}\nrule \"create-index\" {{\n  level = \"error\"\n}}\n",
            std::fs::read_to_string(bench.path("environments/dev.hcl")).unwrap()
        ),
    );
    let said = bench.expect(0, "plan dev --out no.plan.json");
    assert!(said.contains("an apply of this is refused: rules refuse this change\n  create-index at"), "{said}");
    assert!(said.contains("saved as no.plan.json") && !said.contains("type next"), "{said}");
    let said = bench.expect(1, "apply dev --auto-approve");
    assert!(said.contains("rules refuse this change; nothing was done"), "{said}");
    assert!(
        said.contains("create-index at") && said.contains("-- switchback: ignore create-index: the reason"),
        "{said}"
    );
    assert_eq!(bench.ask("select to_regclass('orders_total') is null"), "t");
    bench.expect(0, "plan dev --out refused.plan.json");
    bench.expect(1, "apply refused.plan.json");
    assert_eq!(bench.ask("select to_regclass('orders_total') is null"), "t");
    bench.edit("environments/dev.hcl", "level = \"error\"", "level = \"off\"");
    assert!(!bench.expect(0, "plan dev").contains("[create-index]"));
    bench.edit("environments/dev.hcl", "level = \"off\"", "level = \"of\"");
    assert!(bench.expect(4, "plan dev").contains("did you mean `off`?"));
    bench.edit("environments/dev.hcl", "level = \"of\"", "level = \"note\"");
    bench.edit("environments/dev.hcl", "\"create-index\"", "\"create-indexes\"");
    assert!(bench.expect(4, "validate dev").contains("did you mean `create-index`?"));
}
