//! `postgres://` addresses taken apart. Pure.
//!
//! Invariant: no error shows any part of the url, which may hold a password.

use crate::value::Value;

/// Why an address is not usable.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UrlError {
    /// It is none.
    #[error("it is not a `postgres://` address")]
    NotAUrl,
    /// A secret stands in it.
    #[error("a password stands inside the url, where it would be shown and stored")]
    Password,
    /// Its port is none.
    #[error("its port is no number from 1 to 65535")]
    Port,
    /// A parameter is not known.
    #[error("it has a parameter other than `host`, `sslmode` and `sslrootcert`")]
    Parameter,
    /// A `%` is not followed by two digits.
    #[error("a `%` in it is not followed by two hexadecimal digits")]
    Escape,
}

impl UrlError {
    /// How to mend it.
    pub fn help(self) -> &'static str {
        match self {
            Self::NotAUrl => "write `postgres://USER@HOST:PORT/DBNAME`, or `host`, `port`, `user` and `dbname`",
            Self::Password => {
                "take it out of the url, and write `password = var.NAME` of a sensitive variable, or `password_file`"
            }
            Self::Port => "write the port after the host, like `HOST:5432`",
            Self::Parameter => "remove the parameter, or write it as an attribute of the block if there is one",
            Self::Escape => "write `%25` for a `%`",
        }
    }
}

/// The settings that an address stands for.
pub(super) fn parse(text: &str) -> Result<Vec<(&'static str, Value)>, UrlError> {
    let rest =
        text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://")).ok_or(UrlError::NotAUrl)?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, dbname) = rest.split_once('/').unwrap_or((rest, ""));
    let (user, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    if user.contains(':') {
        return Err(UrlError::Password);
    }
    let (host, port) = split_port(place)?;
    let mut settings = Vec::new();
    let mut text = |name: &'static str, escaped: &str| -> Result<(), UrlError> {
        if !escaped.is_empty() {
            settings.push((name, Value::from(unescape(escaped)?)));
        }
        Ok(())
    };
    text("user", user)?;
    text("host", host)?;
    text("dbname", dbname)?;
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        match name {
            "host" => text("host", value)?,
            "sslmode" => text("sslmode", value)?,
            "sslrootcert" => text("sslrootcert", value)?,
            "password" => return Err(UrlError::Password),
            _ => return Err(UrlError::Parameter),
        }
    }
    settings.extend(port.map(|port| ("port", Value::from(i64::from(port)))));
    Ok(settings)
}

fn split_port(place: &str) -> Result<(&str, Option<u16>), UrlError> {
    let (host, port) = match place.strip_prefix('[') {
        Some(inside) => {
            let (host, after) = inside.split_once(']').ok_or(UrlError::NotAUrl)?;
            (host, after.strip_prefix(':'))
        }
        None => match place.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (place, None),
        },
    };
    let port = port.map(|port| port.parse::<u16>().ok().filter(|port| *port > 0).ok_or(UrlError::Port)).transpose()?;
    Ok((host, port))
}

fn unescape(text: &str) -> Result<String, UrlError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok()).ok_or(UrlError::Escape)?;
        bytes.push(u8::from_str_radix(digits, 16).map_err(|_| UrlError::Escape)?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| UrlError::Escape)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Vec<String> {
        parse(text).unwrap().iter().map(|(name, value)| format!("{name}={value}")).collect()
    }

    #[test]
    fn an_address_becomes_settings() {
        assert_eq!(
            settings("postgres://shop@db.example:5433/app?sslmode=require"),
            [r#"user="shop""#, r#"host="db.example""#, r#"dbname="app""#, r#"sslmode="require""#, "port=5433"]
        );
        assert_eq!(settings("postgresql:///app?host=%2Frun%2Fpg"), [r#"dbname="app""#, r#"host="/run/pg""#]);
        assert_eq!(settings("postgres://[::1]:5432/a"), [r#"host="::1""#, r#"dbname="a""#, "port=5432"]);
    }

    #[test]
    fn what_is_wrong_is_said_without_showing_it() {
        for (text, error) in [
            ("mysql://a/b", UrlError::NotAUrl),
            ("postgres://a:hunter2@b/c", UrlError::Password),
            ("postgres://b/c?password=hunter2", UrlError::Password),
            ("postgres://b:x/c", UrlError::Port),
            ("postgres://b/c?hunter2=1", UrlError::Parameter),
            ("postgres://b/%zz", UrlError::Escape),
        ] {
            assert_eq!(parse(text).unwrap_err(), error);
            assert!(!error.to_string().contains("hunter2") && !error.help().contains("hunter2"));
        }
    }
}
