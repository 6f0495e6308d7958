//! Opens sessions. Talks to the server.
//!
//! Invariant: every session of ours can be told from others by its `application_name`, which is `switchback`, or
//! `switchback TOKEN` while it carries out an effect with that token.

use std::net::Ipv4Addr;
use std::sync::Arc;

use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls};

use super::errors::{connect_error, refused, setting_error, world_error};
use super::settings::{Host, Password, Target, Tls};
use super::tunnel::{self, Tunnel};
use super::{quoting, tls};
use crate::value::Object;
use crate::world::{ErrorClass, WorldError};

/// How our sessions are called.
pub const APPLICATION: &str = "switchback";

/// Where the settings of a connection lead.
///
/// # Errors
/// A setting that is wrong, missing or not at hand.
pub fn target(settings: &Object) -> Result<Target, WorldError> {
    Target::read(settings).map_err(setting_error)
}

/// Opens a session, in the role that the settings ask for.
///
/// # Errors
/// As the way to the server or the server says; nothing has happened then.
pub async fn open(target: &Target) -> Result<Client, WorldError> {
    open_as(target, APPLICATION).await
}

/// Opens a session for one effect, which is known by its token. The server answered when the step was looked at
/// last: one that does not now may do so shortly.
///
/// # Errors
/// As [`open`].
pub async fn open_for(target: &Target, token: &str) -> Result<Client, WorldError> {
    open_as(target, &application_of(token)).await.map_err(|mut error| {
        if error.class == ErrorClass::Unreachable {
            error.class = ErrorClass::Transient;
        }
        error
    })
}

/// The name of a session that carries out the effect with this token.
pub fn application_of(token: &str) -> String {
    format!("{APPLICATION} {token}")
}

async fn open_as(target: &Target, application: &str) -> Result<Client, WorldError> {
    let tunnel = tunnel::to(target).await?;
    let config = config(target, application, tunnel.as_deref()).await?;
    let connecting = connect(target, &config, tunnel);
    let Ok(connected) = tokio::time::timeout(target.connect_timeout, connecting).await else {
        return Err(WorldError {
            tried: format!("connect to {target}"),
            cause: format!("no answer within {} seconds", target.connect_timeout.as_secs()),
            help: Some("check host, port and firewalls, or raise `connect_timeout`".to_owned()),
            class: ErrorClass::Unreachable,
        });
    };
    let client = connected?;
    if let Some(role) = &target.set_role {
        let tried = format!("set role {role} at {target}");
        let statement = format!("set role {}", quoting::name(role));
        client.batch_execute(&statement).await.map_err(|error| world_error(tried, &error))?;
    }
    Ok(client)
}

async fn connect(target: &Target, config: &Config, tunnel: Option<Arc<Tunnel>>) -> Result<Client, WorldError> {
    let failed = |error| connect_error(target, &error);
    if config.get_ssl_mode() == SslMode::Disable {
        let (client, connection) = config.connect(NoTls).await.map_err(failed)?;
        drive(connection, tunnel);
        return Ok(client);
    }
    let (client, connection) = config.connect(tls::connector(target).await?).await.map_err(failed)?;
    drive(connection, tunnel);
    Ok(client)
}

/// Lets the session run by itself; it ends with its client, and holds its tunnel until then. What ends it early shows in the client's next call.
fn drive<S, T>(connection: tokio_postgres::Connection<S, T>, tunnel: Option<Arc<Tunnel>>)
where
    tokio_postgres::Connection<S, T>: Future<Output = Result<(), tokio_postgres::Error>> + Send + 'static,
{
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::debug!(%error, "a session of PostgreSQL ended");
        }
        drop(tunnel);
    });
}

async fn config(target: &Target, application: &str, tunnel: Option<&Tunnel>) -> Result<Config, WorldError> {
    let mut config = Config::new();
    config.user(&target.user).dbname(&target.dbname).port(tunnel.map_or(target.port, |tunnel| tunnel.port));
    if tunnel.is_some() {
        // The name stays that of the server: its certificate is checked against it.
        config.hostaddr(Ipv4Addr::LOCALHOST.into());
    }
    config.application_name(application).connect_timeout(target.connect_timeout);
    config.ssl_mode(match (&target.host, target.tls) {
        (Host::Socket(_), _) | (Host::Tcp(_), Tls::Disable) => SslMode::Disable,
        (Host::Tcp(_), Tls::Require | Tls::VerifyFull) => SslMode::Require,
    });
    match &target.host {
        Host::Tcp(host) => config.host(host),
        Host::Socket(folder) => config.host_path(folder),
    };
    if let Some(password) = password(target).await? {
        config.password(password);
    }
    Ok(config)
}

/// The password of a target, from where its settings say that it comes from; nothing where none is needed.
///
/// # Errors
/// When it is not to be had.
pub async fn password(target: &Target) -> Result<Option<String>, WorldError> {
    Ok(match &target.password {
        Password::Absent => None,
        Password::Given(password) => Some(password.clone()),
        Password::File(file) => {
            let text = tokio::fs::read_to_string(file).await.map_err(|error| {
                let tried = format!("connect to {target}");
                refused(tried, format!("read the password file {file}: {error}"), "check `password_file`")
            })?;
            Some(text.trim().to_owned())
        }
        Password::Iam { region, profile } => Some(token(target, region.as_deref(), profile.as_deref()).await?),
    })
}

#[cfg(feature = "aws")]
async fn token(target: &Target, region: Option<&str>, profile: Option<&str>) -> Result<String, WorldError> {
    use crate::provider::aws::database_token::{self, Login};
    let (Host::Tcp(host) | Host::Socket(host)) = &target.host;
    database_token::token(&Login { host, port: target.port, user: &target.user, region, profile }).await
}

#[cfg(not(feature = "aws"))]
async fn token(target: &Target, _region: Option<&str>, _profile: Option<&str>) -> Result<String, WorldError> {
    let tried = format!("connect to {target}");
    Err(refused(tried, "this build knows no AWS, so it can make no token", "use a build with the feature `aws`"))
}
