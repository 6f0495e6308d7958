//! Who may bring a release, from which branch, by which rule, and that no change opens its own gate.

use super::{MODULE, STAGING, released, spec};
use crate::cli::Bench;

/// A window that is closed now.
fn closed() -> String {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).weekday().to_monday_zero_offset();
    let other = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][(usize::try_from(today).unwrap() + 3) % 7];
    format!("  windows = [\"{other} 00:00-24:00 UTC\"]\n")
}

fn staging(bench: &Bench, more: &str) {
    bench.write("environments/staging.hcl", &spec("staging", &format!("{STAGING}{more}")));
}

/// A next release of dev.
fn next(bench: &Bench, word: &str) -> String {
    bench.write("modules/web/main.hcl", &MODULE.replace("hello", word));
    bench.expect(0, "apply dev --auto-approve");
    bench.release("")
}

#[test]
fn a_spec_does_not_open_its_own_gate() {
    let (bench, _) = released(&format!("{STAGING}  accept = [\"uat\"]\n"));
    let refused = bench.expect(9, "promote dev staging --auto-approve");
    refused.has("it was not accepted as uat").has("an acceptance is recorded with").has_not("in haste");
    let first = bench.json(0, "release list dev")["releases"][0]["id"].as_str().unwrap().to_owned();
    bench.expect(0, &format!("release accept {first} --in dev --as uat"));
    bench.expect(0, "promote dev staging --auto-approve").has("verified");
    // The gate is taken out of the checkout, and counts still.
    next(&bench, "howdy");
    staging(&bench, "");
    let said = bench.expect(9, "promote dev staging --auto-approve");
    said.has("it was not accepted as uat").has("applied last");
    // Once that is applied, over the release that runs there, it is gone.
    bench.expect(0, "apply staging --auto-approve").has("verified");
    bench.expect(0, "promote dev staging --auto-approve").has("verified");
    // A window that is closed keeps itself, and what closes comes at once.
    next(&bench, "ahoy");
    staging(&bench, &closed());
    bench.expect(9, "promote dev staging --auto-approve").has("window: changes are made");
    bench.expect(0, "apply staging --auto-approve").has_not("closed");
    staging(&bench, "");
    bench.expect(9, "apply staging --auto-approve").has("a gate of staging is closed").has("window");
    bench.expect(9, "promote dev staging --auto-approve").has("window: changes are made");
    bench.expect(0, "rollback staging --to 1 --auto-approve").has("verified");
}

#[test]
fn only_those_who_are_named_apply() {
    let (mut bench, _) = released(&format!("{STAGING}  actors = [\"ada\"]\n"));
    let said = bench.expect(9, "promote dev staging --auto-approve");
    said.has("actor: `tester` is none of those who may: ada");
    bench.expect(9, "promote dev staging --auto-approve --expedite now").has("none of those who may");
    bench.set("USER", "ada");
    bench.expect(0, "promote dev staging --auto-approve").has("verified");
    bench.set("USER", "tester");
    staging(&bench, "  actors = [\"tester\"]\n");
    bench.expect(9, "apply staging --auto-approve").has("none of those who may: ada");
    bench.expect(9, "destroy staging --auto-approve").has("none of those who may: ada");
    bench.expect(0, "rollback staging --last --auto-approve");
}

#[test]
fn an_environment_of_a_branch_takes_no_other_checkout() {
    let (mut bench, _) = released(&format!("{STAGING}  branch = \"main\"\n"));
    bench.git(&["switch", "--quiet", "--create", "feature/x"]);
    let said = bench.expect(1, "promote dev staging --auto-approve");
    said.has("staging belongs to the branch `main`, and this checkout is of `feature/x`").has("git switch main");
    bench.git(&["switch", "--quiet", "main"]);
    bench.expect(0, "promote dev staging --auto-approve").has("verified");
    bench.git(&["switch", "--quiet", "--detach"]);
    bench.expect(1, "plan staging").has("no checkout of a branch");
    bench.expect(0, "drift staging");
    bench.set("GITHUB_REF", "refs/heads/main");
    bench.expect(0, "plan staging").has("nothing to do");
    bench.set("GITHUB_REF", "refs/tags/main");
    bench.expect(1, "apply staging --auto-approve").has("no checkout of a branch");
    std::fs::rename(bench.path().join(".git"), bench.path().join("git")).unwrap();
    bench.expect(1, "plan staging").has("no checkout of a branch");
}

#[test]
fn a_release_gets_in_by_itself_when_the_rule_holds() {
    let rule = "  auto_promote {\n    when = contains(release.accepted, \"uat\") && release.soaked_hours < 24\n  }\n";
    let (bench, id) = released(STAGING);
    bench.expect(4, "promote dev staging --auto").has("staging has no rule").has("auto_promote");
    staging(&bench, rule);
    bench.expect(0, "promote dev staging --auto").has("nothing is promoted to staging: its rule does not hold yet");
    bench.expect(0, &format!("release accept {id} --in dev --as uat"));
    bench.expect(0, "promote dev staging --auto").has("verified");
    bench.expect(0, "promote dev staging --auto").has("it runs release").has("already");
    // What waits before a gate waits, and says at which.
    let second = next(&bench, "howdy");
    bench.expect(0, &format!("release accept {second} --in dev --as uat"));
    staging(&bench, &format!("{rule}{}", closed()));
    bench.expect(0, "promote dev staging --auto").has("nothing is promoted to staging: window");
    assert_eq!(bench.said("staging"), "hello shop/web:1.0.0 times 1");
    staging(&bench, rule);
    bench.expect(0, "rollback dev --last --auto-approve");
    bench.expect(0, "promote dev staging --auto").has("it runs release");
    staging(&bench, "  auto_promote {\n    when = plan.steps\n  }\n");
    bench.expect(4, "validate staging").has("there is no such name in `auto_promote`");
    staging(&bench, "  auto_promote {\n    when = 1\n  }\n");
    next(&bench, "ahoy");
    bench.expect(4, "promote dev staging --auto").has("gives neither `true` nor `false`");
    bench.expect(3, "promote dev staging --auto --expedite now");
}
