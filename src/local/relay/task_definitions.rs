//! Task definitions: an INACTIVE revision can be looked at, but never be used again. An edge.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::Relay;
use super::call::Call;
use super::refusal::{Refusal, json_response};

/// The task definition of a reference, to be used: it must be ACTIVE. A family stands for its newest ACTIVE revision.
pub(super) async fn usable(relay: &Relay, call: &Call, reference: &str) -> Result<Value, Refusal> {
    let not_found = || Refusal::client("TaskDefinition not found.");
    let reference = match family_only(reference) {
        Some(family) => newest_active(relay, call, family).await?.ok_or_else(not_found)?,
        None => reference.to_owned(),
    };
    let body = Map::from_iter([("taskDefinition".to_owned(), Value::from(reference))]);
    let answer = relay
        .upstream
        .ask(call, "DescribeTaskDefinition", body)
        .await
        .map_err(|refusal| if refusal.status == StatusCode::BAD_REQUEST { not_found() } else { refusal })?;
    let definition = answer["taskDefinition"].clone();
    match definition["status"] == "ACTIVE" {
        true => Ok(definition),
        false => Err(Refusal::client("TaskDefinition is inactive")),
    }
}

/// DescribeTaskDefinition: of a family the newest ACTIVE revision.
pub(super) async fn describe(relay: &Relay, call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
    let mut body = call.body.clone();
    if let Some(family) = call.text("taskDefinition").and_then(family_only) {
        let newest = newest_active(relay, call, family).await?;
        let newest = newest.ok_or_else(|| Refusal::client("Unable to describe task definition."))?;
        body.insert("taskDefinition".to_owned(), newest.into());
    }
    let mut answer = relay.upstream.ask(call, "DescribeTaskDefinition", body).await?;
    omit_empty(&mut answer["taskDefinition"]);
    Ok(json_response(StatusCode::OK, &answer))
}

/// RegisterTaskDefinition and DeregisterTaskDefinition.
pub(super) async fn change(relay: &Relay, call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
    let _gate = relay.gate.lock().await;
    let mut answer = relay.upstream.ask(call, &call.operation, call.body.clone()).await?;
    omit_empty(&mut answer["taskDefinition"]);
    Ok(json_response(StatusCode::OK, &answer))
}

/// Whether a task definition can run as asked; what is not asked for is as the service has it already.
pub(super) fn check_launch(body: &Map<String, Value>, definition: &Value, service: &Value) -> Result<(), Refusal> {
    let asked = |field: &str| body.get(field).unwrap_or(&service[field]).clone();
    let providers = asked("capacityProviderStrategy");
    let on_fargate = asked("launchType") == "FARGATE"
        || providers.as_array().into_iter().flatten().any(|provider| {
            provider["capacityProvider"].as_str().is_some_and(|provider| provider.starts_with("FARGATE"))
        });
    let compatible = definition["requiresCompatibilities"].as_array().into_iter().flatten().any(|one| one == "FARGATE");
    if on_fargate && !compatible {
        return Err(Refusal::invalid("Task definition does not support launch_type FARGATE."));
    }
    let network = asked("networkConfiguration");
    let has_subnets = network["awsvpcConfiguration"]["subnets"].as_array().is_some_and(|subnets| !subnets.is_empty());
    if definition["networkMode"] == "awsvpc" && !has_subnets {
        return Err(Refusal::invalid("Network Configuration must be provided when networkMode 'awsvpc' is specified."));
    }
    Ok(())
}

/// Whether its tasks cannot start: an image whose tag begins with `broken` is one that cannot be pulled.
pub(super) fn is_broken(definition: &Value) -> bool {
    let containers = definition["containerDefinitions"].as_array().into_iter().flatten();
    containers.filter_map(|container| container["image"].as_str()).any(|image| image.contains(":broken"))
}

/// With what the essential containers of its tasks end: `:exit-3` in the tag of an image says so.
pub(super) fn exit_code(definition: &Value) -> i64 {
    number_in_a_tag(definition, ":exit-").unwrap_or(0)
}

/// How long its tasks take that are run by themselves, in seconds, where `:lasts-30` in the tag of an image says so.
pub(super) fn seconds(definition: &Value) -> Option<f64> {
    number_in_a_tag(definition, ":lasts-").map(|seconds| seconds as f64)
}

fn number_in_a_tag(definition: &Value, word: &str) -> Option<i64> {
    let containers = definition["containerDefinitions"].as_array().into_iter().flatten();
    let images = containers.filter_map(|container| container["image"].as_str());
    let mut numbers = images.filter_map(|image| {
        let rest = &image[image.find(word)? + word.len()..];
        rest.split(|letter: char| !letter.is_ascii_digit()).next()?.parse().ok()
    });
    numbers.next()
}

/// Removes members that have no value: AWS omits them where the emulator has empty texts and nulls.
pub(super) fn omit_empty(thing: &mut Value) {
    if let Value::Object(members) = thing {
        members.retain(|_, value| !value.is_null() && value != "");
    }
}

/// The family, when a reference names no revision.
fn family_only(reference: &str) -> Option<&str> {
    let last = match reference.split_once("task-definition/") {
        Some((_, last)) => last,
        None if reference.starts_with("arn:") => return None,
        None => reference,
    };
    (!last.contains(':')).then_some(last)
}

/// The ARN of the newest ACTIVE revision of a family.
async fn newest_active(relay: &Relay, call: &Call, family: &str) -> Result<Option<String>, Refusal> {
    let mut body = Map::from_iter([("familyPrefix".to_owned(), Value::from(family))]);
    let marker = format!(":task-definition/{family}:");
    let mut newest: Option<(u64, String)> = None;
    loop {
        let answer = relay.upstream.ask(call, "ListTaskDefinitions", body.clone()).await?;
        for arn in answer["taskDefinitionArns"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            // The emulator's prefix matches longer families too.
            let revision = arn.split_once(&marker).and_then(|(_, revision)| revision.parse().ok());
            newest = newest.max(revision.map(|revision| (revision, arn.to_owned())));
        }
        match &answer["nextToken"] {
            Value::String(token) => body.insert("nextToken".to_owned(), json!(token)),
            _ => return Ok(newest.map(|(_, arn)| arn)),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_family_is_told_from_a_revision() {
        assert_eq!(family_only("web"), Some("web"));
        assert_eq!(family_only("web:3"), None);
        assert_eq!(family_only("arn:aws:ecs:eu-central-1:0:task-definition/web:3"), None);
        assert_eq!(family_only("arn:aws:ecs:eu-central-1:0:task-definition/web"), Some("web"));
        assert_eq!(family_only("arn:nonsense"), None);
    }

    #[test]
    fn tags_say_how_tasks_end() {
        let definition = |image: &str| json!({ "containerDefinitions": [{ "image": "log:1" }, { "image": image }] });
        assert_eq!((exit_code(&definition("web:exit-3")), exit_code(&definition("web:1"))), (3, 0));
        assert_eq!((seconds(&definition("web:lasts-30")), seconds(&definition("web:exit-3"))), (Some(30.0), None));
    }

    #[test]
    fn launches() {
        let fargate = json!({ "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc" });
        let bridge = json!({ "networkMode": "bridge" });
        let network = json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"] } });
        let body = |launch: &str, network: Option<&Value>| {
            let mut body = Map::from_iter([("launchType".to_owned(), Value::from(launch))]);
            body.extend(network.map(|network| ("networkConfiguration".to_owned(), network.clone())));
            body
        };
        check_launch(&body("FARGATE", Some(&network)), &fargate, &Value::Null).unwrap();
        check_launch(&body("FARGATE", None), &fargate, &json!({ "networkConfiguration": network })).unwrap();
        check_launch(&body("EC2", None), &bridge, &Value::Null).unwrap();
        assert!(check_launch(&body("FARGATE", None), &fargate, &Value::Null).is_err());
        assert!(check_launch(&body("FARGATE", Some(&network)), &bridge, &Value::Null).is_err());
    }
}
