//! A run as a trace of OpenTelemetry, sent as JSON over HTTP (OTLP) when `OTEL_EXPORTER_OTLP_ENDPOINT` is set. An edge.
//!
//! Invariant: no collector fails a run or holds it up for longer than three seconds; a span holds names and outcomes, never
//! a value or a text of the world.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use hyper::{Request, Uri};
use jiff::Timestamp;
use serde_json::{Value, json};

use super::environment::{self, Name};
use super::session::Session;
use crate::apply::{Event, Listener};
use crate::digest::Digest;
use crate::ledger::State;
use crate::provider::web::{self, Certificates, Silence};
use crate::review::words::harmless;
use crate::step::{ChangeSet, CheckResult, Operation, Step};
use crate::world::{Clock, ErrorClass};

/// How long a collector is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the kind of a span is called that stands for work inside of a process.
const INTERNAL: u8 = 1;

/// The spans of one run.
pub struct Trace {
    uri: Uri,
    headers: Vec<(HeaderName, HeaderValue)>,
    service: String,
    /// The trace, in hexadecimal.
    id: String,
    /// The span of whoever has started us, if they say.
    parent: Option<String>,
    /// The span of the run.
    root: String,
    name: String,
    facts: Vec<Value>,
    began: Timestamp,
    clock: Arc<dyn Clock>,
    spans: Mutex<Spans>,
}

#[derive(Default)]
struct Spans {
    open: BTreeMap<String, (String, Timestamp)>,
    closed: Vec<Value>,
    failed: bool,
}

impl Trace {
    /// The trace of a run that begins or goes on; nothing where nobody asks for one. A run that goes on elsewhere is in
    /// the same trace, unless `TRACEPARENT` names another.
    pub fn begin(session: &Session, state: &State, run: u64, change_set: &ChangeSet) -> Option<Self> {
        let endpoint = environment::read(Name::OtlpEndpoint)?;
        let url = format!("{}/v1/traces", endpoint.trim_end_matches('/'));
        let uri = url.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
        let Some(uri) = uri else {
            session.terminal.say("no trace is sent: `OTEL_EXPORTER_OTLP_ENDPOINT` is no `http://` or `https://` URL");
            return None;
        };
        let chain = state.chain.as_ref().map_or("", |chain| &*chain.id);
        let (id, parent) = match environment::read(Name::TraceParent).as_deref().and_then(parent) {
            Some((trace, span)) => (trace, Some(span)),
            None => (hexadecimal(&Digest::of_json(&(chain, run)), 32), None),
        };
        let operation = match change_set.operation {
            Operation::Apply => "apply",
            Operation::Destroy => "destroy",
            Operation::Rollback { .. } => "rollback",
            Operation::Edit(_) => "edit",
        };
        let environment = &change_set.environment;
        let facts = vec![
            text("switchback.project", &change_set.project),
            text("switchback.environment", environment),
            text("switchback.operation", operation),
            number("switchback.run", i64::try_from(run).unwrap_or(i64::MAX)),
            number("switchback.steps", i64::try_from(change_set.steps.len()).unwrap_or(i64::MAX)),
        ];
        Some(Self {
            uri,
            headers: environment::read(Name::OtlpHeaders).as_deref().map(headers).unwrap_or_default(),
            service: environment::read(Name::OtelServiceName).unwrap_or_else(|| "switchback".to_owned()),
            id,
            parent,
            root: random_span(),
            name: format!("{operation} {environment}"),
            facts,
            began: session.world.clock.now(),
            clock: Arc::clone(&session.world.clock),
            spans: Mutex::default(),
        })
    }

    fn spans(&self) -> MutexGuard<'_, Spans> {
        self.spans.lock().expect("no listener panics")
    }

    fn open(&self, key: String) {
        let begun = (random_span(), self.clock.now());
        self.spans().open.insert(key, begun);
    }

    fn close(&self, key: &str, name: String, mut facts: Vec<Value>, outcome: &str) {
        let now = self.clock.now();
        let mut spans = self.spans();
        // What was never opened (a step that failed before its intent) is a span without a length.
        let (id, begun) = spans.open.remove(key).unwrap_or_else(|| (random_span(), now));
        let is_bad = !matches!(outcome, "done" | "passed" | "left out");
        spans.failed |= is_bad;
        facts.push(text("switchback.outcome", outcome));
        let span = self.span(&id, Some(&self.root), &name, (begun, now), facts, is_bad);
        spans.closed.push(span);
    }

    fn span(
        &self,
        id: &str,
        parent: Option<&str>,
        name: &str,
        (from, until): (Timestamp, Timestamp),
        facts: Vec<Value>,
        is_bad: bool,
    ) -> Value {
        let mut span = json!({
            "traceId": self.id, "spanId": id, "name": harmless(name), "kind": INTERNAL,
            "startTimeUnixNano": from.as_nanosecond().to_string(), "endTimeUnixNano": until.as_nanosecond().to_string(),
            "attributes": facts, "status": { "code": if is_bad { 2 } else { 1 } },
        });
        if let Some(parent) = parent {
            span["parentSpanId"] = parent.into();
        }
        span
    }

    /// Sends it, when the run is over. A run that could not even begin has failed.
    pub async fn send(self, session: &Session, has_begun: bool) {
        let sent = tokio::time::timeout(PATIENCE, self.exchange(has_begun)).await;
        match sent {
            Ok(Ok(())) => {}
            Ok(Err(why)) => session.terminal.say(&format!("the trace was not sent: {why}")),
            Err(_) => {
                session.terminal.say(&format!("the trace was not sent: no answer within {} s", PATIENCE.as_secs()));
            }
        }
    }

    async fn exchange(&self, has_begun: bool) -> Result<(), String> {
        let body = self.body(has_begun).to_string();
        let path = self.uri.path_and_query().map_or("/", |path| path.as_str());
        let mut request =
            Request::post(path).body(Full::new(Bytes::from(body))).map_err(|_| "its URL cannot be used".to_owned())?;
        let host = self.uri.authority().map_or("", |authority| authority.as_str());
        let host = HeaderValue::from_str(host).map_err(|_| "its URL cannot be used".to_owned())?;
        let headers = request.headers_mut();
        headers.insert(HOST, host);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for (name, value) in &self.headers {
            headers.insert(name.clone(), value.clone());
        }
        match web::exchange(&self.uri, request, Certificates::Checked).await {
            Ok(answer) if (200..300).contains(&answer.status) => Ok(()),
            Ok(answer) => Err(format!("the collector answers {}", answer.status)),
            Err(Silence::Later(why) | Silence::Wrong(why)) => Err(why),
        }
    }

    fn body(&self, has_begun: bool) -> Value {
        let now = self.clock.now();
        let mut spans = self.spans();
        for (key, (id, begun)) in std::mem::take(&mut spans.open) {
            let facts = vec![text("switchback.outcome", "left open")];
            let span = self.span(&id, Some(&self.root), &key, (begun, now), facts, true);
            spans.closed.push(span);
            spans.failed = true;
        }
        let is_bad = spans.failed || !has_begun;
        let root =
            self.span(&self.root, self.parent.as_deref(), &self.name, (self.began, now), self.facts.clone(), is_bad);
        let all: Vec<Value> = std::iter::once(root).chain(std::mem::take(&mut spans.closed)).collect();
        let version = env!("CARGO_PKG_VERSION");
        json!({ "resourceSpans": [{
            "resource": { "attributes": [text("service.name", &self.service), text("service.version", version)] },
            "scopeSpans": [{ "scope": { "name": "switchback", "version": version }, "spans": all }],
        }] })
    }

    fn step(&self, step: &Step, outcome: &str, class: Option<ErrorClass>) {
        let mut facts = vec![
            number("switchback.step", i64::from(step.id.0)),
            text("switchback.address", &step.address.to_string()),
            text("switchback.action", step.action.verb()),
        ];
        if let Some(kind) = step.action.kind() {
            facts.push(text("switchback.kind", kind));
        }
        if let Some(class) = class {
            facts.push(text("error.type", &format!("{class:?}").to_lowercase()));
        }
        self.close(&key(step), format!("{} {}", step.action.verb(), step.title()), facts, outcome);
    }
}

impl Listener for Trace {
    fn event(&self, event: Event<'_>) {
        match event {
            Event::Started(step) => self.open(key(step)),
            Event::Done(step, _) => self.step(step, "done", None),
            Event::Failed(step, error) => self.step(step, "failed", Some(error.class)),
            Event::Doubted(step, error) => self.step(step, "in doubt", Some(error.class)),
            Event::Settled(step, true) => self.step(step, "done", None),
            Event::Settled(step, false) => self.step(step, "not done", None),
            Event::Checking(check) => self.open(check.address.to_string()),
            Event::Checked(check, result, _) => {
                let outcome = match result {
                    CheckResult::Passed => "passed",
                    CheckResult::Failed => "failed",
                    CheckResult::LeftOut => "left out",
                    CheckResult::CalledOff => "called off",
                };
                let name = check.address.to_string();
                let facts = vec![text("switchback.address", &name), text("switchback.when", check.when.meaning())];
                self.close(&name.clone(), name, facts, outcome);
            }
            Event::Progress(..) | Event::CheckWaits(..) => {}
        }
    }
}

/// Two that hear of the same.
pub struct Both<'a>(pub &'a dyn Listener, pub Option<&'a Trace>);

impl Listener for Both<'_> {
    fn event(&self, event: Event<'_>) {
        if let Some(trace) = self.1 {
            trace.event(event);
        }
        self.0.event(event);
    }
}

fn key(step: &Step) -> String {
    format!("step {}", step.id)
}

fn text(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": harmless(value) } })
}

fn number(key: &str, value: i64) -> Value {
    json!({ "key": key, "value": { "intValue": value.to_string() } })
}

fn hexadecimal(digest: &Digest, letters: usize) -> String {
    digest.to_string().chars().filter(char::is_ascii_hexdigit).rev().take(letters).collect()
}

fn random_span() -> String {
    uuid::Uuid::new_v4().simple().to_string()[..16].to_owned()
}

/// The trace and the span of `00-TRACE-SPAN-FLAGS`.
fn parent(text: &str) -> Option<(String, String)> {
    let mut parts = text.trim().split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hexadecimal = |part: &str, length: usize| {
        part.len() == length
            && part.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
            && part.bytes().any(|byte| byte != b'0')
    };
    let is_sound = version.len() == 2 && version != "ff" && is_hexadecimal(trace, 32) && is_hexadecimal(span, 16);
    is_sound.then(|| (trace.to_owned(), span.to_owned()))
}

/// The headers of `name=value,other=value`, percent-decoded; what is none is left out.
fn headers(text: &str) -> Vec<(HeaderName, HeaderValue)> {
    let pairs = text.split(',').filter_map(|pair| pair.split_once('='));
    let pairs = pairs.filter_map(|(name, value)| {
        let name = HeaderName::from_bytes(name.trim().as_bytes()).ok()?;
        let mut value = HeaderValue::from_bytes(&decoded(value.trim())).ok()?;
        value.set_sensitive(true);
        Some((name, value))
    });
    pairs.collect()
}

fn decoded(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while at < bytes.len() {
        let hexadecimal = text.get(at + 1..at + 3).filter(|_| bytes[at] == b'%');
        match hexadecimal.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_is_taken_only_if_it_is_sound() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        assert_eq!(parent(&format!("00-{trace}-{span}-01")), Some((trace.to_owned(), span.to_owned())));
        let zeros = "0".repeat(32);
        for bad in [
            "",
            "00",
            &format!("ff-{trace}-{span}-01"),
            &format!("00-{zeros}-{span}-01"),
            &format!("00-{span}-{trace}-01"),
        ] {
            assert_eq!(parent(bad), None, "{bad}");
        }
    }

    #[test]
    fn headers_are_decoded() {
        let found = headers("authorization=Basic%20YTpi, x-other = 1,nonsense,a b=2");
        let found: Vec<(&str, &str)> =
            found.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(found, [("authorization", "Basic YTpi"), ("x-other", "1")]);
    }
}
