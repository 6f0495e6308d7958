//! A project from its first plan to its last rollback, with the built-in kind.

use super::Bench;

const TWO: &str = r#"
environment "dev" {}

variable "greeting" {
  type    = string
  default = "hello"
}

resource "terraform_data" "first" {
  input = var.greeting
}

resource "terraform_data" "second" {
  input = "${terraform_data.first.output} again"
}

output "said" {
  value = terraform_data.second.output
}
"#;

#[test]
fn a_new_project_plans_at_once() {
    let bench = Bench::new();
    bench.expect(0, "init");
    bench.expect(0, "validate").has("valid").has("dev");
    bench.expect(2, "plan dev --detailed-exitcode").has("terraform_data.greeting").has("created because it is new");
    bench.expect(0, "up dev").has("verified: planning again is empty").has("hello from dev");
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");
    assert_eq!(bench.expect(0, "output dev greeting").out, "hello from dev\n");
}

#[test]
fn planning_writes_nothing() {
    let bench = Bench::with_spec(TWO);
    let before = bench.files();
    bench.expect(0, "plan dev").has("2 to create").has("known after apply").has("everything can be taken back exactly");
    bench.expect(0, "validate dev");
    bench.expect(0, "status dev").has("nothing was ever applied");
    assert_eq!(bench.files(), before);
}

#[test]
fn an_apply_without_a_terminal_asks_nothing_and_does_nothing() {
    let bench = Bench::with_spec(TWO);
    let before = bench.files();
    bench.expect(9, "apply dev").has("there is no terminal to ask on").has("--auto-approve");
    assert_eq!(bench.files(), before);
    bench.expect(0, "apply dev --auto-approve");
    let after = bench.files();
    for words in ["rollback dev --last", "destroy dev"] {
        bench.expect(9, words);
    }
    assert_eq!(bench.expect(0, "output dev said").out, "hello again\n");
    assert_eq!(bench.files().len(), after.len());
}

#[test]
fn what_was_changed_is_taken_back() {
    let bench = Bench::with_spec(TWO);
    bench.expect(0, "apply dev --auto-approve").has("run 1, apply of dev: complete");
    let plan = bench.json(0, "plan dev --var greeting=hi");
    assert_eq!(plan["summary"]["update"], 2, "{plan}");
    assert_eq!(plan["steps"][0]["changes"]["attributes"][0]["before"], "hello", "{plan}");
    let report = bench.json(0, "apply dev --auto-approve --var greeting=hi");
    assert_eq!((&report["run"], &report["verified"]), (&2.into(), &true.into()), "{report}");
    assert_eq!(report["outputs"]["said"], "hi again");
    bench.expect(0, "rollback dev --last --auto-approve").has("verified");
    assert_eq!(bench.expect(0, "output dev said").out, "hello again\n");
    let history = bench.json(0, "history dev");
    let results: Vec<&str> =
        history["runs"].as_array().unwrap().iter().map(|run| run["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["complete", "taken back", "complete"]);
    bench.expect(0, "rollback dev --last --auto-approve");
    let status = bench.json(0, "status dev");
    assert_eq!(status["resources"], 0, "{status}");
    bench.expect(0, "rollback dev --last --auto-approve").has("nothing to take back");
}

#[test]
fn destroy_removes_everything_and_a_second_one_has_nothing_to_do() {
    let bench = Bench::with_spec(TWO);
    bench.expect(0, "up dev");
    bench.expect(0, "plan dev --destroy").has("2 to delete");
    bench.expect(0, "destroy dev --auto-approve").has("run 2, destroy of dev: complete");
    bench.expect(0, "destroy dev --auto-approve").has("nothing to do");
    bench.expect(0, "rollback dev --last --auto-approve");
    assert_eq!(bench.json(0, "status dev")["resources"], 2);
}

#[test]
fn from_an_empty_folder_with_the_ledgers_url_alone() {
    let bench = Bench::with_spec(TWO);
    bench.expect(0, "up dev");
    let url = bench.json(0, "status dev")["ledger"]["url"].as_str().unwrap().to_owned();
    assert!(url.starts_with("file:/"), "absolute: {url}");
    let elsewhere = Bench::new();
    let there = |words: &str| format!("{words} --ledger {url}");
    elsewhere.expect(0, &there("status dev")).has("resources   2").has("verified");
    elsewhere.expect(0, &there("history dev")).has("complete");
    elsewhere.expect(0, &there("output dev said"));
    elsewhere.expect(0, &there("show dev")).has("2 to create");
    elsewhere.expect(0, &there("resume dev --auto-approve")).has("there is no unfinished run");
    elsewhere.expect(0, &there("rollback dev --last --accept-loss all --auto-approve")).has("verified");
    assert_eq!(bench.json(0, "status dev")["resources"], 0);
    assert!(elsewhere.files().is_empty());
    elsewhere.expect(3, &there("status staging")).has("there is no environment `staging`");
}

#[test]
fn a_saved_plan_is_applied_exactly_or_refused() {
    let bench = Bench::with_spec(TWO);
    bench.expect(0, "plan dev --out a.plan.json").has("saved as a.plan.json").has("switchback apply a.plan.json");
    bench.expect(0, "show a.plan.json").has("2 to create");
    bench.expect(0, "show --plan a.plan.json --as md").has("### Plan for dev");
    assert_eq!(bench.json(0, "show a.plan.json")["summary"]["create"], 2);
    let altered = bench.read("a.plan.json").replace("hello", "howdy");
    bench.write("altered.plan.json", &altered);
    bench.expect(1, "apply altered.plan.json").has("was altered");
    bench.expect(0, "apply a.plan.json").has("run 1, apply of dev: complete").has("verified");
    bench.expect(0, "apply a.plan.json").has("already applied as run 1");
    bench.expect(0, "up dev --var greeting=hi");
    bench.expect(5, "apply a.plan.json").has("stale").has("as run 1").has("run 2 has changed dev since");
}

const SECRET: &str = r#"
environment "dev" {}

variable "key" {
  type      = string
  sensitive = true
}

resource "terraform_data" "open" {
  input = "open"
}

resource "terraform_data" "secret" {
  input = var.key
}
"#;

#[test]
fn a_saved_plan_without_its_secret_or_with_another_is_refused_before_anything_is_done() {
    let bench = Bench::with_spec(SECRET);
    bench.expect(0, "up dev --var key=first-key");
    bench.write(
        "environments/dev.hcl",
        &SECRET.replace("\"open\"", "\"opened\"").replace("_data\" \"opened", "_data\" \"open"),
    );
    bench.expect(0, "plan dev --var key=second-key --out s.plan.json").has("2 to update");
    let changes = || {
        let text = bench.read(".switchback/ledger/dev.jsonl");
        let is_change =
            |line: &&str| !line.contains("\"record\":\"leased\"") && !line.contains("\"record\":\"released\"");
        text.lines().filter(is_change).map(str::to_owned).collect::<Vec<_>>()
    };
    let before = changes();
    bench.expect(1, "apply s.plan.json").has("var.key is not at hand").has("nothing was done");
    bench.expect(5, "apply s.plan.json --var key=third-key").has("not the one that this was planned with");
    assert_eq!(changes(), before);
    bench.expect(0, "apply s.plan.json --var key=second-key").has("verified");
}

#[test]
fn the_mistakes_of_all_environments_are_told_at_once() {
    let bench = Bench::with_spec("environment \"dev\" {}\nresource \"terraform_data\" \"a\" { inptu = 1 }\n");
    bench.write("environments/prod.hcl", "environment \"prod\" {}\noutput \"x\" { value = local.none }\n");
    let said = bench.expect(4, "validate");
    said.has("inptu").has("local.none").has("environments/dev.hcl:2").has("environments/prod.hcl:2");
    bench.expect(4, "validate dev").has_not("local.none");
    let json = bench.json(4, "validate");
    assert_eq!(json["environments"][0]["valid"], false, "{json}");
    assert_eq!(json["environments"][1]["diagnostics"][0]["line"], 2, "{json}");
    bench.expect(4, "plan dev").has("nothing was done");
}

#[test]
fn up_is_refused_where_the_environment_does_not_allow_it() {
    let bench = Bench::with_spec("environment \"dev\" {\n  protected = true\n}\n");
    bench.expect(9, "up dev").has("it is protected").has("switchback apply dev");
}

#[test]
fn the_console_evaluates_all_of_stdin() {
    let bench = Bench::with_spec("locals {\n  a = [1, 2]\n}\n");
    let typed = |words: &str, text: &str| {
        use std::io::Write as _;
        use std::process::Stdio;
        let mut command = bench.command(words);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
        super::Said::of(child.wait_with_output().unwrap())
    };
    let said = typed("console", "1 +\n2\n");
    assert_eq!((said.code, said.out.as_str()), (0, "3\n"), "{}", said.talk);
    let said = typed("console dev --json", "local.a");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&said.out).unwrap(), serde_json::json!([1, 2]));
    assert_eq!(typed("console", "type([1])").out, "tuple([\n    number,\n])\n");
    for (words, text, cause) in [
        ("console", "1 +", "does not parse"),
        ("console", "", "does not parse"),
        ("console", "local.a", "switchback console dev"),
        ("console dev", "local.b", "local.b"),
    ] {
        let said = typed(words, text);
        assert_eq!((said.code, said.out.as_str()), (4, ""), "{words}: {text}");
        said.has(cause).has("stdin:1");
    }
    let said = typed("console dev", "sensitive(\"hunter2\")");
    assert_eq!((said.code, said.out.as_str()), (0, "(sensitive value)\n"), "{}", said.talk);
}
