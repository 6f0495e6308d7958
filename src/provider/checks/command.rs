//! `command`: a program of the machine that runs Switchback says yes. Runs it.
//!
//! Invariant: it sees no environment but what is given, and it and what it started are gone when it is not waited for any
//! more.

use std::process::Stdio;

use async_trait::async_trait;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::time::timeout;

use super::{Asks, entries, excerpt, no_length, number, time_limit};
use crate::kind::{Attribute, CheckKind, Mistake, Reaches};
use crate::value::{Object, Type, Value};
use crate::world::{Probe, Seen};

/// The most that is read of what a program says, in bytes; the rest is thrown away.
const MOST_BYTES: usize = 64 * 1024;

/// Where programs are looked for that are named without a path.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The kind.
pub struct Command;

fn mistakes(object: &Object) -> Vec<Mistake> {
    let is_empty = object.get("argv").and_then(Value::items).is_some_and(<[Value]>::is_empty);
    let empty = is_empty.then(|| Mistake {
        attribute: Some("argv".to_owned()),
        text: "`argv` names no program".to_owned(),
        help: "write the program and its arguments: `argv = [\"/usr/bin/test\", \"-e\", \"/srv/up\"]`".to_owned(),
    });
    empty.into_iter().chain(no_length(object, "timeout")).collect()
}

#[async_trait]
impl Asks for Command {
    fn kind(&self) -> CheckKind {
        CheckKind {
            name: "command",
            summary: "A program on the machine that runs Switchback ends with the wanted exit code. No shell reads it.",
            attributes: vec![
                Attribute::required("argv", Type::list(Type::String), "The program and its arguments, each by itself."),
                Attribute::optional(
                    "environment",
                    Type::map(Type::String),
                    "All that it finds in its environment, beside a plain `PATH`.",
                ),
                Attribute::optional("exit_code", Type::Number, "The wanted exit code.").default(0),
                Attribute::optional("timeout", Type::String, "How long one try may take; then it is killed.")
                    .default("30s"),
            ],
            reaches: Reaches::Directly,
            once: false,
            compares: None,
            rights: &[],
            mistakes,
        }
    }

    async fn ask(&self, probe: &Probe) -> Seen {
        let argv = probe.settings.get("argv").map(Value::reveal);
        let argv: Vec<String> = argv
            .as_ref()
            .and_then(Value::items)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect();
        let Some((program, arguments)) = argv.split_first() else {
            return Seen::hopeless("`argv` names no program");
        };
        let mut command = tokio::process::Command::new(program);
        command.args(arguments).env_clear().env("PATH", PATH).envs(entries(probe, "environment"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // In a group of its own: a Ctrl-C is for us, and what it starts ends with it.
        command.process_group(0).kill_on_drop(true);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => return Seen::hopeless(format!("`{program}` cannot be run: {error}")),
        };
        let _group = Group(child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?)));
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let limit = time_limit(probe, "timeout");
        let ended = timeout(limit, async { tokio::join!(read(stdout), read(stderr), child.wait()) }).await;
        let Ok((stdout, stderr, status)) = ended else {
            return Seen::fails(format!("`{program}` did not end within {} ms, and was killed", limit.as_millis()));
        };
        let said = if stderr.trim().is_empty() { stdout } else { stderr };
        let said = match !said.trim().is_empty() {
            true => format!(": {}", excerpt(&said)),
            false => String::new(),
        };
        let wanted = number(probe, "exit_code").unwrap_or_default();
        match status.map(|status| (status.code(), status)) {
            Ok((Some(code), _)) if i64::from(code) == wanted => {
                Seen::holds(format!("`{program}` ended with {code}{said}")).fact("exit_code", i64::from(code))
            }
            Ok((Some(code), _)) => Seen::fails(format!("`{program}` ended with {code}, wanted {wanted}{said}"))
                .fact("exit_code", i64::from(code)),
            Ok((None, status)) => Seen::fails(format!("`{program}` was ended: {status}{said}")),
            Err(error) => Seen::fails(format!("`{program}` cannot be waited for: {error}")),
        }
    }
}

/// Reads to the end, and keeps the beginning.
async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stream) = stream else { return String::new() };
    let (mut kept, mut buffer) = (Vec::new(), [0_u8; 4096]);
    while let Ok(count) = stream.read(&mut buffer).await {
        if count == 0 {
            break;
        }
        let room = MOST_BYTES.saturating_sub(kept.len()).min(count);
        kept.extend_from_slice(&buffer[..room]);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// The processes of a program: they end when this goes.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // Whoever has ended by himself cannot be ended any more.
            let _already_ended = kill_process_group(group, Signal::KILL).is_err();
        }
    }
}
