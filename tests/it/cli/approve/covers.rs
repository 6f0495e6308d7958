//! What a signature covers: its part, all of it, and nothing else.

use super::super::Bench;
use super::{ALICE, CAROL, OTTO};
use crate::stack::shared;

/// A project with a database of its own, of which databases and infrastructure have to be signed, and the URL of the
/// database.
pub(super) fn with_database(name: &str, more: &str) -> (Bench, String) {
    let url = shared().new_database(name);
    let bench = Bench::with_spec("");
    write(&bench, &url, more, "one");
    bench.write("migrations/V1__make.sql", "create table a (id int primary key);\n");
    bench.write("migrations/V1__make.down.sql", "drop table a;\n");
    (bench, url)
}

/// Writes the spec anew.
pub(super) fn write(bench: &Bench, url: &str, more: &str, input: &str) {
    let (head, host) = url.rsplit_once('@').expect("it has a user");
    let user = head.rsplit_once(':').map_or(head, |(user, _)| user);
    let approvers = bench.approvers(&[ALICE, CAROL, OTTO]);
    let password = shared().postgres_password_file();
    bench.write(
        "environments/dev.hcl",
        &format!(
            "environment \"dev\" {{\n{approvers}{more}}}\ndatabase \"app\" {{\n  url = \"{user}@{host}\"\n  \
             password_file = \"{}\"\n  migrations = \"../migrations\"\n}}\nresource \"terraform_data\" \"first\" {{\n  \
             input = \"{input}\"\n}}\n",
            password.display()
        ),
    );
}

const BOTH: &str = "  approval \"dba\" {}\n  approval \"infrastructure\" {}\n  approval \"data-loss\" {}\n";

/// Why a command is refused.
fn causes(bench: &Bench, words: &str) -> String {
    let refused = bench.json(9, words);
    refused["error"]["causes"].to_string()
}

/// The digest that has to be signed as this class.
fn digest(bench: &Bench, class: &str) -> String {
    let listed = bench.json(0, "approvals dev");
    let needed = listed["signing"]["needed"].as_array().unwrap();
    let found = needed.iter().find(|needed| needed["class"] == class).unwrap_or_else(|| panic!("{listed}"));
    found["digest"].as_str().unwrap().to_owned()
}

#[test]
fn an_equal_part_keeps_its_signature_and_any_change_within_makes_it_void() {
    let (bench, url) = with_database("approve_parts", BOTH);
    bench.expect(0, "approve dev --key keys/alice --class dba").has("signed by alice as dba for database");
    let (database, infrastructure) = (digest(&bench, "dba"), digest(&bench, "infrastructure"));
    let is_signed =
        |bench: &Bench| bench.json(0, "approvals dev")["signing"]["needed"][0]["given"][0]["void"].is_null();
    assert!(is_signed(&bench));
    // Something unrelated changes, and so do the numbers of the steps.
    write(&bench, &url, BOTH, "two");
    let spec = bench.read("environments/dev.hcl");
    bench.write(
        "environments/dev.hcl",
        &(spec.clone() + "resource \"terraform_data\" \"a_before\" {\n  input = 1\n}\n"),
    );
    assert_eq!(digest(&bench, "dba"), database);
    assert_ne!(digest(&bench, "infrastructure"), infrastructure);
    bench.expect(0, "plan dev").has("dba for database").has("1 of 1").has("signed by alice").has("infrastructure for");
    let missing = causes(&bench, "apply dev --auto-approve");
    assert!(missing.contains("infrastructure for infrastructure") && !missing.contains("dba for"), "{missing}");
    // A byte of the migration, of its way back, or how it is run: each is another content.
    let migration = bench.read("migrations/V1__make.sql");
    let changes: [(&str, String); 3] = [
        ("migrations/V1__make.sql", migration.replace("int primary", "int  primary")),
        ("migrations/V1__make.down.sql", "drop table a ;\n".to_owned()),
        ("environments/dev.hcl", spec.replace("../migrations\"\n", "../migrations\"\n  lock_timeout = \"9s\"\n")),
    ];
    for (path, text) in changes {
        let before = bench.read(path);
        assert_ne!(before, text);
        bench.write(path, &text);
        assert_ne!(digest(&bench, "dba"), database, "{path}");
        bench.expect(0, "approvals dev").has("it covers another content").has("it is not signed yet");
        bench.expect(9, "apply dev --auto-approve").has("it covers another content");
        bench.write(path, &before);
    }
    assert!(is_signed(&bench));
    bench.approve("alice", "dev").has("it has every signature");
    bench.expect(0, "apply dev --auto-approve").has("complete");
    let history = bench.json(0, "history dev");
    let signed: Vec<_> =
        history["runs"][0]["signed"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
    assert_eq!(signed, ["alice as dba for database", "alice as infrastructure for infrastructure"]);
}

#[test]
fn sizes_count_by_their_power_of_ten_and_what_loses_data_needs_its_own_class() {
    let (bench, url) = with_database("approve_sizes", BOTH);
    bench.approve("alice", "dev");
    bench.expect(0, "apply dev --auto-approve").has("complete");
    let sql = |sql: &str| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async { crate::postgres::session(&url).await.batch_execute(sql).await.unwrap() });
    };
    sql("insert into a select generate_series(1, 2000); analyze a");
    bench.write("migrations/V2__more.sql", "alter table a add column b int;\n");
    bench.write("migrations/V2__more.down.sql", "alter table a drop column b;\n");
    bench.expect(0, "plan dev").has("dba for database").has_not("data-loss for");
    let database = digest(&bench, "dba");
    sql("insert into a select generate_series(2001, 3000); analyze a");
    assert_eq!(digest(&bench, "dba"), database, "still a few thousand");
    sql("insert into a select generate_series(3001, 20000); analyze a");
    assert_ne!(digest(&bench, "dba"), database, "ten times as many");
    bench.write("migrations/V2__more.sql", "drop table a;\n");
    std::fs::remove_file(bench.path().join("migrations/V2__more.down.sql")).unwrap();
    bench.expect(0, "plan dev").has("data-loss for database").has("cannot be taken back without a loss");
    bench.expect(0, "approve dev --key keys/alice --class dba");
    let missing = causes(&bench, "apply dev --auto-approve");
    assert!(missing.contains("data-loss for database") && !missing.contains("dba for"), "{missing}");
}
