//! Tunnels: a command that forwards a port of this machine to the server (`ssh -N -L …`, `aws ssm start-session …`),
//! started when the first session needs it. Starts processes.
//!
//! Invariant: a tunnel lives as long as a session goes through it, and never longer than this process, however that ends.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;

use super::settings::{Host, Target};
use crate::world::{ErrorClass, WorldError};

/// Runs the command until it ends, or until nobody holds the other end of the standard input any more.
const KEEPER: &str = r#"exec 3<&0
"$@" </dev/null &
command=$!
{ cat <&3 >/dev/null; kill "$command" 2>/dev/null; } &
watcher=$!
wait "$command"; code=$?
kill "$watcher" 2>/dev/null
exit "$code""#;

/// How much of what the command says is kept for an error.
const SAID: usize = 2_000;
const PAUSE: Duration = Duration::from_millis(25);

/// A port of this machine that leads to a server.
pub struct Tunnel {
    /// The port, on 127.0.0.1.
    pub port: u16,
    /// Held for its standard input: when that closes the command ends.
    _keeper: Child,
}

type Shared = Arc<OnceCell<Arc<Tunnel>>>;

/// The tunnels of this process, by command and place. Sessions hold them; this only finds them again.
static OPEN: LazyLock<Mutex<BTreeMap<String, Slot>>> = LazyLock::new(Mutex::default);

#[derive(Default)]
struct Slot {
    opening: Weak<OnceCell<Arc<Tunnel>>>,
    open: Weak<Tunnel>,
}

/// The tunnel of a target, if it has one.
///
/// # Errors
/// When the command does not start, ends, or its port takes no connection within the target's time.
pub async fn to(target: &Target) -> Result<Option<Arc<Tunnel>>, WorldError> {
    if target.tunnel.is_empty() {
        return Ok(None);
    }
    let key = format!("{target} {:?}", target.tunnel);
    let shared: Shared = {
        let mut slots = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| slot.open.strong_count() > 0 || slot.opening.strong_count() > 0);
        let slot = slots.entry(key.clone()).or_default();
        if let Some(open) = slot.open.upgrade() {
            return Ok(Some(open));
        }
        slot.opening.upgrade().unwrap_or_else(|| {
            let shared = Shared::default();
            slot.opening = Arc::downgrade(&shared);
            shared
        })
    };
    let tunnel = Arc::clone(shared.get_or_try_init(|| async { start(target).await.map(Arc::new) }).await?);
    let mut slots = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
    slots.entry(key).or_default().open = Arc::downgrade(&tunnel);
    Ok(Some(tunnel))
}

async fn start(target: &Target) -> Result<Tunnel, WorldError> {
    let tried = format!("open the tunnel to {target}");
    let failed = |cause: String, help: &str| WorldError {
        tried: tried.clone(),
        cause,
        help: Some(help.to_owned()),
        class: ErrorClass::Unreachable,
    };
    let Host::Tcp(host) = &target.host else {
        return Err(failed(
            "a Unix socket is on this machine".to_owned(),
            "remove `tunnel`, or name the server's host",
        ));
    };
    let free = async { TcpListener::bind(("127.0.0.1", 0)).await?.local_addr() };
    let port = free.await.map_err(|error| failed(format!("no free port: {error}"), "free a port"))?.port();
    let command: Vec<String> = target.tunnel.iter().map(|word| filled(word, port, host, target.port)).collect();
    let mut keeper = Command::new("/bin/sh");
    keeper.args(["-c", KEEPER, "sh"]).args(&command).kill_on_drop(true);
    keeper.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut keeper = keeper.spawn().map_err(|error| failed(format!("start a shell: {error}"), "check /bin/sh"))?;
    let said = Arc::new(Mutex::new(String::new()));
    if let Some(stream) = keeper.stderr.take() {
        tokio::spawn(listen(stream, Arc::clone(&said)));
    }
    let program = command.first().cloned().unwrap_or_default();
    let words = |what: &str| {
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        match said.trim() {
            "" => format!("`{program}` {what}"),
            said => format!("`{program}` {what}; it said: {}", said.replace('\n', "; ")),
        }
    };
    let begun = Instant::now();
    let help = "run the command of `tunnel` by hand; `{port}` in it is the port of this machine, `{host}` and \
                `{remote_port}` are the server's";
    loop {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return Ok(Tunnel { port, _keeper: keeper });
        }
        let ended = keeper.try_wait().map_err(|error| failed(error.to_string(), help))?;
        if let Some(status) = ended {
            // What it said last may still be on its way.
            tokio::time::sleep(PAUSE).await;
            return Err(failed(words(&format!("ended ({status}) before its port was open")), help));
        }
        if begun.elapsed() > target.connect_timeout {
            let seconds = target.connect_timeout.as_secs();
            return Err(failed(words(&format!("did not open port {port} within {seconds} seconds")), help));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

fn filled(word: &str, port: u16, host: &str, remote: u16) -> String {
    word.replace("{port}", &port.to_string()).replace("{host}", host).replace("{remote_port}", &remote.to_string())
}

async fn listen(mut stream: tokio::process::ChildStderr, said: Arc<Mutex<String>>) {
    let mut buffer = [0_u8; 512];
    while let Ok(count @ 1..) = stream.read(&mut buffer).await {
        let text = String::from_utf8_lossy(&buffer[..count]);
        tracing::debug!(said = text.trim(), "the tunnel's command");
        let mut said = said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.len() < SAID {
            said.push_str(&text);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_filled_in() {
        let word = "127.0.0.1:{port}:{host}:{remote_port}";
        assert_eq!(filled(word, 4000, "db.internal", 5432), "127.0.0.1:4000:db.internal:5432");
        assert_eq!(filled("bastion", 1, "h", 2), "bastion");
    }
}
