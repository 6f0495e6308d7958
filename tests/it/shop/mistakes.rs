//! All mistakes of a spec at once, each with its place and its mend.

use super::project::Project;

const MISTAKEN: &str = r#"
resource "terraform_data" "a" {
  input = var.missing
}
resource "terraform_dat" "b" {}
resource "terraform_data" "c" {
  inptu = 1
}
resource "terraform_data" "d" {
  input = shout("x")
}
resource "terraform_data" "e" {
  count = "many"
}
variable "f" {
  type    = number
  default = "many"
}
resource "terraform_data" "a" {
  input = terraform_data.in_an_unparsed_file.output
}
"#;

#[test]
fn two_files_that_do_not_parse_and_seven_mistakes_are_nine_diagnostics() {
    let project = Project::empty("mistakes");
    project.write("switchback.hcl", "project \"p\" {\n  ledger = \"file:.switchback/ledger\"\n}\n");
    project
        .write("environments/dev/one.hcl", "resource \"terraform_data\" \"in_an_unparsed_file\" {\n  input = = 1\n}\n");
    project.write("environments/dev/two.hcl", "locals {\n  x = [1, 2\n}\n");
    project.write("environments/dev/three.hcl", MISTAKEN);

    let said = project.exits(4, &["validate", "dev", "--json"]);
    let json = said.json();
    let diagnostics = json["environments"][0]["diagnostics"].as_array().unwrap_or_else(|| panic!("{json}"));
    assert_eq!(diagnostics.len(), 9, "{json:#}");
    for diagnostic in diagnostics {
        assert_eq!(diagnostic["severity"], "error");
        assert!(diagnostic["help"].as_str().is_some_and(|help| !help.is_empty()), "{diagnostic:#}");
        assert!(diagnostic["line"].as_u64() > Some(0) && diagnostic["file"].as_str().is_some(), "{diagnostic:#}");
    }
    let in_file = |file: &str| diagnostics.iter().filter(|one| one["file"].as_str().unwrap().ends_with(file)).count();
    assert_eq!((in_file("one.hcl"), in_file("two.hcl"), in_file("three.hcl")), (1, 1, 7));

    let human = project.exits(4, &["plan", "dev"]);
    assert_eq!(human.err.matches("error: ").count(), 9, "{}", human.err);
    assert_eq!(human.err.matches("help: ").count(), 9, "{}", human.err);
    assert!(!project.path(".switchback").exists(), "nothing was touched");
}
