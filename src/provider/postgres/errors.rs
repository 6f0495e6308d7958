//! What the server or the way to it said, as errors for people. Pure.
//!
//! Invariant: an error carries the server's own code, message, detail and hint, and never a statement's parameters.

use std::error::Error as _;

use tokio_postgres::Error;
use tokio_postgres::error::{DbError, ErrorPosition, SqlState};

use super::settings::{BadSetting, Target, Tls};
use crate::world::{EffectError, ErrorClass, Trace, WorldError};

/// An error of the server or of the way to it.
pub fn world_error(tried: impl Into<String>, error: &Error) -> WorldError {
    let (cause, class, help) = match error.as_db_error() {
        Some(refusal) => (said(refusal), class_of(refusal.code()), help_for(refusal.code())),
        None => (chain(error), class_of_io(error), None),
    };
    WorldError { tried: tried.into(), cause, help: help.map(str::to_owned), class }
}

/// An error while connecting: what helps depends on the target.
pub fn connect_error(target: &Target, error: &Error) -> WorldError {
    let mut found = world_error(format!("connect to {target}"), error);
    if error.as_db_error().is_none() && found.help.is_none() {
        let text = chain(error).to_lowercase();
        let is_denied = text.contains("authentication") || text.contains("password missing");
        found.class = if is_denied { ErrorClass::Denied } else { ErrorClass::Unreachable };
        let is_tls = text.contains("tls") || text.contains("certificate");
        found.help = Some(match (found.class, is_tls, target.tls) {
            (ErrorClass::Denied, ..) => "give `password` or `password_file`: the server asks for one".to_owned(),
            (_, true, Tls::VerifyFull) => {
                "the server must offer TLS with a certificate for this host name: name its authority in `sslrootcert`, or lower `sslmode`".to_owned()
            }
            (_, true, Tls::Require | Tls::Disable) => {
                "the server does not offer TLS: turn it on there, or set `sslmode` to `disable`".to_owned()
            }
            (_, false, _) => "check that the server runs, and that host and port are right".to_owned(),
        });
    }
    found
}

/// A setting that is wrong, before anything was tried.
pub fn setting_error(error: BadSetting) -> WorldError {
    WorldError {
        tried: "read the settings of the PostgreSQL connection".to_owned(),
        cause: error.text,
        help: Some(error.help),
        class: ErrorClass::Refused,
    }
}

/// A refusal of our own.
pub fn refused(tried: impl Into<String>, cause: impl Into<String>, help: impl Into<String>) -> WorldError {
    WorldError { tried: tried.into(), cause: cause.into(), help: Some(help.into()), class: ErrorClass::Refused }
}

/// The error left nothing behind.
pub fn nothing(error: WorldError) -> EffectError {
    EffectError { error, trace: Trace::Nothing }
}

/// The error may have left something behind.
pub fn unknown(error: WorldError) -> EffectError {
    EffectError { error, trace: Trace::Unknown }
}

/// Whether the server itself refused, so that the statement certainly had no effect. A session that was ended from
/// outside gets an answer too, but of severity FATAL.
pub fn is_refusal(error: &Error) -> bool {
    error.as_db_error().is_some_and(|refusal| !matches!(refusal.severity(), "FATAL" | "PANIC"))
}

/// Whether it has this code.
pub fn has_code(error: &Error, code: &SqlState) -> bool {
    error.code() == Some(code)
}

/// The line of a text that the server's complaint points at.
pub fn line_in(text: &str, error: &Error) -> Option<usize> {
    match error.as_db_error()?.position()? {
        ErrorPosition::Original(position) => {
            let before = text.chars().take(usize::try_from(*position).ok()?.saturating_sub(1));
            Some(before.filter(|letter| *letter == '\n').count() + 1)
        }
        ErrorPosition::Internal { .. } => None,
    }
}

fn said(refusal: &DbError) -> String {
    let mut text = format!("{} ({})", refusal.message(), refusal.code().code());
    for (label, part) in [("detail", refusal.detail()), ("hint", refusal.hint()), ("where", refusal.where_())] {
        if let Some(part) = part {
            text += &format!("; {label}: {}", part.trim().replace('\n', "; "));
        }
    }
    text
}

fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text += &format!(": {cause}");
        source = cause.source();
    }
    text
}

fn class_of(code: &SqlState) -> ErrorClass {
    let denied = [SqlState::INSUFFICIENT_PRIVILEGE];
    let transient = [
        SqlState::LOCK_NOT_AVAILABLE,
        SqlState::T_R_SERIALIZATION_FAILURE,
        SqlState::T_R_DEADLOCK_DETECTED,
        SqlState::TOO_MANY_CONNECTIONS,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::OBJECT_IN_USE,
    ];
    if denied.contains(code) || code.code().starts_with("28") {
        ErrorClass::Denied
    } else if transient.contains(code) {
        ErrorClass::Transient
    } else if code.code().starts_with("08") {
        ErrorClass::Unreachable
    } else {
        ErrorClass::Refused
    }
}

fn class_of_io(error: &Error) -> ErrorClass {
    let text = error.to_string();
    if text.contains("authentication") {
        ErrorClass::Denied
    } else if error.is_closed() || text.contains("communicating") {
        // A session that was there and is lost: the next one may do.
        ErrorClass::Transient
    } else if text.contains("connecting") || text.contains("TLS") {
        ErrorClass::Unreachable
    } else {
        ErrorClass::Refused
    }
}

fn help_for(code: &SqlState) -> Option<&'static str> {
    match code.code() {
        "28P01" => Some("check `user` and `password`"),
        "28000" => Some("check `user`, and that pg_hba.conf of the server lets it in from here with this `sslmode`"),
        "3D000" => Some("create the database first, or correct `dbname`"),
        "42501" => Some("grant the right to the user of the connection, or set `set_role` to a role that has it"),
        "53300" => Some("wait until connections are free, or raise max_connections"),
        "2BP01" => Some("drop or reassign what still depends on it first"),
        "55P03" => Some("another session holds a lock: wait for it or end it, then go on"),
        "57P01" | "57P02" => Some("the session was ended from outside; go on when the server is back"),
        "57P03" => Some("the server is starting or stopping; try again shortly"),
        "53100" => Some("the server's disk is full: make room, then go on"),
        "25006" => Some("this server is read-only: connect to the primary"),
        _ => None,
    }
}
