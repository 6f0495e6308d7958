//! Releases as typed: from dev over staging to prod, and everything that does not get through.
//!
//! Invariant: a refusal is tried where, but for the one thing that it names, the way is open.

mod gated;
#[cfg(feature = "aws")]
mod images;
mod refused;
mod travels;

use super::Bench;
use crate::repository;

const MODULE: &str = r#"
variable "image" {
  type = string
}

variable "size" {
  type = number
}

resource "terraform_data" "web" {
  input = "hello ${var.image} times ${var.size}"
}

output "said" {
  value = terraform_data.web.output
}
"#;

/// The spec of an environment that calls the module.
fn spec(name: &str, block: &str) -> String {
    format!(
        r#"
environment "{name}" {{
{block}}}

variable "image" {{
  type     = string
  default  = "shop/web:1.0.0"
  released = true
}}

variable "size" {{
  type    = number
  default = 1
}}

module "web" {{
  source = "../modules/web"
  image  = var.image
  size   = var.size
}}

output "said" {{
  value = module.web.said
}}
"#
    )
}

const STAGING: &str = "  after  = \"dev\"\n  source = [\"release\"]\n";

impl Bench {
    fn git(&self, words: &[&str]) -> String {
        repository::git(self.path(), words)
    }

    fn commit(&self, message: &str) {
        repository::commit(self.path(), message);
    }

    fn said(&self, environment: &str) -> String {
        self.expect(0, &format!("output {environment} said")).out.trim().to_owned()
    }

    /// Makes the release of what dev verified; its name.
    fn release(&self, words: &str) -> String {
        self.json(0, &format!("release create dev {words}"))["id"].as_str().unwrap().to_owned()
    }
}

/// A project with dev, staging and prod in a repository of its own, all of it committed.
fn project(staging: &str, prod: &str) -> Bench {
    let mut bench = Bench::new();
    bench.set("PATH", &std::env::var("PATH").unwrap());
    repository::VARIABLES.iter().for_each(|(name, value)| bench.set(name, value));
    bench.write("switchback.hcl", "project \"shop\" {}\n");
    bench.write(".gitignore", ".switchback/\nkeys/\n*.plan.json\n");
    bench.write("modules/web/main.hcl", MODULE);
    bench.write("environments/dev.hcl", &spec("dev", ""));
    bench.write("environments/staging.hcl", &spec("staging", staging));
    bench.write("environments/prod.hcl", &spec("prod", prod));
    repository::begin(bench.path());
    bench.commit("the shop");
    bench
}

/// The same with dev applied and released; the release's name.
fn released(staging: &str) -> (Bench, String) {
    let bench = project(staging, "  after = \"staging\"\n  protected = true\n");
    bench.expect(0, "apply dev --auto-approve").has("verified");
    let id = bench.release("");
    (bench, id)
}

#[test]
fn what_dev_verified_goes_to_staging_and_by_its_tag_to_prod_and_back() {
    let bench = project(STAGING, "");
    let approver = |name: &str, class: &str| {
        format!("  approver \"{name}\" {{\n    key     = \"{}\"\n    classes = [\"{class}\"]\n  }}\n", bench.key(name))
    };
    let approvers = approver("ada", "infrastructure") + &approver("otto", "owner");
    let prod =
        format!("  after     = \"staging\"\n  protected = true\n{approvers}  approval \"infrastructure\" {{}}\n");
    bench.write("environments/prod.hcl", &spec("prod", &prod));
    bench.commit("prod is approved");
    let image = "--var image=shop/web:1.1.0";
    bench.expect(0, &format!("apply dev --auto-approve {image}")).has("verified");
    bench
        .expect(1, "release create dev")
        .has("the checkout is not what dev has verified")
        .has("give the same variables");
    let id = bench.release(image);
    bench.expect(0, &format!("release create dev {image}")).has("is release").has("already");
    let short = &id[..12];

    // The only way into staging.
    bench.expect(1, "plan staging").has("takes only releases").has("switchback promote dev staging");
    bench.expect(9, "promote dev staging").has("no terminal");
    let said = bench.expect(0, "promote dev staging --auto-approve");
    said.has(&format!("release {short} of dev, verified there in run 1")).has("as in dev").has("verified");
    assert_eq!(bench.said("staging"), "hello shop/web:1.1.0 times 1", "the value of the variable has travelled");
    bench.expect(0, "history staging").has(&format!("release {short}, from run 1 of dev"));
    bench.expect(0, "history dev").has(&format!("release {short}, made of it"));

    // The tag, and CI on the tag.
    bench.expect(0, &format!("release tag {short} v1.4.0")).has("tagged").has("verified in staging");
    let tag = bench.git(&["cat-file", "-p", "v1.4.0"]);
    assert!(tag.contains(&id) && tag.contains("Verified in staging"), "annotated: {tag}");
    let plan = bench.expect(0, "promote staging prod --tag v1.4.0 --out p.plan.json");
    plan.has("tag v1.4.0").has("infrastructure for infrastructure").has("as in staging");
    assert_eq!(bench.json(0, "show p.plan.json")["promotion"]["tag"], "v1.4.0");
    bench.expect(9, "apply p.plan.json").has("signatures are missing");
    bench.approve("ada", "p.plan.json").has("it has every signature");

    // Another runner, with the plan and the ledger's URL alone.
    let url = bench.json(0, "status dev")["ledger"]["url"].as_str().unwrap().to_owned();
    let elsewhere = Bench::new();
    elsewhere.write("p.plan.json", &bench.read("p.plan.json"));
    elsewhere.expect(0, &format!("apply p.plan.json --ledger {url}")).has("complete").has("verified");
    assert_eq!(bench.said("prod"), "hello shop/web:1.1.0 times 1");
    bench.expect(0, "history prod").has(&format!("release {short}, from run 1 of staging, by tag v1.4.0"));
    bench.expect(0, "history prod --verify").has("is whole");

    // What a protected environment does not take.
    bench.expect(9, "destroy prod --auto-approve").has("prod is protected: it is not destroyed");
    bench.expect(3, "plan prod --var size=9").has("prod is protected: it takes no `--var size=…`");
    bench.expect(9, "up prod").has("it is protected");
    bench.expect(0, "plan prod").has("nothing to do").has(&format!("over release {short}"));

    // The next release, by its own tag; and back from it without a signature, for it was approved with its way back.
    bench.write("modules/web/main.hcl", &MODULE.replace("hello", "howdy"));
    bench.commit("friendlier");
    bench.expect(0, &format!("apply dev --auto-approve {image}"));
    let second = bench.release(image);
    bench.expect(0, "promote dev staging --auto-approve").has("verified");
    assert_ne!(second, id);
    bench.expect(0, "release show prod").has(&id);
    bench.expect(0, "release tag staging v1.5.0").has(&second);
    bench.expect(0, "promote staging prod --tag v1.5.0 --out p.plan.json");
    bench.approve("ada", "p.plan.json");
    bench.expect(0, "apply p.plan.json").has("verified");
    assert_eq!(bench.said("prod"), "howdy shop/web:1.1.0 times 1");
    bench.expect(0, "rollback prod --last --auto-approve").has("verified");
    assert_eq!(bench.said("prod"), "hello shop/web:1.1.0 times 1");
    // It is held: the same one does not come again by itself, and the one before is there.
    bench.expect(8, "promote staging prod --tag v1.5.0 --auto-approve").has("is held in prod");
    bench.expect(0, "plan prod").has("nothing to do").has(&format!("over release {short}"));
    bench.expect(0, "hold prod lift --reason mended");
    bench.expect(0, "promote staging prod --tag v1.5.0 --out p.plan.json").has("1 to update");
    bench.expect(0, "apply p.plan.json").has("verified");
    // An older tag is a way back.
    bench.expect(0, "promote staging prod --tag v1.4.0 --auto-approve").has("this is a way back").has("verified");
    assert_eq!(bench.said("prod"), "hello shop/web:1.1.0 times 1");
}

#[test]
fn only_the_values_of_the_place_change_over_a_release() {
    let (bench, id) = released(STAGING);
    bench.expect(0, "promote dev staging --auto-approve");
    // A change of the module does not get in by the checkout, one of the place's own values does.
    bench.write("modules/web/main.hcl", &MODULE.replace("hello", "howdy"));
    bench.expect(0, "plan staging --detailed-exitcode").has("nothing to do");
    bench.write("environments/staging.hcl", &spec("staging", STAGING).replace("default = 1", "default = 3"));
    let said = bench.expect(0, "apply staging --auto-approve");
    said.has(&format!("over release {}", &id[..12])).has("verified");
    assert_eq!(bench.said("staging"), "hello shop/web:1.0.0 times 3");
    bench.expect(0, "history staging").has("which ran already");
    // It is still the same release that goes on.
    bench.expect(0, "promote staging prod --out p.plan.json").has(&id[..12]).has("except").has("times 1 instead of");
    bench.expect(4, "promote dev staging --var image=other --auto-approve").has("comes with the release");
}

#[test]
fn a_file_that_is_ahead_of_its_release_is_told_by_name_and_drift_looks_all_the_same() {
    let (bench, id) = released(STAGING);
    bench.expect(0, "promote dev staging --auto-approve");
    let ahead = spec("staging", STAGING).replace("size   = var.size", "size   = var.size\n  colour = \"red\"");
    bench.write("environments/staging.hcl", &ahead);
    let promote = "switchback promote dev staging";
    for verb in ["plan staging", "permissions staging", "apply staging --auto-approve"] {
        bench.expect(4, verb).has("colour").has(&format!("release {}", &id[..12])).has(promote);
    }
    let said = bench.expect(1, "drift staging");
    said.has("not everything could be looked at")
        .has("what is declared and not applied yet")
        .has(&id[..12])
        .has(promote);
    let said = bench.json(1, "drift staging");
    assert_eq!((&said["out_of_band"], &said["unseen"][0]["address"]), (&0.into(), &"spec".into()));
    // Where nothing was applied, there is nothing to look at instead.
    bench.write("environments/fresh.hcl", &ahead.replace("\"staging\"", "\"fresh\"").replace(STAGING, ""));
    bench.expect(4, "drift fresh").has("colour");
}

#[test]
fn an_older_release_is_a_way_back() {
    let (bench, first) = released(STAGING);
    bench.expect(0, "promote dev staging --auto-approve");
    bench.write("modules/web/main.hcl", &MODULE.replace("hello", "howdy"));
    bench.commit("friendlier");
    bench.expect(0, "apply dev --auto-approve");
    let second = bench.release("");
    assert_ne!(first, second);
    bench.expect(0, "promote dev staging --auto-approve");
    assert_eq!(bench.said("staging"), "howdy shop/web:1.0.0 times 1");
    let said = bench.expect(0, &format!("promote dev staging --release {} --auto-approve", &first[..10]));
    said.has("ran release").has("this is a way back").has("verified");
    assert_eq!(bench.said("staging"), "hello shop/web:1.0.0 times 1");
    let now = bench.json(0, "history staging");
    assert_eq!(now["runs"][1]["result"], "taken back", "{now}");
    bench.expect(3, "rollback staging --to nothing").has("neither the number of a run nor a release");
    bench.expect(1, &format!("rollback staging --to {}", &second[..10])).has("was taken back");
    // By name, too.
    bench.expect(0, "hold staging lift --reason again");
    bench.expect(0, "promote dev staging --auto-approve");
    bench.expect(0, &format!("rollback staging --to {} --auto-approve", &first[..10])).has("verified");
    assert_eq!(bench.said("staging"), "hello shop/web:1.0.0 times 1");
    let list = bench.expect(0, "release list staging");
    list.has("in force in staging").has("is held in staging");
}
