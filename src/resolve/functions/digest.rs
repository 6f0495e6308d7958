//! Digests and ids. Pure, except that `uuid` takes random bytes, and that only at apply.
//!
//! Invariant: a text's digest is that of its UTF-8 bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256, Sha512};
use uuid::Uuid;

use super::{Arguments, Function, FunctionError, Kind, Outcome, Parameter, parameter, row};
use crate::value::unknown_from;
use crate::value::{Type, Value};

const TEXT: Parameter = parameter("text", Kind::Text);

pub(super) static ROWS: &[Function] = &[
    row("md5", &[TEXT], Kind::Text, |a| Ok(md5(a.text(0).as_bytes()).into())),
    row("sha1", &[TEXT], Kind::Text, |a| Ok(sha1(a.text(0).as_bytes()).into())),
    row("sha256", &[TEXT], Kind::Text, |a| Ok(sha256(a.text(0).as_bytes()).into())),
    row("sha512", &[TEXT], Kind::Text, |a| Ok(sha512(a.text(0).as_bytes()).into())),
    row("base64sha256", &[TEXT], Kind::Text, |a| Ok(base64_sha256(a.text(0).as_bytes()).into())),
    row("base64sha512", &[TEXT], Kind::Text, |a| Ok(base64_sha512(a.text(0).as_bytes()).into())),
    row("uuid", &[], Kind::Text, uuid).raw(),
    row("uuidv5", &[parameter("namespace", Kind::Text), parameter("name", Kind::Text)], Kind::Text, uuid_v5),
];

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) fn md5(bytes: &[u8]) -> String {
    use md5::Digest as _;
    hex(&md5::Md5::digest(bytes))
}

pub(super) fn sha1(bytes: &[u8]) -> String {
    sha1_smol::Sha1::from(bytes).digest().to_string()
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

pub(super) fn sha512(bytes: &[u8]) -> String {
    hex(&Sha512::digest(bytes))
}

pub(super) fn base64_sha256(bytes: &[u8]) -> String {
    STANDARD.encode(Sha256::digest(bytes))
}

pub(super) fn base64_sha512(bytes: &[u8]) -> String {
    STANDARD.encode(Sha512::digest(bytes))
}

fn uuid(arguments: &Arguments<'_>) -> Outcome {
    Ok(match arguments.surroundings.now {
        Some(_) => Uuid::new_v4().to_string().into(),
        None => unknown_from(Type::String, [] as [&Value; 0]),
    })
}

fn uuid_v5(arguments: &Arguments<'_>) -> Outcome {
    let namespace = match arguments.text(0) {
        "dns" => Uuid::NAMESPACE_DNS,
        "url" => Uuid::NAMESPACE_URL,
        "oid" => Uuid::NAMESPACE_OID,
        "x500" => Uuid::NAMESPACE_X500,
        other => Uuid::parse_str(other)
            .map_err(|_| FunctionError::at(0, "a namespace is `dns`, `url`, `oid`, `x500` or a UUID"))?,
    };
    Ok(Uuid::new_v5(&namespace, arguments.text(1).as_bytes()).to_string().into())
}
