//! What a rollback took back is not redone by automation.

use super::Bench;
use super::unfinished::{nowhere, spec};

fn strict(input: &str) -> String {
    format!(
        "environment \"dev\" {{\n  allow_up = false\n}}\nresource \"terraform_data\" \"first\" {{\n  \
         input = \"{input}\"\n}}\n"
    )
}

fn held(bench: &Bench) -> Vec<String> {
    let list = bench.json(0, "hold dev list");
    list["holds"].as_array().unwrap().iter().map(|hold| hold["spec"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn what_was_taken_back_is_refused_and_something_newer_goes_through() {
    let bench = Bench::with_spec(&strict("one"));
    bench.expect(0, "apply dev --auto-approve");
    bench.write("environments/dev.hcl", &strict("two"));
    bench.expect(0, "plan dev --out two.plan.json");
    bench.expect(0, "apply dev --auto-approve");
    let said = bench.expect(0, "rollback dev --last --auto-approve");
    said.has("verified").has("is held: run 2 was taken back by run 3").has("hold dev lift");
    let said = bench.expect(8, "apply dev --auto-approve");
    said.has("held").has("run 2 was taken back by run 3").has("something newer").has("hold dev lift");
    bench.expect(8, "apply two.plan.json").has("held");
    bench.expect(0, "plan dev --out again.plan.json").has("this spec is held").has("1 to update");
    bench.expect(8, "apply again.plan.json").has("held");
    assert_eq!(bench.json(0, "status dev")["holds"][0]["run"], 2);
    bench.expect(0, "status dev").has("held").has("run 2 was taken back by run 3");
    // The state that is in force again is never held, and something newer goes through.
    bench.write("environments/dev.hcl", &strict("one"));
    bench.expect(0, "apply dev --auto-approve").has("nothing to do");
    bench.write("environments/dev.hcl", &strict("three"));
    bench.expect(0, "apply dev --auto-approve").has("run 4, apply of dev: complete");
    bench.write("environments/dev.hcl", &strict("two"));
    bench.expect(8, "apply dev --auto-approve");
    bench.expect(3, "hold dev lift").has("--reason");
    let lift = format!("hold dev lift {} --reason mended", &held(&bench)[0][..8]);
    bench.expect(0, &lift).has("nothing is held");
    bench.expect(0, "apply dev --auto-approve").has("complete");
}

#[test]
fn an_unfinished_run_that_was_taken_back_is_held_as_well() {
    let text =
        spec(&nowhere(), "one").replace("environment \"dev\" {}", "environment \"dev\" {\n  allow_up = false\n}");
    let bench = Bench::with_spec(&text);
    bench.expect(12, "apply dev --auto-approve --on-failure=rollback");
    bench.expect(8, "apply dev --auto-approve").has("run 1 was taken back by run 2");
    assert_eq!(held(&bench).len(), 1);
}

#[test]
fn a_rollback_that_brings_a_held_spec_back_lifts_its_hold() {
    let bench = Bench::with_spec(&strict("one"));
    bench.expect(0, "apply dev --auto-approve");
    bench.expect(0, "rollback dev --last --auto-approve");
    bench.expect(8, "apply dev --auto-approve");
    bench.expect(0, "rollback dev --to 1 --auto-approve");
    assert!(held(&bench).is_empty());
    bench.expect(0, "apply dev --auto-approve").has("nothing to do");
}

#[test]
fn where_up_is_allowed_nothing_is_held() {
    let bench = Bench::with_spec(&strict("one").replace("allow_up = false", ""));
    bench.expect(0, "up dev");
    bench.expect(0, "rollback dev --last --auto-approve");
    assert!(held(&bench).is_empty());
    bench.expect(0, "up dev").has("run 3, apply of dev: complete");
    // By hand it can be held all the same.
    bench.expect(3, "hold dev set").has("--reason");
    bench.expect(0, "hold dev set --reason incident").has("incident");
    bench.expect(8, "up dev").has("incident");
    bench.expect(8, "apply dev --auto-approve").has("incident");
    bench.expect(3, "hold dev lift ffff --reason x").has("no spec is held that begins with `ffff`");
    bench.expect(0, "hold dev lift --reason over");
    bench.expect(0, "hold dev lift --reason over").has("nothing to lift");
    bench.expect(0, "up dev").has("nothing to do");
}

#[test]
fn the_spec_that_is_in_force_is_not_held_even_if_a_later_run_of_it_was_taken_back() {
    let bench = Bench::with_spec(&strict("one"));
    bench.expect(0, "apply dev --auto-approve");
    for input in ["two", "one", "three"] {
        bench.write("environments/dev.hcl", &strict(input));
        bench.expect(0, "apply dev --auto-approve").has("complete");
    }
    bench.expect(0, "rollback dev --to 1 --auto-approve");
    assert_eq!(held(&bench).len(), 2, "only the others");
    let said = bench.expect(3, "hold dev lift --reason mended");
    said.has("more than one spec is held");
    for spec in held(&bench) {
        said.has(&format!("switchback hold dev lift {} --reason mended   # run", &spec[..12]));
    }
    let (first, second) = (held(&bench)[0].clone(), held(&bench)[1].clone());
    let said = bench.expect(0, &format!("hold dev lift {} --reason mended", &first[..12]));
    said.has(&format!("lifted: {}", &first[..12])).has(&second[..12]);
    bench.write("environments/dev.hcl", &strict("one"));
    bench.expect(0, "apply dev --auto-approve").has("nothing to do");
}
