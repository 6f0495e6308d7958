//! Secrets: what Secrets Manager refuses of them and the emulator does not. An edge.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::Relay;
use super::call::Call;
use super::refusal::{Refusal, json_response};

/// How many labels all versions of a secret have together at most.
const MOST_LABELS: usize = 20;

/// Refuses what breaks a rule of its operation, by looking at nothing but the request.
pub(super) fn check(call: &Call) -> Result<(), Refusal> {
    if let Some(length) = call.text("ClientRequestToken").map(str::len)
        && !(32..=64).contains(&length)
    {
        return Err(Refusal::invalid("ClientRequestToken must have between 32 and 64 characters."));
    }
    match call.operation.as_str() {
        "CreateSecret" => check_name(call.text("Name").unwrap_or_default())?,
        "UpdateSecretVersionStage"
            if call.text("VersionStage").is_none_or(|stage| stage.is_empty() || stage.len() > 256) =>
        {
            return Err(Refusal::invalid("VersionStage must have between 1 and 256 characters."));
        }
        _ => {}
    }
    match call.body.get("SecretString") {
        None | Some(Value::Null) => Ok(()),
        Some(Value::String(value)) if (1..=65_536).contains(&value.len()) => Ok(()),
        Some(Value::String(_)) => Err(Refusal::invalid("SecretString must have between 1 and 65536 bytes.")),
        Some(_) => Err(Refusal::nonsense("`SecretString` has the wrong type")),
    }
}

fn check_name(name: &str) -> Result<(), Refusal> {
    let good = |letter: char| letter.is_ascii_alphanumeric() || "/_+=.@-".contains(letter);
    match (1..=512).contains(&name.len()) && name.chars().all(good) {
        true => Ok(()),
        false => Err(Refusal::new(
            "ValidationException",
            "Invalid name. Must be a valid name containing alphanumeric characters, or any of the following: -/_+=.@!",
        )),
    }
}

/// The secret that a call means, as the emulator describes it.
async fn described(relay: &Relay, call: &Call, id: &str) -> Result<Option<Value>, Refusal> {
    let body = Map::from_iter([("SecretId".to_owned(), Value::from(id))]);
    match relay.upstream.ask(call, "DescribeSecret", body).await {
        Ok(described) => Ok(Some(described)),
        Err(refusal) if refusal.code.contains("ResourceNotFound") => Ok(None),
        Err(refusal) => Err(refusal),
    }
}

/// CreateSecret: a name is taken as long as its removal is waited for.
pub(super) async fn create(relay: &Relay, call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
    let _gate = relay.gate.lock().await;
    if let Some(there) = described(relay, call, call.text("Name").unwrap_or_default()).await?
        && !there["DeletedDate"].is_null()
    {
        let message = "You can't create this secret because a secret with this name is already scheduled for deletion.";
        return Err(Refusal::new("InvalidRequestException", message));
    }
    let answer = relay.upstream.ask(call, "CreateSecret", call.body.clone()).await?;
    Ok(json_response(StatusCode::OK, &answer))
}

/// PutSecretValue: a version never becomes another one, and labels are limited.
pub(super) async fn put(relay: &Relay, call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
    let _gate = relay.gate.lock().await;
    let id = call.text("SecretId").unwrap_or_default();
    let versions = described(relay, call, id).await?.map_or(Value::Null, |there| there["VersionIdsToStages"].clone());
    let labels = versions.as_object().into_iter().flatten().flat_map(|(_, labels)| labels.as_array()).map(Vec::len);
    if labels.sum::<usize>() + call.texts("VersionStages").len() > MOST_LABELS {
        return Err(Refusal::new("LimitExceededException", "You have exceeded the limit of staging labels."));
    }
    if let Some(token) = call.text("ClientRequestToken").filter(|token| versions.get(*token).is_some()) {
        let body = json!({ "SecretId": id, "VersionId": token });
        let body = body.as_object().cloned().unwrap_or_default();
        let there = relay.upstream.ask(call, "GetSecretValue", body).await?;
        if there.get("SecretString") != call.body.get("SecretString") {
            let message = "The operation failed because a version with this ID exists already.";
            return Err(Refusal::new("ResourceExistsException", message));
        }
        let known = ["ARN", "Name", "VersionId", "VersionStages"];
        let same: Map<String, Value> = known.iter().map(|name| ((*name).to_owned(), there[*name].clone())).collect();
        return Ok(json_response(StatusCode::OK, &Value::Object(same)));
    }
    let answer = relay.upstream.ask(call, "PutSecretValue", call.body.clone()).await?;
    Ok(json_response(StatusCode::OK, &answer))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(operation: &str, body: Value) -> Option<String> {
        let Value::Object(body) = body else { panic!("an object") };
        let call = Call {
            service: "secretsmanager".to_owned(),
            operation: operation.to_owned(),
            region: "eu-central-1".to_owned(),
            body,
            names: Default::default(),
            headers: Default::default(),
        };
        check(&call).err().map(|refusal| refusal.code)
    }

    #[test]
    fn names_values_and_tokens() {
        let token = "0123456789abcdef0123456789abcdef";
        let good = json!({ "Name": "shop/web/KEY", "SecretString": "v", "ClientRequestToken": token });
        assert_eq!(refused("CreateSecret", good), None);
        for (operation, body, code) in [
            ("CreateSecret", json!({ "Name": "a b", "SecretString": "v" }), "ValidationException"),
            ("CreateSecret", json!({ "Name": "a", "SecretString": "" }), "InvalidParameterException"),
            ("PutSecretValue", json!({ "SecretString": "v".repeat(65_537) }), "InvalidParameterException"),
            ("PutSecretValue", json!({ "SecretString": 5 }), "SerializationException"),
            ("PutSecretValue", json!({ "ClientRequestToken": "short" }), "InvalidParameterException"),
            ("UpdateSecretVersionStage", json!({ "VersionStage": "" }), "InvalidParameterException"),
        ] {
            assert_eq!(refused(operation, body.clone()).as_deref(), Some(code), "{operation}");
        }
    }
}
