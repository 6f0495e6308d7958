//! How a server is reached: the settings of `provider "postgres"` and of a `database` block, read and checked. Pure.
//!
//! Invariant: a [`Target`] shows and debugs without its password.

use std::fmt;
use std::time::Duration;

use crate::kind::{Attribute, ProviderSchema, Secrecy};
use crate::value::{Object, Type, Value};

/// A place to connect to.
#[derive(Clone, PartialEq, Eq)]
pub struct Target {
    /// The server.
    pub host: Host,
    /// The port, also part of a socket's name.
    pub port: u16,
    /// Whom to log in as.
    pub user: String,
    /// The database.
    pub dbname: String,
    /// How to prove it.
    pub password: Password,
    /// How the line is protected.
    pub tls: Tls,
    /// Whether the protection was asked for, not only assumed.
    pub tls_given: bool,
    /// A PEM file of certificates to trust instead of the machine's.
    pub root_certificate: Option<String>,
    /// The role to take on after logging in.
    pub set_role: Option<String>,
    /// The command that forwards a port of this machine to the server; none when it is reached directly.
    pub tunnel: Vec<String>,
    /// Longest wait for the connection.
    pub connect_timeout: Duration,
}

/// Where the server listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name or address.
    Tcp(String),
    /// The folder of a Unix socket.
    Socket(String),
}

/// Where the password comes from.
#[derive(Clone, PartialEq, Eq)]
pub enum Password {
    /// None: trust, peer or a certificate.
    Absent,
    /// At hand.
    Given(String),
    /// The trimmed content of a file, read when connecting.
    File(String),
    /// A token of AWS, made when connecting.
    Iam {
        /// The region of the database; that of the AWS configuration where nothing is said.
        region: Option<String>,
        /// A profile of the AWS configuration.
        profile: Option<String>,
    },
}

/// How the line is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// Not at all.
    Disable,
    /// Encrypted, the certificate is not looked at.
    Require,
    /// Encrypted, and the certificate is valid for the host.
    VerifyFull,
}

/// A setting that is wrong or missing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct BadSetting {
    /// What is wrong; never the value of a password.
    pub text: String,
    /// How to mend it.
    pub help: String,
}

/// The settings of `provider "postgres"`.
pub fn schema() -> ProviderSchema {
    let text = |name, documentation| Attribute::optional(name, Type::String, documentation);
    ProviderSchema {
        name: "postgres",
        summary: "A PostgreSQL server, 13 or later.",
        attributes: vec![
            text(
                "url",
                "Where the server is: `postgres://user@host:port/dbname?sslmode=…`. Other settings override its parts.",
            ),
            text("host", "Name or address of the server, or the folder of its Unix socket."),
            Attribute::optional("port", Type::Number, "Port of the server; 5432 when absent."),
            text("user", "Whom to log in as."),
            text("dbname", "The database to log in to; `postgres` when absent."),
            text("password", "The password, best from a sensitive variable.").secret(Secrecy::Secret),
            text("password_file", "A file whose trimmed content is the password, read at the moment of connecting."),
            text(
                "sslmode",
                "`disable`, `require` or `verify-full`; when absent `disable` on loopback and Unix sockets, else `verify-full`.",
            ),
            text("sslrootcert", "A PEM file of certificates to trust instead of the machine's own."),
            text("set_role", "A role to take on after logging in, so that it owns what is made."),
            Attribute::optional(
                "tunnel",
                Type::list(Type::String),
                "A command and its arguments that forwards a port of this machine to the server, started when it is needed: in each `{port}` is the port of this machine, `{host}` and `{remote_port}` are the server's. The server's certificate is still that of `host`.",
            ),
            Attribute::optional(
                "aws_rds_iam_auth",
                Type::Bool,
                "Whether a token of AWS takes the place of the password (RDS, Aurora).",
            ),
            text("aws_rds_iam_region", "The region of that database; that of the AWS configuration when absent."),
            text("aws_rds_iam_profile", "The profile of the AWS configuration to sign with."),
            Attribute::optional(
                "connect_timeout",
                Type::Number,
                "Longest wait for a connection, in seconds; 10 when absent.",
            ),
        ],
    }
}

impl Target {
    /// Reads the settings of a connection.
    ///
    /// # Errors
    /// The first setting that is wrong, missing or not at hand.
    pub fn read(settings: &Object) -> Result<Self, BadSetting> {
        let mut parts = match text(settings, "url")? {
            Some(url) => parse_url(&url)?,
            None => Parts::default(),
        };
        for (name, part) in parts.all() {
            if let Some(value) = text(settings, name)? {
                *part = Some(value);
            }
        }
        if let Some(given) =
            parts.password_file.take_if(|_| settings.get("password").is_some_and(|value| !value.is_null()))
        {
            let help = "keep one of `password` and `password_file`";
            return Err(bad(&format!("both `password` and `password_file` ({given}) are given"), help));
        }
        let host = parts.host.filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| bad("no host is given", "set `url` or `host`"))?;
        let host = if host.starts_with('/') { Host::Socket(host) } else { Host::Tcp(host) };
        let user = parts.user.filter(|user| !user.is_empty());
        let tls = tls(parts.sslmode.as_deref(), &host)?;
        let password = match (parts.password, parts.password_file) {
            (None, None) if is_set(settings, "aws_rds_iam_auth") => iam(settings, &host, tls)?,
            (_, Some(file)) => Password::File(file),
            (Some(password), None) => Password::Given(password),
            (None, None) => Password::Absent,
        };
        if is_set(settings, "aws_rds_iam_auth") && !matches!(password, Password::Iam { .. }) {
            let help = "keep one of `aws_rds_iam_auth` and the password";
            return Err(bad("both `aws_rds_iam_auth` and a password are given", help));
        }
        let words = settings.get("tunnel").and_then(Value::items).into_iter().flatten();
        Ok(Self {
            tls,
            tunnel: words.filter_map(Value::as_str).map(str::to_owned).collect(),
            tls_given: parts.sslmode.is_some(),
            host,
            port: number(parts.port.as_deref(), "port", 5432)?,
            user: user.ok_or_else(|| bad("no user is given", "set `user`, or put it into `url`"))?,
            dbname: parts.dbname.filter(|name| !name.is_empty()).unwrap_or_else(|| "postgres".to_owned()),
            password,
            root_certificate: parts.sslrootcert,
            set_role: parts.set_role,
            connect_timeout: Duration::from_secs(
                number(parts.connect_timeout.as_deref(), "connect_timeout", 10)?.into(),
            ),
        })
    }

    /// The URL of a database on the same server: without user and password, which its users bring.
    pub fn url_of(&self, dbname: &str) -> String {
        let mut options = Vec::new();
        if self.tls_given {
            options.push(format!("sslmode={}", self.tls.word()));
        }
        if let Some(file) = &self.root_certificate {
            options.push(format!("sslrootcert={}", encode(file)));
        }
        let place = match &self.host {
            Host::Tcp(host) if host.contains(':') => format!("[{host}]:{}", self.port),
            Host::Tcp(host) => format!("{host}:{}", self.port),
            Host::Socket(folder) => {
                options.insert(0, format!("host={}", encode(folder)));
                options.insert(1, format!("port={}", self.port));
                String::new()
            }
        };
        let question = if options.is_empty() { "" } else { "?" };
        format!("postgres://{place}/{}{question}{}", encode(dbname), options.join("&"))
    }

    /// The same place, another database.
    #[must_use]
    pub fn with_dbname(&self, dbname: &str) -> Self {
        Self { dbname: dbname.to_owned(), ..self.clone() }
    }
}

impl Tls {
    /// As in `sslmode`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Require => "require",
            Self::VerifyFull => "verify-full",
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { user, port, dbname, .. } = self;
        match &self.host {
            Host::Tcp(host) => {
                write!(formatter, "postgres://{user}@{host}:{port}/{dbname} (sslmode {})", self.tls.word())
            }
            Host::Socket(folder) => write!(formatter, "database {dbname} as {user} at socket {folder}/.s.PGSQL.{port}"),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

#[derive(Default)]
struct Parts {
    host: Option<String>,
    port: Option<String>,
    user: Option<String>,
    dbname: Option<String>,
    password: Option<String>,
    password_file: Option<String>,
    sslmode: Option<String>,
    sslrootcert: Option<String>,
    set_role: Option<String>,
    connect_timeout: Option<String>,
}

impl Parts {
    fn all(&mut self) -> [(&'static str, &mut Option<String>); 10] {
        [
            ("host", &mut self.host),
            ("port", &mut self.port),
            ("user", &mut self.user),
            ("dbname", &mut self.dbname),
            ("password", &mut self.password),
            ("password_file", &mut self.password_file),
            ("sslmode", &mut self.sslmode),
            ("sslrootcert", &mut self.sslrootcert),
            ("set_role", &mut self.set_role),
            ("connect_timeout", &mut self.connect_timeout),
        ]
    }
}

fn text(settings: &Object, name: &str) -> Result<Option<String>, BadSetting> {
    let Some(value) = settings.get(name).filter(|value| !value.is_null()) else {
        return Ok(None);
    };
    let value = value.reveal();
    if let Some(text) = value.as_str() {
        return Ok(Some(text.to_owned()));
    }
    match value.as_i64() {
        Some(number) => Ok(Some(number.to_string())),
        None => Err(bad(
            &format!("setting `{name}` is not at hand"),
            "give the variable or the file it comes from, or apply what it waits for first",
        )),
    }
}

fn is_set(settings: &Object, name: &str) -> bool {
    settings.get(name).and_then(Value::as_bool) == Some(true)
}

/// A token is a password that anybody on the line could use for a quarter of an hour.
fn iam(settings: &Object, host: &Host, tls: Tls) -> Result<Password, BadSetting> {
    match (host, tls) {
        (Host::Tcp(_), Tls::VerifyFull) => Ok(Password::Iam {
            region: text(settings, "aws_rds_iam_region")?,
            profile: text(settings, "aws_rds_iam_profile")?,
        }),
        (Host::Socket(_), _) | (Host::Tcp(_), Tls::Disable | Tls::Require) => Err(bad(
            "`aws_rds_iam_auth` goes over a protected line only",
            "name the server's host, and leave `sslmode` at `verify-full`; `sslrootcert` is the bundle of RDS",
        )),
    }
}

fn parse_url(url: &str) -> Result<Parts, BadSetting> {
    let wrong = |what: &str| bad(&format!("`url` {what}"), "write `postgres://user@host:port/dbname`");
    let rest = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
    let rest = rest.ok_or_else(|| wrong("does not start with `postgres://`"))?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, dbname) = rest.split_once('/').unwrap_or((rest, ""));
    let (login, place) = authority.rsplit_once('@').map_or((None, authority), |(login, place)| (Some(login), place));
    let mut parts = Parts { dbname: decode(dbname), ..Parts::default() };
    if let Some(login) = login {
        let (user, password) = login.split_once(':').map_or((login, None), |(user, rest)| (user, Some(rest)));
        parts.user = decode(user);
        parts.password = password.and_then(decode);
    }
    let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    if host.contains(',') {
        return Err(wrong("names several hosts, which is not supported"));
    }
    parts.host = decode(host);
    parts.port = port.filter(|port| !port.is_empty()).map(str::to_owned);
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (key, value) = option.split_once('=').unwrap_or((option, ""));
        match parts.all().into_iter().find(|(name, _)| *name == key) {
            Some((_, part)) => *part = decode(value),
            None => return Err(wrong(&format!("has an option `{key}`, which is not supported"))),
        }
    }
    Ok(parts)
}

fn tls(mode: Option<&str>, host: &Host) -> Result<Tls, BadSetting> {
    match mode {
        Some("disable") => Ok(Tls::Disable),
        Some("require") => Ok(Tls::Require),
        Some("verify-full") => Ok(Tls::VerifyFull),
        Some(other) => Err(bad(
            &format!("sslmode `{other}` is not supported"),
            "use `disable`, `require` or `verify-full`; weaker ones can be turned off by who sits on the line",
        )),
        None if is_local(host) => Ok(Tls::Disable),
        None => Ok(Tls::VerifyFull),
    }
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Socket(_) => true,
        Host::Tcp(name) => {
            name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
        }
    }
}

fn number(text: Option<&str>, name: &str, default: u16) -> Result<u16, BadSetting> {
    match text {
        None => Ok(default),
        Some(text) => {
            text.parse().map_err(|_| bad(&format!("`{name}` is not a number: `{text}`"), "write digits only"))
        }
    }
}

fn bad(text: &str, help: &str) -> BadSetting {
    BadSetting { text: text.to_owned(), help: help.to_owned() }
}

/// A part of a URL, read; nothing for an empty one.
pub fn decode(text: &str) -> Option<String> {
    if text.is_empty() {
        return None;
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = (*first == b'%').then(|| tail.get(..2)).flatten();
        let byte = hex.and_then(|hex| u8::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok());
        bytes.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &tail[2..] } else { tail };
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// A text as a part of a URL.
pub fn encode(text: &str) -> String {
    let keep = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte);
    text.bytes().map(|byte| if keep(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The open settings that a URL holds, for tests and for those who have only a URL.
pub fn settings_of_url(url: &str) -> Object {
    Object::from([("url".to_owned(), Value::from(url).sensitive())])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Target, BadSetting> {
        Target::read(&pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect())
    }

    #[test]
    fn a_url_is_read_whole_and_overridden_by_settings() {
        let url = "postgres://me:p%40ss@db.example:6543/sh%2Fop?sslmode=require&connect_timeout=3";
        let target = read(&[("url", url), ("user", "you")]).unwrap();
        assert_eq!(target.host, Host::Tcp("db.example".to_owned()));
        assert_eq!((target.port, target.user.as_str(), target.dbname.as_str()), (6543, "you", "sh/op"));
        assert!(target.password == Password::Given("p@ss".to_owned()));
        assert_eq!((target.tls, target.connect_timeout), (Tls::Require, Duration::from_secs(3)));
        assert_eq!(format!("{target} {target:?}").matches("p@ss").count(), 0);
        assert_eq!(target.url_of("a b"), "postgres://db.example:6543/a%20b?sslmode=require");
    }

    #[test]
    fn the_line_is_protected_unless_it_stays_on_the_machine() {
        for (host, tls) in [
            ("localhost", Tls::Disable),
            ("127.0.0.9", Tls::Disable),
            ("::1", Tls::Disable),
            ("/run/postgresql", Tls::Disable),
            ("10.0.0.1", Tls::VerifyFull),
            ("db.example", Tls::VerifyFull),
        ] {
            assert_eq!(read(&[("host", host), ("user", "me")]).unwrap().tls, tls, "{host}");
        }
        assert!(read(&[("host", "h"), ("user", "me"), ("sslmode", "prefer")]).unwrap_err().text.contains("prefer"));
    }

    #[test]
    fn a_token_goes_over_a_protected_line_only() {
        let settings = |pairs: &[(&str, Value)]| {
            let mut settings =
                Object::from([("user".to_owned(), "me".into()), ("aws_rds_iam_auth".to_owned(), true.into())]);
            settings.extend(pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())));
            Target::read(&settings)
        };
        let good = settings(&[("host", "db.example".into()), ("aws_rds_iam_region", "eu-central-1".into())]).unwrap();
        assert!(good.password == Password::Iam { region: Some("eu-central-1".to_owned()), profile: None });
        for (pairs, part) in [
            (&[("host", Value::from("127.0.0.1"))][..], "protected line"),
            (&[("host", "/tmp".into())][..], "protected line"),
            (&[("host", "h".into()), ("sslmode", "require".into())][..], "protected line"),
            (&[("host", "h".into()), ("password", "hush".into())][..], "both"),
        ] {
            let error = settings(pairs).unwrap_err();
            assert!(error.text.contains(part), "{error}");
        }
    }

    #[test]
    fn sockets_and_six_come_back_from_their_urls() {
        for host in ["/tmp/a b", "::1", "db"] {
            let target = read(&[("host", host), ("user", "me"), ("port", "5433")]).unwrap();
            let again = read(&[("url", &target.url_of("x")), ("user", "me")]).unwrap();
            assert_eq!((again.host, again.port, again.dbname), (target.host, 5433, "x".to_owned()), "{host}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_without_the_password() {
        for (settings, part) in [
            (&[("user", "me")][..], "no host"),
            (&[("host", "h")][..], "no user"),
            (&[("url", "mysql://me:hush@h/d")][..], "does not start with"),
            (&[("url", "postgres://me:hush@h/d?what=1")][..], "`what`"),
            (&[("url", "postgres://me:hush@a,b/d")][..], "several hosts"),
            (&[("host", "h"), ("user", "me"), ("port", "x")][..], "`port` is not a number"),
            (&[("host", "h"), ("user", "me"), ("password", "hush"), ("password_file", "/f")][..], "both"),
        ] {
            let error = read(settings).unwrap_err();
            assert!(error.text.contains(part), "{error}");
            assert!(!format!("{error:?}").contains("hush"));
        }
    }
}
