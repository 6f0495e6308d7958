//! Ways to a server that are not straight: a tunnel, and a proxy that pools transactions.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use switchback::migration::Direction;
use switchback::provider::postgres::{Migrator, Postgres};
use switchback::value::{Type, Value};
use switchback::world::{Connection, Databases as _, ErrorClass, Provider as _, Trace};

use crate::postgres::{connection, effect, migration};
use crate::postgres_server::{PASSWORD, Server, free_port};

/// pgbouncer in front of a server, ended when dropped.
struct Bouncer {
    process: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Bouncer {
    fn start(server: &Server, mode: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("sb-bouncer-").tempdir_in("/tmp").unwrap();
        let port = free_port();
        let settings = format!(
            "[databases]\n* = host=127.0.0.1 port={} user=admin password={PASSWORD}\n[pgbouncer]\nlisten_addr=127.0.0.1\n\
             listen_port={port}\nunix_socket_dir=\nauth_type=any\npool_mode={mode}\ndefault_pool_size=5\n",
            server.port()
        );
        let file = folder.path().join("pgbouncer.ini");
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new("/usr/sbin/pgbouncer");
        command.arg(&file).current_dir("/tmp").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if rustix::process::geteuid().is_root() {
            use std::os::unix::fs::PermissionsExt as _;
            use std::os::unix::process::CommandExt as _;
            std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
            command.uid(65534).gid(65534);
        }
        let process = command.spawn().expect("pgbouncer is installed: `./dev setup`");
        let begun = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(180), "pgbouncer takes no connections");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, port, _folder: folder }
    }

    fn connection(&self) -> Connection {
        connection(&format!("postgres://admin:{PASSWORD}@127.0.0.1:{}/postgres?sslmode=disable", self.port))
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn a_proxy_that_pools_transactions_is_refused_and_one_that_pools_sessions_is_not() {
    let server = Server::start(&[], |_| ());
    let table = migration(1, "one", "create table one (id int)", Some("drop table one"));
    for mode in ["transaction", "statement"] {
        let bouncer = Bouncer::start(&server, mode);
        let planned = Migrator::default().history(&bouncer.connection()).await.expect_err(mode);
        assert_eq!(planned.class, ErrorClass::Refused, "{mode}: {planned}");
        assert!(planned.cause.contains("a proxy gives each transaction another session"), "{mode}: {planned}");
        assert!(planned.help.as_deref().unwrap().contains("pool_mode = session"), "{planned:?}");
        let run = effect(&table, Direction::Up, "t1");
        let failed = Migrator::default().migrate(&bouncer.connection(), &run, &crate::postgres::Heard::default()).await;
        assert_eq!(failed.expect_err(mode).trace, Trace::Nothing);
    }
    let bouncer = Bouncer::start(&server, "session");
    let run = effect(&table, Direction::Up, "t2");
    Migrator::default().migrate(&bouncer.connection(), &run, &crate::postgres::Heard::default()).await.unwrap();
    let history = Migrator::default().history(&bouncer.connection()).await.unwrap().unwrap();
    assert_eq!(history.rows.len(), 1);
}

/// Forwards each connection to a port, says on which process it runs.
const FORWARD: &str = r#"
import os, socket, sys, threading
open(sys.argv[3] + ".new", "w").write(str(os.getpid()))
os.rename(sys.argv[3] + ".new", sys.argv[3])
listening = socket.create_server(("127.0.0.1", int(sys.argv[1])))
def pump(one, other):
    try:
        while data := one.recv(65536):
            other.sendall(data)
    except OSError:
        pass
    for end in (one, other):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
while True:
    near, _ = listening.accept()
    far = socket.create_connection(("127.0.0.1", int(sys.argv[2])))
    for pair in ((near, far), (far, near)):
        threading.Thread(target=pump, args=pair, daemon=True).start()
"#;

/// A database behind a tunnel: nobody could find the host's name from here.
fn tunnelled(command: &[&str], port: u16, user: &str) -> Connection {
    let mut found = connection("postgres://nobody@nowhere.invalid/postgres");
    let words = command.iter().map(|word| Value::from(*word)).collect();
    found.settings.clear();
    for (name, value) in [
        ("host", Value::from("db.invalid")),
        ("port", Value::from(i64::from(port))),
        ("user", Value::from(user)),
        ("password", Value::from(PASSWORD).sensitive()),
        ("sslmode", Value::from("disable")),
        ("connect_timeout", Value::from(30_i64)),
        ("tunnel", Value::list(Type::String, words)),
    ] {
        found.settings.insert(name.to_owned(), value);
    }
    found
}

fn is_alive(process: &str) -> bool {
    std::path::Path::new("/proc").join(process).exists()
}

#[tokio::test]
async fn a_tunnel_is_opened_once_and_ends_with_the_last_session() {
    let server = Server::start(&[], |_| ());
    let folder = tempfile::tempdir().unwrap();
    let said = folder.path().join("process");
    let command = ["python3", "-c", FORWARD, "{port}", "{remote_port}", said.to_str().unwrap()];
    let connection = tunnelled(&command, server.port(), "admin");
    let direct = crate::postgres::session(&server.url("postgres")).await;
    direct.batch_execute("create table ended (at timestamptz)").await.unwrap();
    // Its session stays in the tunnel until the test has seen a second one there.
    let waits = "create table one (id int);
        do $$ begin
            while not exists (select from ended) loop perform pg_sleep(0.02); end loop;
        end $$";
    let table = migration(1, "one", waits, None);
    let run = effect(&table, Direction::Up, "t1");
    let heard = crate::postgres::Heard::default();
    let (migrator, other) = (Migrator::default(), Migrator::default());
    let looking = async {
        let begun = Instant::now();
        let waiting =
            "select count(*) from pg_stat_activity where query like '%from ended%' and pid <> pg_backend_pid()";
        while direct.query_one(waiting, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            assert!(begun.elapsed() < Duration::from_secs(180), "the migration does not begin");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let process = std::fs::read_to_string(&said).expect("the tunnel runs");
        other.history(&connection).await.expect("a second session goes through it");
        assert_eq!(std::fs::read_to_string(&said).unwrap(), process, "there is one tunnel");
        direct.batch_execute("insert into ended values (now())").await.unwrap();
        process
    };
    let (done, process) = tokio::join!(migrator.migrate(&connection, &run, &heard), looking);
    done.expect("the migration runs through the tunnel");
    let begun = Instant::now();
    while is_alive(&process) {
        assert!(begun.elapsed() < Duration::from_secs(120), "the tunnel outlives its sessions");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_tunnel_that_does_not_open_says_what_its_command_said() {
    let broken = ["sh", "-c", "echo the bastion is closed >&2; exit 3"];
    let error = Postgres.check(&tunnelled(&broken, 5432, "admin")).await.expect_err("there is no way");
    assert_eq!(error.class, ErrorClass::Unreachable);
    for part in ["open the tunnel to", "ended", "the bastion is closed"] {
        assert!(error.to_string().contains(part), "`{part}`: {error}");
    }
    let mut slow = tunnelled(&["sleep", "60"], 5432, "admin");
    slow.settings.insert("connect_timeout".to_owned(), Value::from(1_i64));
    let error = Postgres.check(&slow).await.expect_err("it never opens");
    assert!(error.cause.contains("did not open port"), "{error}");
    assert!(!format!("{error:?}").contains(PASSWORD));
}
