//! The emulator behind the relay. An edge.
//!
//! Invariant: what the relay asks on its own carries the caller's credentials, since they choose account and region.

use std::net::SocketAddr;
use std::time::Duration;

use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING, UPGRADE};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Map, Value};

use super::MOST_BYTES;
use super::call::{self, Call};
use super::refusal::Refusal;

const PATIENCE: Duration = Duration::from_secs(60);
/// What belongs to one connection and not to the message.
const HOP_BY_HOP: [HeaderName; 3] = [CONNECTION, TRANSFER_ENCODING, UPGRADE];

/// The emulator.
pub(super) struct Upstream {
    client: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
}

impl Upstream {
    /// The emulator at an address.
    pub(super) fn new(address: SocketAddr) -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let client = Client::builder(TokioExecutor::new()).pool_idle_timeout(Duration::from_secs(30)).build(connector);
        Self { client, address }
    }

    /// Passes a request on and its answer back.
    pub(super) async fn forward(&self, request: Request<Bytes>) -> Result<Response<Full<Bytes>>, Refusal> {
        let (status, mut parts, bytes) = self.send(request).await?;
        for name in HOP_BY_HOP {
            parts.headers.remove(name);
        }
        let mut response = Response::from_parts(parts, Full::new(bytes));
        *response.status_mut() = status;
        Ok(response)
    }

    /// Asks the service of a call something on its behalf. An error that the emulator answers is the refusal.
    pub(super) async fn ask(&self, call: &Call, operation: &str, body: Map<String, Value>) -> Result<Value, Refusal> {
        let mut request = Request::post("/").body(Bytes::from(Value::Object(body).to_string())).expect("it is whole");
        *request.headers_mut() = call.headers.clone();
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        let target = HeaderValue::from_str(&format!("{}.{operation}", call::prefix_of(&call.service)));
        headers.insert("x-amz-target", target.map_err(|_| Refusal::nonsense("the operation has no name"))?);
        let (status, _, bytes) = self.send(request).await?;
        let answer: Value = serde_json::from_slice(&bytes).map_err(|error| Refusal::unreachable(&error))?;
        if status.is_success() {
            return Ok(answer);
        }
        let text = |field: &str| answer.get(field).and_then(Value::as_str).map(str::to_owned);
        let code = text("__type").map(|code| code.rsplit('#').next().unwrap_or_default().to_owned());
        let message = text("message").or_else(|| text("Message")).unwrap_or_default();
        Err(Refusal { status, code: code.unwrap_or_else(|| "InternalError".to_owned()), message })
    }

    async fn send(
        &self,
        request: Request<Bytes>,
    ) -> Result<(StatusCode, hyper::http::response::Parts, Bytes), Refusal> {
        let (mut parts, body) = request.into_parts();
        let path = parts.uri.path_and_query().map_or("/", hyper::http::uri::PathAndQuery::as_str);
        parts.uri = format!("http://{}{path}", self.address)
            .parse::<Uri>()
            .map_err(|_| Refusal::nonsense("the path is not one"))?;
        parts.version = hyper::Version::HTTP_11;
        for name in HOP_BY_HOP {
            parts.headers.remove(name);
        }
        // Of an answer it is kept: that to a HEAD has a length and no body.
        parts.headers.remove(CONTENT_LENGTH);
        let request = Request::from_parts(parts, Full::new(body));
        let answered = tokio::time::timeout(PATIENCE, async {
            let response = self.client.request(request).await.map_err(|error| Refusal::unreachable(&error))?;
            let (parts, body) = response.into_parts();
            let bytes = Limited::new(body, MOST_BYTES).collect().await;
            Ok((parts.status, parts, bytes.map_err(|error| Refusal::unreachable(&error))?.to_bytes()))
        });
        answered.await.unwrap_or_else(|_| Err(Refusal::unreachable(&format!("nothing within {PATIENCE:?}"))))
    }
}
