//! One request and its answer, over an open or a protected line. Talks to the network.
//!
//! Invariant: each request has a connection of its own, so that what is measured is what a new client meets.

use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper::{Method, Request, Uri};
use tokio::time::{Instant, timeout};

use super::percentile;
use crate::provider::checks::{entries, excerpt, number, text, time_limit};
use crate::provider::web::{self, Answer, Certificates, Silence};
use crate::value::Value;
use crate::world::{Probe, Seen};

/// Sends as many requests as are wanted, and judges the answers.
pub(super) async fn ask(probe: &Probe) -> Seen {
    let limit = time_limit(probe, "timeout");
    let until = Instant::now() + probe.patience;
    let samples = number(probe, "samples").and_then(|samples| usize::try_from(samples).ok()).unwrap_or(1).max(1);
    let mut times = Vec::with_capacity(samples);
    let mut status = 0;
    for sample in 1..=samples {
        let which = if samples > 1 { format!("request {sample} of {samples}: ") } else { String::new() };
        if sample > 1 && Instant::now() >= until {
            return Seen::fails(format!("{which}the time was over before it was sent"));
        }
        let answer = match timeout(limit, request(probe)).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(Silence::Later(why))) => return Seen::fails(format!("{which}{why}")),
            Ok(Err(Silence::Wrong(why))) => return Seen::hopeless(format!("{which}{why}")),
            Err(_) => return Seen::fails(format!("{which}no answer within {} ms", limit.as_millis())),
        };
        if let Some(problem) = problem(probe, &answer) {
            return Seen::fails(format!("{which}{problem}")).fact("status", i64::from(answer.status));
        }
        status = answer.status;
        times.push(answer.took);
    }
    judge_times(probe, times, status)
}

fn judge_times(probe: &Probe, mut times: Vec<Duration>, status: u16) -> Seen {
    times.sort_unstable();
    let percent = number(probe, "percentile").and_then(|percent| usize::try_from(percent).ok()).unwrap_or(95);
    let seen = percentile(&times, percent);
    let milliseconds = |time: Duration| i64::try_from(time.as_millis()).unwrap_or(i64::MAX);
    let took = match times.len() {
        1 => format!("in {} ms", milliseconds(seen)),
        count => format!("{percent} of a hundred within {} ms, of {count} requests", milliseconds(seen)),
    };
    let wanted = text(probe, "latency").and_then(|text| crate::migration::length::milliseconds(&text));
    let words = match wanted.filter(|wanted| seen > Duration::from_millis(*wanted)) {
        Some(wanted) => Seen::fails(format!("status {status}, {took}; wanted is {wanted} ms")),
        None => compared(probe, seen, format!("status {status}, {took}")),
    };
    words.fact("status", i64::from(status)).fact("latency_ms", milliseconds(seen))
}

/// What was seen, held against what was seen before the first effect.
fn compared(probe: &Probe, seen: Duration, words: String) -> Seen {
    let Some(percent) = text(probe, "slower_than_before").and_then(|text| super::percent(&text)) else {
        return Seen::holds(words);
    };
    let before = probe.before.as_ref().and_then(|facts| facts.get("latency_ms")).and_then(Value::as_i64);
    let Some(before) = before.and_then(|before| u64::try_from(before).ok()) else {
        return Seen::holds(format!(
            "{words}; with what was before it is not compared, for that could not be measured"
        ));
    };
    let words = format!("{words}, before {before} ms");
    match seen > Duration::from_millis(super::longest(before, percent)) {
        true => Seen::fails(format!("{words}: slower by more than {percent} %")),
        false => Seen::holds(words),
    }
}

/// What of an answer is not as wanted.
fn problem(probe: &Probe, answer: &Answer) -> Option<String> {
    let wanted = number(probe, "status").unwrap_or(200);
    let body = || match answer.body.trim() {
        "" => ", with an empty body".to_owned(),
        body => format!(", and says: {}", excerpt(body)),
    };
    if i64::from(answer.status) != wanted {
        return Some(format!("status {}, wanted is {wanted}{}", answer.status, body()));
    }
    for (name, wanted) in entries(probe, "response_headers") {
        let found = answer.headers.get(name.as_str()).and_then(|value| value.to_str().ok());
        match found {
            Some(found) if found == wanted => {}
            Some(found) => return Some(format!("header {name} is `{}`, wanted is `{wanted}`", excerpt(found))),
            None => return Some(format!("header {name} is not there, wanted is `{wanted}`")),
        }
    }
    if let Some(part) = text(probe, "contains").filter(|part| !answer.body.contains(part.as_str())) {
        return Some(format!("status {}, but the body does not contain `{}`{}", answer.status, excerpt(&part), body()));
    }
    let pattern = text(probe, "matches")?;
    match regex::Regex::new(&pattern) {
        Ok(expression) if expression.is_match(&answer.body) => None,
        Ok(_) => {
            Some(format!("status {}, but the body does not match `{}`{}", answer.status, excerpt(&pattern), body()))
        }
        Err(_) => Some(format!("`{}` is no regular expression", excerpt(&pattern))),
    }
}

async fn request(probe: &Probe) -> Result<Answer, Silence> {
    let url = text(probe, "url").unwrap_or_default();
    let uri: Uri = url.parse().map_err(|error| Silence::Wrong(format!("`{url}` cannot be asked: {error}")))?;
    let host = web::host(&uri);
    let insecure = probe.settings.get("insecure").and_then(Value::as_bool) == Some(true) && super::is_loopback(&host);
    let certificates = if insecure { Certificates::Any } else { Certificates::Checked };
    web::exchange(&uri, prepared(probe, &uri)?, certificates).await
}

fn prepared(probe: &Probe, uri: &Uri) -> Result<Request<Full<Bytes>>, Silence> {
    let wrong = |what: &str| Silence::Wrong(format!("{what} cannot be sent"));
    let method = text(probe, "method").unwrap_or_else(|| "GET".to_owned());
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| wrong("the method"))?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let body = Full::new(Bytes::from(text(probe, "body").unwrap_or_default()));
    let mut request = Request::builder().method(method).uri(path).body(body).map_err(|_| wrong("the request"))?;
    let headers = request.headers_mut();
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    headers.insert(HOST, HeaderValue::from_str(authority).map_err(|_| wrong("the host"))?);
    headers.insert(USER_AGENT, HeaderValue::from_static("switchback"));
    for (name, value) in entries(probe, "headers") {
        let known = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong(&format!("the header `{name}`")))?;
        let value = HeaderValue::from_str(&value).map_err(|_| wrong(&format!("the value of the header `{name}`")))?;
        headers.insert(known, value);
    }
    Ok(request)
}
