//! What is proved of migrations, as a user sees it: plans, saved plans, `rehearse`, what is refused, what is kept.
//! On a real PostgreSQL, with the real binary.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::postgres_project::Bench;
use crate::shop::project::Project;
use crate::stack;

const GOOD: [(&str, &str); 2] = [
    ("V1__customers.sql", "create table customers (id int primary key, email text not null);"),
    ("V1__customers.down.sql", "drop table customers;"),
];

/// A way back that forgets that the column may not be null.
const WRONG: [(&str, &str); 2] = [
    ("V2__optional.sql", "alter table customers alter email drop not null, alter email set default 'none';"),
    ("V2__optional.down.sql", "alter table customers alter email drop default;"),
];

/// How often something was rehearsed.
fn rehearsals(said: &str) -> usize {
    said.lines().filter(|line| line.starts_with("rehearsing ") && line.contains(" of database.")).count()
}

/// A project whose commands keep their evidence for themselves.
fn bench(name: &str, migrations: &[(&str, &str)]) -> (Bench, tempfile::TempDir) {
    (Bench::new(name, migrations), tempfile::tempdir().unwrap())
}

/// Types a command with a folder of evidence of its own; gives both streams, and stdout alone.
#[track_caller]
fn typed(bench: &Bench, cache: &Path, code: i32, words: &str) -> (String, String) {
    let mut command: Command = bench.command(words);
    let output = command.env("XDG_CACHE_HOME", cache).output().unwrap();
    let (out, err) = (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
    assert_eq!(output.status.code(), Some(code), "switchback {words}\n{out}{err}");
    (format!("{out}{err}"), out)
}

#[test]
fn a_plan_shows_what_was_proved_and_a_second_one_costs_nothing() {
    let (bench, cache) = bench("ev_plan", &GOOD);
    let (first, _) = typed(&bench, cache.path(), 0, "plan dev --out s.plan.json");
    assert_eq!(rehearsals(&first), 1, "{first}");
    assert!(first.contains("with empty tables: exact\n") && first.contains("rehearsed on PostgreSQL 15"), "{first}");
    assert!(first.contains("everything can be taken back exactly"), "{first}");
    for words in ["plan dev", "rehearse dev", "rehearse s.plan.json", "show s.plan.json"] {
        let (said, out) = typed(&bench, cache.path(), 0, words);
        assert_eq!(rehearsals(&said), 0, "{words}: {said}");
        assert!(out.contains("with empty tables: exact"), "{words}: {out}");
    }
    let (fresh, _) = typed(&bench, cache.path(), 0, "rehearse dev --fresh");
    assert_eq!(rehearsals(&fresh), 1, "{fresh}");
    bench.write("migrations/V1__customers.sql", "create table customers (id int primary key, name text);");
    let (other, _) = typed(&bench, cache.path(), 0, "plan dev");
    assert_eq!(rehearsals(&other), 1, "another text is another rehearsal: {other}");
}

#[test]
fn what_was_proved_on_the_way_up_counts_for_the_way_back() {
    let (bench, cache) = bench("ev_back", &GOOD);
    let (up, _) = typed(&bench, cache.path(), 0, "up dev");
    assert_eq!(rehearsals(&up), 1, "{up}");
    let (saved, _) = typed(&bench, cache.path(), 0, "rollback dev --last --out back.plan.json");
    assert_eq!(rehearsals(&saved), 0, "{saved}");
    assert!(saved.contains("with empty tables: exact"), "{saved}");
    let (back, _) = typed(&bench, cache.path(), 0, "apply back.plan.json");
    assert_eq!(rehearsals(&back), 0, "{back}");
    assert_eq!(bench.ask("select to_regclass('customers') is null"), "t");
}

#[test]
fn a_wrong_way_back_makes_the_step_impossible_and_shows_what_differs() {
    let all = [GOOD, WRONG].concat();
    let (bench, cache) = bench("ev_wrong", &all);
    let (said, _) = typed(&bench, cache.path(), 0, "plan dev");
    assert!(said.contains("with empty tables: restores something else\n"), "{said}");
    assert!(said.contains("way back: impossible (restores something else"), "{said}");
    assert!(said.contains("point of no return: from step 2 on"), "{said}");
    let not_null = said.lines().find(|line| line.contains("customers") && line.contains("not null"));
    assert!(not_null.is_some(), "the line that differs is shown: {said}");
    let (_, json) = typed(&bench, cache.path(), 0, "plan dev --json");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["steps"][1]["certificate"]["verdict"]["verdict"], "otherwise");
    assert_eq!(json["steps"][1]["inverse"]["class"], "impossible");
    typed(&bench, cache.path(), 1, "rehearse dev");
    // It was rehearsed, so it may be applied; that it cannot be taken back was shown.
    typed(&bench, cache.path(), 0, "apply dev --auto-approve");
}

#[test]
fn a_way_back_that_fails_goes_forward_only_by_name_and_is_mended_afterwards() {
    let broken = [
        ("V2__notes.sql", "alter table customers add notes text;"),
        ("V2__notes.down.sql", "alter table customers drop note;"),
    ];
    let (bench, cache) = bench("ev_broken", &[&GOOD[..], &broken].concat());
    let (plan, _) = typed(&bench, cache.path(), 0, "plan dev --out s.plan.json");
    assert!(plan.contains("an apply of this is refused: migrations were not proved"), "{plan}");
    assert!(plan.contains("its way back was rehearsed and fails: ") && !plan.contains("type next"), "{plan}");
    for words in ["apply s.plan.json", "up dev"] {
        let (refused, _) = typed(&bench, cache.path(), 9, words);
        assert!(refused.contains("step 2 database.app V2__notes: its way back was rehearsed and fails"), "{refused}");
    }
    typed(&bench, cache.path(), 0, "apply s.plan.json --accept-unproved 2");

    // The file alone is not what would run; that is said, and how it becomes so.
    bench.write("migrations/V2__notes.down.sql", "alter table customers drop notes;");
    let (plan, _) = typed(&bench, cache.path(), 0, "plan dev");
    assert!(plan.contains("the way back of V2__notes is another one in its folder"), "{plan}");
    assert!(plan.contains("switchback migrate rebless dev 2 --reason WHY"), "{plan}");
    let (failed, _) = typed(&bench, cache.path(), 1, "rollback dev --last --auto-approve --accept-loss all");
    assert!(failed.contains("recorded by `migrate rebless`"), "{failed}");
    let (blessed, _) = typed(&bench, cache.path(), 0, "migrate rebless dev 2 --reason typo --auto-approve");
    assert!(blessed.contains("the way back of V2__notes is accepted as it is now: typo"), "{blessed}");
    let (plan, _) = typed(&bench, cache.path(), 0, "plan dev");
    assert!(!plan.contains("another one in its folder"), "{plan}");
    typed(&bench, cache.path(), 1, "migrate rebless dev 2 --reason again --auto-approve");
    // That is a run, and has a way back of its own.
    typed(&bench, cache.path(), 0, "rollback dev --last --auto-approve");
    assert!(typed(&bench, cache.path(), 0, "plan dev").0.contains("another one in its folder"));
    typed(&bench, cache.path(), 0, "migrate rebless dev 2 --reason typo --auto-approve");
    typed(&bench, cache.path(), 0, "rollback dev --to 0 --auto-approve --accept-loss all");
    assert_eq!(bench.ask("select to_regclass('customers') is null"), "t");
}

#[test]
fn what_does_not_run_is_said_at_the_end_of_the_plan() {
    let (bench, cache) = bench("ev_fails", &[("V1__typo.sql", "alter table customerz add notes text;")]);
    let (plan, _) = typed(&bench, cache.path(), 0, "plan dev --out s.plan.json");
    assert!(
        plan.contains("an apply of this will fail:\n  step 1 database.app V1__typo: it was rehearsed and fails: "),
        "{plan}"
    );
    assert!(plan.contains("customerz") && !plan.contains("type next"), "{plan}");
    let (_, comment) = typed(&bench, cache.path(), 0, "plan dev --as md");
    assert!(comment.contains("> **It does not run.**") && comment.contains("customerz"), "{comment}");
}

/// A rehearsal that needs what no server has.
fn unprovable(bench: &Bench, name: &str) {
    let text = std::fs::read_to_string(bench.path("environments/dev.hcl")).unwrap();
    let rehearsal = format!("  rehearsal {{\n    extensions = [\"{name}\"]\n  }}\n  lock_timeout");
    bench.write("environments/dev.hcl", &text.replace("  lock_timeout", &rehearsal));
}

#[test]
fn what_could_not_be_rehearsed_goes_forward_only_by_name_and_back_without() {
    let (bench, cache) = bench("ev_missing", &GOOD);
    unprovable(&bench, "nobody_has_this");
    let (plan, _) = typed(&bench, cache.path(), 0, "plan dev --out s.plan.json");
    assert!(plan.contains("not rehearsed: ") && plan.contains("nobody_has_this"), "{plan}");
    assert!(plan.contains("way back: impossible (not rehearsed"), "{plan}");
    for words in ["apply dev --auto-approve", "up dev", "apply s.plan.json", "apply s.plan.json --accept-unproved 7"] {
        let (refused, _) = typed(&bench, cache.path(), 9, words);
        assert!(refused.contains("migrations were not proved by a rehearsal; nothing was done"), "{refused}");
        assert!(
            refused.contains("step 1 database.app V1__customers") && refused.contains("nobody_has_this"),
            "{refused}"
        );
        assert!(refused.contains("--accept-unproved 1"), "{refused}");
    }
    assert_eq!(bench.ask("select to_regclass('customers') is null"), "t", "nothing was done");
    typed(&bench, cache.path(), 9, "rehearse dev");
    typed(&bench, cache.path(), 0, "apply s.plan.json --accept-unproved V1__customers");
    let (back, _) = typed(&bench, cache.path(), 0, "rollback dev --last --auto-approve --no-rehearsal");
    assert!(back.contains("not rehearsed: `--no-rehearsal` was given") && back.contains("way back: exact"), "{back}");
    typed(&bench, cache.path(), 0, "up dev --accept-unproved 1");
    typed(&bench, cache.path(), 0, "rollback dev --last --auto-approve");
}

/// A step that writes a table anew, and its way back.
const RETYPE: [(&str, &str); 2] = [
    ("V2__wide.sql", "select 1;\nalter table customers alter id type bigint;"),
    ("V2__wide.down.sql", "alter table customers alter id type int;"),
];

#[test]
fn the_target_says_how_large_it_is_and_who_is_in_the_way() {
    let (bench, cache) = bench("ev_target", &GOOD);
    let begun = std::time::Instant::now();
    let mut holder = Command::new(stack::shared().facts().postgres_binaries.join("psql"));
    let holder = holder.args(["-X", "-q", "-c", "begin; select 'hidden'", "-c", "select pg_sleep(60)"]).arg(&bench.url);
    let mut holder = holder.stdout(Stdio::null()).spawn().unwrap();
    typed(&bench, cache.path(), 0, "up dev");
    bench.ask("insert into customers select n, 'x' from generate_series(1, 5000) n");
    bench.ask("analyze customers");
    for (file, text) in RETYPE {
        bench.write(&format!("migrations/{file}"), text);
    }
    std::thread::sleep(Duration::from_millis(5_500).saturating_sub(begun.elapsed()));
    let (long, _) = typed(&bench, cache.path(), 0, "plan dev --out s.plan.json");
    let (saved, _) = typed(&bench, cache.path(), 0, "show s.plan.json");
    let (proved, _) = typed(&bench, cache.path(), 0, "rehearse dev");
    let (_, json) = typed(&bench, cache.path(), 0, "plan dev --json");
    let (comment, _) = typed(&bench, cache.path(), 0, "plan dev --as md");
    let others = "application_name = 'psql' and datname = current_database() and pid <> pg_backend_pid()";
    bench.ask(&format!("select pg_terminate_backend(pid, 30000) from pg_stat_activity where {others}"));
    holder.wait().unwrap();
    let heavy = "observed forth, line 2: public.customers ACCESS EXCLUSIVE (";
    for said in [&long, &saved, &proved, &comment] {
        let line = said.lines().find(|line| line.contains(heavy)).unwrap_or_else(|| panic!("{said}"));
        assert!(line.contains(" kB, about 5 thousand rows), rewritten, scanned, builds "), "{line}");
        let line = said.lines().find(|line| line.contains("has had a transaction open for ")).unwrap_or_default();
        assert!(line.contains("application `psql`") && !said.contains("hidden"), "{said}");
    }
    let read = long.lines().find(|line| line.contains("database.app, PostgreSQL 15.")).unwrap();
    assert!(read.contains(", read at 20") && saved.contains(read), "what is saved says when it was read: {read}");
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["targets"][0]["facts"]["sizes"]["public.customers"]["rows"], 5000);
    assert_eq!(json["targets"][0]["facts"]["long"][0]["application"], "psql");
    // Nobody is in the way any more: another word about the target, and the same change set.
    let (quiet, _) = typed(&bench, cache.path(), 0, "plan dev");
    assert!(quiet.contains(": nobody waits, no transaction is long, no replica follows"), "{quiet}");
    let digest = |said: &str| said.lines().find(|line| line.starts_with("change set ")).unwrap().to_owned();
    assert_eq!(digest(&quiet), digest(&long));
    typed(&bench, cache.path(), 0, "apply s.plan.json");
}

#[test]
fn what_is_not_rehearsed_is_predicted_from_the_target() {
    let (bench, cache) = bench("ev_predicted", &GOOD);
    typed(&bench, cache.path(), 0, "up dev");
    let [(file, text), down] = RETYPE;
    bench.write(&format!("migrations/{file}"), &format!("{text}\nalter table later add a int;"));
    bench.write(&format!("migrations/{}", down.0), down.1);
    let (said, out) = typed(&bench, cache.path(), 0, "plan dev --no-rehearsal");
    let line = out.lines().find(|line| line.contains("predicted forth, line 2: public.customers ACCESS EXCLUSIVE ("));
    assert!(line.is_some_and(|line| line.contains(" kB), rewritten, scanned, builds ")), "{said}");
    assert!(out.contains("not predicted forth, statement 3: there is no relation later\n"), "{said}");
    assert!(out.contains("not rehearsed: `--no-rehearsal` was given") && !out.contains("observed"), "{said}");
    let (_, json) = typed(&bench, cache.path(), 0, "plan dev --no-rehearsal --json");
    let foretold = serde_json::from_str::<Value>(&json).unwrap()["steps"][0]["foretold"].clone();
    assert_eq!(foretold["forth"][1]["locks"]["public.customers"], "access_exclusive", "{foretold}");
    assert_eq!(foretold["unknown"][0]["why"], "there is no relation later");
    // A server that does not say who waits for whom: a line, and a plan all the same.
    bench.ask("alter function pg_catalog.pg_blocking_pids(int) rename to hidden");
    let (said, _) = typed(&bench, cache.path(), 0, "plan dev --no-rehearsal");
    let line = said.lines().find(|line| line.contains("database.app could not be asked about itself at ")).unwrap();
    assert!(line.contains("pg_blocking_pids"), "{line}");
}

#[test]
fn without_a_rehearsal_everything_is_unproved() {
    let (bench, cache) = bench("ev_none", &GOOD);
    let (plan, _) = typed(&bench, cache.path(), 0, "plan dev --no-rehearsal");
    assert_eq!(rehearsals(&plan), 0);
    assert!(plan.contains("not rehearsed: `--no-rehearsal` was given"), "{plan}");
    typed(&bench, cache.path(), 9, "up dev --no-rehearsal");
    typed(&bench, cache.path(), 0, "up dev --no-rehearsal --accept-unproved all");
    let text = std::fs::read_to_string(bench.path("environments/dev.hcl")).unwrap();
    bench.write(
        "environments/dev.hcl",
        &text.replace(
            "environment \"dev\" {}",
            "environment \"dev\" {\n  protected = true\n  source = [\"checkout\"]\n}",
        ),
    );
    bench.write("migrations/V2__more.sql", "create table more ();");
    bench.write("migrations/V2__more.down.sql", "drop table more;");
    let words = "apply dev --auto-approve --no-rehearsal --accept-unproved";
    let (refused, _) = typed(&bench, cache.path(), 9, &format!("{words} all"));
    assert!(refused.contains("`--accept-unproved all` is not taken there"), "{refused}");
    typed(&bench, cache.path(), 0, &format!("{words} 1"));
}

#[test]
fn rows_settle_what_an_empty_table_cannot() {
    let doubled = [
        ("V2__double.sql", "update customers set id = id * 2;"),
        ("V2__double.down.sql", "update customers set id = id / 2;"),
    ];
    let (bench, cache) = bench("ev_rows", &[GOOD, doubled].concat());
    let (empty, _) = typed(&bench, cache.path(), 0, "plan dev");
    assert!(empty.contains("may change rows, and it was rehearsed without any"), "{empty}");
    // The seed comes before the pending migrations, so the first one has to be applied.
    typed(&bench, cache.path(), 0, "up dev");
    bench.write("migrations/V3__shout.sql", "update customers set email = email || '!';");
    bench.write("migrations/V3__shout.down.sql", "update customers set email = left(email, -1);");
    bench.write("seed.sql", "insert into customers select n, 'x' from generate_series(1, 12) n;");
    let text = std::fs::read_to_string(bench.path("environments/dev.hcl")).unwrap();
    let seed = "  rehearsal {\n    seed = \"../seed.sql\"\n  }\n  lock_timeout";
    bench.write("environments/dev.hcl", &text.replace("  lock_timeout", seed));
    let (seeded, _) = typed(&bench, cache.path(), 0, "plan dev");
    assert!(seeded.contains("with 12 seeded rows: exact") && seeded.contains("way back: exact"), "{seeded}");
    bench.write("migrations/V3__shout.down.sql", "update customers set email = left(email, -2);");
    let (wrong, _) = typed(&bench, cache.path(), 0, "plan dev");
    assert!(wrong.contains("way back: loses data") && !wrong.contains("seeded rows: exact"), "{wrong}");
}

#[test]
fn the_plan_of_a_fresh_shop_proves_every_migration() {
    let mut shop = Project::shop("proved");
    let cache = tempfile::tempdir().unwrap();
    shop.set("XDG_CACHE_HOME", cache.path().to_str().unwrap());
    let plan = shop.ok(&["plan", "dev"]);
    let count = std::fs::read_dir(shop.path("migrations/shop")).unwrap().count() / 2;
    assert_eq!(plan.out.matches("rehearsed on PostgreSQL").count(), count, "{}", plan.out);
    assert_eq!(rehearsals(&plan.err), 1, "{}", plan.err);
    assert!(!plan.out.contains("read at "), "a database that is not there says nothing: {}", plan.out);
    let rehearsed = shop.ok(&["rehearse", "dev", "--json"]);
    assert_eq!(rehearsals(&rehearsed.err), 0, "{}", rehearsed.err);
    let json = rehearsed.json();
    assert_eq!((json["result"].as_str(), json["migrations"].as_array().map(Vec::len)), (Some("done"), Some(count)));
    for migration in json["migrations"].as_array().unwrap() {
        let verdict = migration["certificate"]["verdict"]["verdict"].as_str().unwrap();
        assert!(["exact", "reordered", "loses_data"].contains(&verdict), "{migration}");
    }
}
