//! The files that are shipped for CIs, run as a CI runs them: every `run` of every step, in order, in a scratch Git
//! repository on the local stack, with stand-ins for `gh`, `curl` and `cargo` that write down what they were given.
//!
//! Invariant: nothing of a workflow is repeated here; what is not a command of a step is left out, and named.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::shop::project::Project;

/// Writes down what it was given, and answers what the real one would.
const STAND_IN: &str = r#"#!/bin/sh
me=$(basename "$0")
{
  printf '%s' "$me"
  for word in "$@"; do printf ' [%s]' "$word"; done
  printf '\n'
  case "$me $*" in
    *"--input -"*) cat; echo ;;
    *--body-file*plan.md*|*body@plan.md*) cat plan.md ;;
  esac
} >> "$STAND_IN_LOG"
case "$*" in
  *"deployments --input"*) echo 42 ;;
  *"--output comment.json"*) echo '{}' > comment.json ;;
esac
"#;

/// A repository with a CI around it.
struct Repository {
    project: Project,
    tools: tempfile::TempDir,
}

/// What a job came to.
struct Job {
    code: i32,
    text: String,
    summary: String,
    calls: String,
}

impl Repository {
    fn new(ci: &str, spec: impl Fn(&str, &str) -> String) -> Self {
        let project = Project::empty(&format!("ci{ci}"));
        let tools = tempfile::tempdir().unwrap();
        for tool in ["gh", "curl", "cargo"] {
            let file = tools.path().join(tool);
            std::fs::write(&file, STAND_IN).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_switchback"), tools.path().join("switchback")).unwrap();
        let repository = Self { project, tools };
        let project = &repository.project;
        for (name, block) in [
            ("dev", ""),
            ("staging", "  after  = \"dev\"\n  source = [\"release\"]\n"),
            ("prod", "  after     = \"staging\"\n  protected = true\n"),
        ] {
            project.write(&format!("environments/{name}.hcl"), &spec(name, block));
        }
        project.write("switchback.hcl", "project \"shop\" {}\n");
        project.write(".gitignore", ".switchback/\n*.plan.json\n*.log\n*.md\n*.json\nkey*\n");
        project.ok(&["init", "--ci", ci]);
        repository.git(&["init", "--quiet", "--initial-branch", "main"]);
        repository.commit("the shop");
        repository
    }

    fn path(&self) -> std::path::PathBuf {
        self.project.path(".")
    }

    fn git(&self, words: &[&str]) -> String {
        let mut git = Command::new("git");
        git.arg("-C").arg(self.path()).args(words).envs(GIT);
        let output = git.output().unwrap();
        assert!(output.status.success(), "git {words:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    fn commit(&self, message: &str) {
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--message", message]);
    }

    /// A file of YAML, read by the language's own function.
    fn yaml(&self, path: &str) -> Value {
        let mut console = self.project.command(&["console", "--json"]);
        let file = self.project.path(path);
        let mut child = console.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let text = format!("yamldecode(file(\"{}\"))", file.display());
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), text.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{path}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a script as the shell of a CI runs it.
    fn shell(&self, script: &str, variables: &BTreeMap<String, String>) -> Job {
        let (summary, calls) = (self.tools.path().join("summary"), self.tools.path().join("calls"));
        for file in [&summary, &calls] {
            std::fs::write(file, "").unwrap();
        }
        let bash = self.project.command(&[]);
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.tools.path().display());
        let known: Vec<(std::ffi::OsString, Option<std::ffi::OsString>)> =
            bash.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
        command.current_dir(self.path()).env_clear().stdin(Stdio::null());
        command.envs(known.into_iter().filter_map(|(name, value)| Some((name, value?))));
        command.envs(GIT).envs(variables).env("PATH", path);
        command.env("GITHUB_STEP_SUMMARY", &summary).env("STAND_IN_LOG", &calls);
        let output = command.output().unwrap();
        let read = |file: &Path| std::fs::read_to_string(file).unwrap();
        Job {
            code: output.status.code().unwrap_or(-1),
            text: String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
            summary: read(&summary),
            calls: read(&calls),
        }
    }

    /// Runs the jobs of a workflow of GitHub: in the order of `needs`, one for each value of a matrix.
    fn workflow(&self, file: &str, event: &[(&str, &str)]) -> BTreeMap<String, Job> {
        let yaml = self.yaml(&format!(".github/workflows/{file}.yml"));
        assert_eq!(yaml["permissions"]["contents"], "read", "{file}: no more rights than are needed");
        let mut done: BTreeMap<String, Job> = BTreeMap::new();
        let jobs = yaml["jobs"].as_object().unwrap();
        let mut waiting: Vec<&String> = jobs.keys().collect();
        while let Some(at) = waiting.iter().position(|name| {
            jobs[*name]
                .get("needs")
                .and_then(Value::as_str)
                .is_none_or(|need| done.keys().any(|name| name.starts_with(need)))
        }) {
            let name = waiting.remove(at);
            let job = &jobs[name];
            assert!(yaml.get("concurrency").or(job.get("concurrency")).is_some(), "{file} {name} has its turn");
            if job.get("needs").and_then(Value::as_str).is_some_and(|need| done[need].code != 0) {
                continue;
            }
            let matrix = &job["strategy"]["matrix"]["environment"];
            let values = matrix.as_array().cloned().unwrap_or_else(|| vec![Value::Null]);
            for value in values {
                let environment = value.as_str().unwrap_or_default();
                let label = format!("{name}{}{environment}", if environment.is_empty() { "" } else { " " });
                done.insert(label, self.job(&yaml, job, environment, event));
            }
        }
        done
    }

    fn job(&self, yaml: &Value, job: &Value, environment: &str, event: &[(&str, &str)]) -> Job {
        let mut whole = Job { code: 0, text: String::new(), summary: String::new(), calls: String::new() };
        for step in job["steps"].as_array().unwrap() {
            if let Some(uses) = step.get("uses").and_then(Value::as_str) {
                let (_, version) = uses.split_once('@').unwrap();
                assert!(version.len() == 40 && version.chars().all(|letter| letter.is_ascii_hexdigit()), "{uses}");
                continue;
            }
            let is_always = step.get("if").and_then(Value::as_str).is_some_and(|when| when.contains("!cancelled()"));
            if whole.code != 0 && !is_always {
                continue;
            }
            let script = step["run"].as_str().unwrap();
            assert!(!script.contains("${{"), "words of others are no part of a script: {script}");
            let mut variables: BTreeMap<String, String> = BTreeMap::new();
            for level in [&yaml["env"], &job["env"], &step["env"]] {
                for (name, value) in level.as_object().into_iter().flatten() {
                    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                    variables.insert(name.clone(), evaluated(&text, environment));
                }
            }
            for (name, value) in [
                ("CI", "true"),
                ("GITHUB_ACTOR", "octo"),
                ("GITHUB_RUN_ID", "77"),
                ("GITHUB_REPOSITORY", "shop/shop"),
                ("GITHUB_SERVER_URL", "https://github.example"),
            ]
            .iter()
            .chain(event)
            {
                variables.insert((*name).to_owned(), (*value).to_owned());
            }
            variables.insert("GITHUB_SHA".to_owned(), self.git(&["rev-parse", "HEAD"]));
            let done = self.shell(script, &variables);
            whole.text += &done.text;
            whole.summary += &done.summary;
            whole.calls += &done.calls;
            if whole.code == 0 {
                whole.code = done.code;
            }
        }
        whole
    }

    /// Runs one job of the file for GitLab.
    fn gitlab(&self, name: &str, event: &[(&str, &str)]) -> Job {
        let yaml = self.yaml(".gitlab/switchback.gitlab-ci.yml");
        let (job, base) = (&yaml[name], &yaml[".switchback"]);
        assert_eq!(job["extends"], ".switchback");
        let mut variables: BTreeMap<String, String> = BTreeMap::new();
        for level in [&yaml["variables"], &base["variables"]] {
            for (name, value) in level.as_object().into_iter().flatten() {
                variables.insert(name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            }
        }
        for (name, value) in [("CI", "true"), ("GITLAB_USER_LOGIN", "lab"), ("CI_JOB_ID", "5")].iter().chain(event) {
            variables.insert((*name).to_owned(), (*value).to_owned());
        }
        let lines = |of: &Value| -> Vec<String> {
            of.as_array().into_iter().flatten().map(|line| line.as_str().unwrap().to_owned()).collect()
        };
        let script: Vec<String> = lines(&base["before_script"]).into_iter().chain(lines(&job["script"])).collect();
        self.shell(&script.join("\n"), &variables)
    }

    fn said(&self, environment: &str) -> String {
        self.project.ok(&["output", environment, "said"]).out.trim().to_owned()
    }

    /// Tags the newest release of staging, as a person does.
    fn tag(&self, tag: &str) {
        let listed = self.project.ok(&["release", "list", "staging", "--json"]).json();
        let release = listed["releases"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
        let mut command = self.project.command(&["release", "tag", &release, tag]);
        let output = command.envs(GIT).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

const GIT: [(&str, &str); 6] = [
    ("GIT_AUTHOR_NAME", "tester"),
    ("GIT_AUTHOR_EMAIL", "tester@example.org"),
    ("GIT_COMMITTER_NAME", "tester"),
    ("GIT_COMMITTER_EMAIL", "tester@example.org"),
    ("GIT_CONFIG_GLOBAL", "/dev/null"),
    ("GIT_CONFIG_SYSTEM", "/dev/null"),
];

/// The value of an expression of GitHub; every one that a file uses is here.
fn evaluated(text: &str, environment: &str) -> String {
    match text {
        "${{ github.token }}" => "token-of-the-job".to_owned(),
        "${{ github.event.pull_request.number }}" => "12".to_owned(),
        "${{ matrix.environment }}" => environment.to_owned(),
        text => {
            assert!(!text.contains("${{"), "{text}");
            text.to_owned()
        }
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
        repository.project.edit(&path, &format!("\"{from}\""), &format!("\"{to}\""));
    }
    repository.commit(to);
}

#[test]
fn the_workflows_for_github_take_a_change_to_prod() {
    let repository = Repository::new("github", |name, block| spec(name, block, "one"));
    let pull = repository.workflow("switchback-plan", &[]).remove("plan").unwrap();
    assert_eq!(pull.code, 0, "{}", pull.text);
    assert!(pull.summary.contains("aws_ssm_parameter.word"), "{}", pull.summary);
    let comment = "gh [pr] [comment] [12] [--edit-last] [--create-if-none] [--body-file] [plan.md]";
    assert!(pull.calls.contains(comment) && pull.calls.contains("aws_ssm_parameter.word"), "{}", pull.calls);
    let applied = repository.workflow("switchback-apply", &[]);
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
    repository.tag("v1.0.0");
    repository.git(&["remote", "add", "origin", &repository.path().display().to_string()]);
    let tagged = [("GITHUB_REF_NAME", "v1.0.0")];
    let promoted = repository.workflow("switchback-promote", &tagged).remove("promote").unwrap();
    assert_eq!(promoted.code, 0, "{}", promoted.text);
    assert!(promoted.summary.contains("aws_ssm_parameter.word"), "{}", promoted.summary);
    assert_eq!(repository.said("prod"), "one");
    for (label, job) in repository.workflow("switchback-drift", &[]) {
        assert_eq!(job.code, 0, "{label}: {}", job.text);
    }
    let stranger = format!("/{}/staging/word", repository.project.name);
    let put = ["ssm", "put-parameter", "--overwrite", "--name", &stranger, "--value", "three"];
    repository.project.stack().aws(&put);
    let drift = repository.workflow("switchback-drift", &[]);
    let codes: Vec<i32> = drift.values().map(|job| job.code).collect();
    assert_eq!(codes, [0, 0, 11], "dev, prod, staging");
    assert!(drift["drift staging"].summary.contains("out of band"), "{}", drift["drift staging"].summary);
    for (label, job) in repository.workflow("switchback-resume", &[]) {
        assert!(job.code == 0 && job.text.contains("is parked"), "{label}: {}", job.text);
    }
}

#[test]
fn the_workflows_for_github_say_what_fails_and_what_waits() {
    let repository = Repository::new("github", |name, block| spec(name, block, "one"));
    // A mistake in the spec: the job fails, and the comment says why.
    repository.project.edit("environments/dev.hcl", "value = var.word\n", "value = var.wort\n");
    let pull = repository.workflow("switchback-plan", &[]).remove("plan").unwrap();
    assert_eq!(pull.code, 4, "{}", pull.text);
    assert!(pull.calls.contains("The plan of dev failed with 4") && pull.calls.contains("wort"), "{}", pull.calls);
    repository.project.edit("environments/dev.hcl", "value = var.wort\n", "value = var.word\n");
    // A signature is missing: the deployment is pending, and the job ends well.
    let key = repository.project.path("key");
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().unwrap();
    assert!(made.success());
    let public = std::fs::read_to_string(repository.project.path("key.pub")).unwrap();
    let rules = format!(
        "environment \"dev\" {{\n  approver \"alice\" {{\n    key = \"{}\"\n    classes = [\"config\", \"infrastructure\", \"owner\"]\n  }}\n  approval \"config\" {{}}\n  approval \"infrastructure\" {{}}\n",
        public.trim()
    );
    repository.project.edit("environments/dev.hcl", "environment \"dev\" {\n", &rules);
    repository.commit("rules");
    let waiting = repository.workflow("switchback-apply", &[]);
    assert_eq!(waiting["first"].code, 0, "{}", waiting["first"].text);
    assert!(waiting["first"].calls.contains("\"state\":\"pending\""), "{}", waiting["first"].calls);
    assert!(waiting["first"].text.contains("::warning::dev waits for a signature"), "{}", waiting["first"].text);
    assert_ne!(waiting["next"].code, 0, "nothing was applied, so there is nothing to release");
    repository.project.ok(&["approve", "dev", "--key", "key"]);
    let applied = repository.workflow("switchback-apply", &[]);
    assert_eq!(applied["first"].code, 0, "{}", applied["first"].text);
    assert!(applied["first"].calls.contains("\"state\":\"success\""), "{}", applied["first"].calls);
    // What fails is taken back: the deployment has failed, and so has the job.
    let check = "verify \"up\" {\n  within = \"200ms\"\n  http {\n    url = \"http://127.0.0.1:9/\"\n  }\n}\n";
    let rest = std::fs::read_to_string(repository.project.path("environments/dev.hcl")).unwrap();
    repository.project.write("environments/dev.hcl", &format!("{rest}{check}"));
    repository.project.edit("environments/dev.hcl", "\"one\"", "\"two\"");
    repository.project.ok(&["approve", "dev", "--key", "key"]);
    let failed = repository.workflow("switchback-apply", &[]).remove("first").unwrap();
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
    repository.tag("v1.0.0");
    repository.git(&["remote", "add", "origin", &repository.path().display().to_string()]);
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
    let stranger = format!("/{}/dev/word", repository.project.name);
    repository.project.stack().aws(&["ssm", "put-parameter", "--overwrite", "--name", &stranger, "--value", "x"]);
    assert_eq!(repository.gitlab("drift", &[("SWITCHBACK_ENVIRONMENT", "dev")]).code, 11);
}
