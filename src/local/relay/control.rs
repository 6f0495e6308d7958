//! The relay's own questions and orders, under `/_switchback/`. Pure, but for what it asks of journal and book.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::Relay;
use super::refusal::json_response;

/// What every path here starts with.
pub(super) const PREFIX: &str = "/_switchback/";
/// Answers when the relay does.
pub(super) const HEALTH: &str = "/_switchback/health";

/// Answers `GET health`, `GET|DELETE calls`, `GET log` (both with `?containing=TEXT`), `GET|PUT rollout` and
/// `GET|PUT|DELETE delays`.
pub(super) fn answer(relay: &Relay, parts: &Parts, body: &Bytes) -> Response<Full<Bytes>> {
    let containing = parts
        .uri
        .query()
        .and_then(|query| query.split('&').find_map(|pair| pair.strip_prefix("containing=")).map(percent_decoded));
    let containing = containing.as_deref().filter(|text| !text.is_empty());
    let path = parts.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    let answered = match (parts.method.clone(), path) {
        (Method::GET, "health") => Ok(json!({ "version": env!("CARGO_PKG_VERSION") })),
        (Method::GET, "calls") => Ok(relay.journal.counts(containing)),
        (Method::GET, "log") => Ok(relay.journal.entries(containing)),
        (Method::DELETE, "calls") => {
            relay.journal.reset();
            Ok(json!({}))
        }
        (Method::GET, "rollout") => Ok(relay.book.orders()),
        (Method::PUT, "rollout") => order(relay, body),
        (Method::GET, "delays") => Ok(relay.delays.show()),
        (Method::PUT, "delays") => {
            relay.delays.order(body).map(|()| relay.delays.show()).map_err(|error| message(&error))
        }
        (Method::DELETE, "delays") => {
            relay.delays.clear();
            Ok(relay.delays.show())
        }
        _ => Err(message("there is no such thing here")),
    };
    match answered {
        Ok(answer) => json_response(StatusCode::OK, &answer),
        Err(answer) => json_response(StatusCode::NOT_FOUND, &answer),
    }
}

fn message(message: &str) -> Value {
    json!({ "message": message })
}

/// `{"seconds": 5}`, `{"fail": "SERVICE"}` (its rollout under way, else its next one), `{"heal": "SERVICE"}`.
fn order(relay: &Relay, body: &Bytes) -> Result<Value, Value> {
    let wrong = || json!({ "message": "give {\"seconds\": N}, {\"fail\": \"SERVICE\"} or {\"heal\": \"SERVICE\"}" });
    let order: Value = serde_json::from_slice(body).map_err(|_| wrong())?;
    let seconds = order.get("seconds").and_then(Value::as_f64).filter(|seconds| (0.0..=86_400.0).contains(seconds));
    let fail = order.get("fail").and_then(Value::as_str);
    let heal = order.get("heal").and_then(Value::as_str);
    if seconds.is_none() && fail.is_none() && heal.is_none() {
        return Err(wrong());
    }
    let now = relay.now();
    relay.book.change(|pages| {
        if let Some(seconds) = seconds {
            pages.rollout_seconds = seconds;
        }
        if let Some(service) = fail {
            pages.order_failure(service, now);
        }
        if let Some(service) = heal {
            pages.fail_next.remove(service);
        }
    });
    Ok(relay.book.orders())
}

fn percent_decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let escaped = bytes.get(index + 1..index + 3).and_then(|digits| std::str::from_utf8(digits).ok());
        match (bytes[index], escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok())) {
            (b'%', Some(byte)) => {
                decoded.push(byte);
                index += 3;
            }
            (byte, _) => {
                decoded.push(byte);
                index += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_percents_and_leaves_nonsense() {
        assert_eq!(percent_decoded("%2Fshop%2fweb"), "/shop/web");
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%zz%"), "%zz%");
    }
}
