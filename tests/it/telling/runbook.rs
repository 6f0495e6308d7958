//! The runbook of a plan: its commands do by hand what it says, and no secret is in it.

use std::process::Command;

use crate::shop::project::Project;

fn spec(name: &str, value: &str) -> String {
    format!(
        r#"
environment "dev" {{}}
provider "aws" {{
  region   = local_stack.region
  endpoint = local_stack.aws_endpoint
}}
resource "aws_ssm_parameter" "level" {{
  name  = "/{name}/level"
  type  = "String"
  value = "{value}"
}}
resource "aws_ssm_parameter" "key" {{
  name  = "/{name}/key"
  type  = "SecureString"
  value = sensitive("secret-of-the-shop-{value}")
}}
resource "aws_cloudwatch_log_group" "web" {{
  name              = "/{name}/web"
  retention_in_days = 7
}}
"#
    )
}

/// The blocks of shell commands below a heading.
fn blocks(page: &str, heading: &str) -> Vec<String> {
    let (_, part) = page.split_once(heading).unwrap();
    let part = part.split("\n## ").next().unwrap();
    part.split("```sh\n").skip(1).map(|block| block.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn what_a_runbook_says_can_be_typed() {
    let project = Project::empty("runbook");
    let name = project.name.clone();
    project.write("switchback.hcl", "project \"shop\" {}\n");
    project.write("environments/dev.hcl", &spec(&name, "one"));
    project.ok(&["apply", "dev", "--auto-approve"]);
    project.write("environments/dev.hcl", &spec(&name, "two"));
    project.ok(&["plan", "dev", "--out", "p.plan.json"]);
    let page = project.ok(&["show", "p.plan.json", "--as", "runbook"]).out;
    for part in [
        "What will happen",
        "How to watch it",
        "How to take it back by hand",
        "What cannot be taken back",
        "Whom to ask",
    ] {
        assert!(page.contains(&format!("\n## {part}\n")), "{part}: {page}");
    }
    assert!(page.contains("switchback rollback dev --last") && !page.contains("secret-of-the-shop"), "{page}");
    project.ok(&["apply", "p.plan.json"]);
    let stack = project.stack();
    let value = |of: &str| {
        let said = stack.aws(&["ssm", "get-parameter", "--with-decryption", "--name", &format!("/{name}/{of}")]);
        said["Parameter"]["Value"].as_str().unwrap().to_owned()
    };
    assert_eq!(value("level"), "two");
    // The tools of the provider, at the local endpoint.
    let shell = |script: &str| {
        let output =
            Command::new("bash").args(["-euo", "pipefail", "-c", script]).envs(stack.aws_variables()).output().unwrap();
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    for look in blocks(&page, "## How to watch it").iter().filter(|block| block.starts_with("aws ")) {
        assert!(!shell(look).trim().is_empty(), "{look} shows something");
    }
    let back = blocks(&page, "## How to take it back by hand");
    assert_eq!(back.len(), 2, "{page}");
    back.iter().for_each(|block| drop(shell(block)));
    assert_eq!((value("level"), value("key")), ("one".to_owned(), "secret-of-the-shop-one".to_owned()));
    project.ok(&["rollback", "dev", "--last", "--auto-approve"]);
}
