//! One request and its answer over HTTP, on an open or a protected line of its own. Talks to the network.
//!
//! Invariant: nothing of a connection is left when nobody waits any more; no message names more of a URL than its host.

use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::HeaderMap;
use hyper::{Request, Uri};
use hyper_util::rt::TokioIo;
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use super::any_certificate::AnyCertificate;

/// The most that is read of an answer.
const MOST_BYTES: usize = 1 << 20;

/// An answer.
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: String,
    /// How long it took, from connecting to its end.
    pub took: Duration,
}

/// Why there is none.
#[derive(Debug)]
pub enum Silence {
    /// It may be there later.
    Later(String),
    /// It is asked wrongly.
    Wrong(String),
}

/// Which certificates are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Certificates {
    /// Those that the machine trusts.
    Checked,
    /// Any.
    Any,
}

/// The host of a URL, as it is connected to.
pub fn host(uri: &Uri) -> String {
    uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned()
}

/// Sends a request whose headers are complete, and waits for the whole answer. No redirection is followed.
///
/// # Errors
/// When there is no whole answer.
pub async fn exchange(uri: &Uri, request: Request<Full<Bytes>>, certificates: Certificates) -> Result<Answer, Silence> {
    let host = host(uri);
    let is_https = uri.scheme_str() == Some("https");
    let port = uri.port_u16().unwrap_or(if is_https { 443 } else { 80 });
    let begun = Instant::now();
    let stream = TcpStream::connect((host.as_str(), port))
        .await
        .map_err(|error| Silence::Later(format!("{host}:{port} cannot be reached: {error}")))?;
    if !is_https {
        return send(stream, request, begun).await;
    }
    let connector = connector(certificates).map_err(Silence::Wrong)?;
    let name = ServerName::try_from(host.clone())
        .map_err(|_| Silence::Wrong(format!("`{host}` is no name that a certificate can have")))?;
    let stream = connector
        .connect(name, stream)
        .await
        .map_err(|error| Silence::Later(format!("{host}:{port}: no protected line: {error}")))?;
    send(stream, request, begun).await
}

async fn send<S>(stream: S, request: Request<Full<Bytes>>, begun: Instant) -> Result<Answer, Silence>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let later = |error: &dyn std::fmt::Display| Silence::Later(format!("no whole answer: {error}"));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| later(&error))?;
    let talking = async {
        let answer = sender.send_request(request).await.map_err(|error| later(&error))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|error| later(&error))?.to_bytes();
        Ok(Answer {
            status: head.status.as_u16(),
            headers: head.headers,
            body: String::from_utf8_lossy(&body).into_owned(),
            took: begun.elapsed(),
        })
    };
    tokio::pin!(connection);
    tokio::pin!(talking);
    // The line is driven here and ends here: nothing stays behind when nobody waits any more.
    tokio::select! {
        answer = &mut talking => answer,
        ended = &mut connection => match ended {
            Ok(()) => talking.await,
            Err(error) => Err(later(&error)),
        },
    }
}

fn connector(certificates: Certificates) -> Result<TlsConnector, String> {
    let provider = Arc::new(ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("ring supports the default versions of TLS");
    let config = match certificates {
        Certificates::Any => builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider))),
        Certificates::Checked => {
            let mut roots = RootCertStore::empty();
            let (good, _) = roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if good == 0 {
                return Err("this machine has no root certificates; install the package `ca-certificates`".to_owned());
            }
            builder.with_root_certificates(roots)
        }
    };
    Ok(TlsConnector::from(Arc::new(config.with_no_client_auth())))
}
