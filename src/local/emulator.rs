//! The AWS emulator (`MiniStack`) and the mark by which a loss of its state is seen. An edge.
//!
//! Invariant: the mark is changed at every start. The emulator saves only when it ends in order; one that was killed
//! comes back with an older mark, or none.

use std::process::Command;

use super::memory::Memory;
use super::process::{self, Identity};
use super::venv::{self, Tool};
use super::{LocalError, Places, REGION, disk, wire};
use crate::world::Progress;

/// The emulator keeps accounts apart by access keys of twelve digits: no listing of the user's shows the mark.
const ACCOUNT_OF_THE_MARK: &str = "999999999999";
const NAME_OF_THE_MARK: &str = "/switchback/generation";

/// Starts the emulator; it may not answer yet.
pub(super) fn start(memory: &Memory, places: &Places, progress: &dyn Progress) -> Result<Identity, LocalError> {
    let programs = venv::ensure(Tool::MiniStack, places, progress)?;
    let folder = memory.data_folder().join("emulator");
    let temporary = folder.join("tmp");
    disk::make_folder(&temporary)?;
    let mut command = Command::new(programs.join("python"));
    command
        .args(["-m", "ministack"])
        .current_dir(&folder)
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("HOME", &folder)
        .env("TMPDIR", &temporary)
        .env("BIND_HOST", "127.0.0.1")
        .env("GATEWAY_PORT", memory.ports.emulator.to_string())
        .env("MINISTACK_REGION", REGION)
        .env("PERSIST_STATE", "1")
        // Relative to its folder, which may be moved while it runs.
        .env("STATE_DIR", "state")
        .env("S3_PERSIST", "1")
        .env("S3_DATA_DIR", "s3")
        .env("ECS_RESTORE_RECONCILE_DELAY_SECONDS", "0")
        // Other servers inside it would listen on ports that nobody chose; containers are never run.
        .env("SFTP_ENABLED", "0")
        .env("IOT_MTLS_ENABLED", "0")
        .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
        .env("PYTHONUNBUFFERED", "1");
    process::start_detached(command, &memory.log("emulator"))
}

/// Whether it answers.
pub(super) fn answers(port: u16) -> bool {
    matches!(wire::http(port, "GET", "/_ministack/health", &[], ""), Ok((200, _)))
}

/// The mark that it holds.
pub(super) fn mark(port: u16) -> std::io::Result<Option<String>> {
    let body = serde_json::json!({ "Names": [NAME_OF_THE_MARK] });
    let answer = ask(port, "GetParameters", &body)?;
    Ok(answer.pointer("/Parameters/0/Value").and_then(serde_json::Value::as_str).map(str::to_owned))
}

/// Changes the mark.
pub(super) fn set_mark(port: u16, mark: &str) -> std::io::Result<()> {
    let body = serde_json::json!({ "Name": NAME_OF_THE_MARK, "Value": mark, "Type": "String", "Overwrite": true });
    ask(port, "PutParameter", &body).map(drop)
}

fn ask(port: u16, operation: &str, body: &serde_json::Value) -> std::io::Result<serde_json::Value> {
    let target = format!("AmazonSSM.{operation}");
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={ACCOUNT_OF_THE_MARK}/20200101/{REGION}/ssm/aws4_request, \
         SignedHeaders=host, Signature=0"
    );
    let headers = [
        ("content-type", "application/x-amz-json-1.1"),
        ("x-amz-target", target.as_str()),
        ("authorization", authorization.as_str()),
    ];
    let (status, answer) = wire::http(port, "POST", "/", &headers, &body.to_string())?;
    if status != 200 {
        return Err(std::io::Error::other(format!("status {status} for {operation}")));
    }
    serde_json::from_str(&answer).map_err(std::io::Error::other)
}
