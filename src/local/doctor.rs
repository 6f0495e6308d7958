//! What this machine lacks for the local stack. An edge (it looks around).
//!
//! Invariant: it changes nothing, but for making and removing an empty file where it asks whether one can write.

use std::path::{Path, PathBuf};

use serde::Serialize;

use super::error::apt_line;
use super::memory::{self, Memory};
use super::process::Identity;
use super::{LocalError, Places, disk, postgres, venv, wire};

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub check: &'static str,
    /// How it is.
    pub verdict: Verdict,
    /// What was found.
    pub detail: String,
    /// What to type, when something is to be done.
    pub help: Option<String>,
}

/// How a thing is that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Good.
    Good,
    /// The local stack will not start like this.
    Bad,
}

/// Looks whether the local stack of a project folder can start.
pub fn doctor(project: &Path, places: &Places, postgres_binaries: Option<&Path>) -> Vec<Finding> {
    let mut findings = vec![
        check_python(),
        check_venv(),
        check_postgres(project, postgres_binaries),
        check_processes(),
        check_ports(project),
        check_folder("project folder", &memory::folder(project)),
        check_folder("cache folder", &places.cache),
    ];
    if let Some(data) = &places.data {
        findings.push(check_folder("data folder", data));
    }
    findings
}

fn finding(check: &'static str, result: Result<String, LocalError>) -> Finding {
    match result {
        Ok(detail) => Finding { check, verdict: Verdict::Good, detail, help: None },
        Err(error) => Finding { check, verdict: Verdict::Bad, detail: error.to_string(), help: Some(error.help()) },
    }
}

fn check_python() -> Finding {
    finding("python3", venv::find_python().map(|python| format!("version {} in {}", python.version, python.prefix)))
}

fn check_venv() -> Finding {
    match venv::lacks_venv() {
        None => Finding { check: "python3-venv", verdict: Verdict::Good, detail: "installed".to_owned(), help: None },
        Some(cause) => Finding {
            check: "python3-venv",
            verdict: Verdict::Bad,
            detail: cause,
            help: Some(format!("type: {}", apt_line("python3-venv"))),
        },
    }
}

fn check_postgres(project: &Path, configured: Option<&Path>) -> Finding {
    let memory = Memory::load(project).ok().flatten();
    finding("postgresql", postgres::find(configured, memory.as_ref()).map(|folder| folder.display().to_string()))
}

/// Processes are recognised by what Linux says of them.
fn check_processes() -> Finding {
    let own = i32::try_from(std::process::id()).ok().and_then(Identity::of);
    let (verdict, detail, help) = match own {
        Some(_) => (Verdict::Good, "can be told apart by their start time", None),
        None => (Verdict::Bad, "/proc does not tell when they started", Some("the local stack needs Linux".to_owned())),
    };
    Finding { check: "processes", verdict, detail: detail.to_owned(), help }
}

fn check_ports(project: &Path) -> Finding {
    let taken = |memory: &Memory| {
        let (ports, processes) = (memory.ports, &memory.processes);
        [
            ("the relay", ports.relay, &processes.relay),
            ("the AWS emulator", ports.emulator, &processes.emulator),
            ("PostgreSQL", ports.postgres, &processes.postgres),
        ]
        .into_iter()
        .find(|(_, port, process)| !process.as_ref().is_some_and(Identity::is_alive) && !wire::is_free(*port))
        .map(|(part, port, _)| LocalError::PortTaken { part, port })
    };
    let looked = Memory::load(project).and_then(|memory| match memory {
        None => Ok("not chosen yet".to_owned()),
        Some(memory) => match taken(&memory) {
            Some(error) => Err(error),
            None => {
                let ports = memory.ports;
                Ok(format!("{}, {} and {} on loopback", ports.relay, ports.emulator, ports.postgres))
            }
        },
    });
    finding("ports", looked)
}

/// Whether one can write in a folder, or make it in the nearest one above it that is there.
fn check_folder(check: &'static str, folder: &Path) -> Finding {
    let there: PathBuf = folder.ancestors().find(|above| above.is_dir()).unwrap_or(Path::new("/")).to_owned();
    let probe = there.join(format!(".switchback-doctor-{}", std::process::id()));
    let written = disk::replace(&probe, "", 0o600).and_then(|()| disk::remove_file(&probe));
    finding(check, written.map(|()| format!("{} is writable", folder.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_is_missing_and_what_to_type() {
        let folder = tempfile::tempdir().unwrap();
        let places = Places { cache: folder.path().join("cache"), data: None };
        let findings = doctor(folder.path(), &places, Some(folder.path()));
        let postgres = findings.iter().find(|finding| finding.check == "postgresql").unwrap();
        assert_eq!(postgres.verdict, Verdict::Bad);
        assert_eq!(postgres.help.as_deref(), Some("type: apt-get install -y postgresql"));
        let cache = findings.iter().find(|finding| finding.check == "cache folder").unwrap();
        assert_eq!(cache.verdict, Verdict::Good, "{}", cache.detail);
        assert!(!places.cache.exists(), "looking makes no folders");
    }

    #[test]
    fn a_folder_that_cannot_be_written_is_bad() {
        let looked = check_folder("cache folder", Path::new("/proc/nothing/of/ours"));
        assert_eq!(looked.verdict, Verdict::Bad, "{}", looked.detail);
        assert!(looked.help.is_some());
    }
}
