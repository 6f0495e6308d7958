//! A project whose only thing is the schema of one database, and the program run in it.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::stack::shared;

/// A project with one database `app` and a short lease.
pub struct Bench {
    folder: tempfile::TempDir,
    pub url: String,
}

impl Bench {
    /// A new database, and these files as its migrations.
    pub fn new(name: &str, migrations: &[(&str, &str)]) -> Self {
        Self::at(shared().new_database(name), shared().postgres_password_file(), migrations)
    }

    /// The same on any server.
    pub fn at(url: String, password_file: &Path, migrations: &[(&str, &str)]) -> Self {
        // Its `psql` is asked while commands run: it must not start only then.
        shared();
        let (head, host) = url.rsplit_once('@').expect("it has a user");
        let user = head.rsplit_once(':').map_or(head, |(user, _)| user);
        let password = password_file.display();
        let bench = Self { folder: tempfile::tempdir().unwrap(), url: url.clone() };
        bench.write("switchback.hcl", "project \"shop\" {}\n");
        bench.write(
            "environments/dev.hcl",
            &format!(
                "environment \"dev\" {{}}\n\ndatabase \"app\" {{\n  url = \"{user}@{host}\"\n  \
                 password_file = \"{password}\"\n  migrations = \"../migrations\"\n  lock_timeout = \"30s\"\n}}\n"
            ),
        );
        for (file, text) in migrations {
            bench.write(&format!("migrations/{file}"), text);
        }
        bench
    }

    /// Writes a file of the project.
    pub fn write(&self, path: &str, text: &str) {
        let path = self.folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// A path of the project.
    pub fn path(&self, path: &str) -> std::path::PathBuf {
        self.folder.path().join(path)
    }

    /// Puts a text in the place of another in a file of the project.
    #[track_caller]
    pub fn edit(&self, path: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(path)).unwrap();
        assert!(text.contains(from), "`{from}` is not in {path}");
        self.write(path, &text.replacen(from, to, 1));
    }

    /// Removes a file or a folder of the project.
    pub fn remove(&self, path: &str) {
        let path = self.path(path);
        if path.is_dir() { std::fs::remove_dir_all(path).unwrap() } else { std::fs::remove_file(path).unwrap() }
    }

    /// A command to be typed; words are separated by spaces.
    pub fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.args(words.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.folder.path()).env("USER", "tester");
        command.env("SWITCHBACK_LEASE", "2s").env("XDG_CACHE_HOME", crate::stack::cache());
        command
    }

    /// Types a command that has to end with this code; gives all it says.
    #[track_caller]
    pub fn expect(&self, code: i32, words: &str) -> String {
        let Output { status, stdout, stderr } = self.command(words).output().unwrap();
        let said = format!("{}{}", String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
        assert_eq!(status.code(), Some(code), "switchback {words}\n{said}");
        said
    }

    /// Starts a command and waits until it says that it has begun a step.
    pub fn begin(&self, words: &str, line: &str) -> (Child, BufReader<std::process::ChildStderr>) {
        let mut child = self.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut talk = BufReader::new(child.stderr.take().unwrap());
        let mut heard = String::new();
        while !heard.contains(line) {
            assert_ne!(talk.read_line(&mut heard).unwrap(), 0, "`{line}` was never said:\n{heard}");
        }
        (child, talk)
    }

    /// What `psql` answers.
    pub fn ask(&self, sql: &str) -> String {
        shared().psql(&self.url, sql)
    }

    /// Waits until a query says true.
    #[track_caller]
    pub fn until(&self, condition: &str) {
        for _ in 0..200 {
            if self.ask(&format!("select exists({condition})")) == "t" {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("never: {condition}");
    }

    /// Whether a record with this text stands in the ledger of the project's folder.
    pub fn has_record(&self, text: &str) -> bool {
        let mut open = vec![self.folder.path().to_owned()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if std::fs::read_to_string(&path).is_ok_and(|found| found.contains(text)) {
                    return true;
                }
            }
        }
        false
    }

    /// Reads a file of the project as JSON.
    pub fn json(&self, path: &str) -> serde_json::Value {
        serde_json::from_str(&std::fs::read_to_string(self.folder.path().join(path)).unwrap()).unwrap()
    }
}
