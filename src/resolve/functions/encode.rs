//! Base64, percent-encoding and text encodings. Pure.
//!
//! Invariant: what is decoded is valid text, or a mistake.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::collection::made;
use super::{Arguments, Function, FunctionError, Kind, Outcome, Parameter, parameter, row};

const TEXT: Parameter = parameter("text", Kind::Text);
const ENCODING: Parameter = parameter("encoding", Kind::Text);

pub(super) static ROWS: &[Function] = &[
    row("base64encode", &[TEXT], Kind::Text, |a| Ok(STANDARD.encode(a.text(0)).into())),
    row("base64decode", &[TEXT], Kind::Text, |a| {
        let text = String::from_utf8(bytes(a)?);
        made(text.map_err(|_| FunctionError::at(0, "what it encodes is not UTF-8 text"))?)
    }),
    row("textencodebase64", &[TEXT, ENCODING], Kind::Text, text_encode),
    row("textdecodebase64", &[TEXT, ENCODING], Kind::Text, text_decode),
    row("urlencode", &[TEXT], Kind::Text, |a| Ok(percent(a.text(0)).into())),
];

fn bytes(arguments: &Arguments<'_>) -> Result<Vec<u8>, FunctionError> {
    let text: String = arguments.text(0).chars().filter(|letter| !matches!(letter, '\n' | '\r')).collect();
    STANDARD.decode(text).map_err(|_| FunctionError::at(0, "this is not base64"))
}

enum Encoding {
    Utf8,
    Utf16Little,
    Utf16Big,
    Latin1,
}

fn encoding(arguments: &Arguments<'_>) -> Result<Encoding, FunctionError> {
    match arguments.text(1).to_ascii_uppercase().as_str() {
        "UTF-8" => Ok(Encoding::Utf8),
        "UTF-16LE" => Ok(Encoding::Utf16Little),
        "UTF-16BE" | "UTF-16" => Ok(Encoding::Utf16Big),
        "ISO-8859-1" | "LATIN1" | "US-ASCII" => Ok(Encoding::Latin1),
        _ => Err(FunctionError::at(1, "there are UTF-8, UTF-16LE, UTF-16BE and ISO-8859-1")),
    }
}

fn text_encode(arguments: &Arguments<'_>) -> Outcome {
    let text = arguments.text(0);
    let bytes: Vec<u8> = match encoding(arguments)? {
        Encoding::Utf8 => text.as_bytes().to_vec(),
        Encoding::Utf16Little => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        Encoding::Utf16Big => text.encode_utf16().flat_map(u16::to_be_bytes).collect(),
        Encoding::Latin1 => {
            let narrow = text.chars().map(|letter| u8::try_from(letter as u32)).collect::<Result<_, _>>();
            narrow.map_err(|_| FunctionError::at(0, "it holds a letter that this encoding does not have"))?
        }
    };
    Ok(STANDARD.encode(bytes).into())
}

fn text_decode(arguments: &Arguments<'_>) -> Outcome {
    let bytes = bytes(arguments)?;
    let wide = |join: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.chunks_exact(2).map(|pair| join([pair[0], pair[1]])).collect();
        String::from_utf16(&units).ok().filter(|_| bytes.len().is_multiple_of(2))
    };
    let text = match encoding(arguments)? {
        Encoding::Utf8 => String::from_utf8(bytes).ok(),
        Encoding::Utf16Little => wide(u16::from_le_bytes),
        Encoding::Utf16Big => wide(u16::from_be_bytes),
        Encoding::Latin1 => Some(bytes.iter().map(|byte| char::from(*byte)).collect()),
    };
    made(text.ok_or_else(|| FunctionError::at(0, "what it encodes is not text of this encoding"))?)
}

/// As in the query of a URL: a space is `+`.
fn percent(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => encoded.push(char::from(byte)),
            b' ' => encoded.push('+'),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
