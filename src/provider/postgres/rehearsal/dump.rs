//! The schema of a target that its migrations do not explain, by `pg_dump`. Talks to the server.
//!
//! Invariant: the password goes to the program in its environment, never on its command line.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::connection::password;
use super::super::programs;
use super::super::settings::{Host, Target};
use super::super::tunnel;

/// The schema as SQL.
///
/// # Errors
/// Why there is none, for people.
pub async fn schema(target: &Target, major: u32, beside: Option<&Path>) -> Result<String, String> {
    let program = find(major, beside)?;
    let mut command = Command::new(&program);
    command.args([
        "--schema-only",
        "--no-password",
        "--no-subscriptions",
        "--no-security-labels",
        "--quote-all-identifiers",
    ]);
    let host = match &target.host {
        Host::Tcp(host) => host,
        Host::Socket(folder) => folder,
    };
    command.arg("--host").arg(host).arg("--username").arg(&target.user);
    command.arg("--dbname").arg(&target.dbname);
    if let Some(role) = &target.set_role {
        command.arg("--role").arg(role);
    }
    command.env("PGSSLMODE", target.tls.word()).env("PGAPPNAME", "switchback");
    command.env("PGCONNECT_TIMEOUT", target.connect_timeout.as_secs().max(1).to_string());
    if let Some(file) = &target.root_certificate {
        command.env("PGSSLROOTCERT", file);
    }
    if let Some(password) = password(target).await.map_err(|error| error.to_string())? {
        command.env("PGPASSWORD", password);
    }
    let tunnel = tunnel::to(target).await.map_err(|error| error.to_string())?;
    let mut port = target.port;
    if let Some(tunnel) = &tunnel {
        // The name stays that of the server: its certificate is checked against it.
        command.env("PGHOSTADDR", "127.0.0.1");
        port = tunnel.port;
    }
    command.arg("--port").arg(port.to_string());
    let dumped =
        tokio::task::spawn_blocking(move || programs::run(command)).await.expect("running a program does not panic");
    Ok(plain(&dumped.map_err(|error| error.to_string())?, major))
}

/// A `pg_dump` of at least this version: beside the programs of the server, or wherever one is.
fn find(major: u32, beside: Option<&Path>) -> Result<PathBuf, String> {
    let mut folders: Vec<PathBuf> = beside.map(Path::to_owned).into_iter().collect();
    folders.extend(programs::installed());
    let mut seen = Vec::new();
    for program in folders.iter().map(|folder| folder.join("pg_dump")).chain([PathBuf::from("pg_dump")]) {
        let mut ask = Command::new(&program);
        ask.arg("--version");
        let version = programs::run(ask).ok().and_then(|answer| programs::version_of(&answer));
        match version.as_ref().and_then(|version| version.split('.').next()?.parse::<u32>().ok()) {
            Some(found) if found >= major => return Ok(program),
            Some(found) if !seen.contains(&found.to_string()) => seen.push(found.to_string()),
            Some(_) | None => {}
        }
    }
    let found = if seen.is_empty() { "none".to_owned() } else { format!("that of {}", seen.join(", ")) };
    Err(format!(
        "the schema of an adopted database is copied by pg_dump of version {major} or later, and there is {found}"
    ))
}

/// Without what only `psql` understands, and without settings that an earlier server does not know.
fn plain(dump: &str, major: u32) -> String {
    let is_other = |line: &str| {
        line.starts_with("\\restrict ")
            || line.starts_with("\\unrestrict ")
            || (major < 17 && line.starts_with("SET transaction_timeout"))
    };
    dump.lines().filter(|line| !is_other(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_no_program_has_is_named() {
        let error = find(99, None).unwrap_err();
        assert!(error.contains("pg_dump of version 99 or later"), "{error}");
    }

    #[test]
    fn a_dump_is_plain_sql() {
        let dump = "\\restrict x\nSET transaction_timeout = 0;\nselect 1;\n\\unrestrict x\n";
        assert_eq!(plain(dump, 15), "select 1;");
        assert_eq!(plain(dump, 17), "SET transaction_timeout = 0;\nselect 1;");
    }
}
