//! Refusals in the shapes that AWS gives them. Pure.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Value, json};

/// An answer that is an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    /// AWS's name of the error.
    pub code: String,
    /// What AWS says.
    pub message: String,
    /// The HTTP status.
    pub status: StatusCode,
}

impl Refusal {
    /// A client's error.
    pub(super) fn new(code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), message: message.into(), status: StatusCode::BAD_REQUEST }
    }

    /// ECS's word for what it does not like about a parameter.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new("InvalidParameterException", message)
    }

    /// ECS's word for most else.
    pub(super) fn client(message: impl Into<String>) -> Self {
        Self::new("ClientException", message)
    }

    /// Several services' word for a request that breaks the declared constraints.
    pub(super) fn validation(message: impl Into<String>) -> Self {
        Self::new("ValidationException", message)
    }

    /// A body that is not what it should be.
    pub(super) fn nonsense(message: impl Into<String>) -> Self {
        Self::new("SerializationException", message)
    }

    /// ECS without the cluster.
    pub(super) fn no_cluster() -> Self {
        Self::new("ClusterNotFoundException", "Cluster not found.")
    }

    /// ECS without the service.
    pub(super) fn no_service() -> Self {
        Self::new("ServiceNotFoundException", "Service not found.")
    }

    /// A body that is larger than anybody needs.
    pub(super) fn too_large(most: usize) -> Self {
        let message = format!("the relay takes bodies of up to {most} bytes");
        Self { status: StatusCode::PAYLOAD_TOO_LARGE, ..Self::new("RequestEntityTooLarge", message) }
    }

    /// The emulator is not there.
    pub(super) fn unreachable(cause: &dyn std::fmt::Display) -> Self {
        let message = format!("the local AWS emulator does not answer: {cause}");
        Self { status: StatusCode::SERVICE_UNAVAILABLE, ..Self::new("ServiceUnavailable", message) }
    }

    /// As the protocol of a service has it: S3 speaks XML; `json` serves the others, whose clients show the text.
    pub(super) fn response_of(&self, service: &str) -> Response<Full<Bytes>> {
        if service != "s3" {
            return self.response();
        }
        let escaped = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let (code, message) = (escaped(&self.code), escaped(&self.message));
        let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>{message}</Message></Error>");
        let mut response = Response::new(Full::new(Bytes::from(body)));
        *response.status_mut() = self.status;
        let content_type = hyper::header::HeaderValue::from_static("application/xml");
        response.headers_mut().insert(hyper::header::CONTENT_TYPE, content_type);
        response
    }

    /// As the protocol `json` has it.
    pub(super) fn response(&self) -> Response<Full<Bytes>> {
        json_response(self.status, &json!({ "__type": self.code, "message": self.message }))
    }
}

/// A JSON answer.
pub(super) fn json_response(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body.to_string())));
    *response.status_mut() = status;
    let content_type = hyper::header::HeaderValue::from_static("application/x-amz-json-1.1");
    response.headers_mut().insert(hyper::header::CONTENT_TYPE, content_type);
    response
}
