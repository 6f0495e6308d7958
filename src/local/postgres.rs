//! The PostgreSQL server of the stack: found, made, started. An edge.
//!
//! Invariant: it listens on loopback only, wants a password, and its data are a cluster of our own. It never runs as
//! root: root's runs as `nobody`, which has an entry in every `passwd` (`initdb` insists on one).

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::memory::Memory;
use super::process::{self, Identity};
use super::{LocalError, POSTGRES_USER, disk, places, say};
use crate::world::Progress;

/// The user and group that root's server runs as.
const NOBODY: u32 = 65534;

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
        let Some(major) = major_version(&folder) else { continue };
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
    if let Some(folder) = configured {
        return vec![folder.to_owned()];
    }
    let mut found = disk::list(Path::new("/usr/lib/postgresql")).unwrap_or_default();
    found.sort_by_key(|folder| std::cmp::Reverse(disk::file_name(folder).parse::<u32>().unwrap_or(0)));
    for folder in &mut found {
        folder.push("bin");
    }
    let mut ask = Command::new("pg_config");
    ask.arg("--bindir");
    if let Ok(folder) = process::run(ask) {
        found.push(PathBuf::from(folder.trim()));
    }
    found
}

/// `15`, when both programs are there.
fn major_version(folder: &Path) -> Option<String> {
    if !folder.join("initdb").exists() {
        return None;
    }
    let mut ask = Command::new(folder.join("postgres"));
    ask.arg("--version");
    // postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)
    let answer = process::run(ask).ok()?;
    let version = answer.split_ascii_whitespace().nth(2)?;
    Some(version.chars().take_while(char::is_ascii_digit).collect())
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
    let password = new_password();
    let beside = cluster.with_extension("new");
    let handed_over = cluster.with_extension("password");
    disk::remove_folder(&beside)?;
    disk::make_folder(&beside)?;
    disk::replace(&handed_over, &password, 0o600)?;
    for path in [&beside, &handed_over] {
        give_away(path)?;
    }
    let mut initdb = as_server(Command::new(memory.postgres_binaries.join("initdb")), memory);
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
    let mut server = as_server(Command::new(memory.postgres_binaries.join("postgres")), memory);
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

/// A command as the server's user, with an environment and a folder that it can use.
fn as_server(mut command: Command, memory: &Memory) -> Command {
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TZ", "UTC").env("LC_ALL", "C.UTF-8");
    command.current_dir(memory.data_folder());
    if places::is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

/// Hands a file or folder over to the server's user, for nobody else to read.
fn give_away(path: &Path) -> Result<(), LocalError> {
    let mode = if path.is_dir() { 0o700 } else { 0o600 };
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(LocalError::disk("set the rights of", path))?;
    if places::is_root() {
        std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).map_err(LocalError::disk("hand over", path))?;
    }
    Ok(())
}

fn new_password() -> String {
    let mut bytes = [0_u8; 24];
    getrandom::fill(&mut bytes).expect("the system has random bytes");
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
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

    #[test]
    fn passwords_differ() {
        let (one, two) = (new_password(), new_password());
        assert_eq!(one.len(), 48);
        assert_ne!(one, two);
    }
}
