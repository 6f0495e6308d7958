//! Virtual environments of Python for the emulator and the AWS CLI. An edge.
//!
//! Invariant: one that is marked complete was installed from exactly the pinned requirements, whose digest is in its
//! name; two runs never build the same one at once.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::lock::Lock;
use super::{LocalError, Places, disk, process, say};
use crate::digest::Digest;
use crate::world::Progress;

/// What is installed into an environment of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    /// The emulator.
    MiniStack,
    /// The AWS CLI.
    AwsCli,
}

impl Tool {
    fn name(self) -> &'static str {
        match self {
            Self::MiniStack => "ministack",
            Self::AwsCli => "awscli",
        }
    }

    fn requirements(self) -> &'static str {
        match self {
            Self::MiniStack => include_str!("../../localstack/ministack.requirements.txt"),
            Self::AwsCli => include_str!("../../localstack/awscli.requirements.txt"),
        }
    }
}

/// The Python that environments are made with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Python {
    /// `3.11`.
    pub version: String,
    /// Where it is installed.
    pub prefix: String,
}

/// Installs the AWS CLI in an environment of its own unless it is there, and gives the path of its `aws`.
///
/// # Errors
/// When Python is missing, or the pinned packages cannot be installed.
pub fn ensure_awscli(places: &Places, progress: &dyn Progress) -> Result<PathBuf, LocalError> {
    Ok(ensure(Tool::AwsCli, places, progress)?.join("aws"))
}

/// Makes the environment of a tool unless it is there, and gives the folder of its programs.
pub(super) fn ensure(tool: Tool, places: &Places, progress: &dyn Progress) -> Result<PathBuf, LocalError> {
    let python = find_python()?;
    let key = Digest::of_json(&(tool.requirements(), &python.version, &python.prefix)).short();
    let venv = places.cache.join(format!("{}-{key}", tool.name()));
    let complete = venv.join(".complete");
    if disk::read(&complete)?.is_none() {
        disk::make_folder(&places.cache)?;
        let waiting = || say(progress, &format!("another run is installing {}, waiting for it", tool.name()));
        let lock = venv.with_extension("lock");
        let _lock = Lock::take(&lock, Duration::from_secs(600), &waiting)?;
        if disk::read(&complete)?.is_none() {
            say(progress, &format!("installing {} into {}", tool.name(), venv.display()));
            install(tool, &venv)?;
            disk::replace(&complete, "", 0o644)?;
        }
    }
    Ok(venv.join("bin"))
}

fn install(tool: Tool, venv: &Path) -> Result<(), LocalError> {
    // What a killed run left is of no use. The path must stay the same: programs inside name it.
    disk::remove_folder(venv)?;
    let mut make = isolated("python3");
    make.args(["-m", "venv"]).arg(venv);
    process::run(make).map_err(|error| match &error {
        LocalError::Program { cause, .. } if cause.contains("ensurepip") || cause.contains("No module named venv") => {
            LocalError::Missing {
                what: "Python's venv",
                cause: "`python3 -m venv` cannot make an environment".to_owned(),
                packages: "python3-venv",
            }
        }
        _ => error,
    })?;
    let requirements = venv.join("requirements.txt");
    disk::replace(&requirements, tool.requirements(), 0o644)?;
    let mut pip = isolated(venv.join("bin/python"));
    pip.args(["-m", "pip", "install", "--require-hashes", "--no-deps", "--no-input", "--quiet"])
        .args(["--disable-pip-version-check", "--requirement"])
        .arg(requirements);
    process::run(pip).map(drop)
}

/// The Python on the path, when it is new enough.
pub(super) fn find_python() -> Result<Python, LocalError> {
    let missing = |cause: String| LocalError::Missing { what: "Python 3.10 or later", cause, packages: "python3-venv" };
    let mut ask = isolated("python3");
    ask.args(["-c", "import sys; print('%d.%d' % sys.version_info[:2], sys.base_prefix, sep='\\n')"]);
    let answer = process::run(ask).map_err(|error| missing(error.to_string()))?;
    let (version, prefix) = answer.trim().split_once('\n').unwrap_or((answer.trim(), ""));
    let minor = version.strip_prefix("3.").and_then(|minor| minor.parse::<u32>().ok());
    match minor {
        Some(10..) => Ok(Python { version: version.to_owned(), prefix: prefix.to_owned() }),
        _ => Err(missing(format!("`python3` is version {version}"))),
    }
}

/// Whether environments can be made: `None`, or why not.
pub(super) fn lacks_venv() -> Option<String> {
    let mut ask = isolated("python3");
    ask.args(["-c", "import venv, ensurepip"]);
    process::run(ask).err().map(|error| error.to_string())
}

/// A command that no other environment of Python meddles with. The rest of the process's environment stays: proxies
/// and mirrors are set there.
fn isolated(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for name in ["PYTHONHOME", "PYTHONPATH", "VIRTUAL_ENV", "PIP_TARGET", "PIP_PREFIX", "PIP_USER"] {
        command.env_remove(name);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_requirement_is_pinned_with_hashes() {
        for tool in [Tool::MiniStack, Tool::AwsCli] {
            let text = tool.requirements().replace("\\\n", " ");
            let lines: Vec<&str> =
                text.lines().filter(|line| !line.trim().is_empty() && !line.trim().starts_with('#')).collect();
            assert!(lines.len() > 5, "{tool:?} has requirements");
            for line in lines {
                assert!(line.contains("==") && line.contains("--hash=sha256:"), "{tool:?}: {line}");
            }
        }
        assert!(Tool::MiniStack.requirements().contains("ministack==1.5.33"));
    }
}
