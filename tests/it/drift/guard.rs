//! A guard in front of the relay that lets through only what it is told to, and that writes down what was tried.

use std::collections::BTreeSet;
use std::io::{BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use crate::shop::proxy::message;

/// Whoever has keys may ask whose they are.
const ALWAYS: &str = "GetCallerIdentity";

/// The guard.
pub struct Guard {
    /// Its URL.
    pub url: String,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    allowed: Mutex<BTreeSet<String>>,
    seen: Mutex<Vec<String>>,
    refused: Mutex<Vec<String>>,
}

impl Guard {
    /// Starts one in front of an endpoint; it lets nothing through until it is told to.
    pub fn start(endpoint: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = endpoint.strip_prefix("http://").unwrap().to_owned();
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (upstream, shared) = (upstream.clone(), Arc::clone(&theirs));
                std::thread::spawn(move || serve(stream.unwrap(), &upstream, &shared));
            }
        });
        Self { url, shared }
    }

    /// From now on every call but these (`ecs:DescribeServices`) is refused.
    pub fn allow(&self, actions: &[String]) {
        let operations = actions.iter().filter_map(|action| Some(action.split_once(':')?.1.to_owned()));
        *self.shared.allowed.lock().unwrap() = operations.collect();
        self.shared.seen.lock().unwrap().clear();
    }

    /// The operations that were seen since then, or since the start.
    pub fn seen(&self) -> Vec<String> {
        self.shared.seen.lock().unwrap().clone()
    }

    /// Those that were refused.
    pub fn refused(&self) -> Vec<String> {
        self.shared.refused.lock().unwrap().clone()
    }
}

/// `DescribeServices`; a call without a target (STS) is named in its body.
fn operation(head: &str, body: &[u8]) -> String {
    let target = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("x-amz-target").then(|| value.trim().to_owned())
    });
    match target {
        Some(target) => target.rsplit('.').next().unwrap_or_default().to_owned(),
        None => {
            let body = String::from_utf8_lossy(body).into_owned();
            let action = body.split('&').find_map(|pair| pair.strip_prefix("Action="));
            action.unwrap_or_else(|| head.split(' ').next().unwrap_or_default()).to_owned()
        }
    }
}

fn serve(mut client: TcpStream, upstream: &str, shared: &Shared) {
    let mut requests = BufReader::new(client.try_clone().unwrap());
    let mut server = TcpStream::connect(upstream).unwrap();
    let mut answers = BufReader::new(server.try_clone().unwrap());
    while let Some((head, body)) = message(&mut requests) {
        let operation = operation(&head, &body);
        shared.seen.lock().unwrap().push(operation.clone());
        let is_allowed = operation == ALWAYS || shared.allowed.lock().unwrap().contains(&operation);
        if !is_allowed {
            shared.refused.lock().unwrap().push(operation);
            let body = r#"{"__type":"AccessDeniedException","message":"refused by the guard of the test"}"#;
            let head = format!(
                "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.1\r\ncontent-length: {}\r\n\r\n",
                body.len()
            );
            if client.write_all(format!("{head}{body}").as_bytes()).is_err() {
                return;
            }
            continue;
        }
        let sent = server.write_all(head.as_bytes()).and_then(|()| server.write_all(&body));
        let Some((head, body)) = sent.ok().and_then(|()| message(&mut answers)) else { return };
        if client.write_all(head.as_bytes()).and_then(|()| client.write_all(&body)).is_err() {
            return;
        }
    }
}
