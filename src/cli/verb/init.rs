//! `switchback init`: a new project that plans at once.
//!
//! Invariant: a file that is there is never overwritten.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::session::{DEFAULT_LEDGER, PROJECT_FILE, Session};
use crate::cli::terminal::View;
use crate::review::text::{Paint, Role};

const AFTER_HELP: &str = "\
Examples:
  switchback init                                    in this folder, ledger in .switchback
  switchback init -C shop                            in the folder shop
  switchback init --ledger file:/srv/ledgers/shop    the ledger elsewhere; its folder is made";

/// Begin a new project that plans at once
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {}

/// What was made.
#[derive(Serialize)]
struct Made {
    project: String,
    folder: PathBuf,
    files: Vec<PathBuf>,
    ledger: String,
    next: Vec<String>,
}

impl View for Made {
    fn text(&self, paint: &dyn Paint) -> String {
        let mut text = format!("project {} in {}\n", paint.paint(Role::Heading, &self.project), self.folder.display());
        for file in &self.files {
            text += &format!("  {} {}\n", paint.paint(Role::Added, "+"), file.display());
        }
        text += "type next:\n";
        self.next.iter().for_each(|command| text += &format!("  {command}\n"));
        text
    }
}

/// Runs the verb.
///
/// # Errors
/// When there is a project already, or the folder cannot be written.
pub fn run(_arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let folder = &session.folder;
    let project = project_name(folder);
    let ledger = session.globals.ledger.clone();
    let files = [
        (PathBuf::from(PROJECT_FILE), project_file(&project, ledger.as_deref())),
        (PathBuf::from("environments/dev.hcl"), DEV.to_owned()),
    ];
    if let Some((there, _)) = files.iter().find(|(path, _)| folder.join(path).exists()) {
        return Err(Failure::failed(format!("there is a project here already: {}", folder.join(there).display()))
            .help("nothing was written; `switchback plan dev` plans it"));
    }
    let mut written = Vec::new();
    for (path, text) in files {
        write_new(&folder.join(&path), &text)?;
        written.push(path);
    }
    let ignore = PathBuf::from(".gitignore");
    if !folder.join(&ignore).exists() {
        write_new(&folder.join(&ignore), IGNORE)?;
        written.push(ignore);
    }
    if let Some(url) = &ledger {
        make_place(url, folder)?;
    }
    let made = Made {
        project,
        folder: folder.clone(),
        files: written,
        ledger: ledger.unwrap_or_else(|| DEFAULT_LEDGER.to_owned()),
        next: ["validate", "plan dev", "apply dev"].map(|words| session.command(words)).to_vec(),
    };
    session.terminal.show(&made);
    Ok(Exit::Done)
}

fn project_name(folder: &Path) -> String {
    let name = folder.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let word: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let word = word.trim_matches('-');
    if word.is_empty() { "project".to_owned() } else { word.to_owned() }
}

fn project_file(name: &str, ledger: Option<&str>) -> String {
    let ledger = serde_json::Value::from(ledger.unwrap_or(DEFAULT_LEDGER));
    format!(
        "project \"{name}\" {{\n  required_version = \">= {}\"\n  ledger           = {ledger}\n}}\n",
        env!("CARGO_PKG_VERSION")
    )
}

const DEV: &str = r#"# The spec of the environment `dev`. Plan it with `switchback plan dev`, apply it with `switchback apply dev`.

environment "dev" {}

variable "greeting" {
  type    = string
  default = "hello"
}

# `terraform_data` is built in: it keeps a value, and needs no account and no server.
resource "terraform_data" "greeting" {
  input = "${var.greeting} from ${local.where}"
}

locals {
  where = "dev"
}

output "greeting" {
  value = terraform_data.greeting.output
}

# What next:
# - change the greeting, or type `switchback plan dev --var greeting=hi`, and see the plan and its way back
# - `switchback local up` starts an AWS endpoint and a PostgreSQL on this machine, for specs like
#     resource "aws_ssm_parameter" "greeting" { ... }
#     database "app" { migrations = "../migrations/app" ... }
# - `switchback rollback dev --last` takes the newest apply back
"#;

const IGNORE: &str = "# The ledger of dev and the local stack; put the ledger of other environments where your team can reach it.\n.switchback/\n*.plan.json\n";

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut file = std::fs::OpenOptions::new().write(true).create_new(true).open(path)?;
        file.write_all(text.as_bytes())
    };
    write().map_err(|error| {
        Failure::failed(format!("{} cannot be written: {error}", path.display()))
            .help("see that the folder may be written and that the disk has room")
    })
}

fn make_place(url: &str, base: &Path) -> Result<(), Failure> {
    // The store knows which URLs there are; only a folder has to be made beforehand.
    let store = crate::store::open(url, base, "dev")?;
    let url = store.url();
    let Some(folder) = url.strip_prefix("file:") else {
        return Ok(());
    };
    std::fs::create_dir_all(folder)
        .map_err(|error| Failure::failed(format!("the ledger's folder {folder} cannot be made: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_a_word_made_of_the_folders_name() {
        assert_eq!(project_name(Path::new("/a/My Shop!")), "my-shop");
        assert_eq!(project_name(Path::new("/")), "project");
    }
}
