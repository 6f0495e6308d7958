//! A PostgreSQL server of a test's own, stopped and removed when it is dropped or the test process ends.

use std::io::Write as _;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where the newest installed server's programs are.
pub fn programs() -> PathBuf {
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed")
        .map(|entry| entry.unwrap().path().join("bin"))
        .filter(|folder| folder.join("postgres").exists())
        .collect();
    versions.sort();
    versions.pop().expect("PostgreSQL is installed")
}

/// A running server on loopback. Its superuser is `admin`.
pub struct Server {
    folder: tempfile::TempDir,
    port: u16,
    /// Stops the server when its standard input ends, which it also does when this process dies.
    keeper: Child,
}

pub const PASSWORD: &str = "pw-of-the-test-server";

impl Server {
    /// Starts a server with these settings besides ours.
    pub fn start(settings: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let folder = tempfile::Builder::new().prefix("sb-postgres-").tempdir_in("/tmp").unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let password = folder.path().join("password");
        std::fs::write(&password, PASSWORD).unwrap();
        if rustix::process::geteuid().is_root() {
            for path in [folder.path(), &data, &password] {
                std::os::unix::fs::chown(path, Some(65534), Some(65534)).unwrap();
            }
        }
        let mut initdb = command("initdb");
        initdb.arg("-D").arg(&data).arg("--pwfile").arg(&password);
        initdb.args(["-U", "admin", "-A", "scram-sha-256", "--locale=C.UTF-8", "-E", "UTF8", "--no-sync"]);
        finish(initdb);
        prepare(&data);
        let port = free_port();
        let mut options = format!(
            "-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off -c max_connections=80 -c max_locks_per_transaction=256"
        );
        for setting in settings {
            options += &format!(" -c {setting}");
        }
        let mut start = command("pg_ctl");
        start.arg("-D").arg(&data).arg("-o").arg(options).arg("-l").arg(folder.path().join("data/server.log"));
        start.args(["-w", "start"]);
        finish(start);
        let mut keeper = command("sh");
        let stop = format!(
            "cat >/dev/null; {}/pg_ctl -D {} -m immediate stop; rm -rf {}",
            programs().display(),
            data.display(),
            folder.path().display()
        );
        let keeper = keeper.arg("-c").arg(stop).stdin(Stdio::piped()).process_group(0).spawn().unwrap();
        Self { folder, port, keeper }
    }

    /// The URL of a database for the superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://admin:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// The file with the superuser's password.
    pub fn password_file(&self) -> PathBuf {
        self.folder.path().join("password")
    }

    /// Stops it in this mode (`fast`, `immediate`), and starts it again.
    pub fn restart(&self, mode: &str) {
        let data = self.folder.path().join("data");
        let mut restart = command("pg_ctl");
        restart.arg("-D").arg(&data).args(["-m", mode, "-w", "-l"]).arg(data.join("server.log")).arg("restart");
        finish(restart);
    }

    pub fn port(&self) -> u16 {
        self.port
    }
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
        let _ = self.folder.path();
    }
}

fn command(program: &str) -> Command {
    let path = if program == "sh" { PathBuf::from("/bin/sh") } else { programs().join(program) };
    let mut command = Command::new(path);
    command.current_dir("/tmp").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if rustix::process::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    command
}

fn finish(mut command: Command) {
    let status = command.status().unwrap();
    let _ = std::io::stdout().flush();
    assert!(status.success(), "{command:?}: {status}");
}
