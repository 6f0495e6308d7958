//! What the spec asks for is not called out of band, and what the ledger or the spec explains is expected.

use super::bench::{Bench, line};

const SPEC: &str = r#"
resource "aws_ssm_parameter" "level" {
  name  = "/${var.name}/level"
  type  = "String"
  value = "debug"
}

resource "aws_ssm_parameter" "scaled" {
  name  = "/${var.name}/scaled"
  type  = "String"
  value = "1"

  lifecycle {
    ignore_changes = ["value"]
  }
}
"#;

const FIRST: (&str, &str) = ("V1__make.sql", "CREATE TABLE made (id int);\n");

#[test]
fn what_is_declared_is_not_out_of_band_and_what_is_ignored_is_expected() {
    let bench = Bench::new("declared", SPEC, &[FIRST]);
    let declared = |area: &str, address: &str, object: &str, what: &str| line("declared", area, address, object, what);
    // Nothing is applied: everything is declared, and nothing is out of band.
    let (told, _) = bench.drift(0);
    let all = [
        declared("configuration", "aws_ssm_parameter.level", "", "to_make"),
        declared("configuration", "aws_ssm_parameter.scaled", "", "to_make"),
        declared("schema", "database.app", "migration V1__make", "to_run"),
    ];
    assert_eq!(told, all.into());
    bench.project.ok(&["apply", "dev", "--auto-approve"]);
    assert_eq!(bench.drift(0).0, [].into());

    bench.edit("\"debug\"", "\"info\"");
    bench.project.write("migrations/V2__more.sql", "CREATE TABLE more (id int);\n");
    bench.put("scaled", &serde_json::json!({"Value": "7", "Type": "String"}));
    let (told, said) = bench.drift(0);
    let wanted = [
        declared("configuration", "aws_ssm_parameter.level", "", "to_change"),
        declared("schema", "database.app", "migration V2__more", "to_run"),
        line("expected", "configuration", "aws_ssm_parameter.scaled", "", "changed"),
    ];
    assert_eq!(told, wanted.into());
    let because = said.json()["departures"][2]["because"].as_str().unwrap().to_owned();
    assert!(because.contains("ignore_changes"), "{because}");

    // The same thing changed by hand and in the spec is told from both sides.
    bench.put("level", &serde_json::json!({"Value": "trace", "Type": "String"}));
    let (told, said) = bench.drift(11);
    assert!(told.contains(&line("out-of-band", "configuration", "aws_ssm_parameter.level", "", "changed")), "{told:?}");
    assert!(told.contains(&declared("configuration", "aws_ssm_parameter.level", "", "to_change")), "{told:?}");
    assert_eq!(told.len(), 4, "{}", said.out);
    let text = bench.project.exits(11, &["drift", "dev"]).out;
    for words in
        ["~ value: \"debug\" -> \"trace\"", "~ value: \"debug\" -> \"info\"", "because the spec ignores changes"]
    {
        assert!(text.contains(words), "`{words}` is not in\n{text}");
    }
    // Without a project the ledger still tells what is out of band.
    let ledger = format!("file:{}", bench.project.path(".switchback/ledger").display());
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().display().to_string();
    let said = bench.project.exits(11, &["drift", "dev", "--json", "-C", &folder, "--ledger", &ledger]).json();
    // What the spec ignores is known to the spec alone.
    assert_eq!((&said["out_of_band"], &said["declared"]), (&2.into(), &0.into()), "{said}");
}

#[test]
fn what_a_run_left_in_the_middle_or_a_hold_keeps_back_is_expected() {
    let bench = Bench::new("middle", SPEC, &[FIRST]);
    bench.project.ok(&["apply", "dev", "--auto-approve"]);
    bench.project.write("migrations/V2__fails.sql", "CREATE TABLE more (id int);\nSELECT 1 / 0;\n");
    bench.edit("\"debug\"", "\"info\"");
    bench.project.exits(6, &["apply", "dev", "--auto-approve"]);
    let (told, said) = bench.drift(0);
    let classes: std::collections::BTreeSet<&str> = told.iter().map(|one| one.0.as_str()).collect();
    assert_eq!(classes, ["expected"].into(), "{}", said.out);
    assert!(told.contains(&line("expected", "ledger", "run 2", "", "unfinished")), "{told:?}");
    assert!(told.contains(&line("expected", "schema", "database.app", "migration V2__fails", "to_run")), "{told:?}");
}

#[test]
fn what_cannot_be_looked_at_is_told_and_is_no_success() {
    let bench = Bench::new("blind", SPEC, &[FIRST]);
    bench.project.ok(&["apply", "dev", "--auto-approve"]);
    // A database that is gone is seen to be gone.
    let (head, name) = bench.database.rsplit_once('/').unwrap();
    let other = format!("{head}/postgres");
    bench.project.stack().psql(&other, &format!("ALTER DATABASE \"{name}\" RENAME TO \"{name}_away\""));
    let (told, _) = bench.drift(11);
    assert_eq!(told, [line("out-of-band", "schema", "database.app", "", "missing")].into());
    bench.project.stack().psql(&other, &format!("ALTER DATABASE \"{name}_away\" RENAME TO \"{name}\""));
    // Whoever looks without a good password sees no schema, and says so.
    bench.project.write("wrong", "not-the-password");
    let right = bench.project.stack().postgres_password_file().display().to_string();
    bench.edit(&right, &bench.project.path("wrong").display().to_string());
    let said = bench.project.exits(1, &["drift", "dev", "--json"]).json();
    assert_eq!((&said["departures"], &said["unseen"][0]["address"]), (&serde_json::json!([]), &"database.app".into()));
    let text = bench.project.exits(1, &["drift", "dev"]).out;
    assert!(text.contains("not looked at (1 thing)"), "{text}");
}

#[test]
fn no_plan_is_named_where_none_would_mend_it() {
    let bench = Bench::new("byhand", SPEC, &[FIRST]);
    bench.project.ok(&["apply", "dev", "--auto-approve"]);
    bench.sql("ALTER TABLE made ADD COLUMN by_hand int");
    let text = bench.project.exits(11, &["drift", "dev"]).out;
    assert!(text.contains("a schema is mended by hand, or by a new migration"), "{text}");
    assert!(!text.contains("next:"), "{text}");
    bench.put("level", &serde_json::json!({"Value": "trace", "Type": "String"}));
    assert!(bench.project.exits(11, &["drift", "dev"]).out.contains("next: switchback plan dev"));
}
