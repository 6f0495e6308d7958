//! The command line as a user types it: the real binary, its output and exit codes.
//!
//! Invariant: the environment of every call is fixed, so that no test depends on who runs it.

#[cfg(unix)]
mod approve;
mod audit;
mod back;
mod completing;
#[cfg(feature = "aws")]
mod elsewhere;
mod environments;
#[cfg(feature = "aws")]
mod fenced;
mod flow;
mod grammar;
mod hold;
#[cfg(feature = "postgres")]
mod keep;
mod lease;
#[cfg(feature = "postgres")]
mod ledger_postgres;
mod output;
#[cfg(feature = "aws")]
mod parked;
#[cfg(unix)]
mod release;
mod settle;
mod skip;
mod sql_mistakes;
mod state;
mod status;
mod unfinished;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// A folder of its own in which commands are typed.
struct Bench {
    folder: tempfile::TempDir,
    variables: Vec<(String, String)>,
}

/// What a command said.
#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    talk: String,
}

impl Bench {
    /// An empty folder.
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// A folder with a project of one environment `dev`.
    fn with_spec(spec: &str) -> Self {
        let bench = Self::new();
        bench.write("switchback.hcl", "project \"shop\" {}\n");
        bench.write("environments/dev.hcl", spec);
        bench
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.path().join(path)).unwrap()
    }

    /// Every file below the folder, for telling that nothing was done.
    fn files(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.path().to_owned()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { open.push(path) } else { found.push(path) }
            }
        }
        found.sort();
        found
    }

    fn set(&mut self, name: &str, value: &str) {
        self.variables.push((name.to_owned(), value.to_owned()));
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.args(words.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.path()).env("USER", "tester");
        command.env("XDG_CACHE_HOME", crate::stack::cache());
        command.envs(self.variables.iter().cloned());
        command
    }

    /// Types a command; words are separated by spaces.
    fn run(&self, words: &str) -> Said {
        Said::of(self.command(words).output().unwrap())
    }

    /// Types a command that has to end with this code.
    #[track_caller]
    fn expect(&self, code: i32, words: &str) -> Said {
        let said = self.run(words);
        assert_eq!(said.code, code, "switchback {words}\n{}{}", said.out, said.talk);
        said
    }

    /// The same with `--json`, read.
    #[track_caller]
    fn json(&self, code: i32, words: &str) -> serde_json::Value {
        let said = self.expect(code, &format!("{words} --json"));
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{words}: {error}: {}", said.out))
    }
}

impl Said {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            talk: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// The words are in what was said, on either stream.
    #[track_caller]
    fn has(&self, words: &str) -> &Self {
        assert!(
            self.out.contains(words) || self.talk.contains(words),
            "`{words}` is missing in\n{}{}",
            self.out,
            self.talk
        );
        self
    }

    #[track_caller]
    fn has_not(&self, words: &str) -> &Self {
        assert!(!self.out.contains(words) && !self.talk.contains(words), "`{words}` is in\n{}{}", self.out, self.talk);
        self
    }
}
