//! Files of tests that are wrong, and tests that are not there.

use super::{project, run};

#[test]
fn no_test_is_no_pass() {
    let bench = project("  after = \"dev\"\n");
    bench.expect(3, "test").has("the project has no tests").has("docs/testing.md");
    bench.expect(3, "test dev").has("the project has no tests");
    bench.write("tests/smoke.test.hcl", &("environments = [\"staging\"]\n".to_owned() + &run("a", "true")));
    bench.expect(3, "test dev").has("the project has no tests for dev");
    bench.expect(3, "test").has("command = plan");
    bench.expect(3, "test staging --filter smokee").has("no test is called `smokee`").has("smoke/a");
    bench.expect(3, "test --no-record");
    bench.write("tests/empty.test.hcl", "");
    bench.expect(4, "test staging").has("a file of tests has no run").has("the tests have 1 mistake");
}

#[test]
fn mistakes_are_found_by_validate_with_their_places() {
    let bench = project("  after = \"dev\"\n");
    bench.expect(0, "validate dev");
    for (text, words) in [
        (run("a", "output.sadi == \"x\""), "there is no such output"),
        (run("a", "output.sadi == \"x\""), "did you mean `said`?"),
        (run("a", "terraform_data.nodes[0].input == \"x\""), "tests/smoke.test.hcl:3:21"),
        (run("a", "module.web.sayed == \"x\""), "has no output `sayed`"),
        ("run \"a\" {}\n".to_owned(), "a run of tests says nothing"),
        (run("a", "true") + &run("a", "true"), "two runs of a file have one name"),
        ("run \"a\" {\n  verify \"up\" {\n    htp {}\n  }\n}\n".to_owned(), "did you mean `http`?"),
        (
            "run \"a\" {\n  verify \"up\" {\n    run_task {\n      cluster = \"c\"\n      task_definition = \"t\"\n    }\n  \
             }\n}\n"
                .to_owned(),
            "a test changes nothing",
        ),
        (
            "variables {\n  imag = \"x\"\n}\nrun \"a\" {\n  command         = plan\n  expect_failures = [var.image]\n}\n"
                .to_owned(),
            "did you mean `image`?",
        ),
    ] {
        bench.write("tests/smoke.test.hcl", &text);
        bench.expect(4, "validate dev").has(words);
    }
    bench.write("tests/smoke.test.hcl", &run("a", "output.said == \"x\""));
    bench.expect(0, "validate");
}

#[test]
fn a_gate_takes_true_or_names() {
    let staging = |value: &str| format!("  after = \"dev\"\n  source = [\"release\"]\n  requires_tests = {value}\n");
    for (value, code) in [("true", 0), ("false", 0), ("[\"smoke\"]", 0), ("[]", 4), ("\"smoke\"", 4), ("[1]", 4)] {
        let said = project(&staging(value)).expect(code, "validate staging");
        assert!(code == 0 || said.talk.contains("requires_tests"), "{value}: {}", said.talk);
    }
    let alone = project("  requires_tests = true\n");
    alone.expect(4, "validate staging").has("nothing comes through these gates");
}

#[test]
fn the_example_for_who_has_no_test_is_understood_as_it_stands() {
    let bench = project("  after = \"dev\"\n");
    let said = bench.expect(3, "test dev");
    assert!(!said.talk.contains("output.url"), "it names nothing that is not there: {}", said.talk);
    let example =
        said.talk.split_once("tests/first.test.hcl:\n").and_then(|(_, rest)| rest.split_once("\n        }\n"));
    bench.write("tests/first.test.hcl", &format!("{}\n}}\n", example.expect("it ends with its brace").0));
    bench.expect(3, "test dev --filter nowhere").has("first/it_answers");
}

#[test]
fn a_gate_that_asks_for_a_file_that_is_not_there_is_told() {
    let staging = |value: &str| format!("  after = \"dev\"\n  source = [\"release\"]\n  requires_tests = {value}\n");
    let bench = project(&staging("[\"smoke\", \"nope\"]"));
    bench.expect(0, "validate staging").has("no `tests/smoke.test.hcl`").has("there is no file of tests in `tests/`");
    for name in ["smoke", "note"] {
        bench.write(&format!("tests/{name}.test.hcl"), &run("a", "output.said != \"\""));
    }
    let said = bench.expect(0, "validate staging");
    said.has("`requires_tests` names `nope`, and there is no `tests/nope.test.hcl`").has("environments/staging.hcl:");
    said.has("did you mean `note`? there are `note`, `smoke`");
    assert!(!said.talk.contains("names `smoke`"), "{}", said.talk);
}
