//! Modules, repetition, references, needs.

use std::collections::BTreeMap;

use super::stage::{Stage, needs, rendered, text};
use crate::spec::Door;

const MODULE: &str = r#"
variable "name" {}
variable "upstream" {
  default = null
}
resource "terraform_data" "inner" {
  input = "${var.name}-${path.module}"
}
resource "terraform_data" "last" {
  input      = var.upstream
  depends_on = [terraform_data.inner]
}
output "id" {
  value = terraform_data.inner.id
}
output "name" {
  value = var.name
}
"#;

fn with_module(spec: &str) -> Stage {
    Stage::new(spec).file("modules/m/main.hcl", MODULE)
}

#[test]
fn references_wait_and_are_needed() {
    let stage = Stage::new(
        r#"
locals {
  first = terraform_data.a["x"].id
}
resource "terraform_data" "a" {
  for_each = toset(["x", "y"])
  input    = each.key
}
resource "terraform_data" "b" {
  input = [local.first, terraform_data.a["y"].input]
}
resource "terraform_data" "c" {
  count = 2
  input = count.index == 0 ? "none" : terraform_data.b.id
}
resource "terraform_data" "d" {
  input = values(terraform_data.a)[*].id
}
"#,
    );
    let b = stage.resource("terraform_data.b");
    assert_eq!(text(&b, "input"), r#"[(known after apply), "y"]"#);
    assert_eq!(needs(&b), [r#"terraform_data.a["x"]"#, r#"terraform_data.a["y"]"#]);
    assert_eq!(b.object["input"].waits_for(), [r#"terraform_data.a["x"]"#.parse().unwrap()]);
    assert!(needs(&stage.resource("terraform_data.c[1]")) == ["terraform_data.b"]);
    assert_eq!(text(&stage.resource("terraform_data.c[0]"), "input"), r#""none""#);
    assert_eq!(needs(&stage.resource("terraform_data.d")).len(), 2);
    assert_eq!(needs(&stage.resource(r#"terraform_data.a["x"]"#)), [""; 0]);
}

#[test]
fn one_instance_needs_one_instance() {
    let stage = Stage::new(
        r#"
resource "terraform_data" "a" {
  for_each = { x = 1, y = 2 }
  input    = each.value
}
resource "terraform_data" "b" {
  for_each = terraform_data.a
  input    = each.value.id
}
resource "terraform_data" "c" {
  for_each = { for key, a in terraform_data.a : key => a.id }
  input    = each.value
}
resource "terraform_data" "d" {
  for_each = terraform_data.a
  input    = terraform_data.b[each.key].id
}
"#,
    );
    assert_eq!(needs(&stage.resource(r#"terraform_data.b["x"]"#)), [r#"terraform_data.a["x"]"#]);
    assert_eq!(needs(&stage.resource(r#"terraform_data.c["y"]"#)), [r#"terraform_data.a["y"]"#]);
    assert_eq!(needs(&stage.resource(r#"terraform_data.d["y"]"#)), [r#"terraform_data.b["y"]"#]);
    let b = stage.resource(r#"terraform_data.b["x"]"#);
    let stored = serde_json::to_string(&b.deferred["input"]).unwrap();
    assert_eq!(stored, r#"{"format":1,"n":[{"r":{"at":"terraform_data.a[\"x\"]"}},{"a":[0,"id"]}]}"#);
}

#[test]
fn modules_take_and_give() {
    let stage = with_module(
        r#"
module "one" {
  source = "../modules/m"
  name   = "first"
}
module "many" {
  source   = "../modules/m"
  for_each = { a = "x", b = "y" }
  name     = "${each.key}${each.value}"
  upstream = module.one.id
}
module "counted" {
  source     = "../modules/m"
  count      = 1
  name       = count.index
  depends_on = [module.many]
}
output "names" {
  value = { for key, m in module.many : key => m.name }
}
output "ids" {
  value = [module.one.id, module.many["b"].id, module.counted[0].id]
}
"#,
    );
    let desired = stage.desired();
    assert_eq!(desired.resources.len(), 8);
    assert_eq!(desired.outputs["names"].value.to_string(), r#"{ "a" = "ax", "b" = "by" }"#);
    let ids = serde_json::to_string(&desired.outputs["ids"].deferred).unwrap();
    assert!(ids.contains(r#"module.many[\"b\"].terraform_data.inner"#), "{ids}");
    let inner = stage.resource(r#"module.many["a"].terraform_data.inner"#);
    assert_eq!(text(&inner, "input"), r#""ax-modules/m""#);
    let last = stage.resource(r#"module.many["a"].terraform_data.last"#);
    assert_eq!(needs(&last), [r#"module.many["a"].terraform_data.inner"#, "module.one.terraform_data.inner"]);
    let counted = stage.resource("module.counted[0].terraform_data.inner");
    assert_eq!(counted.needs.len(), 4, "{:?}", needs(&counted));
}

#[test]
fn a_module_within_a_module_is_found_from_its_own_file() {
    let stage = Stage::new("module \"a\" {\n  source = \"../modules/a\"\n}\n")
        .file("modules/a/main.hcl", "module \"b\" {\n  source = \"../b\"\n}\n")
        .file("modules/b/main.hcl", "resource \"terraform_data\" \"x\" {}\n");
    assert!(stage.desired().resources.contains_key(&"module.a.module.b.terraform_data.x".parse().unwrap()));
    let around = stage.file("modules/b/main.hcl", "module \"a\" {\n  source = \"../a\"\n}\n");
    assert_eq!(around.mistakes(), ["1: a module calls itself"]);
}

#[test]
fn inputs_and_outputs_are_checked() {
    let stage = with_module(
        "module \"a\" {\n  source = \"../modules/m\"\n  nmae = 1\n}\noutput \"o\" {\n  value = module.a.idd\n}\n",
    );
    assert_eq!(
        stage.mistakes(),
        ["1: a module's input is missing", "3: a module has no such input", "6: a module has no such output"]
    );
    let said = rendered(&stage);
    assert!(said.contains("did you mean `name`?") && said.contains("did you mean `id`?"), "{said}");
}

#[test]
fn mistakes_in_a_module_count_once_for_all_its_instances() {
    let stage = Stage::new(
        "module \"a\" {\n  source = \"../modules/a\"\n  count = 3\n}\nmodule \"b\" {\n  source = \"../modules/a\"\n}\n",
    )
    .file("modules/a/main.hcl", "resource \"terraform_data\" \"x\" {\n  input = 1 + \"x\"\n  other = var.no\n}\n");
    assert_eq!(stage.mistakes().len(), 2, "{:?}", stage.mistakes());
}

#[test]
fn blocks_become_lists_dynamic_ones_too() {
    let stage = Stage::new(
        r#"
resource "aws_ecs_service" "a" {
  name = "a"
  load_balancer {
    port = "80"
  }
  dynamic "load_balancer" {
    for_each = { x = 1, y = 2 }
    iterator = it
    content {
      port = it.value
      name = "${it.key}-${load_balancer_name}"
    }
  }
}
"#
        .replace("${load_balancer_name}", "n")
        .as_str(),
    );
    let service = stage.resource("aws_ecs_service.a");
    assert_eq!(
        text(&service, "load_balancer"),
        r#"[{ "name" = "web", "port" = 80 }, { "name" = "x-n", "port" = 1 }, { "name" = "y-n", "port" = 2 }]"#
    );
    assert_eq!(text(&service, "desired_count"), "1");
    assert_eq!(text(&service, "launch_type"), "absent");
    let many = "resource \"aws_ecs_service\" \"a\" {\n  name = \"a\"\n  dynamic \"load_balancer\" {\n    for_each = [1, 2, 3, 4]\n    content {\n      port = load_balancer.value\n    }\n  }\n}\n";
    assert_eq!(Stage::new(many).mistakes(), ["3: an attribute's value has the wrong type"]);
}

#[test]
fn an_environment_is_what_its_block_says() {
    let plain = Stage::new("").desired().environment;
    assert!(plain.allow_up && !plain.protected && plain.after.is_none());
    let of = |body: &str| Stage::new(&format!("environment \"dev\" {{\n{body}\n}}\n")).desired().environment;
    assert!(of("").allow_up && !of("after = \"test\"").allow_up && !of("protected = true").allow_up);
    assert!(of("after = \"test\"\nallow_up = true").allow_up);
    assert!(of("protected = true").doors.contains(&Door::Release));
    assert_eq!(of("source = [\"checkout\", \"release\"]\napprovals = 0").doors.len(), 2);
    let stage = Stage::new("output \"o\" {\n  value = \"${environment.name} ${path.root}\"\n}\n");
    assert_eq!(stage.desired().outputs["o"].value.to_string(), r#""dev environments""#);
}

#[test]
fn lifecycle_and_providers_reach_the_resource() {
    let stage = Stage::new(
        r#"
provider "aws" {
  region = "eu-central-1"
}
provider "aws" {
  alias      = "west"
  region     = "us-west-${1 + 1}"
  secret_key = "hunter2"
}
resource "aws_ecs_service" "a" {
  name = "a"
  lifecycle {
    create_before_destroy = true
    prevent_destroy       = true
    ignore_changes        = [desired_count, "tags"]
  }
}
resource "aws_ecs_service" "b" {
  name     = "b"
  provider = aws.west
}
"#,
    );
    let a = stage.resource("aws_ecs_service.a");
    assert!(a.lifecycle.create_before_destroy && a.lifecycle.prevent_destroy);
    assert_eq!(a.lifecycle.ignore_changes, ["desired_count", "tags"]);
    assert_eq!(a.binding.settings["region"].as_str(), Some("eu-central-1"));
    let b = stage.resource("aws_ecs_service.b");
    assert_eq!((b.binding.alias.as_deref(), b.binding.settings["region"].as_str()), (Some("west"), Some("us-west-2")));
    assert!(b.binding.deferred.contains_key("secret_key") && !b.binding.settings.contains_key("secret_key"));
    assert!(!serde_json::to_string(&b.binding).unwrap().contains("hunter2"));
}

#[test]
fn the_digest_is_that_of_what_was_read_and_given() {
    let spec = "variable \"a\" {\n  default = \"x\"\n}\nvariable \"s\" {\n  sensitive = true\n  default = \"x\"\n}\nresource \"terraform_data\" \"a\" {\n  input = file(\"${path.module}/note.txt\")\n}\n";
    let stage = Stage::new(spec).file("environments/note.txt", "one");
    let digest = |stage: &Stage| stage.desired().spec_digest;
    let first = digest(&stage);
    let mut elsewhere = stage.clone();
    elsewhere.folder = "/elsewhere".into();
    elsewhere.files.0 = BTreeMap::new();
    for (path, bytes) in &stage.files.0 {
        let path = elsewhere.folder.join(path.strip_prefix(&stage.folder).unwrap());
        elsewhere.files.0.insert(path, bytes.clone());
    }
    assert_eq!(digest(&elsewhere), first);
    assert_eq!(digest(&stage.clone().var("s", "other")), first);
    assert_ne!(digest(&stage.clone().var("a", "other")), first);
    let secret = |text: &str| digest(&Stage::new(&format!("locals {{\n  a = sensitive(\"{text}\")\n}}\n")));
    assert_eq!(secret("hunter2"), secret("hunter3"), "a secret is no part of it");
    assert_ne!(digest(&stage.clone().file("environments/note.txt", "two")), first);
}
