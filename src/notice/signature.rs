//! The signature of a message, as <https://www.standardwebhooks.com> has it. Pure.
//!
//! Invariant: what is signed is the id, the time of sending and the body, byte for byte.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// How the key of a receiver begins whose bytes are written in base64.
const PREFIX: &str = "whsec_";

/// The value of `webhook-signature`; nothing when the key is not well-formed.
pub fn signature(key: &str, id: &str, seconds: i64, body: &str) -> Option<String> {
    let bytes = match key.strip_prefix(PREFIX) {
        Some(encoded) => STANDARD.decode(encoded).ok()?,
        None => key.as_bytes().to_vec(),
    };
    if bytes.is_empty() {
        return None;
    }
    let mut mac = Hmac::<Sha256>::new_from_slice(&bytes).ok()?;
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_the_specification() {
        // The example of the specification's own libraries.
        let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = "{\"test\": 2432232314}";
        let made = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body).unwrap();
        assert_eq!(made, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_key_that_is_empty_or_no_base64_signs_nothing() {
        assert_eq!(signature("", "a", 0, "b"), None);
        assert_eq!(signature("whsec_", "a", 0, "b"), None);
        assert_eq!(signature("whsec_%", "a", 0, "b"), None);
        assert_ne!(signature("word", "a", 0, "b"), signature("word", "a", 1, "b"));
    }
}
