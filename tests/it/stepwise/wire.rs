//! A proxy in front of PostgreSQL that breaks one session at a chosen message: its line is cut, or the server is told to
//! cancel or to end it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::task::AbortHandle;

use crate::postgres::session;

/// How a session is broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Break {
    /// The line is cut before the server hears the message.
    CutBefore,
    /// The line is cut when the server has answered it.
    CutAfter,
    /// The server is told to cancel the statement while it runs.
    Cancel,
    /// The server is told to end the session while the statement runs.
    Terminate,
    /// The server hears this message and what follows it; no answer comes back, and then the line is cut.
    Deaf,
}

/// Breaks the session that is called `switchback TOKEN`.
pub struct Wire {
    /// The URL through it.
    pub url: String,
    /// How many messages that want an answer went through the session.
    pub seen: Arc<AtomicUsize>,
    /// Whether it was broken.
    pub broken: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Clone)]
struct Plan {
    direct: String,
    token: String,
    at: usize,
    how: Break,
    seen: Arc<AtomicUsize>,
    broken: Arc<AtomicBool>,
}

impl Wire {
    /// Breaks it at the message of this number, from one.
    pub async fn start(direct: &str, token: &str, at: usize, how: Break) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (before, rest) = direct.split_once('@').unwrap();
        let (place, database) = rest.split_once('/').unwrap();
        let place = place.to_owned();
        // Many of them at once are slow to be accepted, and nothing here is about that.
        let url = format!("{before}@127.0.0.1:{port}/{database}?connect_timeout=120");
        let (seen, broken) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let plan = Plan {
            direct: direct.to_owned(),
            token: token.to_owned(),
            at,
            how,
            seen: Arc::clone(&seen),
            broken: Arc::clone(&broken),
        };
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                // A throw-away server listens on a socket in a folder.
                match place.strip_prefix("%2F").and_then(|path| path.rsplit_once(':')) {
                    Some((folder, port)) => {
                        let socket = format!("/{}/.s.PGSQL.{port}", folder.replace("%2F", "/"));
                        let server = UnixStream::connect(socket).await.unwrap().into_split();
                        drop(tokio::spawn(carry(client, server, plan.clone())));
                    }
                    None => {
                        let server = TcpStream::connect(&place).await.unwrap().into_split();
                        drop(tokio::spawn(carry(client, server, plan.clone())));
                    }
                }
            }
        });
        Self { url, seen, broken, task }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(
    client: TcpStream,
    (from_server, mut to_server): (impl AsyncRead + Unpin + Send + 'static, impl AsyncWrite + Unpin),
    plan: Plan,
) -> Option<()> {
    let (mut from_client, to_client) = client.into_split();
    let head = read_untyped(&mut from_client).await?;
    let called = format!("application_name\0switchback {}\0", plan.token);
    let is_ours = String::from_utf8_lossy(&head).contains(&called);
    to_server.write_all(&head).await.ok()?;
    let process = Arc::new(AtomicI32::new(0));
    let answers = Arc::new(AtomicUsize::new(0));
    let back = tokio::spawn(carry_back(from_server, to_client, Arc::clone(&process), Arc::clone(&answers)));
    let back = back.abort_handle();
    let result =
        carry_on(&mut from_client, &mut to_server, is_ours.then_some(&plan), (&process, &answers), &back).await;
    back.abort();
    result
}

async fn carry_on(
    from: &mut (impl AsyncRead + Unpin),
    to: &mut (impl AsyncWrite + Unpin),
    plan: Option<&Plan>,
    (process, answers): (&AtomicI32, &AtomicUsize),
    back: &AbortHandle,
) -> Option<()> {
    loop {
        let message = read_typed(from).await?;
        let wants_answer = matches!(message[0], b'Q' | b'S');
        let Some(plan) = plan.filter(|_| wants_answer) else {
            to.write_all(&message).await.ok()?;
            continue;
        };
        let number = plan.seen.fetch_add(1, Ordering::SeqCst) + 1;
        if number != plan.at {
            to.write_all(&message).await.ok()?;
            continue;
        }
        plan.broken.store(true, Ordering::SeqCst);
        match plan.how {
            Break::CutBefore => return None,
            Break::CutAfter => {
                // The session's own beginning was answered as well.
                to.write_all(&message).await.ok()?;
                for _ in 0..400 {
                    if answers.load(Ordering::SeqCst) > number {
                        break;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                return None;
            }
            Break::Deaf => {
                // The client's end of the line goes with this task; what it has sent already is still handed on.
                back.abort();
                to.write_all(&message).await.ok()?;
                while let Ok(Some(message)) = tokio::time::timeout(Duration::from_millis(200), read_typed(from)).await {
                    to.write_all(&message).await.ok()?;
                }
                return None;
            }
            Break::Cancel | Break::Terminate => {
                to.write_all(&message).await.ok()?;
                tokio::time::sleep(Duration::from_millis(15)).await;
                let name = if plan.how == Break::Cancel { "cancel" } else { "terminate" };
                let statement = format!("select pg_{name}_backend({})", process.load(Ordering::SeqCst));
                session(&plan.direct).await.batch_execute(&statement).await.ok()?;
            }
        }
    }
}

/// What comes back; the process of the session and its answers are noted.
async fn carry_back(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    process: Arc<AtomicI32>,
    answers: Arc<AtomicUsize>,
) -> Option<()> {
    loop {
        let message = read_typed(&mut from).await?;
        if message[0] == b'K' {
            process.store(i32::from_be_bytes(message[5..9].try_into().unwrap()), Ordering::SeqCst);
        }
        to.write_all(&message).await.ok()?;
        if message[0] == b'Z' {
            answers.fetch_add(1, Ordering::SeqCst);
        }
    }
}

async fn read_untyped(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut message = vec![0; 4];
    from.read_exact(&mut message).await.ok()?;
    rest(from, message, 0).await
}

async fn read_typed(from: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
    let mut message = vec![0; 5];
    from.read_exact(&mut message).await.ok()?;
    rest(from, message, 1).await
}

async fn rest(from: &mut (impl AsyncRead + Unpin), mut message: Vec<u8>, at: usize) -> Option<Vec<u8>> {
    let length = u32::from_be_bytes(message[at..at + 4].try_into().unwrap()) as usize;
    let read = message.len();
    message.resize(at + length, 0);
    from.read_exact(&mut message[read..]).await.ok()?;
    Some(message)
}
