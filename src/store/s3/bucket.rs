//! The calls to S3 that a ledger needs, with their time limits and what their errors mean. An edge.
//!
//! Invariant: a conditional write is tried by the client once; whoever asked for it looks before trying again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{RequestChecksumCalculation, ResponseChecksumValidation};
use aws_sdk_s3::primitives::{ByteStream, DateTime, DateTimeFormat};
use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use tokio::sync::OnceCell;

use super::location::Location;
use crate::ledger::StoreError;
use crate::provider::aws::failure::{self, Failure};
use crate::provider::aws::reach::Reach;
use crate::world::ErrorClass;

/// Where an endpoint of one's own is when nobody says: it wants to hear a region, whichever.
const ANY_REGION: &str = "us-east-1";

/// How long is waited for what. All of it together stays well below the length of a lease.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For one attempt of one request.
    pub attempt: Duration,
    /// For everything that one append or one read of an object takes.
    pub whole: Duration,
    /// How often a write is tried.
    pub tries: u32,
    /// Before the second try; it doubles from then on.
    pub pause: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { attempt: seconds(10), whole: seconds(40), tries: 5, pause: Duration::from_millis(200) }
    }
}

/// A bucket and how it is reached. Nothing is sent before the first call.
pub struct Bucket {
    location: Location,
    patience: Patience,
    client: OnceCell<Client>,
}

/// An object that was read.
pub struct Found {
    /// Its content.
    pub bytes: Vec<u8>,
    /// When it was written and when it was read, in seconds of the store's clock.
    pub times: Times,
}

/// Two points in time of the store's own clock, in whole seconds.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// When it was written.
    pub written: Option<i64>,
    /// When it was looked at: the `Date` of the very same answer.
    pub asked: Option<i64>,
}

impl Times {
    /// How long ago it was written, at the least. Both are cut to whole seconds, so a second may be missing.
    pub fn age(self) -> Option<Duration> {
        let seconds = self.asked?.saturating_sub(self.written?).saturating_sub(1);
        Some(Duration::from_secs(u64::try_from(seconds).unwrap_or(0)))
    }
}

/// A page of a list.
pub struct Page {
    /// The keys, sorted, with size and times.
    pub entries: Vec<(String, usize, Times)>,
    /// More come behind the last of them.
    pub more: bool,
}

/// What became of a conditional write.
pub enum Put {
    /// The object is written.
    Done,
    /// There is an object at this key.
    Exists,
    /// It may or may not be written.
    Unknown(StoreError),
    /// It is not written, and trying again would not help.
    Refused(StoreError),
}

impl Bucket {
    /// The bucket at a location.
    pub fn new(location: Location, patience: Patience) -> Self {
        Self { location, patience, client: OnceCell::new() }
    }

    /// Where it is.
    pub fn location(&self) -> &Location {
        &self.location
    }

    /// How long is waited.
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// The client.
    ///
    /// # Errors
    /// When no region is known.
    pub async fn client(&self) -> Result<&Client, StoreError> {
        self.client.get_or_try_init(|| self.connect()).await
    }

    async fn connect(&self) -> Result<Client, StoreError> {
        let Location { region, endpoint, profile, .. } = self.location.clone();
        let Patience { attempt, whole, pause, .. } = self.patience;
        let (foreign, connect) = (endpoint.is_some(), attempt.min(Duration::from_secs(4)));
        let reach = Reach {
            region,
            endpoint,
            profile,
            credentials: None,
            retries: RetryConfig::standard().with_max_attempts(4).with_initial_backoff(pause),
            timeouts: TimeoutConfig::builder()
                .connect_timeout(connect)
                .operation_attempt_timeout(attempt)
                .operation_timeout(whole)
                .build(),
        };
        let shared = reach.load().await;
        let mut builder = aws_sdk_s3::config::Builder::from(&shared);
        if foreign {
            // Others than AWS often know neither the bucket's own host name nor the newer checksums.
            builder = builder
                .force_path_style(true)
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        if shared.region().is_none() {
            if !foreign {
                return Err(StoreError::Storage {
                    tried: format!("open the ledger {}", self.location.url()),
                    cause: "no region is known; write `?region=eu-central-1` behind the URL, or set AWS_REGION"
                        .to_owned(),
                });
            }
            builder = builder.region(aws_config::Region::new(ANY_REGION));
        }
        Ok(Client::from_conf(builder.build()))
    }

    /// Reads an object; nothing when there is none.
    ///
    /// # Errors
    /// When S3 refuses or does not answer.
    pub async fn get(&self, key: &str) -> Result<Option<Found>, StoreError> {
        let mut trouble = self.trouble("s3:GetObject", key, "no answer in time");
        for _ in 0..3 {
            let clock = StoreClock::default();
            let request = self.client().await?.get_object().bucket(&self.location.bucket).key(key);
            let answer = match request.customize().interceptor(clock.clone()).send().await {
                Ok(answer) => answer,
                Err(error) if error.code() == Some("NoSuchKey") => return Ok(None),
                Err(error) => return Err(self.error("s3:GetObject", key, &error)),
            };
            let written = answer.last_modified().map(DateTime::secs);
            // The client's own time limits end where the body begins.
            match tokio::time::timeout(self.patience.attempt, answer.body.collect()).await {
                Ok(Ok(body)) => {
                    let times = Times { written, asked: clock.read() };
                    return Ok(Some(Found { bytes: body.to_vec(), times }));
                }
                Ok(Err(error)) => trouble = self.trouble("s3:GetObject", key, &error.to_string()),
                Err(_) => trouble = self.trouble("s3:GetObject", key, "the object did not arrive in time"),
            }
        }
        Err(trouble)
    }

    /// Writes an object if there is none at its key.
    pub async fn put_new(&self, key: &str, body: Vec<u8>) -> Put {
        let client = match self.client().await {
            Ok(client) => client,
            Err(error) => return Put::Refused(error),
        };
        let once = aws_sdk_s3::Config::builder().retry_config(RetryConfig::disabled());
        let request = client
            .put_object()
            .bucket(&self.location.bucket)
            .key(key)
            .if_none_match("*")
            .content_type("application/json")
            .body(ByteStream::from(body));
        let Err(error) = request.customize().config_override(once).send().await else {
            return Put::Done;
        };
        match error.raw_response().map(|answer| answer.status().as_u16()) {
            Some(412) => return Put::Exists,
            // Another write of the same key is under way.
            Some(409) => return Put::Unknown(self.error("s3:PutObject", key, &error)),
            _ => {}
        }
        let failure = failure::read(self.tried("s3:PutObject", key), &error);
        match failure.error.class {
            ErrorClass::Transient | ErrorClass::Unreachable | ErrorClass::Pending => {
                Put::Unknown(self.explain(failure))
            }
            ErrorClass::Denied | ErrorClass::Expired | ErrorClass::Refused | ErrorClass::Fenced => {
                Put::Refused(self.explain(failure))
            }
        }
    }

    /// Writes an object, whether or not there is one.
    ///
    /// # Errors
    /// When S3 refuses or does not answer.
    pub async fn put(&self, key: &str, body: Vec<u8>) -> Result<(), StoreError> {
        let request = self.client().await?.put_object().bucket(&self.location.bucket).key(key);
        let sent = request.content_type("application/json").body(ByteStream::from(body)).send().await;
        sent.map(drop).map_err(|error| self.error("s3:PutObject", key, &error))
    }

    /// Lists up to a thousand keys with a prefix that sort behind another one.
    ///
    /// # Errors
    /// When S3 refuses or does not answer.
    pub async fn page(&self, prefix: &str, behind: &str) -> Result<Page, StoreError> {
        let clock = StoreClock::default();
        let request = self.client().await?.list_objects_v2().bucket(&self.location.bucket).prefix(prefix);
        let sent = request.start_after(behind).customize().interceptor(clock.clone()).send().await;
        let answer = sent.map_err(|error| self.error("s3:ListObjectsV2", prefix, &error))?;
        let asked = clock.read();
        let entries = answer.contents().iter().filter_map(|object| {
            let times = Times { written: object.last_modified().map(DateTime::secs), asked };
            let bytes = object.size().and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
            Some((object.key()?.to_owned(), bytes, times))
        });
        Ok(Page { entries: entries.collect(), more: answer.is_truncated().unwrap_or(false) })
    }

    fn tried(&self, operation: &str, key: &str) -> String {
        let place = self.location.endpoint.as_ref().or(self.location.region.as_ref());
        let place = place.map(|place| format!(" at {place}")).unwrap_or_default();
        format!("{operation} {}{place}", self.location.object_url(key))
    }

    fn trouble(&self, operation: &str, key: &str, cause: &str) -> StoreError {
        StoreError::Storage { tried: self.tried(operation, key), cause: format!("{cause}; see whether S3 answers") }
    }

    /// What an error of the SDK means, and what to do.
    pub fn error<E>(&self, operation: &str, key: &str, error: &SdkError<E, HttpResponse>) -> StoreError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        self.explain(failure::read(self.tried(operation, key), error))
    }

    fn explain(&self, failure: Failure) -> StoreError {
        let (code, error) = (failure.code.as_deref().unwrap_or_default(), failure.error);
        let url = self.location.url();
        let help = match (code, error.class) {
            ("NoSuchBucket", _) => format!("make the bucket: `switchback init --ledger '{url}'`"),
            ("PermanentRedirect" | "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException", _) => {
                "the bucket lies in another region: correct `region=` of the URL".to_owned()
            }
            ("AccessDenied" | "AllAccessDisabled", _) => {
                format!("grant the identity its rights; `switchback init --ledger '{url}'` prints the least ones")
            }
            (_, ErrorClass::Expired) => {
                "renew the credentials (`aws sso login`, or a new session), then go on where it stopped".to_owned()
            }
            (_, ErrorClass::Denied) => "give credentials that the bucket knows: `profile=` in the URL, AWS_PROFILE, \
                 AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role"
                .to_owned(),
            (_, ErrorClass::Unreachable) => {
                "see whether `endpoint=` and `region=` of the URL are right and the network is up".to_owned()
            }
            (_, ErrorClass::Transient | ErrorClass::Pending) => "S3 was busy through all tries; try again".to_owned(),
            (_, ErrorClass::Refused | ErrorClass::Fenced) => "see that the ledger's URL is right".to_owned(),
        };
        StoreError::Storage { tried: error.tried, cause: format!("{}; {help}", error.cause) }
    }
}

/// Notes the `Date` of an answer: the store's clock, which no host's clock is compared with.
#[derive(Clone, Debug, Default)]
struct StoreClock(Arc<Mutex<Option<i64>>>);

impl StoreClock {
    fn read(&self) -> Option<i64> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Intercept for StoreClock {
    fn name(&self) -> &'static str {
        "StoreClock"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _components: &RuntimeComponents,
        _bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let date = context.response().headers().get("date");
        let date = date.and_then(|date| DateTime::from_str(date, DateTimeFormat::HttpDate).ok());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = date.map(|date| date.secs());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_older_than_it_is() {
        let age = |written, asked| Times { written, asked }.age().map(|age| age.as_secs());
        // Written at 10.99, looked at at 13.0: two seconds ago, and a bit.
        assert_eq!(age(Some(10), Some(13)), Some(2));
        assert_eq!(age(Some(10), Some(10)), Some(0));
        assert_eq!(age(Some(11), Some(10)), Some(0));
        assert_eq!((age(None, Some(1)), age(Some(1), None)), (None, None));
    }
}
