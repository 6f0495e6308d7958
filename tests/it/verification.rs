//! What `verify` blocks ask: failing, timing out, flapping, with their target down, before, between and after the steps;
//! with what follows, and after a kill.
//!
//! Invariant: what stands in the world is looked at by SQL, the AWS CLI and files, never by our own observing.

mod asked;
mod aws;
mod bake;
mod course;
mod mistakes;
pub mod server;
mod table;
pub mod taken_back;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use server::Server;

/// A folder of its own with a project of one environment `dev`, in which commands are typed.
pub struct Bench(tempfile::TempDir);

/// What a command said.
pub struct Said {
    pub code: i32,
    pub out: String,
    pub talk: String,
}

impl Bench {
    /// A project of this spec.
    pub fn new(spec: &str) -> Self {
        let bench = Self(tempfile::tempdir().unwrap());
        bench.write("switchback.hcl", "project \"shop\" {}\n");
        bench.write("environments/dev.hcl", spec);
        bench
    }

    pub fn path(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub fn write(&self, path: &str, text: &str) {
        std::fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        std::fs::write(self.path(path), text).unwrap();
    }

    pub fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchback"));
        command.args(words.split_whitespace()).current_dir(self.0.path()).stdin(Stdio::null());
        command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", self.0.path()).env("USER", "tester");
        command.env("SECRET_OF_THE_RUNNER", "runner-secret-31").env("SWITCHBACK_LEASE", "2s");
        command.env("SWITCHBACK_VAR_token", "token-of-the-shop-77");
        command
    }

    pub fn run(&self, words: &str) -> Said {
        let output = self.command(words).output().unwrap();
        Said {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).unwrap(),
            talk: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub fn expect(&self, code: i32, words: &str) -> Said {
        let said = self.run(words);
        assert_eq!(said.code, code, "switchback {words}\n{}{}", said.out, said.talk);
        said
    }

    #[track_caller]
    pub fn json(&self, code: i32, words: &str) -> Value {
        let said = self.expect(code, &format!("{words} --json"));
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{words}: {error}: {}", said.out))
    }

    /// The newest run, as `history` tells it.
    pub fn newest(&self) -> Value {
        self.json(0, "history dev")["runs"].as_array().unwrap().last().unwrap().clone()
    }

    /// Every record of the ledger, as text.
    pub fn ledger(&self) -> String {
        self.expect(0, "history dev --export").out
    }
}

impl Said {
    #[track_caller]
    pub fn has(&self, words: &str) -> &Self {
        let (out, talk) = (&self.out, &self.talk);
        assert!(out.contains(words) || talk.contains(words), "`{words}` is missing in\n{out}{talk}");
        self
    }
}

/// One thing, and a check of a server with these settings, in and around the block that asks.
fn spec(server: &Server, around: &str, inside: &str) -> String {
    format!(
        "environment \"dev\" {{}}\nresource \"terraform_data\" \"it\" {{\n  input = \"one\"\n}}\n\
         verify \"up\" {{\n  interval = \"50ms\"\n{around}\n  http {{\n    url = \"{}/health\"\n{inside}\n  }}\n}}\n",
        server.url()
    )
}
