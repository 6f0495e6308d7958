//! Tokens with which RDS and Aurora let an identity of AWS in, in the place of a password. Reads credentials.
//!
//! Invariant: a token is made for each connection, is good for a quarter of an hour, and is written nowhere.
//! <https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.html>

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials as _;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign};
use aws_sigv4::sign::v4;

use super::reach::Reach;
use crate::world::{ErrorClass, WorldError};

/// How long a token is good; AWS allows no more.
const GOOD: Duration = Duration::from_secs(15 * 60);

/// Whom a token lets in, and where.
pub(crate) struct Login<'a> {
    pub host: &'a str,
    pub port: u16,
    pub user: &'a str,
    /// The region of the database; that of the AWS configuration where nothing is said.
    pub region: Option<&'a str>,
    /// A profile of the AWS configuration.
    pub profile: Option<&'a str>,
}

/// Makes a token.
///
/// # Errors
/// When there are no credentials, or no region.
pub(crate) async fn token(login: &Login<'_>) -> Result<String, WorldError> {
    let tried = format!("sign in to {}@{}:{} with IAM", login.user, login.host, login.port);
    let failed = |cause: String, help: &str, class| WorldError {
        tried: tried.clone(),
        cause,
        help: Some(help.to_owned()),
        class,
    };
    let reach = Reach {
        region: login.region.map(str::to_owned),
        endpoint: None,
        profile: login.profile.map(str::to_owned),
        credentials: None,
        retries: RetryConfig::standard(),
        timeouts: TimeoutConfig::builder().operation_timeout(Duration::from_secs(30)).build(),
    };
    let shared = reach.load().await;
    let Some(region) = shared.region().map(ToString::to_string) else {
        let help = "set `aws_rds_iam_region`, or AWS_REGION";
        return Err(failed("the region of the database is not known".to_owned(), help, ErrorClass::Refused));
    };
    let help = "give credentials as for the AWS provider: a profile, the environment, or a role";
    let provider = shared.credentials_provider();
    let provider = provider.ok_or_else(|| failed("there are no credentials".to_owned(), help, ErrorClass::Denied))?;
    let found = provider.provide_credentials().await;
    let credentials = found.map_err(|error| {
        let class = if error.to_string().contains("expired") { ErrorClass::Expired } else { ErrorClass::Denied };
        failed(format!("no credentials: {error}"), help, class)
    })?;
    #[expect(
        clippy::disallowed_methods,
        reason = "AWS compares it with its own clock; nothing is recorded or decided by it"
    )]
    let now = SystemTime::now();
    signed(login, &region, credentials, now)
        .map_err(|cause| failed(cause, "check user, host and region", ErrorClass::Refused))
}

fn signed(login: &Login<'_>, region: &str, credentials: Credentials, now: SystemTime) -> Result<String, String> {
    let Login { host, port, user, .. } = login;
    let mut url = format!("https://{host}:{port}/?Action=connect&DBUser={}", encode(user));
    let identity = credentials.into();
    let mut settings = SigningSettings::default();
    settings.expires_in = Some(GOOD);
    settings.signature_location = SignatureLocation::QueryParams;
    let parameters = v4::SigningParams::builder().identity(&identity).region(region).name("rds-db");
    let parameters = parameters.time(now).settings(settings).build().map_err(|error| error.to_string())?;
    let request = SignableRequest::new("GET", &url, std::iter::empty(), SignableBody::Bytes(&[]));
    let request = request.map_err(|error| error.to_string())?;
    let signed = sign(request, &parameters.into()).map_err(|error| error.to_string())?;
    for (name, value) in signed.output().params() {
        let _ = write!(url, "&{name}={}", encode(value));
    }
    Ok(url.split_off("https://".len()))
}

/// As AWS wants it in a query: everything but unreserved characters.
fn encode(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed beside this by the documented steps of Signature Version 4, with another language's HMAC.
    #[test]
    fn a_token_is_the_signature_that_the_documentation_describes() {
        let login = Login { host: "db.example", port: 5432, user: "de ploy", region: None, profile: None };
        let credentials = Credentials::new("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", None, None, "t");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_440_938_160);
        let token = signed(&login, "eu-central-1", credentials, now).unwrap();
        assert_eq!(
            token,
            "db.example:5432/?Action=connect&DBUser=de%20ploy&X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIDEXAMPLE%2F20150830%2Feu-central-1%2Frds-db%2Faws4_request\
             &X-Amz-Date=20150830T123600Z&X-Amz-Expires=900&X-Amz-SignedHeaders=host&X-Amz-Signature=b4d262963f0a17b1e469021cceb036ec2adbc524dd75cde62753b02905a3e805"
        );
    }
}
