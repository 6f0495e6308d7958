//! A little HTTP server that answers as it is told.
//!
//! Invariant: each request gets the next answer; the last one is repeated.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How it answers.
#[derive(Clone, Debug)]
pub enum Reply {
    /// With this status and body.
    Status(u16, &'static str),
    /// After this long, with 200.
    Late(Duration),
    /// Not at all, while somebody waits.
    Never,
    /// Not at all: the line is closed.
    Close,
}

#[derive(Default)]
struct Script {
    replies: VecDeque<Reply>,
    asked: Vec<String>,
}

/// The server. It lives as long as the test's process.
pub struct Server {
    port: u16,
    script: Arc<Mutex<Script>>,
}

impl Server {
    pub fn new(replies: &[Reply]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = Arc::new(Mutex::new(Script { replies: replies.iter().cloned().collect(), asked: Vec::new() }));
        let shared = Arc::clone(&script);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let script = Arc::clone(&shared);
                std::thread::spawn(move || answer(stream, &script));
            }
        });
        Self { port, script }
    }

    /// A port at which nobody listens.
    pub fn down() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Self { port, script: Arc::default() }
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers so from now on.
    pub fn says(&self, replies: &[Reply]) {
        self.script.lock().unwrap().replies = replies.iter().cloned().collect();
    }

    /// The requests, with their headers and bodies.
    pub fn asked(&self) -> Vec<String> {
        self.script.lock().unwrap().asked.clone()
    }

    /// Waits until so many requests have come.
    pub fn wait_for(&self, requests: usize) {
        let begun = Instant::now();
        while self.asked().len() < requests {
            assert!(begun.elapsed() < Duration::from_secs(180), "nobody asks");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn answer(stream: TcpStream, script: &Mutex<Script>) {
    let mut reader = BufReader::new(&stream);
    let (mut request, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap_or(0) == 0 {
            return;
        }
        if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
        let is_end = line.trim().is_empty();
        request += &line;
        if is_end {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    request += &String::from_utf8_lossy(&body);
    let reply = {
        let mut script = script.lock().unwrap();
        script.asked.push(request);
        let reply = script.replies.front().cloned().unwrap_or(Reply::Status(200, "well"));
        if script.replies.len() > 1 {
            script.replies.pop_front();
        }
        reply
    };
    let (status, body) = match reply {
        Reply::Status(status, body) => (status, body),
        Reply::Late(pause) => {
            std::thread::sleep(pause);
            (200, "late")
        }
        Reply::Close => return,
        Reply::Never => {
            std::thread::sleep(Duration::from_secs(20));
            return;
        }
    };
    let text = format!(
        "HTTP/1.1 {status} X\r\ncontent-length: {}\r\nx-shop: open\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    // Whoever has asked may be gone.
    drop((&stream).write_all(text.as_bytes()));
}
