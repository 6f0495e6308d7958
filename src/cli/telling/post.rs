//! Messages on their way. Talks to the network.
//!
//! Invariant: each receiver is given its own time and no more, whatever it does; no message of ours holds its URL.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::future::join_all;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use hyper::{Request, Uri};
use tokio::time::{Instant, timeout};

use super::Letters;
use crate::cli::secrets::EdgeSecrets;
use crate::cli::session::Session;
use crate::notice::body::body;
use crate::notice::receiver::{Delivery, Receiver, Target};
use crate::notice::signature::signature;
use crate::notice::{Notice, Topic};
use crate::provider::web::{self, Certificates, Silence};
use crate::review::words::{counted, harmless};
use crate::secret::{SecretReference, Secrets as _};

/// Sends all of them, each receiver's one after the other. Gives what was delivered, and for each receiver that did not
/// take all of it, why.
pub(super) async fn all(session: &Session, letters: Letters<'_>) -> (BTreeSet<Delivery>, Vec<String>) {
    let each = letters.iter().map(|(receiver, notices)| one(session, receiver, notices));
    let mut delivered = BTreeSet::new();
    let mut troubles = Vec::new();
    for (some, trouble) in join_all(each).await {
        delivered.extend(some);
        troubles.extend(trouble);
    }
    (delivered, troubles)
}

async fn one(session: &Session, receiver: &Receiver, notices: &[Notice]) -> (Vec<Delivery>, Option<String>) {
    let limit = Duration::from_millis(receiver.milliseconds);
    let until = Instant::now() + limit;
    let mut delivered = Vec::new();
    for (at, notice) in notices.iter().enumerate() {
        let left = until.saturating_duration_since(Instant::now());
        let why = match timeout(left, send(session, receiver, notice)).await {
            Ok(Ok(())) => {
                delivered.push(Delivery { id: notice.id.clone(), to: receiver.name.clone() });
                continue;
            }
            Ok(Err(why)) => why,
            Err(_) => format!("no answer within {} ms", limit.as_millis()),
        };
        let topics: BTreeSet<Topic> = notices[at..].iter().map(|notice| notice.topic).collect();
        let topics: Vec<&str> = topics.into_iter().map(Topic::words).collect();
        let count = counted(notices.len() - at, "message");
        let trouble = format!("{count} did not reach {} ({}): {why}", receiver.name, topics.join(", "));
        return (delivered, Some(harmless(&trouble)));
    }
    (delivered, None)
}

async fn send(session: &Session, receiver: &Receiver, notice: &Notice) -> Result<(), String> {
    let (url, is_secret) = match &receiver.target {
        Target::Url(url) => (url.clone(), false),
        Target::From(reference) => (reveal(reference)?, true),
    };
    let uri: Uri = url.trim().parse().map_err(|_| "its URL cannot be used".to_owned())?;
    let host = web::host(&uri);
    let is_here = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("https") => {}
        Some("http") if is_here || !is_secret => {}
        Some("http") => return Err("its URL is a secret, and the line to it is open: use `https://`".to_owned()),
        Some(_) | None => return Err("its URL begins with neither `https://` nor `http://`".to_owned()),
    }
    let request = prepared(session, receiver, notice, &uri)?;
    match web::exchange(&uri, request, Certificates::Checked).await {
        Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
        Ok(answer) if (300..400).contains(&answer.status) => {
            Err(format!("it answers {}, and a redirection is not followed", answer.status))
        }
        Ok(answer) => Err(format!("it answers {}", answer.status)),
        Err(Silence::Later(why) | Silence::Wrong(why)) => Err(why),
    }
}

fn prepared(
    session: &Session,
    receiver: &Receiver,
    notice: &Notice,
    uri: &Uri,
) -> Result<Request<Full<Bytes>>, String> {
    let text = body(receiver.form, notice);
    let seconds = session.world.clock.now().as_second();
    let signed = match &receiver.secret {
        Some(reference) => {
            let key = reveal(reference)?;
            let made = signature(&key, &notice.id, seconds, &text);
            Some(made.ok_or_else(|| format!("the key from {reference} signs nothing: it is empty or no base64"))?)
        }
        None => None,
    };
    let wrong = |_| "its URL cannot be used".to_owned();
    let header = |text: &str| HeaderValue::from_str(text).map_err(|_| "its URL cannot be used".to_owned());
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::post(path).body(Full::new(Bytes::from(text))).map_err(wrong)?;
    let headers = request.headers_mut();
    headers.insert(HOST, header(uri.authority().map_or("", |authority| authority.as_str()))?);
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("switchback/", env!("CARGO_PKG_VERSION"))));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert("webhook-id", header(&notice.id)?);
    headers.insert("webhook-timestamp", HeaderValue::from(seconds));
    if let Some(signed) = signed {
        headers.insert("webhook-signature", header(&signed)?);
    }
    Ok(request)
}

/// A secret at the moment of use.
fn reveal(reference: &SecretReference) -> Result<String, String> {
    let value = EdgeSecrets::default().reveal(reference).map_err(|error| error.to_string())?;
    value.reveal().as_str().map(str::to_owned).ok_or_else(|| format!("what {reference} holds is no text"))
}
