//! The clients of one connection: credentials, endpoint, retries and time-outs are set here and nowhere else.
//!
//! Invariant: no call gets around [`Clients::call`], which bounds how many run at once and names what was tried.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::sync::{OnceCell, Semaphore};

use super::failure::{self, Failure};
use super::reach::Reach;
use super::{settings, watch};
use crate::value::{Object, Value};
use crate::world::{Connection, ErrorClass, WorldError};

/// How many calls of one connection run at once.
const AT_ONCE: usize = 8;

/// The clients of one connection.
pub(super) struct Clients {
    pub cloudwatch: aws_sdk_cloudwatch::Client,
    pub ecr: aws_sdk_ecr::Client,
    pub ecs: aws_sdk_ecs::Client,
    pub logs: aws_sdk_cloudwatchlogs::Client,
    pub secrets: aws_sdk_secretsmanager::Client,
    pub ssm: aws_sdk_ssm::Client,
    sts: aws_sdk_sts::Client,
    region: String,
    place: String,
    permits: Semaphore,
    facts: OnceCell<Result<Object, WorldError>>,
}

impl Clients {
    /// Makes them; nothing is sent yet, except that the default credential chain may look around.
    pub(super) async fn open(connection: &Connection) -> Result<Self, WorldError> {
        let settings = &connection.settings;
        let text = |name: &str| settings.get(name).and_then(Value::as_str).map(str::to_owned);
        if let Some(endpoint) = text("endpoint") {
            check_endpoint(&endpoint)?;
        }
        let reach = Reach {
            region: text("region"),
            endpoint: text("endpoint"),
            profile: text("profile"),
            credentials: credentials(settings)?,
            retries: retries(settings),
            timeouts: timeouts(),
        };
        let shared = reach.load().await;
        let Some(region) = shared.region().map(|region| region.as_ref().to_owned()) else {
            return Err(WorldError {
                tried: "aws: finding the region".to_owned(),
                cause: "no region is set".to_owned(),
                help: Some("set `region` in the `provider \"aws\"` block, or AWS_REGION".to_owned()),
                class: ErrorClass::Refused,
            });
        };
        Ok(Self {
            cloudwatch: aws_sdk_cloudwatch::Client::new(&shared),
            ecr: aws_sdk_ecr::Client::new(&shared),
            ecs: aws_sdk_ecs::Client::new(&shared),
            logs: aws_sdk_cloudwatchlogs::Client::new(&shared),
            secrets: aws_sdk_secretsmanager::Client::new(&shared),
            ssm: aws_sdk_ssm::Client::new(&shared),
            sts: aws_sdk_sts::Client::new(&shared),
            place: text("endpoint").unwrap_or_else(|| region.clone()),
            region,
            permits: Semaphore::new(AT_ONCE),
            facts: OnceCell::new(),
        })
    }

    /// Awaits one call, when its turn has come. `subject` is the name of what it is about, never a value.
    pub(super) async fn call<T, E, F>(&self, operation: &str, subject: &str, call: F) -> Result<T, Failure>
    where
        F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        let _permit = self.permits.acquire().await.expect("the semaphore is never closed");
        tracing::debug!(operation, subject, "calling AWS");
        let tried = self.tried(operation, subject);
        let answer = watch::within_limits(operation, &tried, call).await;
        answer.map_err(|limit| failure::silent(tried.clone(), limit))?.map_err(|error| {
            let failure = failure::read(tried, &error);
            tracing::debug!(operation, subject, code = failure.code, class = ?failure.error.class, "AWS call failed");
            failure
        })
    }

    /// What is tried, for errors: `ecs:UpdateService shop/web at http://…`.
    pub(super) fn tried(&self, operation: &str, subject: &str) -> String {
        format!("{operation} {subject} at {}", self.place)
    }

    /// Who we are: checks the account, and gives account and region. It is asked once, also when nobody answers: where
    /// STS cannot be reached, not every step shall wait for it.
    pub(super) async fn check(&self, connection: &Connection) -> Result<Object, WorldError> {
        self.facts.get_or_init(|| self.ask_who_we_are(connection)).await.clone()
    }

    async fn ask_who_we_are(&self, connection: &Connection) -> Result<Object, WorldError> {
        let patience = RetryConfig::standard().with_max_attempts(3);
        let override_config = aws_sdk_sts::Config::builder().retry_config(patience);
        let call = self.sts.get_caller_identity().customize().config_override(override_config).send();
        let subject = connection.alias.as_deref().unwrap_or("of the default provider");
        let identity = self.call("sts:GetCallerIdentity", subject, call).await?;
        let account = identity.account().unwrap_or_default().to_owned();
        let right = settings::right_accounts(&connection.settings);
        if !right.is_empty() && !right.contains(&account) {
            let right = right.join(", ");
            let (cause, help) = match connection.settings.contains_key("account") {
                true => (
                    format!("the credentials lead to account {account}, and what the ledger records lies in {right}"),
                    format!("use credentials of account {right}"),
                ),
                false => (
                    format!("the credentials lead to account {account}, allowed is {right}"),
                    "use credentials of the allowed account, or correct `allowed_account_ids` of the `provider \
                     \"aws\"` block"
                        .to_owned(),
                ),
            };
            let tried = self.tried("sts:GetCallerIdentity", subject);
            return Err(WorldError { tried, cause, help: Some(help), class: ErrorClass::Denied });
        }
        let allowed = settings::allowed_identities(&connection.settings);
        let arn = identity.arn().unwrap_or_default();
        if !allowed.is_empty() && !allowed.iter().any(|allowed| settings::is_identity(allowed, arn)) {
            return Err(WorldError {
                tried: self.tried("sts:GetCallerIdentity", subject),
                cause: format!("the credentials are those of {arn}, allowed is {}", allowed.join(", ")),
                help: Some(
                    "use credentials of an allowed identity, or name this one in `allowed_identities` of the \
                     `provider \"aws\"` block"
                        .to_owned(),
                ),
                class: ErrorClass::Denied,
            });
        }
        Ok(Object::from([
            ("account".to_owned(), Value::from(account)),
            ("region".to_owned(), Value::from(self.region.as_str())),
        ]))
    }
}

/// Adaptive: like standard retries, and slower for all calls of a service once it throttles one.
fn retries(settings: &Object) -> RetryConfig {
    let given = settings.get("max_retries").and_then(Value::as_i64).and_then(|retries| u32::try_from(retries).ok());
    let attempts = given.map_or(settings::DEFAULT_ATTEMPTS, |retries| retries.saturating_add(1));
    RetryConfig::adaptive()
        .with_max_attempts(attempts)
        .with_initial_backoff(Duration::from_millis(200))
        .with_max_backoff(Duration::from_secs(10))
}

/// The limits of everything around an attempt, credentials among it; what is sent has those of `watch`.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(4))
        .operation_attempt_timeout(Duration::from_secs(45))
        .operation_timeout(Duration::from_secs(180))
        .build()
}

/// The SDK says of an endpoint that is no URL whatever comes first to its mind.
fn check_endpoint(endpoint: &str) -> Result<(), WorldError> {
    let rest = ["http://", "https://"].iter().find_map(|scheme| endpoint.strip_prefix(scheme));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    let good = |letter: char| letter.is_ascii_alphanumeric() || "-._:[]@%".contains(letter);
    if host.is_some_and(|host| !host.is_empty() && host.chars().all(good)) {
        return Ok(());
    }
    Err(WorldError {
        tried: "aws: reading `endpoint` of the `provider \"aws\"` block".to_owned(),
        cause: format!("`{endpoint}` is not the URL of an endpoint"),
        help: Some("write it as `http://127.0.0.1:4566`, or leave `endpoint` out to reach AWS itself".to_owned()),
        class: ErrorClass::Refused,
    })
}

fn credentials(settings: &Object) -> Result<Option<Credentials>, WorldError> {
    let secret = |name: &str| settings.get(name).map(Value::reveal);
    let text = |value: &Option<Value>| value.as_ref().and_then(Value::as_str).map(str::to_owned);
    let (key, secret_key, token) = (secret("access_key"), secret("secret_key"), secret("token"));
    match (text(&key), text(&secret_key)) {
        (None, None) => Ok(None),
        (Some(key), Some(secret)) => Ok(Some(Credentials::new(key, secret, text(&token), None, "spec"))),
        (Some(_), None) | (None, Some(_)) => Err(WorldError {
            tried: "aws: reading the credentials of the `provider \"aws\"` block".to_owned(),
            cause: "only one of `access_key` and `secret_key` is given".to_owned(),
            help: Some("give both, or neither for the default credential chain".to_owned()),
            class: ErrorClass::Denied,
        }),
    }
}
