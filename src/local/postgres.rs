//! The PostgreSQL server of the stack: found, made, started. An edge.
//!
//! Invariant: it listens on loopback only, wants a password, and its data are a cluster of our own.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::memory::Memory;
use super::process::{self, Identity};
use super::{LocalError, POSTGRES_USER, disk, say};
use crate::provider::postgres::programs::{self, Programs};
use crate::world::Progress;

fn cluster(memory: &Memory) -> PathBuf {
    memory.data_folder().join("postgres")
}

/// Where the server's programs are: those of the version that made the data, else the newest.
pub(super) fn find(configured: Option<&Path>, memory: Option<&Memory>) -> Result<PathBuf, LocalError> {
    let made_by = match memory {
        Some(memory) => disk::read(&cluster(memory).join("PG_VERSION"))?.map(|version| version.trim().to_owned()),
        None => None,
    };
    let mut seen = Vec::new();
    for folder in candidates(configured) {
        let Some(major) = Programs::of(&folder).map(|found| found.major.to_string()) else { continue };
        match &made_by {
            Some(wanted) if *wanted != major => seen.push(format!("{major} in {}", folder.display())),
            _ => return Ok(folder),
        }
    }
    let cause = match (made_by, configured) {
        (Some(wanted), _) => format!("the data are of PostgreSQL {wanted}; found: {}", or_nothing(&seen)),
        (None, Some(folder)) => format!("{} has no `postgres` and `initdb`", folder.display()),
        (None, None) => "no `postgres` and `initdb` in /usr/lib/postgresql/*/bin or on the path".to_owned(),
    };
    Err(LocalError::Missing { what: "PostgreSQL", cause, packages: "postgresql" })
}

fn or_nothing(seen: &[String]) -> String {
    if seen.is_empty() { "nothing".to_owned() } else { seen.join(", ") }
}

fn candidates(configured: Option<&Path>) -> Vec<PathBuf> {
    configured.map_or_else(programs::installed, |folder| vec![folder.to_owned()])
}

/// Makes the cluster unless it is there. A crash leaves either none or a whole one.
pub(super) fn prepare(memory: &Memory, progress: &dyn Progress) -> Result<(), LocalError> {
    let cluster = cluster(memory);
    let password_file = memory.password_file();
    if cluster.join("PG_VERSION").exists() {
        return match disk::read(&password_file)? {
            Some(_) => Ok(()),
            None => Err(LocalError::Memory {
                path: password_file,
                cause: format!("the password of the data in {} is gone", cluster.display()),
            }),
        };
    }
    if memory.has_cluster {
        return Err(LocalError::DataGone { path: cluster });
    }
    say(progress, "making a PostgreSQL cluster");
    let password = programs::random_word(24);
    let beside = cluster.with_extension("new");
    let handed_over = cluster.with_extension("password");
    disk::remove_folder(&beside)?;
    disk::make_folder(&beside)?;
    disk::replace(&handed_over, &password, 0o600)?;
    for path in [&beside, &handed_over] {
        programs::give_away(path).map_err(LocalError::disk("hand over", path))?;
    }
    let mut initdb = programs::as_server(Command::new(memory.postgres_binaries.join("initdb")), &memory.data_folder());
    initdb
        .arg("--pgdata")
        .arg(&beside)
        .arg("--pwfile")
        .arg(&handed_over)
        .args(["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8", "--no-instructions"])
        .arg(format!("--username={POSTGRES_USER}"));
    let made = process::run(initdb);
    disk::remove_file(&handed_over)?;
    made?;
    disk::replace(&password_file, &password, 0o600)?;
    std::fs::rename(&beside, &cluster).map_err(LocalError::disk("rename", &beside))
}

/// Starts the server; it may not take connections yet.
pub(super) fn start(memory: &Memory) -> Result<Identity, LocalError> {
    let mut server =
        programs::as_server(Command::new(memory.postgres_binaries.join("postgres")), &memory.data_folder());
    server.arg("-D").arg(cluster(memory));
    for setting in [
        "listen_addresses=127.0.0.1",
        &format!("port={}", memory.ports.postgres),
        "unix_socket_directories=",
        "password_encryption=scram-sha-256",
        "max_connections=200",
        // Dropping a schema of 200 tables in one transaction overflows the usual 64.
        "max_locks_per_transaction=256",
        "log_destination=stderr",
        "logging_collector=off",
    ] {
        server.args(["-c", setting]);
    }
    process::start_detached(server, &memory.log("postgres"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_server_is_said_to_be_one() {
        let folder = tempfile::tempdir().unwrap();
        let error = find(Some(folder.path()), None).unwrap_err();
        assert!(error.to_string().contains("has no `postgres` and `initdb`"), "{error}");
        assert_eq!(error.help(), "type: apt-get install -y postgresql");
    }
}
