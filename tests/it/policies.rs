//! Policies of the house: asked at the plan, and again at the apply.

use switchback::migration::Migration;
use switchback::rules::policy::{Circumstances, judge, of_spec};
use switchback::rules::{Findings, Level};

use crate::postgres_project::Bench;

/// What the policies of a spec say of a change set of one migration, at this time.
fn said(policies: &str, at: &str) -> Vec<(String, Level, String)> {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("environments")).unwrap();
    std::fs::write(folder.path().join("switchback.hcl"), format!("project \"shop\" {{}}\n{policies}")).unwrap();
    std::fs::write(folder.path().join("environments/dev.hcl"), "environment \"dev\" {}\n").unwrap();
    let kinds = switchback::provider::table::kinds();
    let (spec, mistakes) = switchback::spec::load(&switchback::store::disk::DiskFiles, folder.path(), "dev", &kinds);
    assert!(!mistakes.has_errors(), "{mistakes:?}");
    let migration = serde_json::to_value(Migration::plain(7, "drop_email", "select 1", None)).unwrap();
    let change_set = serde_json::json!({
        "format": 2, "project": "shop", "environment": "dev", "operation": "apply",
        "steps": [
            {
                "id": 1, "address": "terraform_data.x", "binding": {"provider": "terraform"},
                "action": {"do": "delete", "kind": "terraform_data", "before": {}},
                "reason": {"because": "not_in_spec"}, "inverse": {"class": "exact", "way": "create_again"}, "found": "absent",
            },
            {
                "id": 2, "address": "database.app", "binding": {"provider": "postgres"},
                "action": {"do": "migrate", "direction": "up", "lock_timeout_milliseconds": 1, "migration": migration},
                "reason": {"because": "pending"}, "inverse": {"class": "impossible", "why": "gone"}, "found": "unasked",
            },
        ],
    });
    let change_set = serde_json::from_value(change_set).unwrap();
    let circumstances = Circumstances { actor: "eva", at: at.parse().unwrap() };
    let found = judge(&of_spec(&spec), &change_set, &Findings::default(), &circumstances);
    found.into_iter().map(|finding| (finding.rule, finding.level, finding.message)).collect()
}

fn policy(condition: &str, more: &str) -> String {
    format!(
        "policy \"p\" {{\n  condition = {condition}\n  message   = \"no: ${{plan.actor}} on ${{plan.at.weekday}}\"\n{more}}}\n"
    )
}

const FRIDAY: &str = "2026-11-20T17:30:00Z";

#[test]
fn a_condition_over_the_change_who_and_when_holds_or_says_its_message() {
    for (condition, holds) in [
        ("alltrue([for step in plan.steps : step.action != \"delete\" || step.kind != \"aws_ssm_parameter\"])", true),
        ("alltrue([for step in plan.steps : step.action != \"delete\" || step.kind != \"terraform_data\"])", false),
        ("!(plan.at.weekday == \"friday\" && plan.at.hour >= 16)", false),
        ("!(plan.at.weekday == \"friday\" && plan.at.hour >= 18)", true),
        ("contains([\"eva\", \"ben\"], plan.actor)", true),
        ("plan.operation != \"apply\" || plan.actor == \"ben\"", false),
        ("length(plan.losses) == 0", false),
        ("alltrue([for loss in plan.losses : loss.address == \"database.app\" && loss.class == \"impossible\"])", true),
        ("length(plan.findings) == 0 && length(plan.outputs) == 0", true),
        ("length(plan.steps) < 3 && plan.environment == \"dev\" && plan.project == \"shop\"", true),
        ("plan.steps[1].version == 7 && plan.steps[0].class == \"exact\"", true),
        ("plan.at.date == \"2026-11-20\" && plan.at.minute == 30", true),
    ] {
        let found = said(&policy(condition, ""), FRIDAY);
        let expected =
            if holds { vec![] } else { vec![("policy.p".to_owned(), Level::Error, "no: eva on friday".to_owned())] };
        assert_eq!(found, expected, "{condition}");
    }
}

#[test]
fn what_cannot_be_told_is_no_pass() {
    for (condition, part) in [
        ("plan.steps[9].action == \"delete\"", "cannot be told"),
        ("plan.steps[0].nothing == 1", "cannot be told"),
        ("\"words\"", "neither `true` nor `false`"),
        ("null", "neither `true` nor `false`"),
        ("uuid() == plan.actor || tobool(\"x\")", "cannot be told"),
    ] {
        let found = said(&policy(condition, ""), FRIDAY);
        assert!(found.len() == 1 && found[0].2.contains(part) && found[0].1 == Level::Error, "{condition}: {found:?}");
    }
}

#[test]
fn a_policy_says_where_it_is_asked_and_how_heavy_it_weighs() {
    let found = |more: &str| said(&policy("false", more), FRIDAY);
    assert_eq!(found("  level = \"warning\"\n")[0].1, Level::Warning);
    assert!(found("  environments = [\"prod\"]\n").is_empty());
    assert_eq!(found("  environments = [\"prod\", \"dev\"]\n").len(), 1);
    assert!(found("  when = plan.operation == \"destroy\"\n").is_empty());
    assert_eq!(found("  when = plan.operation == \"apply\"\n").len(), 1);
    assert!(found("  when = plan.steps[9].id == 1\n")[0].2.contains("`when`"));
}

fn bench() -> Bench {
    let files = [("V1__a.sql", "create table a (b int)"), ("V1__a.down.sql", "drop table a")];
    Bench::new("policy", &files)
}

#[test]
fn a_policy_that_does_not_hold_refuses_before_anything_happens() {
    let bench = bench();
    bench.write("switchback.hcl", &format!("project \"shop\" {{}}\n{}", policy("plan.actor == \"nobody\"", "")));
    let said = bench.expect(0, "plan dev --no-rehearsal");
    assert!(said.contains("error: no: tester on") && said.contains("[policy.p]"), "{said}");
    let said = bench.expect(1, "apply dev --auto-approve");
    assert!(said.contains("a policy of the house refuses this change; nothing was done"), "{said}");
    assert!(said.contains("policy.p: no: tester on"), "{said}");
    assert_eq!(bench.ask("select to_regclass('a') is null"), "t");
    // As a warning it is only told.
    bench.edit("switchback.hcl", "  condition", "  level = \"warning\"\n  condition");
    bench.expect(0, "apply dev --auto-approve");
    assert_eq!(bench.ask("select to_regclass('a') is null"), "f");
}

#[test]
fn a_saved_plan_is_asked_again_by_whoever_applies_it() {
    let bench = bench();
    let who = policy("plan.actor == \"tester\"", "");
    bench.write("switchback.hcl", &format!("project \"shop\" {{}}\n{who}"));
    bench.expect(0, "plan dev --out p.plan.json");
    let apply = |user: &str, folder: &str| {
        let mut command = bench.command("apply ../shop.plan.json --auto-approve --ledger");
        command.arg(format!("file:{}", bench.path(".switchback/ledger").display()));
        let place = bench.path(folder);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::copy(bench.path("p.plan.json"), bench.path("shop.plan.json")).unwrap();
        let output = command.env("USER", user).env("LOGNAME", user).current_dir(place).output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // Another person, with the checkout at hand and without it: the plan keeps what it was asked.
    for folder in ["environments", "elsewhere"] {
        let (code, said) = apply("eva", folder);
        assert!(code == Some(1) && said.contains("no: eva on"), "{folder}: {code:?} {said}");
    }
    assert_eq!(bench.ask("select to_regclass('a') is null"), "t");
    // A policy that came since counts as well.
    bench.write(
        "switchback.hcl",
        &format!("project \"shop\" {{}}\n{who}{}", policy("false", "").replace("\"p\"", "\"late\"")),
    );
    let (code, said) = apply("tester", "environments");
    assert!(code == Some(1) && said.contains("policy.late"), "{said}");
    bench.write("switchback.hcl", &format!("project \"shop\" {{}}\n{who}"));
    let (code, said) = apply("tester", "environments");
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(bench.ask("select to_regclass('a') is null"), "f");
}

#[test]
fn a_policy_names_nothing_but_the_plan() {
    let bench = bench();
    for (text, part) in [
        (policy("var.x == 1", ""), "names something else"),
        (policy("plan.stepps == 1", ""), "`plan.stepps` does not exist"),
        ("policy \"p\" {\n  condition = true\n}\n".to_owned(), "message"),
        (policy("true", "  level = \"huge\"\n"), "`level` is `huge`"),
        (policy("true", "  level = \"off\"\n"), "`level` is `off`"),
        (policy("true", "").replace(" \"p\"", ""), "has one label"),
    ] {
        bench.write("switchback.hcl", &format!("project \"shop\" {{}}\n{text}"));
        let said = bench.expect(4, "validate dev");
        assert!(said.contains(part), "{text}\n{said}");
    }
}
