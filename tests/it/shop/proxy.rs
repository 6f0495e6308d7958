//! A proxy in front of the relay that holds a chosen call: before it reaches the endpoint, or its answer.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Where the call is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The endpoint never hears of it.
    Before,
    /// The endpoint has done it; the answer does not come.
    After,
}

/// A proxy that holds the first call of one operation for good.
pub struct Proxy {
    /// Its URL.
    pub url: String,
    held: Receiver<()>,
}

impl Proxy {
    /// Starts one in front of an endpoint.
    pub fn start(endpoint: &str, operation: &str, hold: Hold) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = endpoint.strip_prefix("http://").unwrap().to_owned();
        let operation = operation.to_owned();
        let (tell, held) = channel();
        let first = Arc::new(AtomicBool::new(true));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (upstream, operation, tell, first) =
                    (upstream.clone(), operation.clone(), tell.clone(), Arc::clone(&first));
                std::thread::spawn(move || serve(stream.unwrap(), &upstream, &operation, hold, &tell, &first));
            }
        });
        Self { url, held }
    }

    /// Waits until the call is held.
    pub fn wait(&self) {
        self.held.recv_timeout(Duration::from_secs(60)).expect("the call is made within a minute");
    }
}

/// One message: its head and its body, as they came.
fn message(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
    let mut head = String::new();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        head.push_str(&line);
        if line == "\r\n" {
            break;
        }
    }
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut body = vec![0; length.unwrap_or(0)];
    reader.read_exact(&mut body).ok()?;
    Some((head, body))
}

fn serve(mut client: TcpStream, upstream: &str, operation: &str, hold: Hold, tell: &Sender<()>, first: &AtomicBool) {
    let mut requests = BufReader::new(client.try_clone().unwrap());
    let server = TcpStream::connect(upstream).unwrap();
    let mut answers = BufReader::new(server.try_clone().unwrap());
    let mut server = server;
    while let Some((head, body)) = message(&mut requests) {
        let target = format!(".{operation}\r\n");
        let is_held = head.to_lowercase().contains(&target.to_lowercase()) && first.swap(false, Ordering::SeqCst);
        if is_held && hold == Hold::Before {
            tell.send(()).unwrap();
            std::thread::park();
        }
        let sent = server.write_all(head.as_bytes()).and_then(|()| server.write_all(&body));
        let Some((head, body)) = sent.ok().and_then(|()| message(&mut answers)) else {
            return;
        };
        if is_held {
            tell.send(()).unwrap();
            std::thread::park();
        }
        if client.write_all(head.as_bytes()).and_then(|()| client.write_all(&body)).is_err() {
            return;
        }
    }
}
