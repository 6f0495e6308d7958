//! What the ledger tells about the past: who, when, from which commit, and that nobody altered it.

use switchback::cli::plan_file::PlanFile;
use switchback::digest::Digest;
use switchback::ledger::text::split;
use switchback::migration::certificate::Evidence;
use switchback::rehearse::target::Targets;
use switchback::risk::Risks;
use switchback::rules::Findings;

use super::Bench;

const OLDER: &str = include_str!("../formats/ledger-1.jsonl");
const LEDGER: &str = ".switchback/ledger/dev.jsonl";

/// A folder with the ledger that version 0.1.0 wrote, and no project.
fn older() -> Bench {
    let bench = Bench::new();
    bench.write("older/dev.jsonl", OLDER);
    bench
}

fn spec(colour: &str) -> String {
    format!(
        "environment \"dev\" {{}}\nresource \"terraform_data\" \"a\" {{\n  input = \"{colour}\"\n}}\n\
         resource \"terraform_data\" \"b\" {{\n  input = \"b\"\n}}\n"
    )
}

/// Two runs, each from a commit of its own; the second one changes only `a`.
fn two_runs() -> Bench {
    let bench = Bench::with_spec(&spec("blue"));
    bench.write(".git/HEAD", "ref: refs/heads/main\n");
    bench.write(".git/refs/heads/main", &format!("{}\n", "1a".repeat(20)));
    bench.expect(0, "up dev");
    bench.write("environments/dev.hcl", &spec("red"));
    bench.write(".git/refs/heads/main", &format!("{}\n", "2b".repeat(20)));
    bench.expect(0, "up dev");
    bench
}

#[test]
fn an_older_ledger_is_read_verified_told_and_taken_back() {
    let bench = older();
    let there = |words: &str| format!("{words} --ledger file:older");
    bench.expect(0, &there("history dev --verify")).has("is whole: 18 records, head");
    let history = bench.json(0, &there("history dev"));
    let results: Vec<_> = history["runs"].as_array().unwrap().iter().map(|run| &run["result"]).collect();
    assert_eq!(results, ["complete", "taken back", "complete"], "{history}");
    assert_eq!(history["runs"][0]["tool"], "0.1.0");
    assert_eq!(bench.json(0, &there("status dev"))["resources"], 2);
    let changes = bench.json(0, &there("history dev --address terraform_data.first"));
    assert_eq!(changes["changes"][0]["run"], 3, "{changes}");
    assert_eq!(changes["changes"][0]["by"], "somebody");
    bench.expect(0, &there("rollback dev --to 2 --auto-approve")).has("verified").has("ledger head: ");
    bench.expect(0, &there("rollback dev --to 0 --accept-loss all --auto-approve")).has("verified");
    assert_eq!(bench.json(0, &there("status dev"))["resources"], 0);
    bench.expect(0, &there("history dev --verify")).has("is whole");
    assert!(bench.read("older/dev.jsonl").starts_with(OLDER), "what was written stays as it is");
}

#[test]
fn a_plan_of_an_older_form_is_carried_out() {
    let bench = Bench::new();
    // The first run's change set as version 0.1.0 planned it, in a file as it saved them.
    let begun: serde_json::Value = serde_json::from_str(split(OLDER.lines().next().unwrap())[1]).unwrap();
    let change_set: switchback::step::ChangeSet = serde_json::from_value(begun["body"]["change_set"].clone()).unwrap();
    assert_eq!(change_set.format, 1);
    let (digest, evidence) = (change_set.digest(), Evidence::default());
    let file = PlanFile {
        format: 1,
        tool: "0.1.0".into(),
        digest,
        change_set,
        author: None,
        authored: None,
        proved: None,
        evidence,
        told: None,
        targets: Targets::default(),
        risks: Risks::default(),
        findings: Findings::default(),
        policies: Vec::new(),
        promotion: None,
        promoted: None,
        aged: Default::default(),
    };
    bench.write("old.plan.json", &serde_json::to_string(&file).unwrap());
    bench.expect(0, "apply old.plan.json --ledger file:new").has("run 1, apply of dev: complete").has("2 done");
    bench.expect(0, "history dev --verify --ledger file:new").has("is whole");
}

#[test]
fn what_a_newer_version_wrote_is_refused_with_the_version_to_install() {
    let bench = two_runs();
    let text = bench.read(LEDGER);
    let last = text.lines().flat_map(split).last().unwrap().to_owned();
    let record: serde_json::Value = serde_json::from_str(&last).unwrap();
    let (sequence, head) = (record["sequence"].as_u64().unwrap(), Digest::of_bytes(last.as_bytes()));
    let dreamt = format!(
        r#"{{"format":9,"sequence":{},"previous":"{head}","body":{{"record":"dreamt","actor":{{"tool":"9.1.0"}}}}}}"#,
        sequence + 1
    );
    bench.write(LEDGER, &format!("{text}[{dreamt}]\n"));
    for words in ["status dev", "history dev", "plan dev", "rollback dev --last --auto-approve"] {
        bench.expect(1, words).has("has a record of format 9").has("install switchback 9.1.0 or newer");
    }
    let verdict = bench.json(0, "history dev --verify");
    assert_eq!(verdict["records"], sequence + 1, "a chain of any version can be checked: {verdict}");
    bench.write("new.plan.json", r#"{"format": 1, "tool": "9.2.0", "change_set": {"format": 9, "dreams": 7}}"#);
    bench.expect(1, "apply new.plan.json").has("form 9").has("written by switchback 9.2.0");
}

#[test]
fn every_apply_prints_a_head_that_shows_later_what_is_missing() {
    let bench = two_runs();
    let before = bench.read(LEDGER);
    bench.write("environments/dev.hcl", &spec("green"));
    let report = bench.json(0, "up dev");
    let head = report["ledger"]["head"].as_str().unwrap().to_owned();
    let verify = format!("history dev --verify --head {head}");
    let said = bench.expect(0, &verify);
    said.has(&format!("is that of record {}", report["ledger"]["record"])).has("1 record came after it");
    bench.expect(0, "up dev").has("nothing to do").has("ledger head: ");
    bench.write(LEDGER, &before);
    bench.expect(0, "history dev --verify").has("is whole");
    let verdict = bench.json(1, &verify);
    assert_eq!((&verdict["whole"], &verdict["fault"]), (&false.into(), &"head".into()), "{verdict}");
    bench.expect(1, &verify).has("no record has the noted head").has(&head[..12]);
    bench.expect(3, "history dev --verify --head nonsense").has("64 hexadecimal digits");
    bench.expect(3, "history dev --head abc");
}

#[test]
fn an_altered_ledger_is_refused_and_the_record_is_named() {
    let bench = two_runs();
    let text = bench.read(LEDGER);
    bench.write(LEDGER, &text.replacen("\"blue\"", "\"pink\"", 1));
    let verdict = bench.json(1, "history dev --verify");
    assert_eq!((&verdict["fault"], &verdict["record"]), (&"altered".into(), &3.into()), "{verdict}");
    let said = bench.expect(1, "history dev --verify");
    said.has("record 3 was altered").has("restore it from a backup");
    // A line that no reader understands is named as well.
    bench.write(LEDGER, &text.replacen("\"blue\"", "blue", 1));
    bench.expect(1, "plan dev").has("is damaged");
    bench.expect(1, "history dev --verify").has("record 3 cannot be read");
}

#[test]
fn whoever_changed_a_thing_last_is_named_with_run_and_commit() {
    let bench = two_runs();
    let said = bench.expect(0, "history dev --address terraform_data.a");
    said.has("terraform_data.a was last changed by run 2 (apply)").has("by tester on").has("commit 2b2b2b2b2b2b");
    said.has("update terraform_data.a: done").has("create terraform_data.a: done").has("commit 1a1a1a1a1a1a");
    let only = bench.json(0, "history dev --address terraform_data.b");
    assert_eq!(only["changes"].as_array().unwrap().len(), 1, "{only}");
    assert_eq!(only["changes"][0]["commit"], "1a".repeat(20), "{only}");
    bench.expect(1, "history dev --address terraform_data.none").has("no run of dev ever changed terraform_data.none");
    bench.expect(3, "history dev --address nonsense");
    let history = bench.json(0, "history dev");
    assert_eq!(history["runs"][1]["commit"], "2b".repeat(20), "{history}");
}

#[test]
fn every_record_is_exported_with_its_actor() {
    let mut bench = two_runs();
    bench.set("CI_COMMIT_SHA", &"3c".repeat(20));
    let said = bench.expect(0, "history dev --export");
    let lines: Vec<serde_json::Value> = said.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let texts: Vec<String> = bench.read(LEDGER).lines().flat_map(split).map(str::to_owned).collect();
    assert_eq!(lines.len(), texts.len());
    for (line, text) in lines.iter().zip(&texts) {
        assert_eq!(line["digest"], Digest::of_bytes(text.as_bytes()).to_string());
        assert_eq!(line["actor"]["name"], "tester", "{line}");
        assert!(line["time"].is_string() && line["record"].is_string(), "{line}");
    }
    let key = serde_json::from_str::<serde_json::Value>(&texts[0]).unwrap()["body"]["seal_key"].clone();
    said.has_not(key.as_str().unwrap());
    let done: Vec<_> = lines.iter().filter(|line| line["record"] == "done").collect();
    assert_eq!(done.len(), 3);
    assert!(done.iter().all(|line| line["duration_ms"].is_i64() && line["address"].is_string()), "{done:?}");
    assert_eq!(done[2]["actor"]["commit"], "2b".repeat(20), "the checkout wins over the CI");

    bench.expect(0, "history dev --export audit.jsonl").has("audit.jsonl");
    assert_eq!(bench.read("audit.jsonl"), said.out);
    bench.expect(1, "history dev --export nowhere/audit.jsonl").has("cannot be written");
    bench.expect(3, "history dev --export --verify");
    // Without a checkout the CI's word counts.
    std::fs::remove_file(bench.path().join(".git/HEAD")).unwrap();
    bench.write("environments/dev.hcl", &spec("white"));
    bench.expect(0, "up dev");
    let changes = bench.json(0, "history dev --address terraform_data.a");
    assert_eq!(changes["changes"][0]["commit"], "3c".repeat(20), "{changes}");
}
