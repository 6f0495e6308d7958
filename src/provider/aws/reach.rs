//! How AWS is reached: region, endpoint, credentials and the HTTP client, for providers and for ledgers alike. An edge.
//!
//! Invariant: nothing is sent when it is put together, except that the default credential chain may look around.

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_smithy_http_client::tls::Provider as TlsProvider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use super::watch;

/// What is given; the rest is found where the AWS tools find it.
pub(crate) struct Reach {
    /// The region.
    pub region: Option<String>,
    /// A URL other than AWS's own.
    pub endpoint: Option<String>,
    /// A profile of the AWS configuration.
    pub profile: Option<String>,
    /// Keys.
    pub credentials: Option<Credentials>,
    /// How often a call is tried.
    pub retries: RetryConfig,
    /// How long a call may take.
    pub timeouts: TimeoutConfig,
}

impl Reach {
    /// Puts together what every client of a service is made from.
    pub(crate) async fn load(self) -> SdkConfig {
        let http = aws_smithy_http_client::Builder::new().tls_provider(TlsProvider::Rustls(CryptoMode::Ring));
        let credentials = match self.credentials {
            Some(credentials) => Some(credentials),
            None => stand_in(self.endpoint.as_deref(), self.profile.as_deref()),
        };
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .http_client(watch::guarded(http.build_https()))
            .retry_config(self.retries)
            .timeout_config(self.timeouts);
        if let Some(region) = self.region {
            loader = loader.region(aws_config::Region::new(region));
        }
        if let Some(endpoint) = self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        if let Some(profile) = self.profile {
            loader = loader.profile_name(profile);
        }
        if let Some(credentials) = credentials {
            loader = loader.credentials_provider(credentials);
        }
        loader.load().await
    }
}

/// An endpoint on this very machine is no AWS and takes any key; asking the instance's metadata service for one would
/// only cost time. A profile that is named counts all the same.
fn stand_in(endpoint: Option<&str>, profile: Option<&str>) -> Option<Credentials> {
    let endpoint = endpoint.filter(|_| profile.is_none())?;
    let host = endpoint.split_once("://").map_or(endpoint, |(_, rest)| rest);
    let is_loopback = ["127.", "localhost", "[::1]"].iter().any(|loopback| host.starts_with(loopback));
    is_loopback.then(|| Credentials::new("switchback", "local", None, None, "loopback endpoint"))
}
