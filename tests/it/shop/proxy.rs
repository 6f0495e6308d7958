//! A proxy in front of the relay that holds a chosen call: before it reaches the endpoint, or its answer.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

/// Where the call is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// The endpoint never hears of it.
    Before,
    /// The endpoint has done it; the answer does not come.
    After,
}

/// A proxy that holds the first call of one operation until it is released, if ever.
pub struct Proxy {
    /// Its URL.
    pub url: String,
    held: Receiver<()>,
    gate: Arc<Gate>,
}

/// Which call is held, where, and whether it may go on.
struct Gate {
    operation: String,
    containing: String,
    hold: Hold,
    is_first: AtomicBool,
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn holds(&self, head: &str, body: &[u8]) -> bool {
        let target = format!(".{}\r\n", self.operation).to_lowercase();
        head.to_lowercase().contains(&target)
            && String::from_utf8_lossy(body).contains(&self.containing)
            && self.is_first.swap(false, Ordering::SeqCst)
    }

    fn open(&self) {
        *self.is_open.lock().unwrap() = true;
        self.opened.notify_all();
    }

    fn wait(&self) {
        let mut is_open = self.is_open.lock().unwrap();
        while !*is_open {
            is_open = self.opened.wait(is_open).unwrap();
        }
    }
}

impl Proxy {
    /// Starts one in front of an endpoint.
    pub fn start(endpoint: &str, operation: &str, hold: Hold) -> Self {
        Self::start_for(endpoint, operation, "", hold)
    }

    /// Starts one that holds only a call with this text in its body.
    pub fn start_for(endpoint: &str, operation: &str, containing: &str, hold: Hold) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = endpoint.strip_prefix("http://").unwrap().to_owned();
        let (tell, held) = channel();
        let gate = Arc::new(Gate {
            operation: operation.to_owned(),
            containing: containing.to_owned(),
            hold,
            is_first: AtomicBool::new(true),
            is_open: Mutex::new(false),
            opened: Condvar::new(),
        });
        let shared = Arc::clone(&gate);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (upstream, tell, gate) = (upstream.clone(), tell.clone(), Arc::clone(&shared));
                std::thread::spawn(move || serve(stream.unwrap(), &upstream, &tell, &gate));
            }
        });
        Self { url, held, gate }
    }

    /// Waits until the call is held.
    pub fn wait(&self) {
        self.held.recv_timeout(Duration::from_secs(60)).expect("the call is made within a minute");
    }

    /// Lets the call go on.
    pub fn release(&self) {
        self.gate.open();
    }

    /// Lets the call go on a while from now.
    pub fn release_after(&self, time: Duration) {
        let gate = Arc::clone(&self.gate);
        std::thread::spawn(move || {
            std::thread::sleep(time);
            gate.open();
        });
    }
}

/// One message: its head and its body, as they came.
pub fn message(reader: &mut impl BufRead) -> Option<(String, Vec<u8>)> {
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

fn serve(mut client: TcpStream, upstream: &str, tell: &Sender<()>, gate: &Gate) {
    let mut requests = BufReader::new(client.try_clone().unwrap());
    let server = TcpStream::connect(upstream).unwrap();
    let mut answers = BufReader::new(server.try_clone().unwrap());
    let mut server = server;
    while let Some((head, body)) = message(&mut requests) {
        let is_held = gate.holds(&head, &body);
        if is_held && gate.hold == Hold::Before {
            tell.send(()).unwrap();
            gate.wait();
        }
        let sent = server.write_all(head.as_bytes()).and_then(|()| server.write_all(&body));
        let Some((head, body)) = sent.ok().and_then(|()| message(&mut answers)) else {
            return;
        };
        if is_held && gate.hold == Hold::After {
            tell.send(()).unwrap();
            gate.wait();
        }
        if client.write_all(head.as_bytes()).and_then(|()| client.write_all(&body)).is_err() {
            return;
        }
    }
}
