//! Variables: where their values come from, their types, their conditions.

use super::stage::{Stage, rendered, text};
use crate::resolve::inputs::{Missing, VariableFile};

const SPEC: &str = r#"
variable "name" {
  type    = string
  default = "default"
}
variable "count_of" {
  type    = number
  default = 1
}
variable "list" {
  type    = list(string)
  default = []
}
variable "shape" {
  type = object({ a = string, b = optional(number, 7), c = optional(list(object({ d = optional(bool, true) }))) })
  default = { a = "x" }
}
resource "terraform_data" "a" {
  input = { name = var.name, count = var.count_of, list = var.list, shape = var.shape }
}
"#;

fn input(stage: &Stage) -> String {
    text(&stage.resource("terraform_data.a"), "input")
}

#[test]
fn a_later_source_wins() {
    let mut stage = Stage::new(SPEC);
    assert!(input(&stage).contains(r#""name" = "default""#));
    stage.inputs.environment.push(("name".into(), "environment".into()));
    stage.inputs.environment.push(("nobody_has_it".into(), "1".into()));
    assert!(input(&stage).contains(r#""name" = "environment""#));
    stage.inputs.files.push(VariableFile { path: "a.hcl".into(), text: "name = \"first\"\ncount_of = 2\n".into() });
    stage
        .inputs
        .files
        .push(VariableFile { path: "b.json".into(), text: r#"{ "name": "second", "list": ["x"] }"#.into() });
    assert!(input(&stage).contains(r#""count" = 2, "list" = ["x"], "name" = "second""#), "{}", input(&stage));
    let stage = stage.var("name", "a = [").var("list", "[\"a\", \"b\"]").var("count_of", "3");
    assert!(input(&stage).contains(r#""count" = 3, "list" = ["a", "b"], "name" = "a = [""#), "{}", input(&stage));
}

#[test]
fn optional_attributes_have_their_defaults() {
    assert!(input(&Stage::new(SPEC)).contains(r#""shape" = { "a" = "x", "b" = 7, "c" = null }"#));
    let stage = Stage::new(SPEC).var("shape", "{ a = 1, b = null, c = [{}] }");
    assert!(input(&stage).contains(r#""shape" = { "a" = "1", "b" = 7, "c" = [{ "d" = true }] }"#), "{}", input(&stage));
}

#[test]
fn what_does_not_fit_is_refused_without_showing_it() {
    for (name, value, summary) in [
        ("nmae", "hunter2", "there is no such variable"),
        ("count_of", "hunter2", "a variable's value has the wrong type"),
        ("list", "[hunter2", "the value of a variable is not understood"),
        ("list", "var.hunter2", "the value of a variable is not understood"),
        ("list", "{ hunter2 = 1 }", "a variable's value has the wrong type"),
    ] {
        let stage = Stage::new(SPEC).var(name, value);
        let play = stage.play();
        assert_eq!(play.diagnostics.0.len(), 1, "{}", play.rendered());
        assert_eq!(play.diagnostics.0[0].summary, summary);
        assert!(play.diagnostics.0[0].help.is_some());
        assert!(!play.rendered().contains("hunter2"), "{}", play.rendered());
    }
    assert!(rendered(&Stage::new(SPEC).var("nmae", "x")).contains("did you mean `name`?"));
}

#[test]
fn a_file_of_variables_that_does_not_parse_is_named_with_its_line() {
    let mut stage = Stage::new(SPEC);
    stage.inputs.files.push(VariableFile { path: "a.hcl".into(), text: "name = \"x\"\nlist = = hunter2\n".into() });
    let said = rendered(&stage);
    assert!(said.contains("`a.hcl` does not parse at line 2") && !said.contains("hunter2"), "{said}");
}

#[test]
fn a_variable_without_a_value_is_a_mistake_unless_nothing_is_planned() {
    let mut stage = Stage::new(
        "variable \"a\" {}\nvariable \"b\" {\n  type = map(string)\n}\nresource \"terraform_data\" \"a\" {\n  for_each = var.b\n  input = var.a\n}\noutput \"o\" {\n  value = terraform_data.a[\"x\"].id\n}\n",
    );
    assert_eq!(stage.mistakes(), ["1: a variable has no value", "2: a variable has no value"]);
    stage.inputs.missing = Missing::Assume;
    assert!(stage.desired().resources.is_empty());
}

#[test]
fn null_takes_the_default_where_it_is_not_allowed() {
    let spec = "variable \"a\" {\n  type = string\n  default = \"d\"\n  nullable = false\n}\nvariable \"b\" {\n  type = list(string)\n  nullable = false\n  default = null\n}\nresource \"terraform_data\" \"a\" {\n  input = var.a\n}\n";
    assert_eq!(Stage::new(spec).mistakes(), ["9: a variable must not be null"]);
}

#[test]
fn validations_speak() {
    let spec = "variable \"a\" {\n  type = string\n  validation {\n    condition = length(var.a) > 2\n    error_message = \"too short: ${var.a}\"\n  }\n}\n";
    assert_eq!(Stage::new(spec).var("a", "abc").mistakes(), [""; 0]);
    let said = rendered(&Stage::new(spec).var("a", "ab"));
    assert!(said.contains("`a`: too short: ab"), "{said}");
    let secret = spec.replace("type = string\n", "type = string\n  sensitive = true\n");
    let said = rendered(&Stage::new(&secret).var("a", "h2"));
    assert!(!said.contains("h2") && said.contains("its message holds a secret"), "{said}");
}

#[test]
fn validations_may_name_anything_of_their_module() {
    let module = "variable \"low\" {\n  validation {\n    condition = var.low < local.limit && var.low < var.high\n    error_message = \"too high\"\n  }\n}\nvariable \"high\" {}\nlocals {\n  limit = 10\n}\n";
    let call = |low: i32| {
        let spec = format!("module \"m\" {{\n  source = \"../modules/m\"\n  low = {low}\n  high = 7\n}}\n");
        Stage::new(&spec).file("modules/m/main.hcl", module).mistakes()
    };
    assert_eq!(call(6), [""; 0]);
    assert_eq!(call(8), ["3: a variable's value is not allowed"]);
}
