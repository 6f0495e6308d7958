//! Secrets are in nothing that is stored or shown, and can be had again by reference.

use super::deferred::Applied;
use super::stage::{Stage, needs, rendered};
use crate::diagnostic::Diagnostics;
use crate::resolve::inputs::{Inputs, secrets_from_variables};
use crate::secret::{SecretReference, Secrets as _};
use crate::value::Value;
use crate::value::seal::seal_object;

const SPEC: &str = r#"
variable "password" {
  sensitive = true
}
variable "default_password" {
  sensitive = true
  default   = "hunter2-default"
}
locals {
  open   = "hunter2-local"
  hidden = sensitive(local.open)
  url    = "postgres://x:${var.password}@${terraform_data.a.id}/"
}
resource "terraform_data" "a" {
  input = { p = var.password, d = var.default_password }
}
resource "terraform_data" "b" {
  input = [local.hidden, local.url, sensitive("hunter2-literal")]
}
resource "terraform_data" "c" {
  input = sensitive("hunter2-part-${terraform_data.a.id}-${local.open}")
}
resource "terraform_data" "d" {
  for_each = { x = "1", y = "2" }
  input    = sensitive("hunter2-${each.value}")
}
resource "aws_ssm_parameter" "e" {
  name  = "/e"
  type  = "SecureString"
  value = "hunter2-kind"
}
resource "terraform_data" "f" {
  input = aws_ssm_parameter.e.value
}
config "web" {
  store  = "ssm"
  prefix = "/shop/web"
  values = {
    OPEN   = 7
    SECRET = var.password
    WAITS  = terraform_data.a.id
    WORD   = sensitive("hunter2-config")
  }
}
module "m" {
  source = "../modules/m"
  secret = "hunter2-input"
}
output "secret" {
  value     = [var.password, module.m.out, module.m.plain]
  sensitive = true
}
"#;

const MODULE: &str = r#"
variable "secret" {
  sensitive = true
}
variable "defaulted" {
  sensitive = true
  default   = "hunter2-module-default"
}
resource "terraform_data" "in" {
  input = "${var.secret}${var.defaulted}"
}
output "out" {
  value = var.secret
}
output "plain" {
  value     = "hunter2-output"
  sensitive = true
}
"#;

fn stage() -> Stage {
    Stage::new(SPEC).file("modules/m/main.hcl", MODULE).var("password", "hunter2-variable")
}

#[test]
fn no_secret_is_stored_or_shown() {
    let desired = stage().desired();
    let mut texts = vec![format!("{desired:?}")];
    for resource in desired.resources.values() {
        texts.push(serde_json::to_string(&resource.deferred).unwrap());
        texts.push(serde_json::to_string(&resource.binding).unwrap());
        texts.push(serde_json::to_string(&seal_object(&resource.object, None)).unwrap());
    }
    for output in desired.outputs.values() {
        texts.push(serde_json::to_string(&output.deferred).unwrap());
        texts.push(serde_json::to_string(&output.value.seal(None)).unwrap());
    }
    texts.push(format!("{:?}", stage().play().resolved.unwrap()));
    for text in texts {
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn every_secret_can_be_had_again_by_its_reference() {
    let stage = stage();
    let applied = Applied::of(&stage);
    let revealed = |address: &str, name: &str| {
        let resource = stage.resource(address);
        let deferred = resource.deferred.get(name).unwrap_or_else(|| panic!("{address}.{name} is deferred"));
        let value = applied.value(deferred);
        assert!(value.is_sensitive(), "{address} stays marked");
        value.reveal().to_string()
    };
    assert_eq!(revealed("terraform_data.a", "input"), r#"{ "d" = "hunter2-default", "p" = "hunter2-variable" }"#);
    let b = r#"["hunter2-local", "postgres://x:hunter2-variable@id of terraform_data.a/", "hunter2-literal"]"#;
    assert_eq!(revealed("terraform_data.b", "input"), b);
    assert_eq!(revealed("terraform_data.c", "input"), r#""hunter2-part-id of terraform_data.a-hunter2-local""#);
    assert_eq!(revealed(r#"terraform_data.d["x"]"#, "input"), r#""hunter2-1""#);
    assert_eq!(revealed(r#"terraform_data.d["y"]"#, "input"), r#""hunter2-2""#);
    assert_eq!(revealed("aws_ssm_parameter.e", "value"), r#""hunter2-kind""#);
    assert_eq!(revealed("module.m.terraform_data.in", "input"), r#""hunter2-inputhunter2-module-default""#);
    assert_eq!(revealed(r#"config.web["WORD"]"#, "value"), r#""hunter2-config""#);
    let output = &stage.desired().outputs["secret"];
    let value = applied.value(output.deferred.as_ref().unwrap()).reveal();
    assert_eq!(value.to_string(), r#"["hunter2-variable", "hunter2-input", "hunter2-output"]"#);
}

#[test]
fn configuration_becomes_parameters_of_the_right_type() {
    let stage = stage();
    let parameter = |key: &str| stage.resource(&format!("config.web[\"{key}\"]"));
    let open = parameter("OPEN");
    assert_eq!((open.kind.as_str(), open.binding.provider.as_str()), ("aws_ssm_parameter", "aws"));
    assert_eq!(open.object["name"].as_str(), Some("/shop/web/OPEN"));
    assert_eq!((open.object["type"].as_str(), open.object["value"].as_str()), (Some("String"), Some("7")));
    assert_eq!(parameter("SECRET").object["type"].as_str(), Some("SecureString"));
    assert!(parameter("SECRET").object["value"].is_sensitive());
    let waits = parameter("WAITS");
    assert_eq!(waits.object["type"].as_str(), Some("String"));
    assert_eq!(needs(&waits), ["terraform_data.a"]);
    assert!(waits.deferred.contains_key("value"));
}

#[test]
fn no_secret_is_in_a_diagnostic() {
    let spec = r#"
variable "s" {
  sensitive = true
  default   = "hunter2"
  type      = number
}
resource "terraform_data" "a" {
  input = [sensitive("hunter2"), var.no]
}
resource "aws_ssm_parameter" "b" {
  name = ["x"]
  type = "SecureString"
  value = ["hunter2"]
}
resource "terraform_data" "c" {
  count = sensitive("hunter2")
}
resource "terraform_data" "d" {
  input = 1 + sensitive("hunter2")
}
output "o" {
  value = sensitive("hunter2")
}
database "app" {
  url        = "postgres://me:hunter2@db/x"
  migrations = "../migrations/none"
}
"#;
    let play = Stage::new(spec).play();
    assert!(play.diagnostics.0.len() >= 8, "{}", play.rendered());
    assert!(!play.rendered().contains("hunter2"), "{}", play.rendered());
    assert!(!format!("{:?}", play.diagnostics).contains("hunter2"));
    let broken = "resource \"x\" \"y\" {\n  password = \"hunter2\" }\n";
    assert!(!rendered(&Stage::new(broken)).contains("hunter2"), "{}", rendered(&Stage::new(broken)));
    let said = rendered(&Stage::new("output \"o\" {\n  value = sensitive(\"hunter2\")\n}\n"));
    assert!(said.contains("an output would show a secret") && said.contains("*******"), "{said}");
}

#[test]
fn variables_alone_reveal_what_a_saved_plan_needs() {
    let mut inputs = Inputs::default();
    inputs.environment.push(("password".into(), "hunter2".into()));
    inputs.arguments.push(("other".into(), "x".into()));
    let mut diagnostics = Diagnostics::default();
    let secrets = secrets_from_variables(&inputs, ["password", "absent"], &mut diagnostics);
    assert!(diagnostics.is_empty(), "{diagnostics:?}");
    let variable = |name: &str| SecretReference::Variable { name: name.into() };
    assert_eq!(secrets.reveal(&variable("password")).unwrap(), Value::from("hunter2").sensitive());
    let absent = secrets.reveal(&variable("absent")).unwrap_err().to_string();
    assert!(absent.contains("SWITCHBACK_VAR_absent"), "{absent}");
    let literal = SecretReference::Literal { file: "a.hcl".into(), start: 7, instance: String::new() };
    let refused = secrets.reveal(&literal).unwrap_err().to_string();
    assert!(refused.contains("checkout"), "{refused}");
    assert!(!format!("{secrets:?}").contains("hunter2"));
}

#[test]
fn a_secret_of_another_run_of_the_same_spec_has_the_same_reference() {
    let references = |stage: &Stage| -> Vec<SecretReference> {
        let resolved = stage.play().resolved.expect("it has no mistakes");
        resolved.secrets.references().cloned().collect()
    };
    assert_eq!(references(&stage()), references(&stage().var("password", "another")));
    assert!(references(&stage()).len() >= 9);
}
