//! A project whose ledger lies in PostgreSQL, as it is typed; and what is exported of migrations.

use std::time::Duration;

use super::{Bench, Said};
use crate::postgres_server::{PASSWORD, Server};
use crate::stack::{shared, unique};

fn without_password(url: &str) -> String {
    let (login, place) = url.rsplit_once('@').unwrap();
    format!("{}@{place}", login.rsplit_once(':').unwrap().0)
}

fn many(count: usize) -> String {
    let one = |at: usize| format!("resource \"terraform_data\" \"r{at}\" {{\n  input = \"{at}\"\n}}\n");
    format!("environment \"dev\" {{}}\n{}", (0..count).map(one).collect::<String>())
}

#[test]
fn init_makes_the_place_and_a_project_lives_in_it() {
    let stack = shared();
    let mut bench = Bench::new();
    let url = without_password(&stack.new_database("ledger"));
    let password = crate::stack::read(stack.postgres_password_file()).trim().to_owned();
    let init = format!("init --ledger {url}");
    bench.expect(1, &init).has("password missing").has("set PGPASSWORD").has_not(&password);
    assert!(bench.files().is_empty(), "without the ledger's place there is no project");
    bench.set("PGPASSWORD", &password);
    let said = bench.expect(0, &init);
    said.has("+ table switchback_ledger.records").has("GRANT SELECT ON \"switchback_ledger\".records TO planner");
    said.has("GRANT INSERT (environment, sequence, record)").has_not(&password);
    let again = bench.json(0, &init);
    assert_eq!(again["place"]["made"].as_array().unwrap().len(), 0, "{again}");
    assert_eq!(again["files"].as_array().unwrap().len(), 0, "{again}");
    bench.expect(1, "init").has("there is a project here already");

    bench.expect(0, "apply dev --auto-approve").has("complete").has("verified").has_not(&password);
    assert_eq!(bench.json(0, "status dev")["resources"], 1);
    bench.expect(0, "history dev --verify").has("is whole").has("schema=switchback_ledger").has_not(&password);
    bench.expect(0, "rollback dev --last --auto-approve").has("verified");
    let typed = format!("status dev --ledger {}", url.replacen('@', &format!(":{password}@"), 1));
    bench.expect(1, &typed).has("holds no password").has_not(&password);
    assert!(!bench.files().iter().any(|file| file.ends_with("dev.jsonl")), "there is no other ledger");
}

#[test]
fn a_ledger_whose_place_was_not_made_is_no_empty_one() {
    let stack = shared();
    let mut bench = Bench::with_spec(&many(1));
    bench.set("PGPASSWORD", crate::stack::read(stack.postgres_password_file()).trim());
    let url = without_password(&stack.new_database("unmade"));
    for words in ["plan dev", "apply dev --auto-approve", "history dev --verify"] {
        bench.expect(1, &format!("{words} --ledger {url}")).has("there is no table").has("switchback init --ledger");
    }
}

#[test]
fn a_server_that_restarts_in_mid_apply_is_waited_for() {
    let server = Server::start(&[], |_| ());
    let mut bench = Bench::with_spec(&many(150));
    bench.set("PGPASSWORD", PASSWORD);
    bench.set("SWITCHBACK_LEDGER", &without_password(&server.url("postgres")));
    bench.expect(0, &format!("init --ledger {}", without_password(&server.url("postgres"))));
    let apply = in_background(bench.command("apply dev --auto-approve"));
    for _ in 0..2 {
        std::thread::sleep(Duration::from_millis(250));
        server.restart("immediate");
    }
    let said = Said::of(apply.wait_with_output().unwrap());
    assert_eq!(said.code, 0, "{}{}", said.out, said.talk);
    said.has("150 done, 0 failed").has("verified");
    assert_eq!(bench.json(0, "status dev")["resources"], 150);
    let records = bench.json(0, "history dev --verify")["records"].as_u64().unwrap();
    let lines = bench.expect(0, "history dev --export").out;
    assert_eq!(lines.lines().count() as u64, records);
    let done = lines.lines().filter(|line| line.contains("\"record\":\"done\"")).count();
    assert_eq!(done, 150, "no outcome is missing and none stands twice");
}

fn in_background(mut command: std::process::Command) -> std::process::Child {
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap()
}

#[test]
fn a_migration_is_exported_with_its_text_and_times() {
    let stack = shared();
    let url = without_password(&stack.new_database("export"));
    let file = stack.postgres_password_file().display();
    let bench = Bench::with_spec(&format!(
        "environment \"dev\" {{}}\ndatabase \"app\" {{\n  url = \"{url}\"\n  password_file = \"{file}\"\n  migrations = \"../migrations\"\n}}\n"
    ));
    let table = unique("made");
    let up = format!("CREATE TABLE {table} (id int);\nINSERT INTO {table} SELECT generate_series(1, 7);\n");
    bench.write("migrations/V1__make.sql", &up);
    bench.write("migrations/V1__make.down.sql", &format!("DROP TABLE {table};\n"));
    bench.expect(0, "up dev");
    let said = bench.expect(0, "history dev --export");
    let lines: Vec<serde_json::Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let done = lines.iter().find(|line| line["record"] == "done").expect("an outcome");
    assert_eq!((&done["sql"], &done["address"]), (&up.into(), &"database.app".into()), "{done}");
    assert!(done["duration_ms"].is_i64() && done["lock_wait_ms"].is_i64(), "{done}");
    assert_eq!((&done["statements"], &done["rows"]), (&2.into(), &7.into()), "{done}");
    bench.expect(0, "history dev --address database.app").has("database.app V1__make: done");
}
