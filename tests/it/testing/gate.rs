//! `requires_tests`: what the environment before has to have recorded.
//!
//! Invariant: each refusal is tried where, but for the tests, the way is open.

use super::{project, run};
use crate::verification::Bench;

const STAGING: &str = "  after  = \"dev\"\n  source = [\"release\"]\n  requires_tests = true\n";

/// What passes or not, as a file says that is no part of the spec.
fn says(bench: &Bench, file: &str, passes: bool) {
    bench.write(
        &format!("tests/{file}.test.hcl"),
        &run("holds", if passes { "output.said != \"\"" } else { "output.said == \"\"" }),
    );
}

fn release(bench: &Bench, words: &str) -> String {
    bench.json(0, &format!("release create dev {words}"))["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_release_waits_for_tests_of_just_that_state() {
    let bench = project(STAGING);
    says(&bench, "smoke", true);
    bench.expect(0, "apply dev --auto-approve");
    let first = release(&bench, "");
    let refused = bench.expect(9, "promote dev staging --auto-approve");
    refused.has("a gate of staging is closed").has("tests: none are recorded").has("switchback test dev");
    assert!(!refused.talk.contains("an acceptance is") && !refused.talk.contains("in haste"), "{}", refused.talk);
    let saved = bench.expect(0, "promote dev staging --out closed.plan.json");
    saved.has("saved as closed.plan.json; when the gate is open: switchback apply closed.plan.json");
    saved.has("closed: tests: none are recorded");
    bench.expect(9, "promote dev staging --auto-approve --expedite haste").has("tests: none are recorded");

    says(&bench, "smoke", false);
    bench.expect(1, "test dev");
    bench.expect(9, "promote dev staging --auto-approve").has("are no pass: smoke/holds failed");
    says(&bench, "smoke", true);
    bench.expect(0, "test dev --no-record");
    bench.expect(0, "test dev --filter smoke");
    bench.expect(9, "promote dev staging --auto-approve").has("are no pass");
    bench.expect(0, "test dev");
    bench.expect(0, &format!("release show {first} --env dev")).has("tested").has("1 passed");

    // A later failure voids it, also for a plan that was saved while the gate was open.
    bench.expect(0, "promote dev staging --out p.plan.json").has("tests: 1 passed");
    says(&bench, "smoke", false);
    bench.expect(1, "test dev");
    bench.expect(9, "apply p.plan.json --auto-approve").has("are no pass: smoke/holds failed");
    says(&bench, "smoke", true);
    bench.expect(0, "test dev");
    bench.expect(0, "apply p.plan.json --auto-approve").has("verified");

    // What passed before an apply says nothing of what is there since.
    bench.expect(0, "apply dev --auto-approve --var image=shop/web:2");
    let second = release(&bench, "--var image=shop/web:2");
    assert_ne!(first, second);
    bench.expect(9, "promote dev staging --auto-approve").has("tests: none are recorded");
    bench.expect(0, "test dev --var image=shop/web:2");
    // Back to the first: what was found of it then does not count, for it was gone in between.
    bench.expect(0, "rollback dev --last --auto-approve");
    says(&bench, "smoke", false);
    bench.expect(1, "test dev").has("dev as run 1 left it");
    bench.expect(0, "history dev").has("tests: 1 passed").has("tests: 0 passed, 1 failed (smoke/holds)");
}

#[test]
fn after_a_way_back_tests_are_asked_for_again() {
    let bench = project(STAGING);
    says(&bench, "smoke", true);
    bench.expect(0, "apply dev --auto-approve");
    release(&bench, "");
    bench.expect(0, "test dev");
    bench.expect(0, "apply dev --auto-approve --var image=shop/web:2");
    bench.expect(0, "rollback dev --last --auto-approve");
    bench.expect(9, "promote dev staging --auto-approve").has("tests: none are recorded");
    bench.expect(0, "test dev");
    bench.expect(0, "promote dev staging --auto-approve").has("verified");
}

#[test]
fn single_files_can_be_asked_for() {
    let bench = project(&STAGING.replace("true", "[\"smoke\", \"load.test.hcl\"]"));
    says(&bench, "smoke", true);
    says(&bench, "other", false);
    bench.expect(0, "apply dev --auto-approve");
    release(&bench, "");
    bench.expect(1, "test dev");
    bench.expect(9, "promote dev staging --auto-approve").has("load had no run among them");
    says(&bench, "load", true);
    bench.expect(1, "test dev");
    bench.expect(0, "promote dev staging --auto-approve").has("verified");
    // The gate that counts is the one that was applied last: it is not opened by the change that leaves it out.
    bench.write("environments/staging.hcl", &super::spec("staging", &STAGING.replace("  requires_tests = true\n", "")));
    bench.expect(0, "apply dev --auto-approve --var image=shop/web:2");
    release(&bench, "--var image=shop/web:2");
    bench.expect(9, "promote dev staging --auto-approve").has("tests: none are recorded");
}

#[test]
fn an_environment_that_takes_releases_is_tested_as_the_release_says() {
    let bench = project(&STAGING.replace("  requires_tests = true\n", ""));
    bench.write(
        "tests/smoke.test.hcl",
        &run("says", "output.said == \"runs ${var.image}\" && environment.name == \"staging\""),
    );
    bench.expect(0, "apply dev --auto-approve --var image=shop/web:2");
    release(&bench, "--var image=shop/web:2");
    bench.expect(0, "promote dev staging --auto-approve");
    // The modules of the checkout are others by now; what is tested is what was promoted.
    bench.write("modules/web/main.hcl", &super::MODULE.replace("runs", "walks"));
    let report = bench.json(0, "test staging");
    assert_eq!((&report["recorded"], &report["passed"]), (&true.into(), &true.into()), "{report}");
    assert!(report["release"].is_string(), "{report}");
    bench.write("switchback.hcl", "project \"shop\" {}\n");
    bench.expect(1, "test dev --var image=shop/web:2").has("the checkout is not what dev runs");
}
