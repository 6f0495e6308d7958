//! What ECR refuses: images and repositories that are not there, manifests that are none, tags that do not move.
//!
//! Invariant: what an image is made of is never looked at: the emulator takes a bare manifest, without its layers.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Request, Response};
use serde_json::Value;

use super::Relay;
use super::call::Call;
use super::refusal::Refusal;

/// Answers a call to ECR.
///
/// # Errors
/// What ECR refuses.
pub(super) async fn answer(
    relay: &Relay,
    call: &Call,
    request: Request<Bytes>,
) -> Result<Response<Full<Bytes>>, Refusal> {
    match call.operation.as_str() {
        "CreateRepository" => check_name(call.text("repositoryName").unwrap_or_default())?,
        "PutImage" => check_manifest(call)?,
        "DescribeImages" => {
            let response = relay.upstream.forward(request).await?;
            return found(call, response).await;
        }
        _ => {}
    }
    relay.upstream.forward(request).await
}

/// `shop/web`: small letters and digits, with single `.`, `_`, `-` and `/` between them.
fn check_name(name: &str) -> Result<(), Refusal> {
    let is_word = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let good = |part: &str| {
        part.starts_with(is_word)
            && part.ends_with(is_word)
            && part.chars().all(|one| is_word(one) || "._-".contains(one))
    };
    match (2..=256).contains(&name.len()) && name.split('/').all(good) {
        true => Ok(()),
        false => Err(Refusal::invalid(
            "Invalid parameter at 'repositoryName' failed to satisfy constraint: 'must satisfy regular expression'",
        )),
    }
}

fn check_manifest(call: &Call) -> Result<(), Refusal> {
    let wrong = |why: &str| {
        Refusal::invalid(format!("Invalid parameter at 'ImageManifest' failed to satisfy constraint: '{why}'"))
    };
    let manifest = call.text("imageManifest").unwrap_or_default();
    let read: Value = serde_json::from_str(manifest).map_err(|_| wrong("Invalid JSON syntax"))?;
    match read.get("schemaVersion").and_then(Value::as_i64) {
        Some(2) => Ok(()),
        Some(_) | None => Err(wrong("Invalid manifest: schemaVersion is not 2")),
    }
}

/// The emulator leaves out what it does not find; ECR refuses the whole call.
async fn found(call: &Call, response: Response<Full<Bytes>>) -> Result<Response<Full<Bytes>>, Refusal> {
    use http_body_util::BodyExt as _;
    let asked = call.body.get("imageIds").and_then(Value::as_array).map_or(0, Vec::len);
    if asked == 0 || !response.status().is_success() {
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = body.collect().await;
    let body = body.to_bytes();
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let found = answer.get("imageDetails").and_then(Value::as_array).map_or(0, Vec::len);
    if found < asked {
        let repository = call.text("repositoryName").unwrap_or_default();
        let message = format!("The image requested does not exist within the repository with name '{repository}'");
        return Err(Refusal::new("ImageNotFoundException", message));
    }
    Ok(Response::from_parts(parts, Full::new(body)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_repositories_are_checked() {
        for good in ["web", "shop/web", "a-b/c.d_e1"] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for bad in ["", "a", "Web", "/web", "web/", "a//b", "-web", "we b"] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
