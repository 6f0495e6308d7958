//! What people are told: every event, to receivers that take it, and to those that do not; after a kill, too.
//!
//! Invariant: what a receiver got is looked at from its side, with the signature made again by other means than ours.

mod ci;
mod events;
mod killed;
mod mistakes;
mod runbook;
mod traces;
mod troubles;

use std::process::Command;

use serde_json::Value;

use crate::verification::Bench;
use crate::verification::server::Server;

/// A message as it came in.
#[derive(Clone, Debug)]
pub struct Message {
    pub id: String,
    pub time: String,
    pub signature: Option<String>,
    pub text: String,
    pub body: Value,
}

impl Message {
    fn of(request: &str) -> Self {
        let (head, text) = request.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("POST /hook HTTP/1.1"), "{head}");
        let header = |name: &str| {
            let lines = head.lines().filter_map(|line| line.split_once(": "));
            lines.into_iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned())
        };
        assert_eq!(header("content-type").as_deref(), Some("application/json"));
        Self {
            id: header("webhook-id").unwrap(),
            time: header("webhook-timestamp").unwrap(),
            signature: header("webhook-signature"),
            text: text.to_owned(),
            body: serde_json::from_str(text).unwrap(),
        }
    }

    pub fn topic(&self) -> &str {
        self.body["type"].as_str().unwrap_or("no type")
    }

    /// The signature as Python makes it.
    fn signed_by(&self, key: &str) -> String {
        let program = "import base64, hashlib, hmac, sys\n\
                       key = sys.argv[1].encode()\n\
                       print('v1,' + base64.b64encode(hmac.new(key, sys.argv[2].encode(), hashlib.sha256).digest()).decode())";
        let signed = format!("{}.{}.{}", self.id, self.time, self.text);
        let output = Command::new("python3").args(["-c", program, key, &signed]).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// What a server was told.
pub fn messages(server: &Server) -> Vec<Message> {
    server.asked().iter().map(|request| Message::of(request)).collect()
}

fn topics(server: &Server) -> Vec<String> {
    messages(server).iter().map(|message| message.topic().to_owned()).collect()
}

/// A receiver of everything.
pub fn notify(server: &Server, more: &str) -> String {
    format!("notify \"ops\" {{\n  url = \"{}/hook\"\n{more}\n}}\n", server.url())
}

/// An environment with one thing.
fn thing(input: &str) -> String {
    format!("environment \"dev\" {{}}\nresource \"terraform_data\" \"it\" {{\n  input = \"{input}\"\n}}\n")
}

/// How many messages are owed, as `status` says.
fn untold(bench: &Bench) -> u64 {
    bench.json(0, "status dev")["untold"].as_u64().unwrap_or(0)
}
