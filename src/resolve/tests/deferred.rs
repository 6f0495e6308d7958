//! Closed forms: what is stored of a value that waits, and what it comes to at apply.

use std::collections::BTreeMap;

use super::stage::{Stage, text};
use crate::address::{Address, InstanceKey};
use crate::expression::Deferred;
use crate::resolve::evaluate::{Lookup, evaluate_deferred};
use crate::resolve::secrets::RevealedSecrets;
use crate::secret::{SecretError, SecretReference, Secrets as _};
use crate::value::Value;

/// The outcome of an apply: every resource has the id `ID-OF address`.
pub struct Applied {
    pub addresses: Vec<Address>,
    pub secrets: RevealedSecrets,
}

impl Applied {
    pub fn of(stage: &Stage) -> Self {
        let resolved = stage.play().resolved.expect("it has no mistakes");
        Self { addresses: resolved.desired.resources.keys().cloned().collect(), secrets: resolved.secrets }
    }

    fn object(address: &Address) -> Value {
        Value::object(["id", "arn", "url"].map(|name| (name, Value::from(format!("{name} of {address}")))))
    }

    pub fn value(&self, deferred: &Deferred) -> Value {
        let stored: Deferred = serde_json::from_str(&serde_json::to_string(deferred).unwrap()).unwrap();
        evaluate_deferred(&stored, self).unwrap()
    }
}

impl Lookup for Applied {
    fn instance(&self, address: &Address) -> Option<Value> {
        self.addresses.contains(address).then(|| Self::object(address))
    }

    fn all_instances(&self, block: &Address) -> Option<Value> {
        let all: BTreeMap<_, _> = self
            .addresses
            .iter()
            .filter(|address| address.block() == *block)
            .filter_map(|address| match &address.key {
                Some(InstanceKey::Key(key)) => Some((key.clone(), Self::object(address))),
                Some(InstanceKey::Index(_)) | None => None,
            })
            .collect();
        Some(Value::object(all))
    }

    fn secret(&self, secret: &SecretReference) -> Result<Value, SecretError> {
        self.secrets.reveal(secret)
    }
}

const SPEC: &str = r#"
variable "prefix" {
  default = "p"
}
locals {
  one    = "${var.prefix}-${terraform_data.a["x"].id}"
  both   = "${local.one} ${local.one}"
  all    = { for key, a in terraform_data.a : upper(key) => a.id }
  number = module.m.out
}
resource "terraform_data" "a" {
  for_each = toset(["x", "y"])
  input    = each.key
}
resource "terraform_data" "b" {
  for_each = { k = terraform_data.a["y"].id }
  input = {
    both   = local.both
    known  = upper(var.prefix)
    all    = local.all["Y"]
    each   = each.value
    module = local.number
    index  = length(local.all) > 1 ? module.m.out : "none"
  }
}
module "m" {
  source = "../modules/m"
  in     = local.one
}
"#;

const MODULE: &str = "variable \"in\" {\n  type = string\n}\noutput \"out\" {\n  value = \"<${var.in}>\"\n}\n";

#[test]
fn a_value_that_waits_comes_out_at_apply() {
    let stage = Stage::new(SPEC).file("modules/m/main.hcl", MODULE);
    let b = stage.resource(r#"terraform_data.b["k"]"#);
    assert!(text(&b, "input").contains(r#""known" = "P""#));
    let value = Applied::of(&stage).value(&b.deferred["input"]);
    let x = r#"p-id of terraform_data.a["x"]"#;
    assert_eq!(value.get("both").and_then(Value::as_str), Some(format!("{x} {x}").as_str()));
    assert_eq!(value.get("all").and_then(Value::as_str), Some(r#"id of terraform_data.a["y"]"#));
    assert_eq!(value.get("each").and_then(Value::as_str), Some(r#"id of terraform_data.a["y"]"#));
    assert_eq!(value.get("module").and_then(Value::as_str), Some(format!("<{x}>").as_str()));
    assert_eq!(value.get("index"), value.get("module"));
}

#[test]
fn what_many_names_share_is_stored_once() {
    let mut spec = String::from("resource \"terraform_data\" \"a\" {}\nlocals {\n  l0 = \"${terraform_data.a.id}\"\n");
    for number in 1..30 {
        spec += &format!("  l{number} = \"${{local.l{0}}}${{local.l{0}}}\"\n", number - 1);
    }
    spec += "}\nresource \"terraform_data\" \"b\" {\n  input = length(local.l29)\n}\n";
    let stage = Stage::new(&spec);
    let deferred = &stage.resource("terraform_data.b").deferred["input"];
    assert_eq!(deferred.cells.len(), 30);
    assert!(serde_json::to_string(deferred).unwrap().len() < 3_000);
}

#[test]
fn only_what_waits_is_deferred() {
    let stage = Stage::new(
        "resource \"terraform_data\" \"a\" {}\nresource \"terraform_data\" \"b\" {\n  input = terraform_data.a.id\n  triggers_replace = terraform_data.a.input\n}\noutput \"o\" {\n  value = 1\n}\noutput \"p\" {\n  value = terraform_data.b.output\n}\n",
    );
    let b = stage.resource("terraform_data.b");
    assert_eq!(b.deferred.keys().collect::<Vec<_>>(), ["input"]);
    assert_eq!(b.deferred["input"], Deferred::attribute(Address::root("terraform_data", "a"), "id"));
    let outputs = stage.desired().outputs;
    assert!(outputs["o"].deferred.is_none() && outputs["p"].deferred.is_some());
}

#[test]
fn a_block_that_waits_has_the_type_of_its_attribute_by_itself() {
    let stage = Stage::new(
        "resource \"terraform_data\" \"a\" {}\nresource \"aws_ecs_service\" \"s\" {\n  name = \"s\"\n  load_balancer {\n    port = 1\n    name = terraform_data.a.id\n  }\n  dynamic \"load_balancer\" {\n    for_each = [terraform_data.a.id]\n    content {\n      port = length(load_balancer.value)\n    }\n  }\n}\n",
    );
    let service = stage.resource("aws_ecs_service.s");
    let value = Applied::of(&stage).value(&service.deferred["load_balancer"]);
    let kinds = super::stage::kinds();
    let attribute = kinds.get("aws_ecs_service").and_then(|kind| kind.attribute("load_balancer")).unwrap();
    let converted = value.convert(&attribute.shape.ty()).expect("it has the type of the attribute");
    let expected = r#"[{ "name" = "id of terraform_data.a", "port" = 1 }, { "name" = "web", "port" = 22 }]"#;
    assert_eq!(converted.to_string(), expected);
}
