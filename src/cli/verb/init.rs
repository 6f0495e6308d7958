//! `switchback init`: a new project that plans at once, and the place of its ledger.
//!
//! Invariant: what is there is never overwritten, neither a file nor a ledger's place.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::cli::ci::Ci;
use crate::cli::exit::Exit;
use crate::cli::failure::Failure;
use crate::cli::ledgers;
use crate::cli::session::{DEFAULT_LEDGER, PROJECT_FILE, Session};
use crate::cli::terminal::View;
use crate::review::text::{Paint, Role};
use crate::store::{self, Place};

const AFTER_HELP: &str = "\
Examples:
  switchback init                                    in this folder, ledger in .switchback
  switchback init -C shop                            in the folder shop
  switchback init --ledger file:/srv/ledgers/shop    the ledger elsewhere; its folder is made
  switchback init --ledger postgres://me@db/ledgers  its schema and table are made; PGPASSWORD
  switchback init --ci github                        workflows for GitHub Actions; or gitlab

With `--ledger` it makes the ledger's place as far as it is not there, also for a project that is
there already, and prints the least rights for who plans and who applies.";

/// Begin a new project that plans at once, or make the place of a ledger
#[derive(Debug, clap::Args)]
#[command(after_help = AFTER_HELP)]
pub struct Arguments {
    /// Write the files by which a CI plans, applies, promotes and looks for drift
    #[arg(long, value_name = "CI", value_enum)]
    ci: Option<Ci>,
}

const CI_PAGE: &str = concat!(
    "read what each job does, and which rights it needs: ",
    env!("CARGO_PKG_REPOSITORY"),
    "/blob/main/docs/ci.md"
);

/// What was made.
#[derive(Serialize)]
struct Made {
    project: String,
    folder: PathBuf,
    files: Vec<PathBuf>,
    ledger: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    place: Option<PlaceView>,
    /// What is left to do by hand for a CI.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    left_to_do: Vec<&'static str>,
    next: Vec<String>,
}

/// The place of the ledger.
#[derive(Serialize)]
struct PlaceView {
    url: String,
    /// What was made; nothing when all of it was there.
    made: Vec<String>,
    planning_rights: String,
    applying_rights: String,
}

impl View for Made {
    fn text(&self, paint: &dyn Paint) -> String {
        let mut text = String::new();
        if !self.files.is_empty() {
            let name = paint.paint(Role::Heading, &self.project);
            text += &format!("project {name} in {}\n", self.folder.display());
        }
        let added = |what: &str| format!("  {} {what}\n", paint.paint(Role::Added, "+"));
        for file in &self.files {
            text += &added(&file.display().to_string());
        }
        if let Some(place) = &self.place {
            text += &format!("the ledger's place {}\n", place.url);
            place.made.iter().for_each(|what| text += &added(what));
            if place.made.is_empty() {
                text += "  all of it is there\n";
            }
            for (who, rights) in [("plans", &place.planning_rights), ("applies", &place.applying_rights)] {
                text += &format!("the least rights of who {who}:\n");
                rights.lines().for_each(|line| text += &format!("  {line}\n"));
            }
        }
        if !self.left_to_do.is_empty() {
            text += "left to do by hand:\n";
            self.left_to_do.iter().for_each(|what| text += &format!("  {what}\n"));
        }
        text += "type next:\n";
        self.next.iter().for_each(|command| text += &format!("  {command}\n"));
        text
    }
}

/// Runs the verb.
///
/// # Errors
/// When there is nothing to make, or the folder or the ledger's place cannot be written.
pub fn run(arguments: &Arguments, session: &Session) -> Result<Exit, Failure> {
    let folder = &session.folder;
    let project = project_name(folder);
    let ledger = session.globals.ledger.clone();
    let files = [
        (PathBuf::from(PROJECT_FILE), project_file(&project, ledger.as_deref())),
        (PathBuf::from("environments/dev.hcl"), DEV.to_owned()),
    ];
    let there = files.iter().find(|(path, _)| folder.join(path).exists()).map(|(path, _)| folder.join(path));
    if let (Some(there), None, None) = (&there, &ledger, arguments.ci) {
        return Err(Failure::failed(format!("there is a project here already: {}", there.display()))
            .help("nothing was written; `switchback plan dev` plans it"));
    }
    // The place first: when it cannot be made, there is no project that names it.
    let place = match &ledger {
        Some(url) => Some(make_place(session, url)?),
        None => None,
    };
    if let Some(ci) = arguments.ci {
        refuse_written(folder, ci)?;
    }
    let mut written = if there.is_none() { write_project(folder, files)? } else { Vec::new() };
    if let Some(ci) = arguments.ci {
        written.extend(write_ci(folder, ci)?);
    }
    // Who only adds the files of a CI knows how to plan.
    let only_ci = arguments.ci.is_some() && there.is_some();
    let next: &[&str] = if only_ci { &["validate"] } else { &["validate", "plan dev", "apply dev"] };
    let made = Made {
        project,
        folder: folder.clone(),
        files: written,
        ledger: ledger.unwrap_or_else(|| DEFAULT_LEDGER.to_owned()),
        place,
        left_to_do: arguments.ci.map(|ci| vec![ci.left_to_do(), CI_PAGE]).unwrap_or_default(),
        next: next.iter().map(|words| session.command(words)).collect(),
    };
    session.terminal.show(&made);
    Ok(Exit::Done)
}

fn make_place(session: &Session, url: &str) -> Result<PlaceView, Failure> {
    let keys = ledgers::keys();
    let Place { made, planning_rights, applying_rights } =
        session.wait(store::make_place(url, &session.folder, &keys))?;
    // As it is shown elsewhere: absolute, and without a secret.
    let url = store::open_with(url, &session.folder, "dev", &keys)?.url();
    Ok(PlaceView { url, made, planning_rights, applying_rights })
}

fn write_project(folder: &Path, files: [(PathBuf, String); 2]) -> Result<Vec<PathBuf>, Failure> {
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
    Ok(written)
}

/// Nothing is written where one of the files is there.
fn refuse_written(folder: &Path, ci: Ci) -> Result<(), Failure> {
    let there = ci.files().iter().map(|(path, _)| folder.join(path)).find(|path| path.exists());
    there.map_or(Ok(()), |path| {
        Err(Failure::failed(format!("{} is there already; nothing was written", path.display()))
            .help("remove it first, if it shall be written anew"))
    })
}

fn write_ci(folder: &Path, ci: Ci) -> Result<Vec<PathBuf>, Failure> {
    let files = ci.files().iter().map(|(path, text)| {
        write_new(&folder.join(path), text)?;
        Ok(PathBuf::from(path))
    });
    files.collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_is_a_word_made_of_the_folders_name() {
        assert_eq!(project_name(Path::new("/a/My Shop!")), "my-shop");
        assert_eq!(project_name(Path::new("/")), "project");
    }
}
