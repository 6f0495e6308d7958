//! A copy of the shop in a folder of its own, with names of its own, and the program run in it.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;

use serde_json::Value;

use super::running::Running;
use crate::place::LedgerPlace;
use crate::stack::{self, Stack};

/// A project folder.
#[derive(Clone)]
pub struct Project {
    folder: Arc<tempfile::TempDir>,
    /// The prefix of every name in it.
    pub name: String,
    variables: Vec<(String, String)>,
    wrapping: Vec<String>,
}

/// What the program said.
pub struct Said {
    /// Its exit code; -1 when it was killed.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// The JSON on standard output.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}:\n{}\n{}", self.out, self.err))
    }
}

fn repository() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).unwrap()),
        }
    }
}

impl Project {
    /// A folder with the shop in it that knows the shared stack.
    pub fn shop(prefix: &str) -> Self {
        let project = Self::empty(prefix);
        std::fs::copy(repository().join("switchback.hcl"), project.path("switchback.hcl")).unwrap();
        for folder in ["environments", "modules", "migrations"] {
            copy(&repository().join(folder), &project.path(folder));
        }
        project
    }

    /// A folder with nothing in it.
    pub fn empty(prefix: &str) -> Self {
        let name = stack::unique(prefix).replace('_', "-");
        let stack = stack::shared().facts().project.display().to_string();
        let variables =
            vec![("SWITCHBACK_VAR_name".to_owned(), name.clone()), ("SWITCHBACK_LOCAL_STACK".to_owned(), stack)];
        Self { folder: Arc::new(tempfile::tempdir().unwrap()), name, variables, wrapping: Vec::new() }
    }

    /// The same folder, in which each environment has names of its own: `NAME-dev`, `NAME-staging` and `NAME-prod`.
    pub fn with_three_places(mut self) -> Self {
        self.variables.retain(|(variable, _)| variable != "SWITCHBACK_VAR_name");
        for environment in ["dev", "staging", "prod"] {
            let (from, to) = (format!("\"shop-{environment}\""), format!("\"{}-{environment}\"", self.name));
            self.edit(&format!("environments/{environment}.hcl"), &from, &to);
        }
        self
    }

    /// What one of its environments has: its things and its database are looked for under its own name.
    pub fn place(&self, environment: &str) -> Self {
        Self { name: format!("{}-{environment}", self.name), ..self.clone() }
    }

    /// A path in the folder.
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Gives the program an environment variable from now on.
    pub fn set(&mut self, variable: &str, value: &str) {
        self.variables.push((variable.to_owned(), value.to_owned()));
    }

    /// Writes a file.
    pub fn write(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        std::fs::write(self.path(path), text).unwrap();
    }

    /// Replaces a text in a file, where it must stand exactly once.
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(path)).unwrap();
        assert_eq!(text.matches(from).count(), 1, "`{from}` in {path}");
        std::fs::write(self.path(path), text.replace(from, to)).unwrap();
    }

    /// Keeps its ledger there from now on.
    pub fn keep_ledger_at(&mut self, place: &LedgerPlace) {
        self.set("SWITCHBACK_LEDGER", &place.url);
        self.variables.extend(place.variables.iter().cloned());
    }

    /// Runs the program by another one from now on, which gets the program and its arguments after these words.
    pub fn wrap(&mut self, words: &[&str]) {
        self.wrapping = words.iter().map(|word| (*word).to_owned()).collect();
    }

    /// The program, ready to be started in the folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_switchback");
        let mut command = match self.wrapping.split_first() {
            Some((wrapper, words)) => {
                let mut command = Command::new(wrapper);
                command.args(words).arg(program);
                command
            }
            None => Command::new(program),
        };
        command.current_dir(self.folder.path()).args(arguments).stdin(Stdio::null()).env("NO_COLOR", "1");
        for variable in ["AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "SWITCHBACK_LEDGER", "PGPASSWORD"]
        {
            command.env_remove(variable);
        }
        command.env("XDG_CACHE_HOME", stack::cache());
        command.env("AWS_EC2_METADATA_DISABLED", "true").envs(self.variables.iter().cloned());
        command
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str]) -> Said {
        let Output { status, stdout, stderr } = self.command(arguments).output().unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("the program speaks UTF-8");
        Said { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
    }

    /// Runs the program, which must exit with this code.
    pub fn exits(&self, code: i32, arguments: &[&str]) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, code, "{arguments:?}\n{}\n{}", said.out, said.err);
        said
    }

    /// Runs the program, which must succeed.
    pub fn ok(&self, arguments: &[&str]) -> Said {
        self.exits(0, arguments)
    }

    /// Starts the program, with its standard error piped.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap()
    }

    /// Starts the program, to be followed.
    pub fn follow(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments))
    }

    /// The name of its database.
    pub fn database(&self) -> String {
        self.name.replace('-', "_")
    }

    /// The superuser's URL of its database.
    pub fn database_url(&self) -> String {
        self.stack().database_url(&self.database())
    }

    /// The stack that it lives on.
    pub fn stack(&self) -> &'static Stack {
        stack::shared()
    }

    /// Every byte of a file or folder below the project, for searching.
    pub fn bytes_below(&self, path: &str) -> Vec<(PathBuf, Vec<u8>)> {
        let mut found = Vec::new();
        let mut open = vec![self.path(path)];
        while let Some(path) = open.pop() {
            if path.is_dir() {
                open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            } else {
                found.push((path.clone(), std::fs::read(&path).unwrap()));
            }
        }
        found
    }
}
