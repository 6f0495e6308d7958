//! The files that are shipped for CIs, run as a CI runs them, on a spec of one thing: what each job comes to, and says.
//! (The shop's whole story by the same files is `delivery/pipeline.rs`.)

use std::collections::BTreeMap;
use std::process::Command;

use crate::repository::ci::{Ci, Event, Job};
use crate::shop::project::Project;

/// A repository with a CI around it.
struct Repository {
    ci: Ci,
}

impl Repository {
    fn new(ci: &str, spec: impl Fn(&str, &str) -> String) -> Self {
        let mut project = Project::empty(&format!("ci{ci}"));
        for (name, block) in [
            ("dev", ""),
            ("staging", "  after  = \"dev\"\n  source = [\"release\"]\n"),
            ("prod", "  after     = \"staging\"\n  protected = true\n"),
        ] {
            project.write(&format!("environments/{name}.hcl"), &spec(name, block));
        }
        project.write("switchback.hcl", "project \"shop\" {}\n");
        project.write(".gitignore", ".switchback/\nkey*\n");
        Self { ci: Ci::around(&mut project, ci) }
    }

    fn workflow(&self, file: &str, reference: &str) -> BTreeMap<String, Job> {
        let named = [("GITHUB_REF_NAME", reference)];
        self.ci.workflow(file, &Event { reference, variables: &named })
    }

    fn gitlab(&self, name: &str, variables: &[(&str, &str)]) -> Job {
        self.ci.gitlab(name, &Event { reference: "main", variables })
    }

    fn said(&self, environment: &str) -> String {
        self.ci.project.ok(&["output", environment, "said"]).out.trim().to_owned()
    }
}

/// A parameter of AWS that says hello, through a module that travels.
fn spec(name: &str, block: &str, word: &str) -> String {
    format!(
        r#"
environment "{name}" {{
{block}}}
variable "name" {{ type = string }}
variable "word" {{
  type     = string
  default  = "{word}"
  released = true
}}
provider "aws" {{
  region   = local_stack.region
  endpoint = local_stack.aws_endpoint
}}
resource "aws_ssm_parameter" "word" {{
  name  = "/${{var.name}}/{name}/word"
  type  = "String"
  value = var.word
}}
output "said" {{
  value = aws_ssm_parameter.word.value
}}
"#
    )
}

fn write_word(repository: &Repository, from: &str, to: &str) {
    for name in ["dev", "staging", "prod"] {
        let path = format!("environments/{name}.hcl");
        repository.ci.project.edit(&path, &format!("\"{from}\""), &format!("\"{to}\""));
    }
    repository.ci.commit(to);
}

#[test]
fn the_workflows_for_github_take_a_change_to_prod() {
    let repository = Repository::new("github", |name, block| spec(name, block, "one"));
    let pull = repository.workflow("switchback-plan", "main").remove("plan").unwrap();
    assert_eq!(pull.code, 0, "{}", pull.text);
    assert!(pull.summary.contains("aws_ssm_parameter.word"), "{}", pull.summary);
    let comment = "gh [pr] [comment] [12] [--edit-last] [--create-if-none] [--body-file] [plan.md]";
    assert!(pull.calls.contains(comment) && pull.calls.contains("aws_ssm_parameter.word"), "{}", pull.calls);
    let applied = repository.workflow("switchback-apply", "main");
    for (name, environment) in [("first", "dev"), ("next", "staging")] {
        let job = &applied[name];
        assert_eq!(job.code, 0, "{name}: {}", job.text);
        assert!(job.calls.contains(&format!("\"environment\":\"{environment}\"")), "{}", job.calls);
        assert!(
            job.calls.contains("repos/shop/shop/deployments/42/statuses")
                && job.calls.contains("\"state\":\"success\"")
        );
    }
    assert_eq!((repository.said("dev"), repository.said("staging")), ("one".to_owned(), "one".to_owned()));
    repository.ci.tag("v1.0.0");
    let promoted = repository.workflow("switchback-promote", "v1.0.0").remove("promote").unwrap();
    assert_eq!(promoted.code, 0, "{}", promoted.text);
    assert!(promoted.summary.contains("aws_ssm_parameter.word"), "{}", promoted.summary);
    assert_eq!(repository.said("prod"), "one");
    for (label, job) in repository.workflow("switchback-drift", "main") {
        assert_eq!(job.code, 0, "{label}: {}", job.text);
    }
    let stranger = format!("/{}/staging/word", repository.ci.project.name);
    let put = ["ssm", "put-parameter", "--overwrite", "--name", &stranger, "--value", "three"];
    repository.ci.project.stack().aws(&put);
    let drift = repository.workflow("switchback-drift", "main");
    let codes: Vec<i32> = drift.values().map(|job| job.code).collect();
    assert_eq!(codes, [0, 0, 11], "dev, prod, staging");
    assert!(drift["drift staging"].summary.contains("out of band"), "{}", drift["drift staging"].summary);
    for (label, job) in repository.workflow("switchback-resume", "main") {
        assert!(job.code == 0 && job.text.contains("is parked"), "{label}: {}", job.text);
    }
}

#[test]
fn the_workflows_for_github_say_what_fails_and_what_waits() {
    let repository = Repository::new("github", |name, block| spec(name, block, "one"));
    // A mistake in the spec: the job fails, and the comment says why.
    repository.ci.project.edit("environments/dev.hcl", "value = var.word\n", "value = var.wort\n");
    repository.ci.commit("a mistake");
    let pull = repository.workflow("switchback-plan", "main").remove("plan").unwrap();
    assert_eq!(pull.code, 4, "{}", pull.text);
    assert!(pull.calls.contains("The plan of dev failed with 4") && pull.calls.contains("wort"), "{}", pull.calls);
    repository.ci.project.edit("environments/dev.hcl", "value = var.wort\n", "value = var.word\n");
    // A signature is missing: the deployment is pending, and the job ends well.
    let key = repository.ci.project.path("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().unwrap();
    assert!(made.success());
    let public = std::fs::read_to_string(repository.ci.project.path("key.pub")).unwrap();
    let rules = format!(
        "environment \"dev\" {{\n  approver \"alice\" {{\n    key = \"{}\"\n    classes = [\"config\", \"infrastructure\", \"owner\"]\n  }}\n  approval \"config\" {{}}\n  approval \"infrastructure\" {{}}\n",
        public.trim()
    );
    repository.ci.project.edit("environments/dev.hcl", "environment \"dev\" {\n", &rules);
    repository.ci.commit("rules");
    let waiting = repository.workflow("switchback-apply", "main");
    assert_eq!(waiting["first"].code, 0, "{}", waiting["first"].text);
    assert!(waiting["first"].calls.contains("\"state\":\"pending\""), "{}", waiting["first"].calls);
    assert!(waiting["first"].text.contains("::warning::dev waits: sign the plan"), "{}", waiting["first"].text);
    assert_ne!(waiting["next"].code, 0, "nothing was applied, so there is nothing to release");
    repository.ci.project.ok(&["approve", "dev", "--key", "key"]);
    let applied = repository.workflow("switchback-apply", "main");
    assert_eq!(applied["first"].code, 0, "{}", applied["first"].text);
    assert!(applied["first"].calls.contains("\"state\":\"success\""), "{}", applied["first"].calls);
    // What fails is taken back: the deployment has failed, and so has the job.
    let check = "verify \"up\" {\n  within = \"200ms\"\n  http {\n    url = \"http://127.0.0.1:9/\"\n  }\n}\n";
    let rest = std::fs::read_to_string(repository.ci.project.path("environments/dev.hcl")).unwrap();
    repository.ci.project.write("environments/dev.hcl", &format!("{rest}{check}"));
    repository.ci.project.edit("environments/dev.hcl", "\"one\"", "\"two\"");
    repository.ci.commit("two");
    repository.ci.project.ok(&["approve", "dev", "--key", "key"]);
    let failed = repository.workflow("switchback-apply", "main").remove("first").unwrap();
    assert!(failed.calls.contains("\"state\":\"failure\""), "{} {}", failed.text, failed.calls);
    assert_eq!(failed.code, 12, "{}", failed.text);
    assert_eq!(repository.said("dev"), "one");
}

#[test]
fn the_file_for_gitlab_takes_a_change_to_prod() {
    let repository = Repository::new("gitlab", |name, block| spec(name, block, "one"));
    let api = [
        ("CI_API_V4_URL", "https://gitlab.example/api/v4"),
        ("CI_PROJECT_ID", "8"),
        ("CI_MERGE_REQUEST_IID", "3"),
        ("SWITCHBACK_GITLAB_TOKEN", "token-of-the-project"),
    ];
    let plan = repository.gitlab("plan", &api);
    assert_eq!(plan.code, 0, "{}", plan.text);
    assert!(
        plan.calls.contains("merge_requests/3/notes") && plan.calls.contains("aws_ssm_parameter.word"),
        "{}",
        plan.calls
    );
    for name in ["apply", "next"] {
        let job = repository.gitlab(name, &[]);
        assert_eq!(job.code, 0, "{name}: {}", job.text);
    }
    assert_eq!(repository.said("staging"), "one");
    repository.ci.tag("v1.0.0");
    let promoted = repository.gitlab("promote", &[("CI_COMMIT_TAG", "v1.0.0")]);
    assert_eq!(promoted.code, 0, "{}", promoted.text);
    assert_eq!(repository.said("prod"), "one");
    let again = repository.gitlab("promote", &[("CI_COMMIT_TAG", "v1.0.0")]);
    assert_eq!(again.code, 0, "what is there is there: {}", again.text);
    write_word(&repository, "one", "two");
    assert_eq!(repository.gitlab("promote", &[("CI_COMMIT_TAG", "v9.9.9")]).code, 3, "no such tag, no promotion");
    for environment in ["dev", "staging", "prod"] {
        let given = [("SWITCHBACK_ENVIRONMENT", environment)];
        assert_eq!(repository.gitlab("drift", &given).code, 0, "{environment}");
        assert!(repository.gitlab("resume", &given).text.contains("nothing of"));
    }
    let stranger = format!("/{}/dev/word", repository.ci.project.name);
    repository.ci.project.stack().aws(&["ssm", "put-parameter", "--overwrite", "--name", &stranger, "--value", "x"]);
    assert_eq!(repository.gitlab("drift", &[("SWITCHBACK_ENVIRONMENT", "dev")]).code, 11);
}
