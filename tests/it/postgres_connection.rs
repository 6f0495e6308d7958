//! Wrong ways to a server, each with the error that a person can act on; and protected lines.

use std::path::Path;
use std::process::Command;

use switchback::provider::postgres::settings::settings_of_url;
use switchback::provider::postgres::{Migrator, Postgres};
use switchback::value::Value;
use switchback::world::{Connection, Databases as _, ErrorClass, Provider as _, WorldError};

use crate::postgres::connection;
use crate::postgres_server::{PASSWORD, Server};
use crate::stack;

/// The password of the shared server.
fn password() -> String {
    let url = stack::shared().postgres_url();
    let (login, _) = url.split_once('@').unwrap();
    login.rsplit_once(':').unwrap().1.to_owned()
}

async fn refusal(connection: &Connection) -> WorldError {
    let error = Postgres.check(connection).await.expect_err("the connection is wrong");
    let shown = format!("{error} {error:?}");
    assert!(!shown.contains(&password()) && !shown.contains(PASSWORD) && !shown.contains("wrong-password"), "{shown}");
    error
}

fn with(connection: &Connection, name: &str, value: Value) -> Connection {
    let mut changed = connection.clone();
    changed.settings.insert(name.to_owned(), value);
    changed
}

#[tokio::test]
async fn a_good_connection_tells_the_server() {
    let facts = Postgres.check(&connection(&stack::shared().postgres_url())).await.unwrap();
    assert!(facts["server_version"].as_str().unwrap().starts_with(|digit: char| digit.is_ascii_digit()), "{facts:?}");
    assert_eq!(facts["read_only"], Value::from(false));
}

#[tokio::test]
async fn wrong_ways_are_told_apart() {
    let good = connection(&stack::shared().postgres_url());
    let wrong = refusal(&with(&good, "password", Value::from("wrong-password").sensitive())).await;
    assert_eq!(wrong.class, ErrorClass::Denied);
    assert!(wrong.cause.contains("(28P01)"), "{wrong}");

    let wrong = refusal(&with(&good, "port", Value::from(1_i64))).await;
    assert_eq!(wrong.class, ErrorClass::Unreachable);
    assert!(wrong.tried.contains(":1/") && wrong.help.is_some(), "{wrong:?}");

    let wrong = refusal(&with(&good, "dbname", "nowhere".into())).await;
    assert_eq!(wrong.class, ErrorClass::Refused);
    assert!(wrong.cause.contains("(3D000)") && wrong.help.unwrap().contains("create the database"), "{}", wrong.cause);

    let wrong = refusal(&with(&good, "sslmode", "require".into())).await;
    assert_eq!(wrong.class, ErrorClass::Unreachable);
    assert!(wrong.help.as_deref().unwrap().contains("does not offer TLS"), "{wrong:?}");

    let wrong = refusal(&with(&good, "set_role", "nobody_knows".into())).await;
    assert!(wrong.tried.contains("set role nobody_knows"), "{wrong}");

    let protected = with(&good, "sslmode", "verify-full".into());
    let wrong = refusal(&with(&protected, "sslrootcert", "/does/not/exist".into())).await;
    assert!(wrong.class == ErrorClass::Refused && wrong.cause.contains("/does/not/exist"), "{wrong}");
}

#[tokio::test]
async fn a_missing_database_has_no_history() {
    let nowhere = with(&connection(&stack::shared().postgres_url()), "dbname", "nowhere".into());
    assert_eq!(Migrator::default().history(&nowhere).await.unwrap(), None);
    let fresh = stack::shared().new_database("history");
    let history = Migrator::default().history(&connection(&fresh)).await.unwrap().unwrap();
    assert!(history.rows.is_empty() && !history.wide);
}

#[tokio::test]
async fn a_password_comes_from_a_file_too() {
    let url = stack::shared().postgres_url();
    let file = tempfile::NamedTempFile::new().unwrap();
    let password = password();
    std::fs::write(file.path(), format!("{password}\n")).unwrap();
    let bare =
        Connection { settings: settings_of_url(&url.replace(&format!(":{password}@"), "@")), ..connection(&url) };
    let error = refusal(&bare).await;
    assert_eq!(error.class, ErrorClass::Denied, "{error:?}");
    let path = file.path().to_str().unwrap();
    Postgres.check(&with(&bare, "password_file", path.into())).await.unwrap();
    let gone = refusal(&with(&bare, "password_file", "/does/not/exist".into())).await;
    assert!(gone.cause.contains("/does/not/exist"), "{gone}");
}

fn openssl(folder: &Path, arguments: &str) {
    let done = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// An authority `ca.pem` and a certificate of it for `localhost`; a second authority that signed nothing.
fn certificates(folder: &Path) {
    for name in ["ca", "other"] {
        openssl(
            folder,
            &format!("req -x509 -newkey rsa:2048 -nodes -keyout {name}.key -out {name}.pem -days 2 -subj /CN={name}"),
        );
    }
    openssl(folder, "req -newkey rsa:2048 -nodes -keyout server.key -out server.csr -subj /CN=localhost");
    std::fs::write(folder.join("names"), "subjectAltName=DNS:localhost\n").unwrap();
    openssl(
        folder,
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile names -out server.crt",
    );
}

#[tokio::test]
async fn protected_lines_are_checked() {
    let folder = tempfile::tempdir().unwrap();
    certificates(folder.path());
    let server = Server::start(&["ssl=on"], |data| {
        for file in ["server.key", "server.crt"] {
            let target = data.join(file);
            std::fs::copy(folder.path().join(file), &target).unwrap();
            if rustix::process::geteuid().is_root() {
                std::os::unix::fs::chown(&target, Some(65534), Some(65534)).unwrap();
            }
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    });
    let by_name = connection(&server.url("postgres").replace("127.0.0.1", "localhost"));
    let trusting = |connection: &Connection, mode: &str, authority: &str| {
        let path = folder.path().join(authority);
        with(&with(connection, "sslmode", mode.into()), "sslrootcert", path.to_str().unwrap().into())
    };
    Postgres.check(&trusting(&by_name, "verify-full", "ca.pem")).await.unwrap();
    let error = refusal(&trusting(&by_name, "verify-full", "other.pem")).await;
    assert!(error.class == ErrorClass::Unreachable && error.help.unwrap().contains("sslrootcert"), "{}", error.cause);
    let by_address = connection(&server.url("postgres"));
    let error = refusal(&trusting(&by_address, "verify-full", "ca.pem")).await;
    assert_eq!(error.class, ErrorClass::Unreachable, "the certificate is not for 127.0.0.1: {error}");
    Postgres.check(&with(&by_address, "sslmode", "require".into())).await.unwrap();
    assert!(server.port() > 0);
}
