//! The forms in which a secret could hide.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use switchback::digest::Digest;

use crate::shop::project::Project;

fn forms(secret: &str) -> Vec<(&'static str, Vec<u8>)> {
    let percent = |keeps: &dyn Fn(u8) -> bool| -> String {
        let one = |byte: u8| if keeps(byte) { (byte as char).to_string() } else { format!("%{byte:02X}") };
        secret.bytes().map(one).collect()
    };
    let json = serde_json::to_string(secret).unwrap();
    let escaped = json.trim_matches('"').to_owned();
    let double = serde_json::to_string(&escaped).unwrap().trim_matches('"').to_owned();
    let text = [
        ("plain", secret.to_owned()),
        ("base64", STANDARD.encode(secret)),
        ("base64 without padding", STANDARD_NO_PAD.encode(secret)),
        ("base64 for URLs", URL_SAFE.encode(secret)),
        ("base64 for URLs without padding", URL_SAFE_NO_PAD.encode(secret)),
        ("percent-encoded", percent(&|byte| byte.is_ascii_alphanumeric())),
        ("percent-encoded as URLs are", percent(&|byte| byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte))),
        ("JSON-escaped", escaped.clone()),
        ("JSON-escaped for pages", escaped.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")),
        ("JSON-escaped twice", double),
        ("escaped for pages", secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")),
        ("hexadecimal", secret.bytes().map(|byte| format!("{byte:02x}")).collect()),
        ("SHA-256", Digest::of_bytes(secret.as_bytes()).to_string()),
        ("SHA-256 of its JSON", Digest::of_bytes(json.as_bytes()).to_string()),
    ];
    text.into_iter().map(|(name, text)| (name, text.into_bytes())).collect()
}

/// Asserts that no form of a secret is in there.
pub fn assert_clean(secret: &str, what: &str, bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    for (name, form) in forms(secret) {
        assert!(!text.contains(&*String::from_utf8_lossy(&form)), "a secret is in {what}, {name}");
    }
}

/// The same of every file of a project, its ledgers among them.
pub fn assert_files_are_clean(secret: &str, project: &Project) {
    let files = project.bytes_below(".");
    assert!(files.iter().any(|(path, _)| path.ends_with("dev.jsonl")), "the ledger is looked through");
    for (path, bytes) in files {
        assert_clean(secret, &path.display().to_string(), &bytes);
    }
}
