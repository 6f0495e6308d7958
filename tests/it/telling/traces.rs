//! Traces of OpenTelemetry: one per run, with a span per step and check; and collectors that are no good.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::thing;
use crate::verification::Bench;
use crate::verification::server::Reply::{Never, Status};
use crate::verification::server::Server;

const PARENT: (&str, &str) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");

/// Types a command with a collector, and other variables.
fn traced(bench: &Bench, server: &Server, code: i32, words: &str, variables: &[(&str, &str)]) -> String {
    let mut command = bench.command(words);
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", server.url()).envs(variables.iter().copied());
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{words}: {said}");
    said
}

/// The newest request: its head, and its spans.
fn newest(server: &Server) -> (String, Value, Vec<Value>) {
    let request = server.asked().last().unwrap().clone();
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let resource = body["resourceSpans"][0]["resource"].clone();
    let spans = body["resourceSpans"][0]["scopeSpans"][0]["spans"].as_array().unwrap().clone();
    (head.to_owned(), resource, spans)
}

fn fact<'a>(of: &'a Value, key: &str) -> &'a str {
    let found = of["attributes"].as_array().unwrap().iter().find(|one| one["key"] == key).unwrap();
    found["value"]["stringValue"].as_str().or(found["value"]["intValue"].as_str()).unwrap()
}

#[test]
fn a_run_is_a_trace_with_a_span_for_each_step() {
    let server = Server::new(&[]);
    let bench = Bench::new(&thing("value-of-the-thing-12"));
    let parent = format!("00-{}-{}-01", PARENT.0, PARENT.1);
    let variables = [
        ("TRACEPARENT", &*parent),
        ("OTEL_SERVICE_NAME", "shop deliveries"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20word-of-the-collector"),
    ];
    let said = traced(&bench, &server, 0, "apply dev --auto-approve", &variables);
    let (head, resource, spans) = newest(&server);
    assert!(head.starts_with("POST /v1/traces HTTP/1.1"), "{head}");
    assert!(head.contains("authorization: Bearer word-of-the-collector"), "{head}");
    assert_eq!(fact(&resource, "service.name"), "shop deliveries");
    let [root, step] = &spans[..] else { panic!("a run and its step: {spans:?}") };
    assert_eq!((&root["name"], &root["parentSpanId"]), (&"apply dev".into(), &PARENT.1.into()));
    assert_eq!((fact(root, "switchback.run"), &root["status"]["code"]), ("1", &1.into()));
    assert_eq!((&step["name"], &step["parentSpanId"]), (&"create terraform_data.it".into(), &root["spanId"]));
    assert_eq!((fact(step, "switchback.action"), fact(step, "switchback.outcome")), ("create", "done"));
    for span in &spans {
        assert_eq!(span["traceId"], PARENT.0);
        let time = |name: &str| span[name].as_str().unwrap().parse::<u128>().unwrap();
        assert!(time("endTimeUnixNano") >= time("startTimeUnixNano"), "{span}");
    }
    let bodies = server.asked().concat().replace(&head, "");
    assert!(!bodies.contains("value-of-the-thing-12"), "{bodies}");
    let everything = bodies + &said + &bench.ledger();
    assert!(!everything.contains("word-of-the-collector"), "{everything}");
    let requests = server.asked().len();
    traced(&bench, &server, 0, "plan dev", &[]);
    assert_eq!(server.asked().len(), requests, "only what is carried out is traced");
}

#[test]
fn a_failure_is_one_in_the_trace_and_a_resumed_run_stays_in_its_own() {
    let (server, page) = (Server::new(&[]), Server::new(&[Status(503, "secret-of-the-page-6")]));
    let check = format!(
        "verify \"up\" {{\n  within = \"200ms\"\n  interval = \"50ms\"\n  http {{\n    url = \"{}/\"\n  }}\n}}\n",
        page.url()
    );
    let bench = Bench::new(&format!("{}{check}", thing("one")));
    traced(&bench, &server, 6, "apply dev --auto-approve", &[]);
    let (_, _, failed) = newest(&server);
    assert_eq!(failed[0]["status"]["code"], 2);
    let asked = failed.iter().find(|span| span["name"] == "verify.up").unwrap();
    assert_eq!((fact(asked, "switchback.outcome"), &asked["status"]["code"]), ("failed", &2.into()));
    page.says(&[Status(200, "")]);
    traced(&bench, &server, 0, "resume dev --auto-approve", &[]);
    let (_, _, resumed) = newest(&server);
    assert_eq!((&resumed[0]["traceId"], &resumed[0]["status"]["code"]), (&failed[0]["traceId"], &1.into()));
    assert_ne!(resumed[0]["spanId"], failed[0]["spanId"]);
    assert!(!server.asked().concat().contains("secret-of-the-page-6"));
}

#[test]
fn no_collector_fails_a_run_or_holds_it_up() {
    for (server, seen) in [
        (Server::down(), "cannot be reached"),
        (Server::new(&[Status(500, "")]), "the collector answers 500"),
        (Server::new(&[Never]), "no answer within 3 s"),
    ] {
        let bench = Bench::new(&thing("one"));
        let begun = Instant::now();
        let said = traced(&bench, &server, 0, "apply dev --auto-approve", &[("TRACEPARENT", "nonsense")]);
        assert!(begun.elapsed() < Duration::from_secs(12), "{seen}: {:?}", begun.elapsed());
        assert!(said.contains("the trace was not sent: ") && said.contains(seen), "{said}");
        assert!(said.contains("verified: planning again is empty"), "{said}");
    }
}
