//! A throw-away server: a copy of a prepared cluster, started for us alone, gone with us. An edge.
//!
//! Invariant: it listens on a Unix socket in a folder of its own only, and ends when whoever started it ends, however
//! that happens: its guard waits at a pipe that we hold, and what even the guard left is removed at the next start.
#![expect(clippy::disallowed_methods, reason = "an edge: these are files of our own cache, which no spec names")]

use std::fs::{File, TryLockError};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio_postgres::Client;

use super::super::connection::open;
use super::super::errors::{refused, world_error};
use super::super::programs::{self, Programs};
use super::super::settings::{Host, Password, Target, Tls};
use crate::world::WorldError;

/// Who the bootstrap superuser is, unless the target's has another name.
pub const BOOTSTRAP: &str = "postgres";

/// How the folders of throw-away servers are called.
const PREFIX: &str = "switchback-rehearsal-";
/// Where files lie in memory.
const MEMORY: &str = "/dev/shm";
/// What has to be free there, in bytes; a server takes 40 MB, and each of its databases 8.
const ROOM: u64 = 4 << 30;
/// How long a server may take to start, and to end. A start that fails ends at once; one that is only slow, on a disk
/// that has much else to write, is worth waiting for: without it nothing is proved.
const PATIENCE: Duration = Duration::from_secs(180);

/// Starts the server, waits at the pipe until nobody holds its other end, then ends the server and tidies up.
const GUARD: &str = r#"
trap : INT TERM HUP
umask 077
cp -R "$1" "$2/data" || exit 1
"$3/postgres" -D "$2/data" -k "$2" $4 >"$2/log" 2>&1 </dev/null &
server=$!
while read -r _; do :; done
kill -QUIT $server 2>/dev/null
wait $server
cd / && rm -rf "$2"
"#;

/// Nothing here has to survive, and nobody else is there.
const SETTINGS: &[&str] = &[
    "listen_addresses=",
    "unix_socket_permissions=0700",
    "fsync=off",
    "full_page_writes=off",
    "synchronous_commit=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "autovacuum=off",
    "shared_buffers=32MB",
    "dynamic_shared_memory_type=mmap",
    "max_connections=60",
    "max_prepared_transactions=10",
    // Dropping a schema of 200 tables in one transaction overflows the usual 64.
    "max_locks_per_transaction=1024",
    "jit=off",
    "log_destination=stderr",
    "logging_collector=off",
    "password_encryption=scram-sha-256",
];

/// A running server of our own.
pub struct Server {
    /// Its programs.
    pub programs: Programs,
    /// Our own superuser of it.
    pub login: Target,
    /// Whether its files are in memory, where there is little room for rows.
    pub in_memory: bool,
    folder: PathBuf,
    guard: Child,
    /// Locked as long as we live.
    _claim: Claim,
}

struct Claim {
    path: PathBuf,
    _file: File,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // Gone already is just as good.
        let _ = std::fs::remove_file(&self.path);
    }
}

impl Server {
    /// Starts one; in memory, if that has room and no rows are to be expected.
    ///
    /// # Errors
    /// Why it does not start.
    pub async fn start(programs: Programs, cache: &Path, with_rows: bool) -> Result<Self, WorldError> {
        let cache = cache.to_owned();
        let started = tokio::task::spawn_blocking(move || {
            let (disk, memory) = (place(), Path::new(MEMORY));
            reap(&disk);
            reap(memory);
            let cluster = cluster(&programs, &cache)?;
            if !with_rows && has_room(memory) {
                match Self::launch(programs.clone(), &cluster, memory) {
                    Ok(mut server) => {
                        server.in_memory = true;
                        return Ok(server);
                    }
                    Err(cause) => tracing::debug!(%cause, "no throw-away server in memory"),
                }
            }
            Self::launch(programs, &cluster, &disk)
        });
        let mut server = started.await.expect("starting a server does not panic").map_err(|cause| failed(&cause))?;
        server.take_possession().await?;
        Ok(server)
    }

    fn launch(programs: Programs, cluster: &Path, place: &Path) -> Result<Self, String> {
        let claim = claim(place)?;
        let folder = claim.path.with_extension("");
        let said = |error: std::io::Error| format!("{}: {error}", folder.display());
        std::fs::create_dir(&folder).map_err(said)?;
        programs::give_away(&folder).map_err(said)?;
        let mut command = programs::as_server(Command::new("/bin/sh"), &folder);
        let settings: String = SETTINGS.iter().map(|setting| format!(" -c {setting}")).collect();
        command.arg("-c").arg(GUARD).arg("sh").arg(cluster).arg(&folder).arg(&programs.folder).arg(settings.trim());
        // A Ctrl-C in our terminal is not meant for it.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
        let guard = command.spawn().map_err(|error| format!("/bin/sh: {error}"))?;
        let login = Target {
            host: Host::Socket(folder.display().to_string()),
            port: 5432,
            user: BOOTSTRAP.to_owned(),
            dbname: "postgres".to_owned(),
            password: Password::Absent,
            tls: Tls::Disable,
            tls_given: false,
            root_certificate: None,
            set_role: None,
            tunnel: Vec::new(),
            connect_timeout: PATIENCE,
        };
        Ok(Self { programs, login, in_memory: false, folder, guard, _claim: claim })
    }

    /// Waits until it answers, then makes a superuser of our own, and passwords the rule.
    async fn take_possession(&mut self) -> Result<(), WorldError> {
        let client = self.first_session().await?;
        let (user, password) = (format!("switchback_{}", programs::random_word(4)), programs::random_word(24));
        let made = format!(
            "create role {user} superuser login password '{password}'; alter role {BOOTSTRAP} password '{password}'"
        );
        client
            .batch_execute(&made)
            .await
            .map_err(|error| world_error("take possession of the throw-away server", &error))?;
        let rules = self.folder.join("data/pg_hba.conf");
        std::fs::write(&rules, "local all all scram-sha-256\n")
            .map_err(|error| failed(&format!("{}: {error}", rules.display())))?;
        let reloaded = client.batch_execute("select pg_reload_conf()").await;
        reloaded.map_err(|error| world_error("take possession of the throw-away server", &error))?;
        self.login.user = user;
        self.login.password = Password::Given(password);
        Ok(())
    }

    async fn first_session(&mut self) -> Result<Client, WorldError> {
        let started = Instant::now();
        loop {
            let error = match open(&self.login).await {
                Ok(client) => return Ok(client),
                Err(error) => error,
            };
            let has_ended = !matches!(self.guard.try_wait(), Ok(None));
            if has_ended || started.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                let lines: Vec<&str> = log.lines().collect();
                let end = lines[lines.len().saturating_sub(5)..].join("; ");
                return Err(failed(&format!("{}: {end}", error.cause)));
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let started = Instant::now();
        while matches!(self.guard.try_wait(), Ok(None)) {
            if started.elapsed() > PATIENCE {
                tracing::warn!(folder = %self.folder.display(), "a throw-away server does not end");
                return;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        remove(&self.folder);
    }
}

fn failed(cause: &str) -> WorldError {
    refused(
        "start a throw-away PostgreSQL",
        cause,
        "install PostgreSQL of the target's version, or name a server in `rehearsal { url }`",
    )
}

/// Where the folders are. The name of a socket is at most 107 bytes long; root's server has to get there as `nobody`.
fn place() -> PathBuf {
    let usual = std::env::temp_dir();
    if programs::is_root() || usual.as_os_str().len() > 60 { PathBuf::from("/tmp") } else { usual }
}

/// Whether the files of a server without rows fit into memory many times over: copying a cluster makes a thousand files,
/// which takes a disk ten times as long.
fn has_room(memory: &Path) -> bool {
    let free = |text: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
    };
    let in_all = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| free(&text));
    let here = rustix::fs::statvfs(memory).map(|found| found.f_bavail * found.f_frsize);
    in_all.is_some_and(|bytes| bytes >= ROOM) && here.is_ok_and(|bytes| bytes >= ROOM)
}

/// A name for a folder that is ours as long as we live.
fn claim(place: &Path) -> Result<Claim, String> {
    loop {
        let path = place.join(format!("{PREFIX}{}.lock", programs::random_word(5)));
        let said = |error: std::io::Error| format!("{}: {error}", path.display());
        let file = File::options().write(true).create_new(true).open(&path).map_err(said)?;
        file.lock().map_err(said)?;
        // Between the two, somebody who tidies up may have taken it for one that was left.
        let is_ours = |found: std::fs::Metadata| file.metadata().is_ok_and(|own| own.ino() == found.ino());
        if std::fs::metadata(&path).is_ok_and(is_ours) {
            return Ok(Claim { path, _file: file });
        }
    }
}

/// Ends and removes the servers whose owners are dead and whose guards are as well.
fn reap(place: &Path) {
    let Ok(entries) = std::fs::read_dir(place) else { return };
    for path in entries.filter_map(Result::ok).map(|entry| entry.path()) {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        if !name.starts_with(PREFIX) || !name.ends_with(".lock") {
            continue;
        }
        let Ok(file) = File::options().write(true).open(&path) else { continue };
        match file.try_lock() {
            Ok(()) => {
                let folder = path.with_extension("");
                end_server(&folder);
                remove(&folder);
                // Gone already is just as good.
                let _ = std::fs::remove_file(&path);
            }
            Err(TryLockError::WouldBlock | TryLockError::Error(_)) => {}
        }
    }
}

/// Ends the server that runs in a folder: one whose command line names it, so that it can be no other.
fn end_server(folder: &Path) {
    let Ok(text) = std::fs::read_to_string(folder.join("data/postmaster.pid")) else { return };
    let Some(number) = text.lines().next().and_then(|line| line.trim().parse::<i32>().ok()) else { return };
    let is_it = || {
        let line = std::fs::read(format!("/proc/{number}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&*folder.to_string_lossy())
    };
    let started = Instant::now();
    while is_it() && started.elapsed() < Duration::from_secs(5) {
        if let Some(process) = Pid::from_raw(number) {
            // It may have ended by itself in between, which is what was wanted.
            let _ = kill_process(process, Signal::QUIT);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Removes a folder; the guard may be doing the same.
fn remove(folder: &Path) {
    for _ in 0..50 {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => std::thread::sleep(Duration::from_millis(10)),
            _ => return,
        }
    }
    tracing::warn!(folder = %folder.display(), "the folder of a throw-away server stays behind");
}

/// The cluster that all throw-away servers of a version are copies of; made once.
fn cluster(programs: &Programs, cache: &Path) -> Result<PathBuf, String> {
    let who = if programs::is_root() { "nobody" } else { "own" };
    let parent = cache.join("postgresql");
    let cluster = parent.join(format!("cluster-{}-{who}", programs.version));
    if cluster.join("PG_VERSION").exists() {
        return Ok(cluster);
    }
    let beside = parent.join(format!(".cluster-{}", programs::random_word(6)));
    let said = |error: std::io::Error| format!("{}: {error}", beside.display());
    std::fs::create_dir_all(&beside).map_err(said)?;
    programs::give_away(&beside).map_err(said)?;
    let mut initdb = programs::as_server(Command::new(programs.folder.join("initdb")), &beside);
    initdb.arg("--pgdata").arg(&beside).arg(format!("--username={BOOTSTRAP}"));
    // Passwords become the rule before anything is in it; until then its folder is open to its owner only.
    initdb.args(["--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--wal-segsize=1"]);
    if programs.major >= 14 {
        initdb.arg("--no-instructions");
    }
    let made = programs::run(initdb).map_err(|error| error.to_string()).and_then(|_| {
        match std::fs::rename(&beside, &cluster) {
            Err(_) if cluster.join("PG_VERSION").exists() => Ok(()),
            moved => moved.map_err(said),
        }
    });
    remove(&beside);
    made.map(|()| cluster)
}
