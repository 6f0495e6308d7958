//! Moving, letting go and importing as a user types it, against the local stack.

use serde_json::json;

use super::Bench;
use crate::stack::{shared, unique};

fn provider() -> String {
    let (endpoint, region) = (shared().aws_endpoint(), &shared().facts().region);
    format!(
        "environment \"dev\" {{}}\nprovider \"aws\" {{\n  region   = \"{region}\"\n  endpoint = \"{endpoint}\"\n}}\n"
    )
}

/// A bench whose spec is this with a name of its own for `NAME`.
fn aws(spec: &str) -> (Bench, String) {
    let name = unique("state");
    (Bench::with_spec(&format!("{}{}", provider(), spec.replace("NAME", &name))), name)
}

fn respec(bench: &Bench, name: &str, spec: &str) {
    bench.write("environments/dev.hcl", &format!("{}{}", provider(), spec.replace("NAME", name)));
}

/// The value of a parameter as the endpoint has it.
fn parameter(name: &str) -> Option<String> {
    let (status, answer) = shared().call("ssm", "GetParameter", &json!({ "Name": name, "WithDecryption": true }));
    (status == 200).then(|| answer["Parameter"]["Value"].as_str().unwrap().to_owned())
}

fn retention(name: &str) -> Option<i64> {
    let (_, answer) = shared().call("logs", "DescribeLogGroups", &json!({ "logGroupNamePrefix": name }));
    let group = answer["logGroups"].as_array().unwrap().iter().find(|group| group["logGroupName"] == name)?;
    Some(group["retentionInDays"].as_i64().unwrap_or(0))
}

fn make_parameter(name: &str, value: &str, ty: &str) {
    let body = json!({ "Name": name, "Value": value, "Type": ty });
    let (status, answer) = shared().call("ssm", "PutParameter", &body);
    assert_eq!(status, 200, "{answer}");
}

const TWO: &str = r#"
resource "aws_ssm_parameter" "level" {
  name  = "/NAME/level"
  type  = "String"
  value = "debug"
}

resource "aws_cloudwatch_log_group" "web" {
  name              = "/NAME/web"
  retention_in_days = 14
}
"#;

#[test]
fn what_others_made_is_imported_and_left_to_them_again() {
    let (bench, name) = aws(&format!(
        "{TWO}\nimport {{\n  to = aws_ssm_parameter.level\n  id = \"/NAME/level\"\n}}\n\
         import {{\n  to = aws_cloudwatch_log_group.web\n  id = \"/NAME/${{join(\"\", [\"w\", \"eb\"])}}\"\n}}\n"
    ));
    make_parameter(&format!("/{name}/level"), "debug", "String");
    let (group, level) = (format!("/{name}/web"), format!("/{name}/level"));
    shared().call("logs", "CreateLogGroup", &json!({ "logGroupName": group }));
    let said = bench.expect(0, "plan dev");
    said.has("2 to import")
        .has("import       aws_ssm_parameter.level")
        .has("update       aws_cloudwatch_log_group.web");
    said.has("retention_in_days: 0 -> 14").has("way back: exact, forget it, and leave it where it is");
    let facts = bench.json(0, "plan dev");
    assert_eq!(facts["summary"]["import"], 2, "{facts}");
    assert!(facts["steps"].as_array().unwrap().iter().any(|step| step["import_id"] == level.as_str()));
    bench.expect(0, "apply dev --auto-approve").has("verified");
    assert_eq!(retention(&group), Some(14));
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");
    bench.expect(0, "state dev show aws_ssm_parameter.level").has(&format!("imported in run 1 as {level}"));
    // It is changed, and all of that is taken back: the things stay, as they were.
    respec(&bench, &name, &TWO.replace("debug", "warn"));
    bench.expect(0, "apply dev --auto-approve").has("verified");
    assert_eq!(parameter(&level).as_deref(), Some("warn"));
    let said = bench.expect(0, "rollback dev --to 0 --accept-loss all --auto-approve");
    said.has("forget aws_ssm_parameter.level").has("verified");
    assert_eq!((parameter(&level).as_deref(), retention(&group)), (Some("debug"), Some(0)));
    bench.expect(0, "rollback dev --to 0 --auto-approve").has("nothing to do");
    bench.expect(0, "history dev").has("2 to import");
}

#[test]
fn the_verb_imports_only_and_says_what_the_next_plan_would_do() {
    let (bench, name) = aws(TWO);
    let level = format!("/{name}/level");
    bench
        .expect(3, &format!("import dev aws_ssm_parameter.levle {level}"))
        .has("did you mean `aws_ssm_parameter.level`?");
    bench.expect(3, "import dev aws_ssm_parameter.level not/a/name").has("the id is its name");
    bench
        .expect(4, &format!("import dev aws_ssm_parameter.level {level} --auto-approve"))
        .has("there is nothing to import");
    make_parameter(&level, "info", "String");
    bench.expect(9, &format!("import dev aws_ssm_parameter.level {level}")).has("1 to import");
    let said = bench.expect(0, &format!("import dev aws_ssm_parameter.level {level} --auto-approve"));
    said.has("the next plan will change `value`").has("run 1, import of dev: complete").has("verified");
    assert_eq!(parameter(&level).as_deref(), Some("info"), "nothing was changed");
    bench.expect(1, &format!("import dev aws_ssm_parameter.level {level} --auto-approve")).has("recorded already");
    bench.expect(0, "plan dev").has("update       aws_ssm_parameter.level").has("1 to create");
    bench.expect(0, "history dev").has("import").has("1 to import");
    let said = bench.expect(0, "rollback dev --last --auto-approve");
    said.has("it was there before it was imported, and stays");
    assert_eq!(parameter(&level).as_deref(), Some("info"));
    assert_eq!(bench.expect(0, "state dev list").out, "");
    bench.expect(4, "plan dev").has("exists already and is not in the ledger").has("switchback import ENV");
}

#[test]
fn a_secret_that_is_imported_is_nowhere_to_be_read() {
    let (bench, name) = aws(r#"
variable "key" {
  type      = string
  sensitive = true
}

resource "aws_ssm_parameter" "key" {
  name  = "/NAME/key"
  type  = "SecureString"
  value = var.key
}

import {
  to = aws_ssm_parameter.key
  id = "/NAME/key"
}
"#);
    let key = format!("/{name}/key");
    make_parameter(&key, "hunter2-hunter2", "SecureString");
    let said = bench.expect(0, "apply dev --auto-approve --var key=hunter3-hunter3");
    said.has("import aws_ssm_parameter.key").has("update aws_ssm_parameter.key").has_not("hunter");
    assert_eq!(parameter(&key).as_deref(), Some("hunter3-hunter3"));
    for path in bench.files() {
        assert!(!String::from_utf8_lossy(&std::fs::read(&path).unwrap()).contains("hunter"), "{}", path.display());
    }
    bench.expect(0, "state dev show aws_ssm_parameter.key").has("value = \"(sensitive value)\"").has_not("hunter");
    bench.expect(0, "rollback dev --last --auto-approve").has("forget aws_ssm_parameter.key").has_not("hunter");
    assert_eq!(parameter(&key).as_deref(), Some("hunter2-hunter2"));
}

const CLUSTERS: &str = r#"
resource "aws_ecs_cluster" "main" {
  for_each = toset(["eu", "us"])
  name     = "NAME-${each.key}"
}

resource "aws_ssm_parameter" "name" {
  for_each = aws_ecs_cluster.main
  name     = "/NAME/${each.key}"
  type     = "String"
  value    = each.value.arn
}
"#;

#[test]
fn blocks_instances_and_modules_are_moved_and_come_back() {
    let (bench, name) = aws(CLUSTERS);
    bench.expect(0, "apply dev --auto-approve").has("verified");
    let calls = || shared().calls(&name)["operations"].clone();
    let changing = |calls: &serde_json::Value| {
        let operations = calls.as_object().unwrap().iter();
        let changing = operations.filter(|(operation, _)| {
            ["Create", "Delete", "Put", "Update", "TagResource"].iter().any(|verb| operation.contains(verb))
        });
        changing.map(|(operation, count)| format!("{operation}{count}")).collect::<Vec<_>>()
    };
    let before = changing(&calls());
    assert!(!before.is_empty(), "{:?}", calls());
    let moved = format!(
        "{}\nmoved {{\n  from = aws_ecs_cluster.main\n  to   = aws_ecs_cluster.all\n}}\n",
        CLUSTERS
            .replace("aws_ecs_cluster\" \"main", "aws_ecs_cluster\" \"all")
            .replace("aws_ecs_cluster.main", "aws_ecs_cluster.all")
    );
    respec(&bench, &name, &moved);
    let said = bench.expect(0, "plan dev");
    said.has("2 to move")
        .has("= move         aws_ecs_cluster.all[\"eu\"]")
        .has("it was `aws_ecs_cluster.main[\"eu\"]` until now");
    said.has("everything can be taken back exactly").has_not("to update").has_not("record anew");
    bench.expect(0, "plan dev --as md").has("| 1 | move |");
    bench.expect(0, "apply dev --auto-approve").has("verified");
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");
    // Into a module, by hand; the module itself by a block.
    bench.write("modules/place/main.hcl", "variable \"name\" { type = string }\nresource \"aws_ecs_cluster\" \"all\" {\n  for_each = toset([\"eu\", \"us\"])\n  name     = \"${var.name}-${each.key}\"\n}\noutput \"all\" { value = aws_ecs_cluster.all }\n");
    bench.expect(0, "state dev mv aws_ecs_cluster.all module.old.aws_ecs_cluster.all --auto-approve").has("2 done");
    let module = r#"
module "place" {
  source = "../modules/place"
  name   = "NAME"
}

moved {
  from = module.old
  to   = module.place
}

resource "aws_ssm_parameter" "name" {
  for_each = module.place.all
  name     = "/NAME/${each.key}"
  type     = "String"
  value    = each.value.arn
}
"#;
    respec(&bench, &name, module);
    bench.expect(0, "apply dev --auto-approve").has("move module.place.aws_ecs_cluster.all[\"us\"]").has("verified");
    let said = bench.expect(0, "state dev list module.place");
    assert_eq!(said.out.lines().count(), 2, "{}", said.out);
    bench.expect(0, "rollback dev --to 1 --auto-approve").has("move aws_ecs_cluster.main[\"eu\"]").has("verified");
    assert_eq!(changing(&calls()), before, "the world was not touched");
    respec(&bench, &name, CLUSTERS);
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");
    bench.expect(0, "rollback dev --to 0 --accept-loss all --auto-approve");
}

#[test]
fn what_is_removed_without_destroying_stays_and_can_be_had_back() {
    let (bench, name) = aws(TWO);
    bench.expect(0, "apply dev --auto-approve").has("verified");
    let level = format!("/{name}/level");
    let (_, rest) = TWO.split_once("resource \"aws_cloudwatch").unwrap();
    let rest = format!("resource \"aws_cloudwatch{rest}");
    let removed = "removed {\n  from = aws_ssm_parameter.level\n  lifecycle {\n    destroy = false\n  }\n}\n";
    respec(&bench, &name, &format!("{rest}{removed}"));
    bench.expect(0, "plan dev").has("it stays where it is, and is left to others").has("1 to forget");
    bench.expect(0, "apply dev --auto-approve").has("verified");
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");
    assert_eq!(parameter(&level).as_deref(), Some("debug"));
    bench.expect(0, "rollback dev --last --auto-approve").has("take up aws_ssm_parameter.level").has("verified");
    // The same by hand.
    bench.expect(1, "state dev rm aws_ssm_parameter.nothing").has("the ledger has no");
    bench.expect(9, "state dev rm aws_ssm_parameter.level").has("1 to forget");
    let said = bench.expect(0, "state dev rm aws_ssm_parameter.level --auto-approve");
    said.has("run 4, state rm of dev: complete");
    bench.expect(0, "history dev").has("state rm").has("tester");
    assert_eq!(bench.expect(0, "state dev list").out, "aws_cloudwatch_log_group.web\n");
    bench.expect(0, "rollback dev --last --auto-approve").has("take up aws_ssm_parameter.level");
    assert_eq!(bench.json(0, "state dev list").as_array().unwrap().len(), 2);
    // Where `destroy` is not false, it goes.
    respec(&bench, &name, &format!("{rest}{}", removed.replace("false", "true")));
    bench.expect(0, "apply dev --auto-approve").has("delete aws_ssm_parameter.level");
    assert_eq!(parameter(&level), None);
    bench.expect(0, "rollback dev --to 0 --accept-loss all --auto-approve");
    assert_eq!(retention(&format!("/{name}/web")), None);
}

#[test]
fn what_was_imported_is_destroyed_only_with_these_words() {
    let (bench, name) = aws(TWO);
    let level = format!("/{name}/level");
    make_parameter(&level, "debug", "String");
    bench.expect(0, &format!("import dev aws_ssm_parameter.level {level} --auto-approve")).has("will not change it");
    let said = bench.expect(9, "destroy dev");
    said.has(&format!("it was there before Switchback, and imported in run 1 as `{level}`"));
    bench.expect(0, "destroy dev --auto-approve").has("1 done");
    assert_eq!(parameter(&level), None);
    bench.expect(0, "rollback dev --last --auto-approve").has("create aws_ssm_parameter.level");
    bench.expect(0, "rollback dev --last --auto-approve").has("forget aws_ssm_parameter.level");
    assert_eq!(parameter(&level).as_deref(), Some("debug"), "it was there before");
}

#[test]
fn all_mistakes_are_told_at_once_and_in_their_places() {
    let bench = Bench::with_spec(
        r#"
environment "dev" {}

resource "terraform_data" "a" {}

moved {
  from = terraform_data.a
  to   = terraform_data.b
}

moved {
  from = terraform_data.x
  to   = terraform_data.y
}

moved {
  from = terraform_data.y
  to   = terraform_data.x
}

moved {
  from = module.m
  to   = terraform_data.z
}

moved {
  from = terraform_data.q
  to   = "terraform_data.r"
}

removed {
  from = terraform_data.a
  lifecycle {
    destroy = false
  }
}

removed {
  form = terraform_data.c
}

import {
  to = terraform_data.a
  id = "x"
}

import {
  to = terraform_data.aa
  id = "x"
}
"#,
    );
    let said = bench.expect(4, "validate dev");
    said.has("what was moved is still declared").has("`moved` blocks lead in a circle").has("leads nowhere");
    said.has("an address is wanted here").has("what was removed is still declared").has("did you mean `from`?");
    said.has("lies in the ledger only, so there is nothing to import").has("did you mean `terraform_data.a`?");
    said.has("environments/dev.hcl:6");
}

#[test]
fn what_the_ledger_records_can_be_looked_at_renamed_and_had_back() {
    let bench = Bench::with_spec("environment \"dev\" {}\nresource \"terraform_data\" \"one\" { input = \"x\" }\n");
    bench.expect(0, "up dev");
    bench.expect(0, "state dev show terraform_data.one").has("input = \"x\"").has("last changed by run 1");
    bench.expect(1, "state dev show terraform_data.on").has("did you mean `terraform_data.one`?");
    bench.expect(1, "state dev mv terraform_data.oen terraform_data.two --auto-approve").has("did you mean");
    bench.expect(3, "state dev mv terraform_data.one module.x --auto-approve").has("one is a module");
    bench.expect(9, "state dev mv terraform_data.one terraform_data.two").has("1 to move");
    bench
        .expect(0, "state dev mv terraform_data.one terraform_data.two --auto-approve")
        .has("state mv of dev: complete");
    assert_eq!(bench.json(0, "state dev list")[0]["address"], "terraform_data.two");
    bench.expect(0, "rollback dev --last --auto-approve").has("move terraform_data.one");
    bench.expect(0, "plan dev --detailed-exitcode").has("nothing to do");
    bench.expect(0, "history dev").has("state mv");
}
