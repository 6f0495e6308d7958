//! A CI around a repository: it checks out what was pushed into a new folder for each job, as the public ones do, and runs
//! every command of the shipped files, in order, with stand-ins for `gh`, `curl` and `cargo` that write down what they get.
//!
//! Invariant: nothing of a workflow is repeated here; what is not a command of a step is stood in for, or named.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{VARIABLES, begin, commit, git};
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

/// A project whose repository has an origin, and a CI that looks at that.
pub struct Ci {
    /// The folder in which people work.
    pub project: Project,
    tools: tempfile::TempDir,
    jobs: Cell<usize>,
}

/// What has happened in the repository.
pub struct Event<'a> {
    /// The branch or tag that is checked out.
    pub reference: &'a str,
    /// What the CI says of it.
    pub variables: &'a [(&'a str, &'a str)],
}

/// What a job came to.
#[derive(Default)]
pub struct Job {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub text: String,
    /// The summary that it wrote, on GitHub.
    pub summary: String,
    /// The calls of the stand-ins.
    pub calls: String,
}

impl Ci {
    /// Makes the folder of the project a repository with the files for a CI in it, and commits and pushes all of it. The
    /// ledger stays in that folder, and every job knows where.
    pub fn around(project: &mut Project, ci: &str) -> Self {
        let tools = tempfile::tempdir().unwrap();
        for tool in ["gh", "curl", "cargo"] {
            let file = tools.path().join(tool);
            std::fs::write(&file, STAND_IN).unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_switchback"), tools.path().join("switchback")).unwrap();
        std::fs::create_dir_all(tools.path().join("artifacts")).unwrap();
        project.set("SWITCHBACK_LEDGER", &format!("file:{}", project.path(".switchback/ledger").display()));
        VARIABLES.iter().for_each(|(name, value)| project.set(name, value));
        project.ok(&["init", "--ci", ci]);
        let origin = tools.path().join("origin.git");
        git(tools.path(), &["init", "--quiet", "--bare", "--initial-branch", "main", "origin.git"]);
        let made = Self { project: project.clone(), tools, jobs: Cell::new(0) };
        if !made.folder().join(".git").exists() {
            begin(&made.folder());
        }
        made.git(&["remote", "add", "origin", &format!("file://{}", origin.display())]);
        made.commit("a CI");
        made
    }

    fn folder(&self) -> PathBuf {
        self.project.path("")
    }

    /// Where the files lie that jobs have uploaded.
    pub fn artifacts(&self) -> PathBuf {
        self.tools.path().join("artifacts")
    }

    /// Runs Git where people work.
    #[track_caller]
    pub fn git(&self, words: &[&str]) -> String {
        git(&self.folder(), words)
    }

    /// Commits all that is there, and pushes the branch.
    pub fn commit(&self, message: &str) {
        commit(&self.folder(), message);
        self.push("HEAD");
    }

    /// Pushes a branch or a tag, whatever was there before.
    pub fn push(&self, reference: &str) {
        self.git(&["push", "--quiet", "--force", "origin", reference]);
    }

    /// A new folder with what was pushed: the last commit alone, or all of them with the tags.
    fn checkout(&self, reference: &str, is_whole: bool) -> PathBuf {
        self.jobs.set(self.jobs.get() + 1);
        let folder = self.tools.path().join(format!("job-{}", self.jobs.get()));
        let (origin, path) = (self.git(&["remote", "get-url", "origin"]), folder.display().to_string());
        let depth: &[&str] = if is_whole { &[] } else { &["--depth", "1"] };
        let words = ["clone", "--quiet", "--branch", reference, &origin, &path];
        git(self.tools.path(), &[&["-c", "advice.detachedHead=false"], &words[..2], depth, &words[2..]].concat());
        folder
    }

    /// Keeps the files of a job that are uploaded: `NAME` or `*END`.
    fn upload(&self, folder: &Path, pattern: &str) {
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let wanted = names.filter(|name| match pattern.strip_prefix('*') {
            Some(end) => name.ends_with(end),
            None => name == pattern,
        });
        for name in wanted {
            std::fs::copy(folder.join(&name), self.artifacts().join(&name)).unwrap();
        }
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
    fn shell(&self, folder: &Path, script: &str, variables: &BTreeMap<String, String>) -> Job {
        let (summary, calls) = (self.tools.path().join("summary"), self.tools.path().join("calls"));
        for file in [&summary, &calls] {
            std::fs::write(file, "").unwrap();
        }
        let program = self.project.command(&[]);
        let path = format!("{}:/usr/local/bin:/usr/bin:/bin", self.tools.path().display());
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-eo", "pipefail", "-c", script]);
        command.current_dir(folder).env_clear().stdin(Stdio::null());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.envs(variables).env("PATH", path);
        command.env("GITHUB_STEP_SUMMARY", &summary).env("STAND_IN_LOG", &calls);
        let output = command.output().unwrap();
        Job {
            code: output.status.code().unwrap_or(-1),
            text: String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr),
            summary: crate::stack::read(&summary),
            calls: crate::stack::read(&calls),
        }
    }

    /// Runs the jobs of a workflow of GitHub: in the order of `needs`, one for each value of a matrix.
    pub fn workflow(&self, file: &str, event: &Event<'_>) -> BTreeMap<String, Job> {
        let yaml = self.yaml(&format!(".github/workflows/{file}.yml"));
        assert_eq!(yaml["permissions"]["contents"], "read", "{file}: no more rights than are needed");
        let mut done: BTreeMap<String, Job> = BTreeMap::new();
        let jobs = yaml["jobs"].as_object().unwrap();
        let mut waiting: Vec<&String> = jobs.keys().collect();
        while let Some(at) = waiting.iter().position(|name| {
            let need = jobs[*name].get("needs").and_then(Value::as_str);
            need.is_none_or(|need| done.keys().any(|name| name.starts_with(need)))
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

    fn job(&self, yaml: &Value, job: &Value, environment: &str, event: &Event<'_>) -> Job {
        let (mut whole, mut folder) = (Job::default(), None);
        for step in job["steps"].as_array().unwrap() {
            if let Some(uses) = step.get("uses").and_then(Value::as_str) {
                let (action, version) = uses.split_once('@').unwrap();
                assert!(version.len() == 40 && version.chars().all(|letter| letter.is_ascii_hexdigit()), "{uses}");
                match action {
                    "actions/checkout" => {
                        folder = Some(self.checkout(event.reference, step["with"]["fetch-depth"] == 0));
                    }
                    "actions/upload-artifact" if whole.code == 0 => {
                        self.upload(folder.as_deref().unwrap(), step["with"]["path"].as_str().unwrap());
                    }
                    "actions/upload-artifact" | "aws-actions/configure-aws-credentials" => {}
                    other => panic!("nothing stands in for {other}"),
                }
                continue;
            }
            let is_always = step.get("if").and_then(Value::as_str).is_some_and(|when| when.contains("!cancelled()"));
            if whole.code != 0 && !is_always {
                continue;
            }
            let script = step["run"].as_str().unwrap();
            assert!(!script.contains("${{"), "words of others are no part of a script: {script}");
            let folder = folder.as_deref().expect("nothing is run before the checkout");
            let variables = variables_of(&[&yaml["env"], &job["env"], &step["env"]], environment);
            let sha = git(folder, &["rev-parse", "HEAD"]);
            let at = [("GITHUB_SHA", sha.as_str())];
            let known = GITHUB.iter().chain(event.variables).chain(&at);
            let variables = variables.into_iter().chain(known.map(|(name, value)| owned(name, value))).collect();
            let done = self.shell(folder, script, &variables);
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
    pub fn gitlab(&self, name: &str, event: &Event<'_>) -> Job {
        let yaml = self.yaml(".gitlab/switchback.gitlab-ci.yml");
        let (job, base) = (&yaml[name], &yaml[".switchback"]);
        assert_eq!(job["extends"], ".switchback");
        assert_eq!(base["variables"]["GIT_DEPTH"], "0");
        let folder = self.checkout(event.reference, true);
        let variables = variables_of(&[&yaml["variables"], &base["variables"]], "");
        let known = GITLAB.iter().chain(event.variables).map(|(name, value)| owned(name, value));
        let variables = variables.into_iter().chain(known).collect();
        let lines = |of: &Value| -> Vec<String> {
            of.as_array().into_iter().flatten().map(|line| line.as_str().unwrap().to_owned()).collect()
        };
        let script: Vec<String> = lines(&base["before_script"]).into_iter().chain(lines(&job["script"])).collect();
        let done = self.shell(&folder, &script.join("\n"), &variables);
        for pattern in lines(&job["artifacts"]["paths"]) {
            self.upload(&folder, &pattern);
        }
        done
    }

    /// Tags the newest release of staging and pushes the tag, as a person does.
    pub fn tag(&self, tag: &str) {
        let listed = self.project.ok(&["release", "list", "staging", "--json"]).json();
        let release = listed["releases"].as_array().unwrap().last().unwrap()["id"].as_str().unwrap().to_owned();
        self.project.ok(&["release", "tag", &release, tag]);
        self.push(tag);
    }
}

/// What GitHub says in every job.
const GITHUB: [(&str, &str); 5] = [
    ("CI", "true"),
    ("GITHUB_ACTOR", "octo"),
    ("GITHUB_RUN_ID", "77"),
    ("GITHUB_REPOSITORY", "shop/shop"),
    ("GITHUB_SERVER_URL", "https://github.example"),
];

/// What GitLab says in every job.
const GITLAB: [(&str, &str); 3] = [("CI", "true"), ("GITLAB_USER_LOGIN", "lab"), ("CI_JOB_ID", "5")];

fn owned(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// The variables of some levels of a file, the later ones over the earlier ones.
fn variables_of(levels: &[&Value], environment: &str) -> BTreeMap<String, String> {
    let all = levels.iter().flat_map(|level| level.as_object().into_iter().flatten());
    all.map(|(name, value)| {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        (name.clone(), evaluated(&text, environment))
    })
    .collect()
}

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
