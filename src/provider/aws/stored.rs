//! Secrets that are named by a store of AWS, and read at the moment of use.
//!
//! Invariant: what is read leaves as the answer only: no error and no log holds it.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;

use super::failure;
use super::reach::Reach;
use crate::secret::{SecretStore, StoredSecret};

/// The value of a stored secret.
///
/// # Errors
/// Why it cannot be had, and what to type when it is not there.
pub(crate) async fn value(stored: &StoredSecret) -> Result<String, String> {
    let reach = Reach {
        region: stored.region.clone(),
        endpoint: stored.endpoint.clone(),
        profile: stored.profile.clone(),
        credentials: None,
        retries: RetryConfig::standard().with_max_attempts(4),
        timeouts: TimeoutConfig::builder()
            .connect_timeout(Duration::from_secs(4))
            .operation_timeout(Duration::from_secs(60))
            .build(),
    };
    let shared = reach.load().await;
    let tried = |operation: &str| format!("{operation} {}", stored.name);
    let value = match stored.store {
        SecretStore::Ssm => {
            let version = stored.version.as_ref().map(|version| format!(":{version}")).unwrap_or_default();
            let client = aws_sdk_ssm::Client::new(&shared);
            let asked = client.get_parameter().name(format!("{}{version}", stored.name)).with_decryption(true);
            match asked.send().await {
                Ok(answer) => answer.parameter.and_then(|parameter| parameter.value),
                Err(error) if error.code() == Some("ParameterNotFound") => None,
                Err(error) => return Err(failure::read(tried("ssm:GetParameter"), &error).error.cause),
            }
        }
        SecretStore::SecretsManager => {
            let client = aws_sdk_secretsmanager::Client::new(&shared);
            let asked = client.get_secret_value().secret_id(&stored.name).set_version_id(stored.version.clone());
            match asked.send().await {
                Ok(answer) => answer.secret_string,
                Err(error) if error.code() == Some("ResourceNotFoundException") => None,
                Err(error) => return Err(failure::read(tried("secretsmanager:GetSecretValue"), &error).error.cause),
            }
        }
    };
    value.ok_or_else(|| match &stored.version {
        Some(version) => format!("its store has no version {version} of it"),
        None => format!("its store does not have it; whoever knows it types `{}`", stored.command()),
    })
}
