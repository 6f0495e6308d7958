//! Mistakes: all at once, each with place and mend, none that merely follows from another.

use super::stage::{Stage, rendered};

const SEVEN: &str = r#"
resource "terraform_data" "a" {
  input = var.regoin
}
resource "terrafrom_data" "b" {}
resource "aws_ecs_service" "c" {
  name   = "c"
  desird = 1
}
resource "aws_ecs_service" "d" {}
resource "aws_ecs_service" "e" {
  name          = "e"
  desired_count = "many"
}
resource "terraform_data" "a" {}
locals {
  x = uper("a")
}
"#;

fn three_files(third: &str) -> Stage {
    Stage::new("")
        .without("environments/dev.hcl")
        .file("environments/dev/one.hcl", "variable \"hidden\" {\n  default = \"x\"\n")
        .file("environments/dev/three.hcl", third)
        .file("environments/dev/two.hcl", "resource \"terraform_data\" \"lost\" {\n  input = = 1\n}\n")
}

#[test]
fn two_syntax_errors_and_seven_mistakes_are_nine_diagnostics() {
    let stage = three_files(SEVEN);
    let play = stage.play();
    assert_eq!(play.diagnostics.0.len(), 9, "{}", play.rendered());
    for diagnostic in &play.diagnostics.0 {
        assert!(diagnostic.span.is_some() && diagnostic.help.is_some(), "{diagnostic:?}");
    }
    let count = |summary: &str| play.diagnostics.0.iter().filter(|diagnostic| diagnostic.summary == summary).count();
    assert_eq!(count("the file does not parse"), 2);
    assert!(play.rendered().contains("kinds are") || play.rendered().contains("did you mean `terraform_data`?"));
}

#[test]
fn other_mistakes_are_counted_alike() {
    let third = r#"
resource "terraform_data" "a" {
  input = terraform_data.b.id
}
resource "terraform_data" "b" {
  input = local.c
}
locals {
  c = terraform_data.a.id
}
resouce "terraform_data" "d" {}
resource "terraform_data" "e" {
  for_each = ["a"]
}
resource "terraform_data" "f" {
  id = "x"
}
resource "terraform_data" "g" {
  count = -1
}
output "o" {
  value = 1 + "x"
}
variable "v" {
  type    = strin
  default = 1
}
"#;
    let play = three_files(third).play();
    assert_eq!(play.diagnostics.0.len(), 9, "{}", play.rendered());
    let said = play.rendered();
    assert!(said.contains("`local.c` → `terraform_data.a` → `terraform_data.b` → `local.c`"), "{said}");
    assert!(said.contains("toset("), "{said}");
    assert!(said.contains("did you mean `string`?"), "{said}");
}

#[test]
fn names_in_files_that_do_not_parse_have_no_follow_on_errors() {
    let third = r#"
resource "terraform_data" "a" {
  input = "${var.hidden}-${terraform_data.lost.id}"
}
resource "terraform_data" "b" {
  for_each = var.hidden
  input    = terraform_data.a.input
}
output "o" {
  value = terraform_data.b["x"].id
}
"#;
    let play = three_files(third).play();
    assert_eq!(play.diagnostics.0.len(), 2, "{}", play.rendered());
    assert!(play.resolved.is_none());
}

#[test]
fn a_project_file_that_does_not_parse_is_one_mistake() {
    let stage = Stage::new("resource \"terraform_data\" \"a\" {}\n").file("switchback.hcl", "project \"shop\" {");
    assert_eq!(stage.mistakes().len(), 1);
}

#[test]
fn a_mistake_of_many_instances_counts_once() {
    let stage = Stage::new(
        "resource \"aws_ecs_service\" \"a\" {\n  for_each = toset([\"a\", \"b\"])\n  name = [each.key]\n}\n",
    );
    assert_eq!(stage.mistakes(), ["3: an attribute's value has the wrong type"]);
    let stage = Stage::new(
        "resource \"terraform_data\" \"a\" {\n  for_each = toset([\"a\", \"b\"])\n  input = 1 + each.key\n}\n",
    );
    assert_eq!(stage.mistakes(), ["3: an expression has no value"], "although each says its own key");
}

#[test]
fn nothing_follows_from_a_resource_with_a_mistake() {
    let spec = "resource \"aws_ecs_service\" \"a\" {\n  name = \"a\"\n  tags = 1\n}\noutput \"o\" {\n  value = aws_ecs_service.a.tags.x\n}\n";
    assert_eq!(Stage::new(spec).mistakes(), ["3: an attribute's value has the wrong type"]);
}

#[test]
fn what_is_never_evaluated_is_checked_all_the_same() {
    let stage = Stage::new("resource \"terraform_data\" \"a\" {\n  count = 0\n  input = var.x\n  other = 1\n}\n");
    assert_eq!(stage.mistakes(), ["3: there is no such variable", "4: there is no such attribute"]);
}

#[test]
fn nothing_is_ignored_in_silence() {
    for (spec, summary) in [
        ("data \"a\" \"b\" {}", "1: this block is not built yet"),
        ("moved {}", "1: a required attribute is missing"),
        ("removed {}", "1: a required attribute is missing"),
        ("import {}", "1: a required attribute is missing"),
        ("check \"a\" {}", "1: this block is not built yet"),
        ("verify \"a\" {}", "1: a `verify` block asks nothing"),
        ("terraform {}", "1: there is no such block"),
        ("project \"a\" {}", "1: this block belongs into the project's file"),
        ("a = 1", "1: an attribute stands outside of every block"),
        ("locals \"a\" {}", "1: a block has the wrong number of labels"),
        ("resource \"terraform_data\" {}", "1: a block has the wrong number of labels"),
        ("resource \"terraform_data\" \"a b\" {}", "1: a label is no name"),
        ("variable \"count\" { default = 1 }", "1: a variable cannot have this name"),
        ("output \"a\" {}", "1: a required attribute is missing"),
        ("environment \"prod\" {}", "1: an environment is called like its file"),
        ("environment \"dev\" { after = \"dev\" }", "1: an environment comes after itself"),
        ("environment \"dev\" { protected = yes }", "1: a plain value is wanted here"),
        ("provider \"azure\" {}", "1: there is no such provider"),
        ("provider \"aws\" { regon = \"x\" }", "1: there is no such attribute"),
        ("module \"a\" {}", "1: a required attribute is missing"),
        ("module \"a\" { source = \"hashicorp/consul/aws\" }", "1: a module's source is not a local path"),
        ("module \"a\" { source = \"../../x\" }", "1: a module lies outside of the project"),
        ("module \"a\" { source = \"../modules/no\" }", "1: there is no such module"),
        ("output \"a\" { value = foo }", "1: a lone word is no value"),
        ("output \"a\" { value = terraform.workspace }", "1: there is no such name"),
        ("output \"a\" { value = local_stack.url }", "1: the local stack does not run"),
        ("output \"a\" { value = each.key }", "1: a name has no meaning here"),
        ("output \"a\" { value = path.cwd }", "1: there is no such name"),
        ("output \"a\" { value = data.x.y.z }", "1: data sources are not built yet"),
        ("resource \"terraform_data\" \"a\" {\n provisioner \"x\" {}\n}", "2: this block is not built yet"),
        ("resource \"terraform_data\" \"a\" { depends_on = [\"x\"] }", "1: `depends_on` takes a list of blocks"),
        ("resource \"terraform_data\" \"a\" { depends_on = [terraform_data.x] }", "1: there is no such resource"),
        ("resource \"terraform_data\" \"a\" { input = terraform_data.a.id }", "1: something refers to itself"),
        ("resource \"terraform_data\" \"a\" { provider = aws }", "1: there is no such provider"),
        ("resource \"terraform_data\" \"a\" { needs_schema = 12 }", "1: `needs_schema` names a database and a version"),
    ] {
        let mut mistakes = Stage::new(&format!("{spec}\n")).mistakes();
        mistakes.dedup();
        assert_eq!(mistakes, [summary], "{spec}");
    }
}

#[test]
fn instances_that_cannot_be_told_are_refused() {
    for (repeat, summary) in [
        ("for_each = { for k in [terraform_data.x.id] : k => 1 }", "the instances of a block are not known yet"),
        ("for_each = toset([terraform_data.x.id])", "the instances of a block are not known yet"),
        ("for_each = sensitive({ a = 1 })", "the instances of a block are a secret"),
        ("for_each = toset([sensitive(\"a\")])", "the instances of a block are a secret"),
        ("count = terraform_data.x.id", "the instances of a block are not known yet"),
        ("count = 1.5", "a `count` is not a number of instances"),
        ("for_each = toset([1, null])", "a `for_each` cannot give keys"),
        ("for_each = null", "a `for_each` cannot give keys"),
        ("for_each = \"a\"", "a `for_each` cannot give keys"),
    ] {
        let spec = format!(
            "resource \"terraform_data\" \"x\" {{}}\nresource \"terraform_data\" \"a\" {{\n  {repeat}\n}}\noutput \"o\" {{\n  value = terraform_data.a\n}}\n"
        );
        assert_eq!(Stage::new(&spec).mistakes(), [format!("3: {summary}")], "{}", rendered(&Stage::new(&spec)));
    }
    let said = rendered(&Stage::new(
        "resource \"terraform_data\" \"x\" {}\nresource \"terraform_data\" \"a\" {\n  count = terraform_data.x.id\n}\n",
    ));
    assert!(said.contains("`terraform_data.x`"), "{said}");
}

#[test]
fn instances_that_do_not_exist_are_named() {
    let said = rendered(&Stage::new(
        "resource \"terraform_data\" \"a\" {\n  for_each = { eu = 1 }\n}\noutput \"o\" {\n  value = terraform_data.a[\"eo\"].id\n}\n",
    ));
    assert!(said.contains("`terraform_data.a[\"eo\"]` does not exist"), "{said}");
    assert!(said.contains("did you mean `terraform_data.a[\"eu\"]`?"), "{said}");
}

#[test]
fn the_rules_of_a_kind_speak() {
    let stage = Stage::new("resource \"aws_ecs_service\" \"a\" {\n  name = \"bad name\"\n}\n");
    assert_eq!(stage.mistakes(), ["2: `aws_ecs_service` is not as it must be"]);
    let twice = "resource \"aws_ecs_service\" \"a\" {\n  name = \"x\"\n}\nresource \"aws_ecs_service\" \"b\" {\n  name = \"x\"\n}\n";
    assert_eq!(Stage::new(twice).mistakes(), ["4: two resources are the same thing"]);
}

#[test]
fn attributes_and_blocks_are_not_mixed_up() {
    let spec = "resource \"aws_ecs_service\" \"a\" {\n  name = \"x\"\n  tags {}\n  load_balancer = []\n}\n";
    assert_eq!(
        Stage::new(spec).mistakes(),
        ["3: an attribute is written as a block", "4: a block is written as an attribute"]
    );
    let spec = "resource \"aws_ecs_service\" \"a\" {\n  name = \"x\"\n  load_balancer {}\n  load_balancer {\n    prt = 1\n    port = 1\n  }\n}\n";
    assert_eq!(Stage::new(spec).mistakes(), ["3: a required attribute is missing", "5: there is no such attribute"]);
}

#[test]
fn a_missing_environment_is_said_with_those_there_are() {
    let stage = Stage::new("").without("environments/dev.hcl").file("environments/de.hcl", "");
    let said = rendered(&stage);
    assert!(said.contains("did you mean `de`?"), "{said}");
}

#[test]
fn a_file_that_is_no_text_hides_every_name() {
    let mut stage = Stage::new("output \"o\" {\n  value = var.hidden\n}\n")
        .without("environments/dev.hcl")
        .file("environments/dev/a.hcl", "\u{feff}output \"o\" {\n  value = var.hidden\n}\n");
    stage.files.0.insert(stage.folder.join("environments/dev/b.hcl"), vec![0xff, 0xfe]);
    assert_eq!(stage.mistakes(), ["1: a file is not UTF-8 text"]);
}

/// The summaries and the help lines of a spec's mistakes.
fn told(spec: &str) -> (Vec<String>, String) {
    let play = Stage::new(spec).play();
    (play.diagnostics.0.iter().map(|diagnostic| diagnostic.summary.clone()).collect(), play.rendered())
}

#[test]
fn what_a_misspelt_block_declares_is_not_missed_elsewhere() {
    let (mistakes, said) = told(
        "resource \"aws_ecs_servic\" \"main\" {\n  name = \"main\"\n}\nresource \"terraform_data\" \"a\" {\n  \
         input = aws_ecs_service.main.arn\n}\nresource \"terraform_data\" \"b\" {\n  \
         input = aws_ecs_servic.main.arn\n}\n",
    );
    assert_eq!(mistakes, ["there is no such kind of resource"], "{said}");
    assert!(said.contains("did you mean `aws_ecs_service`?"), "{said}");
    let (mistakes, said) = told(
        "variabel \"region\" {\n  default = \"x\"\n}\nlocal {\n  twice = 2\n}\nresorce \"terraform_data\" \"a\" {}\n\
         output \"o\" {\n  value = \"${var.region}${local.twice}${terraform_data.a.id}\"\n}\n",
    );
    assert_eq!(mistakes, ["there is no such block"; 3], "{said}");
    let (mistakes, said) = told("variable \"a\" \"b\" {}\noutput \"o\" {\n  value = \"${var.a}${var.b}\"\n}\n");
    assert_eq!(mistakes, ["a block has the wrong number of labels"], "{said}");
}

#[test]
fn only_what_exists_and_is_right_is_proposed() {
    let (mistakes, said) = told(
        "resource \"terrafrom_data\" \"one\" {}\nresource \"terraform_data\" \"other\" {\n  \
         input = terrafrom_data.two.id\n}\n",
    );
    assert_eq!(mistakes, ["there is no such kind of resource", "there is no such resource"], "{said}");
    assert!(!said.contains("declared are `one`") && !said.contains("did you mean `terrafrom_data"), "{said}");
    assert_eq!(said.matches("did you mean `terraform_data`?").count(), 2, "{said}");
}

#[test]
fn a_block_without_its_brace_is_told_where_it_begins() {
    let spec =
        "resource \"terraform_data\" \"a\" {\n  input = \"}\"\n\nresource \"terraform_data\" \"b\" {\n  input = 1\n}\n";
    let play = Stage::new(spec).play();
    let said = play.rendered();
    assert_eq!(play.diagnostics.0.len(), 1, "{said}");
    assert!(
        said.contains("environments/dev.hcl:1:1") && said.contains("1 | resource \"terraform_data\" \"a\" {"),
        "{said}"
    );
    assert!(
        said.contains("the block `resource \"terraform_data\" \"a\"` that begins in line 1 is never closed"),
        "{said}"
    );
    assert!(said.contains("add its `}` before line 4"), "{said}");
    // The parser may stumble earlier; then both are said.
    let early = "resource \"terraform_data\" \"a\" {\n  input = {\n    x = 1\n\n  lifecycle {\n  }\n}\n";
    let said = Stage::new(early).play().rendered();
    assert!(said.contains("the brace that begins in line 2 is never closed: add its `}` before line 5"), "{said}");
}
