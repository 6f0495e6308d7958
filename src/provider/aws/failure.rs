//! From errors of the SDK to errors of the world: the one place that reads codes and kinds of errors.
//!
//! Invariant: a failure says `Nothing` only when the service answered with a refusal, or was never reached; all else
//! has to be settled by asking. No value of a request gets into its text.

use std::error::Error;
use std::time::Duration;

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::watch::Halt;
use crate::value::Object;
use crate::world::{EffectError, ErrorClass, Trace, WorldError};

/// A call that failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    /// For people.
    pub error: WorldError,
    /// Whether it may have had an effect.
    pub trace: Trace,
    /// The code that the service answered with.
    pub code: Option<String>,
}

impl Failure {
    /// A refusal of our own, before anything was sent.
    pub(super) fn refused(tried: String, cause: impl Into<String>, help: impl Into<String>) -> Self {
        let error = WorldError { tried, cause: cause.into(), help: Some(help.into()), class: ErrorClass::Refused };
        Self { error, trace: Trace::Nothing, code: None }
    }

    /// What was begun goes on in the world for longer than is waited; nothing more is to be sent for it.
    pub(super) fn pending(tried: String, cause: impl Into<String>, help: impl Into<String>) -> Self {
        let error = WorldError { tried, cause: cause.into(), help: Some(help.into()), class: ErrorClass::Pending };
        Self { error, trace: Trace::Nothing, code: None }
    }

    /// The same failure after something has happened already, so that it has to be settled.
    #[must_use]
    pub(super) fn after_an_effect(mut self) -> Self {
        self.trace = Trace::Unknown;
        self
    }

    /// The same failure without what quotes a secret of this object.
    #[must_use]
    pub(super) fn without_secrets_of(mut self, object: &Object) -> Self {
        self.error = withhold(self.error, object);
        self
    }

    /// Whether the service answered with one of these codes.
    pub(super) fn is(&self, codes: &[&str]) -> bool {
        self.code.as_deref().is_some_and(|code| codes.contains(&code))
    }
}

impl From<Failure> for WorldError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl From<Failure> for EffectError {
    fn from(failure: Failure) -> Self {
        Self { error: failure.error, trace: failure.trace }
    }
}

/// Takes out of an error what quotes a secret of this object.
pub(super) fn withhold(mut error: WorldError, object: &Object) -> WorldError {
    let mut secrets = Vec::new();
    for value in object.values().filter(|value| value.is_sensitive()) {
        value.reveal().visit(&mut |inner| secrets.extend(inner.as_str().map(str::to_owned)));
    }
    // A JSON text (container definitions) is quoted in parts.
    let inner: Vec<String> = secrets.iter().flat_map(|secret| json_strings(secret)).collect();
    secrets.extend(inner);
    secrets.retain(|secret| !secret.is_empty());
    let quotes = |text: &str| secrets.iter().any(|secret| text.contains(secret.as_str()));
    if quotes(&error.cause) {
        let code = error.cause.split(':').next().filter(|code| !quotes(code)).unwrap_or("an error");
        error.cause = format!("{code}: (the message is withheld, for it quotes a secret)");
    }
    if error.help.as_deref().is_some_and(quotes) {
        error.help = None;
    }
    error
}

fn json_strings(text: &str) -> Vec<String> {
    fn collect(json: &serde_json::Value, strings: &mut Vec<String>) {
        match json {
            // Shorter ones (`CMD`, `80`) are words of any message.
            serde_json::Value::String(text) if text.len() >= 6 => strings.push(text.clone()),
            serde_json::Value::Array(items) => items.iter().for_each(|item| collect(item, strings)),
            serde_json::Value::Object(members) => members.values().for_each(|item| collect(item, strings)),
            _ => {}
        }
    }
    let mut strings = Vec::new();
    if let Ok(json @ (serde_json::Value::Array(_) | serde_json::Value::Object(_))) = serde_json::from_str(text) {
        collect(&json, &mut strings);
    }
    strings
}

/// Reads an error of the SDK.
pub(crate) fn read<E>(tried: String, error: &SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match Halt::within(error) {
        // What was sent before it is known to the watch, which has the last word.
        Some(Halt::Fenced(error)) => return Failure { error: error.clone(), trace: Trace::Unknown, code: None },
        Some(Halt::Silent(limit)) => return silent(tried, *limit),
        None => {}
    }
    match error {
        SdkError::ServiceError(answer) => read_answer(tried, answer.raw().status().as_u16(), answer.err()),
        SdkError::ResponseError(answer) => {
            let cause = format!("HTTP {}, with an answer that is not AWS's", answer.raw().status().as_u16());
            let help = "see whether the endpoint is the right one and speaks AWS's protocol";
            fail(tried, cause, help, ErrorClass::Transient, Trace::Unknown)
        }
        SdkError::TimeoutError(_) => {
            let help = "see whether the endpoint answers; the effect is settled by asking";
            fail(tried, "no answer in time".to_owned(), help, ErrorClass::Unreachable, Trace::Unknown)
        }
        SdkError::DispatchFailure(_) | SdkError::ConstructionFailure(_) => read_unsent(tried, error),
        _ => {
            fail(tried, chain(error), "this is unexpected; run again with `-vv`", ErrorClass::Transient, Trace::Unknown)
        }
    }
}

/// A call to which nobody answered in time.
pub(super) fn silent(tried: String, limit: Duration) -> Failure {
    let help = "see whether `endpoint` and `region` are right and the endpoint answers; what a call did is settled by \
                asking";
    let cause = format!("no answer within {:.1} s", limit.as_secs_f64());
    fail(tried, cause, help, ErrorClass::Unreachable, Trace::Unknown)
}

fn read_answer<E: ProvideErrorMetadata>(tried: String, status: u16, answer: &E) -> Failure {
    let metadata = answer.meta();
    let code = metadata.code().unwrap_or("no code").to_owned();
    let message = metadata.message().unwrap_or("no message");
    let request = metadata.extra("aws_request_id").map(|id| format!(", request {id}")).unwrap_or_default();
    let class = classify(&code, status);
    let trace = match class {
        // Attempts before the last one may have got through.
        ErrorClass::Transient | ErrorClass::Unreachable | ErrorClass::Pending => Trace::Unknown,
        ErrorClass::Denied | ErrorClass::Expired | ErrorClass::Refused | ErrorClass::Fenced => Trace::Nothing,
    };
    let mut failure = fail(tried, format!("{code}: {message} (HTTP {status}{request})"), "", class, trace);
    failure.error.help = help(class, &code);
    failure.code = Some(code);
    failure
}

/// What sort of refusal a code is.
fn classify(code: &str, status: u16) -> ErrorClass {
    const EXPIRED: [&str; 4] = ["ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"];
    const DENIED: [&str; 13] = [
        "AccessDenied",
        "AccessDeniedException",
        "AuthFailure",
        "IncompleteSignature",
        "IncompleteSignatureException",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "OptInRequired",
        "SignatureDoesNotMatch",
        "UnauthorizedOperation",
        "UnrecognizedClientException",
    ];
    let throttled =
        ["Throttl", "TooManyRequests", "RequestLimitExceeded", "RequestTimeout", "SlowDown", "TooManyUpdates"];
    if EXPIRED.contains(&code) {
        ErrorClass::Expired
    } else if DENIED.contains(&code) {
        ErrorClass::Denied
    } else if status >= 500 || status == 429 || throttled.iter().any(|word| code.contains(word)) {
        ErrorClass::Transient
    } else {
        ErrorClass::Refused
    }
}

fn help(class: ErrorClass, code: &str) -> Option<String> {
    let text = match class {
        ErrorClass::Expired => "renew the credentials (`aws sso login`, or a new session) and `switchback resume`",
        ErrorClass::Denied if code.starts_with("AccessDenied") => "grant the missing right, or use another role",
        ErrorClass::Denied => "check access key, secret and region of the `provider \"aws\"` block",
        ErrorClass::Transient => "AWS was busy through all tries; try again later, or raise `max_retries`",
        ErrorClass::Unreachable => "see whether the endpoint answers",
        ErrorClass::Refused | ErrorClass::Pending | ErrorClass::Fenced => return None,
    };
    Some(text.to_owned())
}

/// Errors without an answer: no credentials, no connection, or a connection that broke.
fn read_unsent<E: Error + 'static>(tried: String, error: &SdkError<E, HttpResponse>) -> Failure {
    let cause = chain(error);
    let lower = cause.to_ascii_lowercase();
    if lower.contains("endpoint") && !lower.contains("credential") {
        let help = "see whether `endpoint` and `region` of the `provider \"aws\"` block are right";
        return fail(tried, cause, help, ErrorClass::Unreachable, Trace::Nothing);
    }
    if lower.contains("credential") || lower.contains("identity") || lower.contains("sso") {
        let expired = lower.contains("expired");
        let (class, help) = match expired {
            true => (ErrorClass::Expired, "renew the credentials (`aws sso login`) and `switchback resume`"),
            false => (
                ErrorClass::Denied,
                "give credentials: a profile, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a role, or `access_key` in \
                 the `provider \"aws\"` block",
            ),
        };
        return fail(tried, cause, help, class, Trace::Nothing);
    }
    // hyper names the phase: what failed while connecting was never sent.
    let unconnected = lower.contains("(connect)") || lower.contains("http connect") || lower.contains("dns error");
    let trace = if unconnected { Trace::Nothing } else { Trace::Unknown };
    let help = match unconnected {
        true => "see whether `endpoint` and `region` are right and the network is up; for `dev`: `switchback local up`",
        false => "the connection broke; the effect is settled by asking",
    };
    fail(tried, cause, help, ErrorClass::Unreachable, trace)
}

fn fail(tried: String, cause: String, help: &str, class: ErrorClass, trace: Trace) -> Failure {
    let help = (!help.is_empty()).then(|| help.to_owned());
    Failure { error: WorldError { tried, cause, help, class }, trace, code: None }
}

/// All causes of an error, outermost first, each once.
fn chain(error: &dyn Error) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !texts.iter().any(|known| known.contains(&text)) {
            texts.push(text);
        }
        next = error.source();
    }
    texts.join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value;

    #[test]
    fn codes_have_their_class() {
        for (code, status, class) in [
            ("ExpiredTokenException", 400, ErrorClass::Expired),
            ("AccessDeniedException", 400, ErrorClass::Denied),
            ("ThrottlingException", 400, ErrorClass::Transient),
            ("TooManyUpdates", 400, ErrorClass::Transient),
            ("InternalServerError", 500, ErrorClass::Transient),
            ("ParameterAlreadyExists", 400, ErrorClass::Refused),
        ] {
            assert_eq!(classify(code, status), class, "{code}");
        }
    }

    #[test]
    fn errors_do_not_quote_secrets() {
        let definitions = r#"[{"environment":[{"name":"P","value":"hunter2!"}]}]"#;
        let object = Object::from([
            ("container_definitions".to_owned(), Value::from(definitions).sensitive()),
            ("value".to_owned(), Value::from("s3cret").sensitive()),
        ]);
        for quoted in ["hunter2!", "s3cret"] {
            let error = WorldError {
                tried: "ssm:PutParameter /a at x".into(),
                cause: format!("ValidationException: value '{quoted}' failed"),
                help: Some(format!("look at {quoted}")),
                class: ErrorClass::Refused,
            };
            let shown = format!("{:?}", withhold(error, &object));
            assert!(!shown.contains(quoted) && shown.contains("ValidationException"), "{shown}");
        }
    }
}
