//! Configuration from end to end: files that are rendered, values that a person gives, tiers and keys, secrets of `age` files.
//! What was written is read by those who would read it.

mod aged;
mod files;
mod given;
mod rendered;

use serde_json::Value as Json;

use crate::shop::project::Project;

/// A project whose environment `dev` says this.
fn project(prefix: &str, spec: &str) -> Project {
    let project = Project::empty(prefix);
    project.write("switchback.hcl", "project \"vault\" {\n  ledger = \"file:.switchback/ledger\"\n}\n");
    let head = "environment \"dev\" {}\n\nvariable \"name\" { type = string }\n\nprovider \"aws\" {\n  region   = \
                local_stack.region\n  endpoint = local_stack.aws_endpoint\n}\n\n";
    project.write("environments/dev.hcl", &format!("{head}{spec}"));
    project
}

fn asked(project: &Project, service: &str, operation: &str, body: &Json) -> Json {
    let (status, answer) = project.stack().call(service, operation, body);
    assert_eq!(status, 200, "{operation}: {answer}");
    answer
}
