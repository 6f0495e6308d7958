//! Environments that nobody knows, and those that take nothing but releases.

use super::Bench;

/// A project of three places, the last of which takes releases only.
fn three() -> Bench {
    let bench = Bench::with_spec("environment \"dev\" {}\n");
    bench.write("environments/staging.hcl", "environment \"staging\" {\n  after = \"dev\"\n}\n");
    bench.write("environments/uat.hcl", "environment \"uat\" {\n  after = \"staging\"\n  source = [\"release\"]\n}\n");
    bench
}

#[test]
fn an_unknown_environment_is_the_same_mistake_for_every_verb() {
    let bench = three();
    for words in [
        "plan stagin",
        "apply stagin",
        "up stagin",
        "validate stagin",
        "destroy stagin",
        "rehearse stagin",
        "approvals stagin",
        "approve stagin",
        "console stagin",
        "test stagin",
        "import stagin terraform_data.a id",
        "promote dev stagin",
        "promote stagin uat",
        "release create stagin",
        "release list stagin",
        "migrate adopt stagin",
        "status stagin",
        "history stagin",
        "output stagin",
        "drift stagin",
        "diff dev stagin",
        "diff stagin dev",
        "permissions stagin",
        "rollback stagin --last",
        "resume stagin",
        "unlock stagin --reason gone",
        "hold stagin list",
        "state stagin list",
        "show stagin",
    ] {
        let said = bench.expect(3, words);
        said.has("there is no environment `stagin`").has("did you mean `staging`?");
        said.has("the project has `dev`, `staging`, `uat`");
    }
    let json = bench.json(3, "plan stagin");
    assert_eq!(json["error"]["exit"], "usage");
    assert_eq!(json["error"]["help"][0], "did you mean `staging`?");
    // What is like none of them has the list all the same.
    let said = bench.expect(3, "plan production");
    said.has("the project has `dev`, `staging`, `uat`").has_not("did you mean");
    said.has("environments/production.hcl");
}

#[test]
fn an_environment_in_a_folder_of_its_own_is_known_like_any_other() {
    let bench = three();
    bench.write("environments/split/one.hcl", "environment \"split\" {}\n");
    bench.write("environments/empty/read.me", "no spec\n");
    bench.expect(0, "plan split");
    bench.expect(0, "validate").has("valid   split");
    bench.expect(3, "plan splitt").has("did you mean `split`?").has("`dev`, `split`, `staging`, `uat`");
    bench.expect(3, "plan empty").has("there is no environment `empty`");
}

#[test]
fn a_place_that_takes_releases_only_is_filled_by_promote() {
    let bench = three();
    let next = |environment: &str| bench.json(0, &format!("status {environment}"))["next"].clone();
    assert_eq!(next("uat"), serde_json::json!(["switchback promote staging uat"]));
    assert_eq!(next("staging"), serde_json::json!(["switchback plan staging"]));
    bench.write("environments/uat.hcl", "environment \"uat\" {\n  after = \"dev\"\n  protected = true\n}\n");
    bench.expect(0, "status uat").has("type next:\n  switchback promote dev uat\n");
    // Where nothing says from where, `plan` says what is missing.
    bench.write("environments/uat.hcl", "environment \"uat\" {\n  protected = true\n}\n");
    assert_eq!(next("uat"), serde_json::json!(["switchback plan uat"]));
}
