//! The relay's own questions and orders, under `/_switchback/`. Pure, but for what it asks of journal and book.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use serde_json::{Value, json};

use super::Relay;
use super::call::percent_decoded;
use super::refusal::json_response;

/// What every path here starts with.
pub(super) const PREFIX: &str = "/_switchback/";
/// Answers when the relay does.
pub(super) const HEALTH: &str = "/_switchback/health";

/// Answers `GET health`, `GET|DELETE calls`, `GET log` (both with `?containing=TEXT`), `GET|PUT rollout`,
/// `GET|PUT|DELETE delays` and `GET|PUT|DELETE faults`.
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
        (Method::GET, "faults") => Ok(relay.faults.show()),
        (Method::PUT, "faults") => {
            relay.faults.order(body).map(|()| relay.faults.show()).map_err(|error| message(&error))
        }
        (Method::DELETE, "faults") => {
            relay.faults.clear(containing);
            Ok(relay.faults.show())
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

/// `{"seconds": 5}`, `{"fail": "SERVICE"}` (its rollout under way, else its next one), `{"heal": "SERVICE"}`, `{"drain":
/// {"service": "SERVICE", "seconds": 2}}` (how long the replaced tasks run on beside the new ones).
fn order(relay: &Relay, body: &Bytes) -> Result<Value, Value> {
    let wrong = || {
        json!({ "message": "give {\"seconds\": N}, {\"fail\": \"SERVICE\"}, {\"heal\": \"SERVICE\"} or {\"drain\": \
                            {\"service\": \"SERVICE\", \"seconds\": N}}" })
    };
    let order: Value = serde_json::from_slice(body).map_err(|_| wrong())?;
    let seconds_of = |order: &Value| {
        order.get("seconds").and_then(Value::as_f64).filter(|seconds| (0.0..=86_400.0).contains(seconds))
    };
    let seconds = seconds_of(&order);
    let drain = order.get("drain").and_then(|drain| Some((drain.get("service")?.as_str()?, seconds_of(drain)?)));
    let fail = order.get("fail").and_then(Value::as_str);
    let heal = order.get("heal").and_then(Value::as_str);
    if seconds.is_none() && fail.is_none() && heal.is_none() && drain.is_none() {
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
        if let Some((service, seconds)) = drain {
            pages.drains.insert(service.to_owned(), seconds);
        }
        if let Some(service) = heal {
            pages.fail_next.remove(service);
        }
    });
    Ok(relay.book.orders())
}
