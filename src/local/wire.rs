//! A few bytes over loopback: enough HTTP and PostgreSQL to ask a part of the stack whether it answers. An edge.
//!
//! Invariant: every read has a time-out, so that a part that hangs cannot hang us.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(5);

fn connect(port: u16) -> std::io::Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Whether nobody listens on a port: it can be bound.
pub(super) fn is_free(port: u16) -> bool {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

/// One HTTP request; gives status and body.
pub(super) fn http(
    port: u16,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> std::io::Result<(u16, String)> {
    let mut stream = connect(port)?;
    // Version 1.0 keeps the answer in one piece that ends with the connection.
    let mut request =
        format!("{method} {path} HTTP/1.0\r\nhost: 127.0.0.1:{port}\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{request}\r\n{body}").as_bytes())?;
    let mut answer = Vec::new();
    stream.take(16 << 20).read_to_end(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer);
    let nonsense = || std::io::Error::new(std::io::ErrorKind::InvalidData, "the answer is not HTTP");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(nonsense)?;
    let status = head.split_ascii_whitespace().nth(1).and_then(|status| status.parse().ok()).ok_or_else(nonsense)?;
    Ok((status, body.to_owned()))
}

/// Whether a PostgreSQL server takes connections: it answers a start-up packet with a question for the password.
/// While it starts or recovers it answers with an error instead.
pub(super) fn postgres_answers(port: u16, user: &str) -> bool {
    let mut packet = vec![0, 3, 0, 0];
    for text in ["user", user, "database", "postgres", ""] {
        packet.extend_from_slice(text.as_bytes());
        packet.push(0);
    }
    let length = u32::try_from(packet.len() + 4).expect("a few bytes").to_be_bytes();
    let asked = connect(port).and_then(|mut stream| {
        stream.write_all(&[&length[..], &packet].concat())?;
        let mut kind = [0_u8];
        stream.read_exact(&mut kind)?;
        Ok(kind[0])
    });
    matches!(asked, Ok(b'R'))
}
