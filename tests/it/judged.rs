//! A way back is judged again when it is planned: what was exact when it was applied may not be now.

use switchback::provider::postgres::fingerprint_text;

use crate::postgres::connection;
use crate::postgres_project::Bench;

const BASE: [(&str, &str); 2] = [
    (
        "V1__base.sql",
        "create table people (id int primary key, name text, state text default 'new');\n\
         insert into people values (1, 'Ada', 'old'), (2, null, 'new');\n",
    ),
    ("V1__base.down.sql", "drop table people;\n"),
];

/// What must be exact until it is written to.
const ADDITIVE: [(&str, &str); 14] = [
    ("V2__table.sql", "create table notes (id int generated always as identity, text text);\n"),
    ("V2__table.down.sql", "drop table notes;\n"),
    (
        "V3__column.sql",
        "alter table people add column email text;\nalter table people add column level int not null default 3;\n",
    ),
    ("V3__column.down.sql", "alter table people drop column level;\nalter table people drop column email;\n"),
    ("V4__rename.sql", "alter table people rename column name to full_name;\n"),
    ("V4__rename.down.sql", "alter table people rename column full_name to name;\n"),
    ("V5__default.sql", "alter table people alter column state set default 'fresh';\n"),
    ("V5__default.down.sql", "alter table people alter column state set default 'new';\n"),
    ("V6__index.sql", "-- switchback: transaction off\ncreate index concurrently people_email on people (email);\n"),
    ("V6__index.down.sql", "-- switchback: transaction off\ndrop index concurrently people_email;\n"),
    ("V7__whole.sql", "alter table notes rename to remarks;\ncreate index remarks_text on remarks (text);\n"),
    ("V7__whole.down.sql", "drop index remarks_text;\nalter table remarks rename to notes;\n"),
    ("V8__sequence.sql", "create sequence numbers start 5;\n"),
    ("V8__sequence.down.sql", "drop sequence numbers;\n"),
];

fn schema(bench: &Bench) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(fingerprint_text(&connection(&bench.url))).unwrap()
}

const PEOPLE: &str = "select string_agg(p::text, ';' order by id) from people p";

/// The base applied as one run, and all that is additive as the next one.
fn applied(name: &str) -> (Bench, String, String) {
    let bench = Bench::new(name, &BASE);
    bench.expect(0, "up dev --no-progress");
    let (before, people) = (schema(&bench), bench.ask(PEOPLE));
    for (file, text) in ADDITIVE {
        bench.write(&format!("migrations/{file}"), text);
    }
    bench.expect(0, "plan dev --out up.plan.json");
    assert_eq!(classes(&bench, "up.plan.json"), ["exact"; 7], "each is exact until it is written to");
    bench.expect(0, "apply up.plan.json --no-progress");
    assert_ne!(schema(&bench), before);
    (bench, before, people)
}

/// The classes of the ways back of a saved plan's steps.
fn classes(bench: &Bench, file: &str) -> Vec<String> {
    let plan = bench.json(file);
    let steps = plan.pointer("/change_set/steps").and_then(serde_json::Value::as_array).expect("steps");
    steps.iter().map(|step| step["inverse"]["class"].as_str().expect("a class").to_owned()).collect()
}

#[test]
fn what_nobody_wrote_to_is_taken_back_exactly_and_without_a_question() {
    let (bench, before, people) = applied("unwritten");
    // Rows of before, and values that are only the default, are no loss.
    bench.ask("insert into people (id, full_name) values (3, 'Grace'); delete from people where id = 3");
    bench.expect(0, "rollback dev --last --out back.plan.json");
    assert_eq!(classes(&bench, "back.plan.json"), ["exact"; 7]);
    let said = bench.expect(0, "rollback dev --last --auto-approve --no-progress");
    assert!(said.contains("verified"), "{said}");
    assert_eq!(schema(&bench), before, "the schema is as it was");
    assert_eq!(bench.ask(PEOPLE), people, "and every row");
    // And forward again: what was taken back so can be done again.
    bench.expect(0, "up dev --no-progress");
    bench.expect(0, "rollback dev --last --auto-approve --no-progress");
    assert_eq!((schema(&bench), bench.ask(PEOPLE)), (before, people));
}

#[test]
fn what_was_written_since_is_named_and_has_to_be_accepted_step_by_step() {
    let (bench, before, people) = applied("written");
    bench.ask("insert into remarks (text) select 'x' from generate_series(1, 12)");
    let said = bench.expect(9, "rollback dev --last --auto-approve");
    assert!(said.contains("every row of table notes (10 to 99 rows)"), "{said}");
    assert!(!said.contains("the values of column"), "{said}");
    bench.ask("update people set email = 'ada@example.org' where id = 1; update people set level = 4 where id = 2");
    bench.ask("select nextval('numbers')");
    let said = bench.expect(9, "rollback dev --last --auto-approve");
    for loss in [
        "step 1 database.app V8__sequence: loses data, the position of sequence numbers",
        "V3__column: loses data, the values of column people.email (1 to 9 rows), the values of column people.level (1 to 9 rows)",
        "V2__table: loses data, every row of table notes (10 to 99 rows)",
        "--accept-loss 1 6 7",
    ] {
        assert!(said.contains(loss), "`{loss}` is missing in\n{said}");
    }
    let said = bench.expect(9, "rollback dev --last --accept-loss 1 7 --auto-approve");
    let asked = said.split("nothing was done").nth(1).expect("it is refused");
    assert!(
        asked.contains("step 6 ") && !asked.contains("step 1 "),
        "what was accepted is not asked for again:\n{said}"
    );
    assert!(said.contains("--accept-loss 1 6 7"), "the command to type is whole:\n{said}");
    assert_eq!(bench.ask("select count(*) from remarks"), "12", "nothing was done");
    bench.expect(0, "rollback dev --last --accept-loss 1 6 7 --auto-approve --no-progress");
    assert_eq!((schema(&bench), bench.ask(PEOPLE)), (before, people));
}

#[test]
fn what_is_written_after_the_way_back_was_planned_is_not_lost() {
    let files = [BASE[0], BASE[1], ADDITIVE[0], ADDITIVE[1], ADDITIVE[2], ADDITIVE[3]];
    let bench = Bench::new("late", &files);
    bench.expect(0, "up dev --no-progress");
    bench.expect(0, "rollback dev --last --accept-loss all --out back.plan.json");
    assert_eq!(classes(&bench, "back.plan.json"), ["exact", "exact", "loses_data"], "only the base has rows");
    // A row that nobody else can see yet when the plan is judged again, and that is there when its turn comes.
    let said = std::thread::scope(|scope| {
        scope.spawn(|| bench.ask("insert into notes (text) values ('late'); select pg_sleep(6)"));
        std::thread::sleep(std::time::Duration::from_secs(2));
        bench.expect(6, "apply back.plan.json --no-progress")
    });
    assert!(said.contains("table notes has been written to since (1 to 9 rows)"), "{said}");
    assert_eq!(bench.ask("select text from notes"), "late");
    bench.ask("delete from notes");
    bench.expect(0, "resume dev --auto-approve --no-progress");
    assert_eq!(bench.ask("select to_regclass('notes') is null"), "t");
}

#[test]
fn what_cannot_be_told_counts_as_written() {
    let up = "create table if not exists maybe (a int);\n";
    let bench =
        Bench::new("untold", &[BASE[0], BASE[1], ("V2__maybe.sql", up), ("V2__maybe.down.sql", "drop table maybe;\n")]);
    bench.expect(0, "up dev --no-progress");
    let said = bench.expect(9, "rollback dev --last --auto-approve");
    assert!(said.contains("V2__maybe: loses data, every row of table maybe"), "{said}");
    // A table that is not there under its name any more cannot be asked for.
    let bench =
        Bench::new("moved", &[("V1__a.sql", "create table a (a int);\n"), ("V1__a.down.sql", "drop table a;\n")]);
    bench.expect(0, "up dev --no-progress");
    bench.ask("alter table a rename to b");
    let said = bench.expect(9, "rollback dev --last --auto-approve");
    assert!(said.contains("every row of table a (not told: a table is not there under this name)"), "{said}");
    // Grants and comments are not data; they do not come back, and that is said.
    bench.ask("alter table b rename to a; comment on table a is 'ours'");
    bench.expect(0, "rollback dev --last --out back.plan.json");
    assert_eq!(classes(&bench, "back.plan.json"), ["recreates"]);
    // A row that another transaction has locked the table for keeps nobody waiting for long.
    bench.ask("insert into a values (1)");
    bench.expect(9, "rollback dev --last --auto-approve");
}

#[test]
fn values_that_no_literal_default_gives_count_as_written() {
    let files = [
        ("V2__times.sql", "alter table people add made timestamptz not null default now();\n"),
        ("V2__times.down.sql", "alter table people drop made;\n"),
        ("V3__twice.sql", "alter table people add twice int generated always as (id * 2) stored;\n"),
        ("V3__twice.down.sql", "alter table people drop twice;\n"),
        ("V4__json.sql", "alter table people add extra json default '{}';\n"),
        ("V4__json.down.sql", "alter table people drop extra;\n"),
    ];
    let bench = Bench::new("values", &BASE);
    bench.expect(0, "up dev --no-progress");
    for (file, text) in files {
        bench.write(&format!("migrations/{file}"), text);
    }
    bench.expect(0, "up dev --no-progress");
    bench.expect(0, "rollback dev --last --accept-loss all --out back.plan.json");
    assert_eq!(classes(&bench, "back.plan.json"), ["exact", "exact", "loses_data"]);
    bench.ask("update people set extra = null where id = 1");
    bench.expect(0, "rollback dev --last --accept-loss all --out back.plan.json");
    assert_eq!(classes(&bench, "back.plan.json"), ["loses_data", "exact", "loses_data"]);
}
