//! What does not get through, each with its reason.

use super::{MODULE, STAGING, project, released, spec};

#[test]
fn only_what_was_verified_and_is_still_in_force_goes_on() {
    let bench = project(STAGING, "");
    bench.expect(1, "promote dev staging").has("nothing was ever applied to dev");
    bench.write("modules/web/main.hcl", &MODULE.replace("hello", "${timestamp()}"));
    bench.expect(11, "apply dev --auto-approve");
    bench.expect(1, "release create dev").has("run 1 of dev is not verified");
    bench.expect(1, "promote dev staging").has("run 1 of dev is not verified");
    bench.write("modules/web/main.hcl", MODULE);
    bench.expect(0, "apply dev --auto-approve").has("verified");
    bench.expect(1, "promote dev staging").has("no release was made").has("switchback release create dev");
    // Altered after it was verified.
    bench.write("modules/web/main.hcl", &MODULE.replace("hello", "howdy"));
    bench.expect(1, "release create dev").has("the checkout is not what dev has verified");
    bench.write("modules/web/main.hcl", MODULE);
    let id = bench.release("");
    // Taken back.
    bench.expect(0, "rollback dev --last --auto-approve");
    let words = format!("promote dev staging --release {id} --auto-approve");
    bench.expect(1, &words).has("was taken back in dev");
    bench.expect(1, &format!("release accept {id} --in dev --as uat")).has("was taken back in dev");
    bench.expect(1, &format!("release tag {id} v1")).has("was taken back in dev");
    assert_eq!(bench.git(&["tag"]), "", "no tag was made");
    // Held, and let go.
    bench.expect(0, "apply dev --auto-approve");
    assert_eq!(bench.release(""), id, "the same content has the same name");
    bench.expect(0, "hold dev set --reason slow");
    bench.expect(8, &words).has("is held in dev: slow");
    bench.expect(0, "hold dev lift --reason quick");
    bench.expect(3, "promote dev staging --release 0000").has("knows no release `0000`");
    bench.expect(0, &words).has("verified");
}

#[test]
fn the_way_leads_over_every_stage() {
    let (bench, _) = released(STAGING);
    let said = bench.expect(1, "promote dev prod");
    said.has("prod takes releases from staging, not from dev: a stage would be skipped");
    said.has("switchback promote staging prod");
    // Against the direction, and from where nothing was to come from: what to type leads on, and writes no circle.
    let said = bench.expect(1, "promote staging dev");
    said.has("releases go from dev to staging, not back").has("switchback promote dev staging").has_not("write `after");
    let said = bench.expect(1, "promote prod staging");
    said.has("releases go from staging to prod, not back");
    bench.write("environments/other.hcl", &spec("other", ""));
    let said = bench.expect(1, "promote other staging");
    said.has("staging comes after dev").has("switchback promote dev staging").has_not("skipped");
    bench
        .expect(1, "promote dev other")
        .has("does not say which environment it comes after")
        .has("write `after = \"dev\"`");
    // What takes only releases is neither brought up nor applied.
    bench.expect(9, "up staging").has("switchback promote dev staging");
    bench.expect(1, "release create staging").has("switchback promote dev staging");
    bench.write("environments/staging.hcl", &spec("staging", "  after = \"dev\"\n"));
    bench.expect(1, "promote dev staging").has("its `source` names only the checkout");
    bench.expect(3, "promote dev nowhere").has("there is no environment `nowhere`");
    bench.write("environments/staging.hcl", &spec("staging", "  source = [\"release\"]\n  soak = \"1h\"\n"));
    bench.expect(4, "validate staging").has("nothing comes through these gates");
    bench.write("environments/staging.hcl", &spec("staging", &format!("{STAGING}  windows = [\"mon 9-17 UTC\"]\n")));
    bench.expect(4, "validate staging").has("a window is not understood");
}

#[test]
fn gates_open_by_time_and_by_people() {
    let day =
        usize::try_from(jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).weekday().to_monday_zero_offset());
    let other = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"][(day.unwrap() + 3) % 7];
    let gates = format!("{STAGING}  soak = \"24h\"\n  windows = [\"{other} 00:00-24:00 UTC\"]\n  accept = [\"uat\"]\n");
    let (bench, id) = released(&gates);
    let said = bench.expect(9, "promote dev staging --auto-approve");
    said.has("soak: it has to run for 24 h").has("window: changes are made").has("it was not accepted as uat");
    // A plan may be made and shown before; it is judged again when it is carried out.
    bench.expect(0, "promote dev staging --out early.plan.json").has("gate closed: soak").has("saved as");
    bench.expect(9, "apply early.plan.json").has("a gate of staging is closed");
    // Haste is no acceptance.
    let said = bench.expect(9, "promote dev staging --auto-approve --expedite CVE-2026-1");
    said.has("it was not accepted as uat").has("expedited, soak and windows do not count: CVE-2026-1");
    bench.expect(3, "promote dev staging --expedite=").has("takes a reason");
    bench.expect(0, &format!("release accept {id} --in dev --as uat --note seen")).has("as uat by tester").has("seen");
    bench.expect(9, "promote dev staging --auto-approve").has_not("it was not accepted").has("soak");
    bench.expect(0, "promote dev staging --auto-approve --expedite CVE-2026-1").has("verified");
    bench.expect(0, "history staging").has("expedited: CVE-2026-1");
    bench.expect(0, "history dev").has("accepted as uat");
}

#[test]
fn a_tag_that_was_moved_or_altered_is_none() {
    let (bench, id) = released(STAGING);
    bench.expect(3, "promote dev staging --tag v1").has("no tag `v1` was made").has("release tag RELEASE v1");
    bench.git(&["tag", "--annotate", "--message", "by hand", "v1"]);
    bench.expect(3, "promote dev staging --tag v1").has("no tag `v1` was made");
    bench.expect(1, &format!("release tag {id} v1")).has("git did not make the tag");
    bench.expect(0, &format!("release tag {id} v2"));
    bench.expect(1, &format!("release tag {id} v2")).has("was made for release").has("already");
    bench.expect(3, &format!("release tag {id} --in dev two..dots")).has("no name of a tag");
    let made = bench.git(&["rev-parse", "v2"]);
    bench.git(&["tag", "--force", "--annotate", "--message", "altered", "v2", "HEAD"]);
    bench.expect(1, "promote dev staging --tag v2").has("the tag `v2` was altered");
    bench.write("README.md", "more\n");
    bench.commit("more");
    bench.git(&["tag", "--force", "--annotate", "--message", "moved", "v2", "HEAD"]);
    bench.expect(1, "promote dev staging --tag v2").has("the tag `v2` was moved");
    bench.git(&["tag", "--delete", "v2"]);
    bench.expect(1, "promote dev staging --tag v2").has("this repository has no tag `v2`");
    bench.git(&["update-ref", "refs/tags/v2", &made]);
    bench.expect(0, "promote dev staging --tag v2 --auto-approve").has("verified");
}

#[test]
fn what_is_not_committed_is_released_and_not_tagged() {
    let bench = project(STAGING, "");
    bench.write("modules/web/main.hcl", &MODULE.replace("hello", "howdy"));
    bench.expect(0, "apply dev --auto-approve");
    bench.expect(0, "release create dev").has("changes that are not committed");
    let id = bench.json(0, "release list dev")["releases"][0]["id"].as_str().unwrap().to_owned();
    let refused = bench.expect(1, &format!("release tag {id} v1"));
    refused.has("changes that were not committed").has("release create dev");
    bench.expect(0, "release create dev").has("already");
    bench.expect(0, "promote dev staging --auto-approve").has("verified");
    // Once it is committed, the same is a release that can be tagged; nothing is applied for that.
    bench.commit("howdy");
    bench.expect(0, "release create dev").has_not("already").has_not("not committed");
    let releases = bench.json(0, "release list dev")["releases"].as_array().unwrap().clone();
    assert_eq!(releases.len(), 2, "{releases:?}");
    bench.expect(0, "release create dev").has("already");
    bench.expect(0, "release tag dev v1").has("tagged");
    assert!(!bench.git(&["tag", "--list", "v1"]).is_empty());
}

#[test]
fn a_saved_plan_is_judged_again_and_holds_its_release_unaltered() {
    let (bench, _) = released(STAGING);
    bench.expect(0, "promote dev staging --out p.plan.json");
    let text = bench.read("p.plan.json");
    bench.write("altered.plan.json", &text.replace("hello $", "howdy $"));
    assert_ne!(text, bench.read("altered.plan.json"));
    bench.expect(1, "apply altered.plan.json").has("was altered").has("its release is not the one");
    bench.write("open.plan.json", &text.replace("\"gates\":{}", "\"gates\":{\"accept\":[]}"));
    bench.expect(0, "rollback dev --last --auto-approve");
    bench.expect(1, "apply p.plan.json").has("was taken back in dev");
    bench.expect(0, "apply dev --auto-approve");
    bench.release("");
    // Where what it comes from cannot be asked, nothing is done.
    std::fs::rename(bench.path().join(".switchback/ledger/dev.jsonl"), bench.path().join("dev.jsonl")).unwrap();
    bench.expect(1, "apply p.plan.json").has("nothing was done");
    std::fs::rename(bench.path().join("dev.jsonl"), bench.path().join(".switchback/ledger/dev.jsonl")).unwrap();
    bench.expect(0, "apply p.plan.json").has("verified");
}

#[test]
fn a_secret_does_not_travel() {
    let bench = project(STAGING, "");
    bench.write("modules/web/extra.hcl", "locals {\n  hidden = sensitive(\"hunter2\")\n}\n");
    bench.expect(0, "apply dev --auto-approve");
    let said = bench.expect(1, "release create dev");
    said.has("modules/web/extra.hcl holds a literal secret").has_not("hunter2");
    assert!(!bench.read(".switchback/ledger/dev.jsonl").contains("hunter2"));
    bench.write(
        "environments/dev.hcl",
        &spec("dev", "").replace("  released = true", "  released = true\n  sensitive = true"),
    );
    bench.expect(4, "validate dev").has("a secret does not travel");
}

#[test]
fn what_was_verified_against_the_ledger_alone_becomes_a_release_after_an_apply() {
    let bench = project(STAGING, "");
    let image = "--var image=shop/web:1.1.0";
    bench.expect(0, &format!("apply dev --auto-approve {image}")).has("verified");
    bench.expect(0, "apply dev --auto-approve --var image=shop/web:1.2.0").has("verified");
    // Back to run 1, which the ledger alone knows.
    bench.expect(0, "rollback dev --last --auto-approve").has("verified");
    let said = bench.expect(1, "release create dev");
    said.has("was verified against the ledger alone, not against a spec");
    said.has("give the same ones (`--var`, `--var-file`)").has("switchback apply dev");
    bench.expect(1, &format!("release create dev {image}")).has("verified against the ledger alone");
    bench.expect(0, &format!("apply dev --auto-approve {image}")).has("nothing to do");
    bench.expect(0, &format!("release create dev {image}")).has("release");
}
