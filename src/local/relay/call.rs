//! What a request asks: service, operation and the names in it. Pure.
//!
//! Invariant: of a body only names and identifiers reach [`Call::names`], by a list of the fields that hold them.

use std::collections::BTreeMap;

use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap};
use hyper::http::request::Parts;
use serde_json::{Map, Value};

use super::object_calls;
use super::refusal::Refusal;

/// A call.
#[derive(Clone, Debug)]
pub(super) struct Call {
    /// `ecs`, `ssm`, `logs`, `sts`, …
    pub service: String,
    /// `CreateService`, …
    pub operation: String,
    /// The region that it was signed for.
    pub region: String,
    /// The body, when it is JSON.
    pub body: Map<String, Value>,
    /// The names in it, by field.
    pub names: BTreeMap<String, Value>,
    /// The headers that the emulator wants to see again when it is asked something on behalf of this call.
    pub headers: HeaderMap,
}

/// The fields that hold names, identifiers or references, and nothing else.
const NAME_FIELDS: &[&str] = &[
    "clusterName",
    "cluster",
    "clusters",
    "serviceName",
    "service",
    "services",
    "taskDefinition",
    "family",
    "familyPrefix",
    "task",
    "tasks",
    "logGroupName",
    "logGroupNamePrefix",
    "logStreamName",
    "resourceArn",
    "Name",
    "Names",
    "Path",
    "ResourceId",
    "ResourceType",
    "RoleName",
    "SecretId",
    "repositoryName",
    "repositoryNames",
    "imageTag",
];
/// What stands before an operation in the header that names it, and the service that it means.
const TARGETS: &[(&str, &str)] = &[
    ("AmazonEC2ContainerServiceV20141113", "ecs"),
    ("AmazonSSM", "ssm"),
    ("Logs_20140328", "logs"),
    ("secretsmanager", "secretsmanager"),
    ("AmazonEC2ContainerRegistry_V20150921", "ecr"),
];
const LONGEST_NAME: usize = 2048;

impl Call {
    /// Reads a request.
    pub(super) fn parse(parts: &Parts, body: &Bytes) -> Result<Self, Refusal> {
        let (region, signed_for) = scope_of(&parts.headers);
        let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
        let mut headers = HeaderMap::new();
        for name in [AUTHORIZATION, CONTENT_TYPE, hyper::header::HOST] {
            if let Some(value) = parts.headers.get(&name) {
                headers.insert(name, value.clone());
            }
        }
        if let Some((prefix, operation)) = target.and_then(|target| target.rsplit_once('.')) {
            let service = service_of(prefix).map_or(signed_for, str::to_owned);
            let body = parse_json(body)?;
            let names = names_of(&body)?;
            return Ok(Self { service, operation: operation.to_owned(), region, body, names, headers });
        }
        let query = parts.uri.query().unwrap_or_default();
        let operation = match signed_for.as_str() {
            "s3" => object_calls::operation(&parts.method, parts.uri.path(), query, &parts.headers),
            _ if parts.headers.contains_key("smithy-protocol") => operation_in_path(parts.uri.path()),
            _ => query_action(parts, body).unwrap_or_else(|| parts.method.to_string()),
        };
        // Without a target it is a path that names things (S3 and other REST services).
        let path = Value::from(parts.uri.path().chars().take(LONGEST_NAME).collect::<String>());
        let mut names = BTreeMap::from([("path".to_owned(), path)]);
        object_calls::names(query, &mut names, percent_decoded);
        Ok(Self { service: signed_for, operation, region, body: Map::new(), names, headers })
    }

    /// A text of the body; a field of another type is as if it were not there (see [`names_of`] for names).
    pub(super) fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field)?.as_str()
    }

    /// Whether a text is in one of the names; the empty one is in every call.
    pub(super) fn mentions(&self, text: &str) -> bool {
        text.is_empty() || self.names.values().any(|name| holds(name, text))
    }

    /// A list of texts of the body.
    pub(super) fn texts(&self, field: &str) -> Vec<&str> {
        self.body.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
    }
}

/// Whether a text is in a name or one of a list of names.
pub(super) fn holds(name: &Value, text: &str) -> bool {
    match name {
        Value::String(name) => name.contains(text),
        Value::Array(names) => names.iter().any(|name| holds(name, text)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
    }
}

/// `Credential=KEY/20260101/eu-central-1/ecs/aws4_request`: region and service.
fn scope_of(headers: &HeaderMap) -> (String, String) {
    let scope = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.split_once("Credential="))
        .map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or_default());
    let mut fields = scope.unwrap_or_default().split('/').skip(2);
    let mut next = |otherwise: &str| match fields.next() {
        Some(field) if !field.is_empty() => field.to_owned(),
        _ => otherwise.to_owned(),
    };
    (next(super::super::REGION), next("unknown"))
}

/// The prefix of a service's operations in the header that names them.
pub(super) fn prefix_of(service: &str) -> &str {
    TARGETS.iter().find(|(_, name)| *name == service).map_or(service, |(prefix, _)| prefix)
}

fn service_of(prefix: &str) -> Option<&'static str> {
    TARGETS.iter().find(|(known, _)| *known == prefix).map(|(_, service)| *service)
}

fn parse_json(body: &Bytes) -> Result<Map<String, Value>, Refusal> {
    if body.is_empty() {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(Refusal::nonsense("the body is JSON, but not an object")),
        // Without the parser's words: they may quote the body.
        Err(_) => Err(Refusal::nonsense("the body is not JSON")),
    }
}

/// The names in a body. Where a name should be and something else is, AWS cannot read the request either.
fn names_of(body: &Map<String, Value>) -> Result<BTreeMap<String, Value>, Refusal> {
    let mut names = BTreeMap::new();
    for field in NAME_FIELDS {
        let wrong = || Refusal::nonsense(format!("`{field}` has the wrong type"));
        let cut = |text: &str| Value::from(text.chars().take(LONGEST_NAME).collect::<String>());
        let found = match body.get(*field) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) => cut(text),
            Some(Value::Array(items)) => {
                items.iter().map(|item| item.as_str().map(cut).ok_or_else(wrong)).collect::<Result<_, _>>()?
            }
            Some(_) => return Err(wrong()),
        };
        names.insert((*field).to_owned(), found);
    }
    Ok(names)
}

/// `/service/GraniteServiceVersion20100801/operation/DescribeAlarms` of Smithy's own protocol, whose bodies are binary.
fn operation_in_path(path: &str) -> String {
    let name = path.rsplit_once("/operation/").map(|(_, name)| name).unwrap_or_default();
    let is_name = !name.is_empty() && name.len() <= 128 && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_name { name.to_owned() } else { "unknown".to_owned() }
}

/// `Action=GetCallerIdentity` of the query protocol, in the body or the URL.
fn query_action(parts: &Parts, body: &Bytes) -> Option<String> {
    let form =
        parts.headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/x-www-form"));
    let text = if form { std::str::from_utf8(body).ok()? } else { parts.uri.query()? };
    let action = text.split('&').find_map(|pair| pair.strip_prefix("Action="))?;
    (action.len() <= 128 && action.bytes().all(|byte| byte.is_ascii_alphanumeric())).then(|| action.to_owned())
}

/// The text that a part of a URL stands for; what is no escape stays.
pub(super) fn percent_decoded(text: &str) -> String {
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

    fn parse(headers: &[(&str, &str)], uri: &str, body: &str) -> Result<Call, Refusal> {
        let mut request = hyper::Request::builder().method("POST").uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        Call::parse(&parts, &Bytes::from(body.to_owned()))
    }

    const SIGNED: (&str, &str) =
        ("authorization", "AWS4-HMAC-SHA256 Credential=x/20260101/eu-west-1/ssm/aws4_request, SignedHeaders=a");

    #[test]
    fn reads_json_calls_and_keeps_names_only() {
        let body = r#"{"Name": "/shop/secret", "Value": "hunter2", "Type": "SecureString"}"#;
        let call = parse(&[SIGNED, ("x-amz-target", "AmazonSSM.PutParameter")], "/", body).unwrap();
        assert_eq!((&*call.service, &*call.operation, &*call.region), ("ssm", "PutParameter", "eu-west-1"));
        assert_eq!(serde_json::to_string(&call.names).unwrap(), r#"{"Name":"/shop/secret"}"#);
    }

    #[test]
    fn reads_query_calls() {
        let form = ("content-type", "application/x-www-form-urlencoded; charset=utf-8");
        let call = parse(&[form], "/", "Action=GetCallerIdentity&Version=2011-06-15").unwrap();
        assert_eq!((&*call.service, &*call.operation), ("unknown", "GetCallerIdentity"));
        let call = parse(&[SIGNED], "/bucket/key?x=1", "").unwrap();
        assert_eq!((&*call.operation, &call.names["path"]), ("POST", &Value::from("/bucket/key")));
    }

    #[test]
    fn reads_the_name_of_a_binary_call() {
        let protocol = ("smithy-protocol", "rpc-v2-cbor");
        let signed = SIGNED.1.replace("/ssm/", "/monitoring/");
        let path = "/service/GraniteServiceVersion20100801/operation/DescribeAlarms";
        let call = parse(&[("authorization", &signed), protocol], path, "\u{1}").unwrap();
        assert_eq!((&*call.service, &*call.operation), ("monitoring", "DescribeAlarms"));
        assert_eq!(parse(&[protocol], "/service/x/operation/../y", "").unwrap().operation, "unknown");
    }

    #[test]
    fn nonsense_is_refused_and_not_quoted() {
        let target = ("x-amz-target", "AmazonSSM.PutParameter");
        for body in ["[1]", "{\"Name\": 5}", "{\"Names\": [5]}", "hunter2", "\"\u{0}"] {
            let refusal = parse(&[target], "/", body).unwrap_err();
            assert_eq!(refusal.code, "SerializationException");
            assert!(!refusal.message.contains("hunter2"));
        }
    }

    #[test]
    fn decodes_percents_and_leaves_nonsense() {
        assert_eq!(percent_decoded("%2Fshop%2fweb"), "/shop/web");
        assert_eq!(percent_decoded("100%"), "100%");
        assert_eq!(percent_decoded("%zz%"), "%zz%");
    }
}
