//! `local down --wipe`: the ledgers of what was in the stack go with it, all others stay.

use std::process::Command;

use super::Project;
use crate::stack::{shared, unique};

fn switchback(project: &Project, code: i32, words: &str) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
    command.arg("-C").arg(&project.folder).args(words.split(' ')).env_remove("SWITCHBACK_LEDGER");
    command.env("AWS_ACCESS_KEY_ID", "test").env("AWS_SECRET_ACCESS_KEY", "test").env("NO_COLOR", "1");
    let output = command.output().unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{words}: {said}");
    said
}

/// An environment with a parameter at an endpoint.
fn environment(project: &Project, name: &str, endpoint: &str, parameter: &str) {
    let text = format!(
        "environment \"{name}\" {{}}\n\nprovider \"aws\" {{\n  region   = \"eu-central-1\"\n  endpoint = {endpoint}\n}}\n\n\
         resource \"aws_ssm_parameter\" \"it\" {{\n  name  = \"/{parameter}\"\n  type  = \"String\"\n  value = \"{name}\"\n}}\n"
    );
    let folder = project.folder.join("environments");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(format!("{name}.hcl")), text).unwrap();
}

#[test]
fn the_ledgers_of_what_was_in_it_go_with_it_and_no_other() {
    let project = Project::new();
    std::fs::write(project.folder.join("switchback.hcl"), "project \"wiped\" {}\n").unwrap();
    assert!(switchback(&project, 0, "local down --wipe").contains("there was nothing to remove"));
    project.up().unwrap();
    let parameter = unique("wiped");
    for name in ["dev", "staging", "undone"] {
        environment(&project, name, "local_stack.aws_endpoint", &format!("{parameter}/{name}"));
        switchback(&project, 0, &format!("apply {name} --auto-approve"));
    }
    switchback(&project, 0, "rollback undone --to 0 --auto-approve --accept-loss all");
    let elsewhere = format!("\"{}\"", shared().aws_endpoint());
    environment(&project, "elsewhere", &elsewhere, &parameter);
    switchback(&project, 0, "apply elsewhere --auto-approve");
    let ledger = |name: &str| project.folder.join(".switchback/ledger").join(format!("{name}.jsonl"));
    std::fs::write(ledger("odd"), "no ledger\n").unwrap();

    assert!(switchback(&project, 0, "local down").contains("its data stay"));
    assert!(ledger("dev").exists());
    let said = switchback(&project, 0, "local down --wipe");
    assert!(said.contains("the ledgers of dev, staging and undone with them"), "{said}");
    assert!(said.contains("the ledger of elsewhere stays: it records what is in aws ("), "{said}");
    assert!(said.contains("the ledger of odd stays: "), "{said}");
    let left = ["dev", "staging", "undone", "elsewhere", "odd"].map(|name| ledger(name).exists());
    assert_eq!(left, [false, false, false, true, true]);
    switchback(&project, 0, "rollback elsewhere --to 0 --auto-approve --accept-loss all");
}
