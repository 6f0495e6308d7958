//! `tcp`: somebody takes connections at a port. Asks the network.
//!
//! Invariant: nothing is sent.

use async_trait::async_trait;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use super::{Asks, no_length, number, text, time_limit};
use crate::kind::{Attribute, CheckKind, Mistake, Reaches};
use crate::value::{Object, Type, Value};
use crate::world::{Probe, Seen};

/// The kind.
pub struct Tcp;

fn mistakes(object: &Object) -> Vec<Mistake> {
    let port = object.get("port").and_then(Value::as_i64).filter(|port| !(1..=65_535).contains(port));
    let port = port.map(|port| Mistake {
        attribute: Some("port".to_owned()),
        text: format!("{port} is no port"),
        help: "a port is a number from 1 to 65535".to_owned(),
    });
    port.into_iter().chain(no_length(object, "timeout")).collect()
}

#[async_trait]
impl Asks for Tcp {
    fn kind(&self) -> CheckKind {
        CheckKind {
            name: "tcp",
            summary: "Somebody takes connections at a port; nothing is sent.",
            attributes: vec![
                Attribute::required("host", Type::String, "A name or an address."),
                Attribute::required("port", Type::Number, "The port."),
                Attribute::optional("timeout", Type::String, "How long one try may take.").default("5s"),
            ],
            reaches: Reaches::Directly,
            once: false,
            compares: None,
            rights: &[],
            mistakes,
        }
    }

    async fn ask(&self, probe: &Probe) -> Seen {
        let host = text(probe, "host").unwrap_or_default();
        let port = number(probe, "port").and_then(|port| u16::try_from(port).ok()).unwrap_or_default();
        let (begun, limit) = (Instant::now(), time_limit(probe, "timeout"));
        match timeout(limit, TcpStream::connect((host.as_str(), port))).await {
            Ok(Ok(_)) => {
                let milliseconds = begun.elapsed().as_millis();
                Seen::holds(format!("{host}:{port} takes connections, after {milliseconds} ms"))
            }
            Ok(Err(error)) => Seen::fails(format!("{host}:{port} cannot be reached: {error}")),
            Err(_) => Seen::fails(format!("{host}:{port}: no answer within {} ms", limit.as_millis())),
        }
    }
}
