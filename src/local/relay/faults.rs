//! Faults on order: so that tests see what a busy, slow or broken service does to a client. Pure.
//!
//! Invariant: a fault that says that the call succeeded comes after the emulator has carried it out.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::call::Call;
use super::refusal::Refusal;

/// One order; it is used up by the calls that it meets.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    /// `s3.PutObject`.
    operation: String,
    /// A text in one of the names; empty for any.
    #[serde(default)]
    containing: String,
    /// What the client gets.
    answer: Answer,
    /// The error's name; without it the usual one of the status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    /// How long `slow` is, in seconds.
    #[serde(default = "long")]
    seconds: f64,
    /// So many calls are let through first.
    #[serde(default)]
    skip: u32,
    /// How many calls it meets then.
    #[serde(default = "once")]
    times: u32,
}

fn once() -> u32 {
    1
}

fn long() -> f64 {
    15.0
}

/// What a client gets instead of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Value", into = "Value")]
pub(super) enum Answer {
    /// An error; nothing is carried out.
    Error(u16),
    /// An error, although it was carried out.
    SuccessThenError(u16),
    /// The connection breaks; nothing is carried out.
    Drop,
    /// The connection breaks after it was carried out.
    SuccessThenDrop,
    /// It is carried out, and the answer takes its time.
    Slow,
    /// It is carried out without its conditions (`If-None-Match`, `If-Match`).
    Unconditional,
}

impl TryFrom<Value> for Answer {
    type Error = String;

    fn try_from(value: Value) -> Result<Self, String> {
        let status = |status: u64| u16::try_from(status).ok().filter(|status| (400..600).contains(status));
        let read = match &value {
            Value::Number(number) => number.as_u64().and_then(status).map(Self::Error),
            Value::String(text) => match text.as_str() {
                "drop" => Some(Self::Drop),
                "success-then-drop" => Some(Self::SuccessThenDrop),
                "slow" => Some(Self::Slow),
                "unconditional" => Some(Self::Unconditional),
                text => text
                    .strip_prefix("success-then-")
                    .and_then(|digits| status(digits.parse().ok()?))
                    .map(Self::SuccessThenError),
            },
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        read.ok_or_else(|| {
            "an answer is a status from 400, `drop`, `slow`, `unconditional`, `success-then-drop` or \
             `success-then-412`"
                .to_owned()
        })
    }
}

impl From<Answer> for Value {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Error(status) => json!(status),
            Answer::SuccessThenError(status) => json!(format!("success-then-{status}")),
            Answer::Drop => json!("drop"),
            Answer::SuccessThenDrop => json!("success-then-drop"),
            Answer::Slow => json!("slow"),
            Answer::Unconditional => json!("unconditional"),
        }
    }
}

impl Fault {
    /// What the client gets.
    pub(super) fn answer(&self) -> Answer {
        self.answer
    }

    /// How long `slow` is.
    pub(super) fn pause(&self) -> Duration {
        Duration::from_secs_f64(self.seconds)
    }

    /// The error of a status, by the name that the service has for it.
    pub(super) fn refusal(&self, service: &str, status: u16) -> Refusal {
        let usual = match (service, status) {
            ("s3", 403) => "AccessDenied",
            ("s3", 404) => "NoSuchKey",
            ("s3", 409) => "ConditionalRequestConflict",
            ("s3", 412) => "PreconditionFailed",
            ("s3", 500) => "InternalError",
            ("s3", 503) => "SlowDown",
            (_, 400 | 429) => "ThrottlingException",
            (_, 403) => "AccessDeniedException",
            (_, 500) => "InternalServerError",
            _ => "ServiceUnavailable",
        };
        Refusal {
            code: self.code.clone().unwrap_or_else(|| usual.to_owned()),
            message: "ordered by a test".to_owned(),
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// The orders.
#[derive(Default)]
pub(super) struct Faults {
    orders: Mutex<Vec<Fault>>,
}

impl Faults {
    /// Takes an order.
    pub(super) fn order(&self, body: &[u8]) -> Result<(), String> {
        let fault: Fault = serde_json::from_slice(body).map_err(|error| error.to_string())?;
        if !(0.0..=3600.0).contains(&fault.seconds) {
            return Err("seconds are between 0 and 3600".to_owned());
        }
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).push(fault);
        Ok(())
    }

    /// Forgets all orders, or those with a text in what they are for.
    pub(super) fn clear(&self, containing: Option<&str>) {
        let goes = |fault: &Fault| containing.is_none_or(|text| fault.containing.contains(text));
        self.orders.lock().unwrap_or_else(PoisonError::into_inner).retain(|fault| !goes(fault));
    }

    /// What is ordered.
    pub(super) fn show(&self) -> Value {
        json!({ "orders": *self.orders.lock().unwrap_or_else(PoisonError::into_inner) })
    }

    /// The fault that a call is to meet, if any.
    pub(super) fn of(&self, call: &Call) -> Option<Fault> {
        let mut orders = self.orders.lock().unwrap_or_else(PoisonError::into_inner);
        let operation = format!("{}.{}", call.service, call.operation);
        let meets = |fault: &Fault| fault.operation == operation && call.mentions(&fault.containing);
        let place = orders.iter().position(meets)?;
        if orders[place].skip > 0 {
            orders[place].skip -= 1;
            return None;
        }
        let fault = orders[place].clone();
        match fault.times {
            0 | 1 => drop(orders.remove(place)),
            more => orders[place].times = more - 1,
        }
        Some(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_and_shown() {
        for (text, answer) in [
            ("503", Answer::Error(503)),
            ("\"success-then-412\"", Answer::SuccessThenError(412)),
            ("\"success-then-drop\"", Answer::SuccessThenDrop),
            ("\"slow\"", Answer::Slow),
        ] {
            assert_eq!(serde_json::from_str::<Answer>(text).unwrap(), answer);
            assert_eq!(serde_json::to_string(&answer).unwrap(), text);
        }
        for wrong in ["200", "\"success-then-200\"", "\"maybe\"", "true"] {
            assert!(serde_json::from_str::<Answer>(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_error_has_the_name_that_the_service_has_for_it() {
        let fault: Fault = serde_json::from_str(r#"{"operation": "x.Y", "answer": 400}"#).unwrap();
        assert_eq!(fault.refusal("ecs", 400).code, "ThrottlingException");
        assert_eq!(fault.refusal("s3", 503).code, "SlowDown");
        let named = Fault { code: Some("ExpiredToken".to_owned()), ..fault };
        assert_eq!(named.refusal("s3", 400).code, "ExpiredToken");
    }
}
