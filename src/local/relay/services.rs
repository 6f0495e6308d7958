//! Services: what AWS refuses of them, and their rollouts. An edge.
//!
//! Invariant: between the emulator's answer to a change and the rollout that is played for it nobody sees the
//! service: whoever asks for services holds the gate.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::book::{Pages, Token};
use super::call::Call;
use super::refusal::{Refusal, json_response};
use super::rollout::{self, Due, Fate, Rollout};
use super::{Relay, clusters, task_definitions};
use crate::digest::Digest;

/// What the emulator drops of an update, or does not know.
const DROPPED: &[&str] = &[
    "propagateTags",
    "enableECSManagedTags",
    "serviceRegistries",
    "placementConstraints",
    "placementStrategy",
    "availabilityZoneRebalancing",
];
/// What starts a new deployment on AWS when it changes, beside the task definition.
const REDEPLOYS: &[&str] =
    &["networkConfiguration", "platformVersion", "loadBalancers", "serviceRegistries", "capacityProviderStrategy"];

/// CreateService. The same token with the same parameters gives the same service.
pub(super) async fn create(relay: &Relay, call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
    let _gate = relay.gate.lock().await;
    let cluster = clusters::active(relay, call).await?;
    let name = call.text("serviceName").unwrap_or_default();
    let existing = find(relay, call, &cluster, name).await?;
    let now = relay.now();
    let mut parameters = call.body.clone();
    parameters.remove("clientToken");
    let parameters = Digest::of_json(&parameters);
    let token = call.text("clientToken").map(|token| format!("{}/{token}", call.region));
    if let Some(service) = &existing {
        let arn = arn_of(service);
        let known = token.as_ref().and_then(|token| relay.book.read(|pages| pages.tokens.get(token).cloned()));
        if service["status"] == "ACTIVE" {
            return match known {
                Some(known) if known.service == arn && known.parameters == parameters => {
                    let service = shown(relay, service.clone());
                    Ok(json_response(StatusCode::OK, &json!({ "service": service })))
                }
                _ => Err(Refusal::invalid("Creation of service was not idempotent.")),
            };
        }
        if relay.book.read(|pages| pages.is_draining(&arn, now)) {
            return Err(Refusal::invalid("Unable to Start a service that is still Draining."));
        }
    }
    if let Some(token) = &token
        && relay.book.read(|pages| pages.tokens.get(token).is_some_and(|known| known.parameters != parameters))
    {
        return Err(Refusal::invalid("Creation of service was not idempotent."));
    }
    let definition = task_definitions::usable(relay, call, call.text("taskDefinition").unwrap_or_default()).await?;
    task_definitions::check_launch(&call.body, &definition, &Value::Null)?;
    let mut body = call.body.clone();
    body.insert("taskDefinition".to_owned(), definition["taskDefinitionArn"].clone());
    let answer = relay.upstream.ask(call, "CreateService", body).await?;
    let service = answer["service"].clone();
    let arn = arn_of(&service);
    relay.book.change(|pages| {
        pages.dropped.remove(&arn);
        pages.draining.remove(&arn);
        keep_dropped(pages, &call.body, &service);
        begin(pages, &service, Vec::new(), &definition, now);
        if let Some(token) = token {
            pages.tokens.insert(token, Token { parameters, service: arn });
        }
    });
    Ok(json_response(StatusCode::OK, &json!({ "service": shown(relay, service) })))
}

/// UpdateService: refused of a service that is gone, or to a revision that is.
pub(super) async fn update(relay: &Relay, call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
    let _gate = relay.gate.lock().await;
    let cluster = clusters::active(relay, call).await?;
    let name = call.text("service").unwrap_or_default();
    let found = find(relay, call, &cluster, name).await?.ok_or_else(Refusal::no_service)?;
    if found["status"] != "ACTIVE" {
        return Err(Refusal::new("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    let found = advance(relay, call, found).await?;
    let reference = match call.text("taskDefinition") {
        Some(reference) => reference.to_owned(),
        None => found["taskDefinition"].as_str().unwrap_or_default().to_owned(),
    };
    let mut body = call.body.clone();
    let before = shown(relay, found.clone());
    let redeploys =
        REDEPLOYS.iter().any(|field| body.get(*field).is_some_and(|wanted| differs(field, wanted, &before)));
    let forced = redeploys || body.get("forceNewDeployment") == Some(&Value::Bool(true));
    let definition = match call.text("taskDefinition").is_some() || forced {
        true => task_definitions::usable(relay, call, &reference).await?,
        false => Value::Null,
    };
    if !definition.is_null() {
        task_definitions::check_launch(&body, &definition, &found)?;
        body.insert("taskDefinition".to_owned(), definition["taskDefinitionArn"].clone());
    }
    if forced {
        body.insert("forceNewDeployment".to_owned(), Value::Bool(true));
    }
    let answer = relay.upstream.ask(call, "UpdateService", body).await?;
    let service = answer["service"].clone();
    let now = relay.now();
    relay.book.change(|pages| {
        keep_dropped(pages, &call.body, &service);
        if primary_of(&service) != primary_of(&found) {
            begin(pages, &service, rollout::replaced(&before), &definition, now);
        } else if service["desiredCount"] != found["desiredCount"] {
            scale(pages, &service, &before, now);
        }
    });
    Ok(json_response(StatusCode::OK, &json!({ "service": shown(relay, service) })))
}

/// DeleteService: its tasks drain for a while.
pub(super) async fn delete(relay: &Relay, call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
    let _gate = relay.gate.lock().await;
    let cluster = clusters::active(relay, call).await?;
    let name = call.text("service").unwrap_or_default();
    let found = find(relay, call, &cluster, name).await?.ok_or_else(Refusal::no_service)?;
    let (arn, now) = (arn_of(&found), relay.now());
    let drains = relay.book.read(|pages| pages.is_draining(&arn, now));
    if found["status"] != "ACTIVE" && !drains {
        return Err(Refusal::no_service());
    }
    let running = shown(relay, found)["runningCount"].as_i64().unwrap_or(0);
    let answer = relay.upstream.ask(call, "DeleteService", call.body.clone()).await?;
    relay.book.change(|pages| {
        pages.rollouts.remove(&arn);
        pages.tokens.retain(|_, token| token.service != arn);
        if running > 0 && !drains {
            pages.draining.insert(arn, now + milliseconds(pages.rollout_seconds / 2.0));
        }
    });
    Ok(json_response(StatusCode::OK, &json!({ "service": shown(relay, answer["service"].clone()) })))
}

/// DescribeServices, each as AWS would show it now.
pub(super) async fn describe(relay: &Relay, call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
    let _gate = relay.gate.lock().await;
    let mut answer = relay.upstream.ask(call, "DescribeServices", call.body.clone()).await?;
    let mut services = Vec::new();
    for service in answer["services"].as_array().cloned().unwrap_or_default() {
        let tags = service["tags"].clone();
        let mut service = shown(relay, advance(relay, call, service).await?);
        // Whether tags are shown is up to this call, not to what was asked in between.
        service["tags"] = tags;
        task_definitions::omit_empty(&mut service);
        services.push(service);
    }
    answer["services"] = Value::Array(services);
    Ok(json_response(StatusCode::OK, &answer))
}

/// The service as the emulator has it.
async fn find(relay: &Relay, call: &Call, cluster: &Value, name: &str) -> Result<Option<Value>, Refusal> {
    let body =
        Map::from_iter([("cluster".to_owned(), cluster["clusterArn"].clone()), ("services".to_owned(), json!([name]))]);
    let answer = relay.upstream.ask(call, "DescribeServices", body).await?;
    Ok(answer["services"].as_array().and_then(|services| services.first()).cloned())
}

/// Does what is due about a service's rollout, and gives the service as the emulator has it then.
async fn advance(relay: &Relay, call: &Call, service: Value) -> Result<Value, Refusal> {
    let (arn, now) = (arn_of(&service), relay.now());
    let Some(rollout) = relay.book.read(|pages| pages.rollouts.get(&arn).cloned()) else { return Ok(service) };
    match rollout.due(now) {
        Due::Nothing => Ok(service),
        Due::Forget => {
            relay.book.change(|pages| pages.rollouts.remove(&arn));
            Ok(service)
        }
        Due::TakeBack { to, deployment } => {
            let body = json!({ "cluster": service["clusterArn"], "service": service["serviceName"],
                               "taskDefinition": to, "forceNewDeployment": true });
            let Value::Object(body) = body else { unreachable!("it is written as an object") };
            let before = shown(relay, service);
            let answer = relay.upstream.ask(call, "UpdateService", body).await?;
            let back = answer["service"].clone();
            relay.book.change(|pages| take_back(pages, &rollout, &before, &back, &deployment, now));
            Ok(back)
        }
    }
}

/// Plays the breaker's rollback: a new deployment of the earlier revision, with the failed one beside it.
fn take_back(pages: &mut Pages, failed: &Rollout, before: &Value, back: &Value, deployment: &str, now: i64) {
    let listed = before["deployments"].as_array().cloned().unwrap_or_default();
    let mut beside = rollout::replaced(&json!({ "deployments": &listed }));
    beside.retain(|other| other["id"] != *failed.deployment);
    beside.extend(listed.iter().filter(|one| one["id"] == *failed.deployment).map(rollout::as_failed));
    let reason = format!("ECS deployment circuit breaker: rolling back to deploymentId {deployment}");
    let rollout = Rollout {
        service: failed.service.clone(),
        deployment: primary_of(back).unwrap_or_default().to_owned(),
        started: now,
        seconds: failed.seconds,
        drain: failed.drain,
        fate: Fate::Completes,
        breaker: rollout::Breaker::Stops,
        before: beside,
        reason: Some(reason),
    };
    pages.rollouts.insert(arn_of(back), rollout);
}

/// Begins to play a rollout.
fn begin(pages: &mut Pages, service: &Value, before: Vec<Value>, definition: &Value, now: i64) {
    let name = service["serviceName"].as_str().unwrap_or_default().to_owned();
    let ordered = pages.fail_next.remove(&name);
    let fate = if ordered || task_definitions::is_broken(definition) { Fate::Fails } else { Fate::Completes };
    let rollout = Rollout {
        drain: pages.drains.get(&name).copied().unwrap_or(0.0),
        service: name,
        deployment: primary_of(service).unwrap_or_default().to_owned(),
        started: now,
        seconds: pages.rollout_seconds,
        fate,
        breaker: rollout::breaker_of(service, &before),
        before,
        reason: None,
    };
    pages.rollouts.insert(arn_of(service), rollout);
}

/// Lets the number of tasks change by and by. Within a rollout that is part of the rollout.
fn scale(pages: &mut Pages, service: &Value, before: &Value, now: i64) {
    let arn = arn_of(service);
    let rolls = pages.rollouts.get(&arn).is_some_and(|rollout| !matches!(rollout.fate, Fate::Scales(_)));
    if rolls {
        return;
    }
    let rollout = Rollout {
        service: service["serviceName"].as_str().unwrap_or_default().to_owned(),
        deployment: primary_of(service).unwrap_or_default().to_owned(),
        started: now,
        seconds: pages.rollout_seconds,
        drain: 0.0,
        fate: Fate::Scales(before["runningCount"].as_i64().unwrap_or(0)),
        breaker: rollout::Breaker::Off,
        before: Vec::new(),
        reason: None,
    };
    pages.rollouts.insert(arn, rollout);
}

/// Keeps what the emulator drops of a request, so that it is shown as AWS would.
fn keep_dropped(pages: &mut Pages, request: &Map<String, Value>, service: &Value) {
    let kept = pages.dropped.entry(arn_of(service)).or_default();
    for field in DROPPED {
        match request.get(*field) {
            None => {}
            Some(wanted) if service[*field] == *wanted => {
                kept.remove(*field);
            }
            Some(wanted) => {
                kept.insert((*field).to_owned(), wanted.clone());
            }
        }
    }
}

/// A service as AWS would show it now.
fn shown(relay: &Relay, mut service: Value) -> Value {
    let (arn, now) = (arn_of(&service), relay.now());
    relay.book.read(|pages| {
        if let (Some(kept), Value::Object(members)) = (pages.dropped.get(&arn), &mut service) {
            members.extend(kept.clone());
        }
        if service["status"] != "ACTIVE" {
            let drains = pages.is_draining(&arn, now);
            service["status"] = if drains { "DRAINING" } else { "INACTIVE" }.into();
            service["desiredCount"] = 0.into();
            if !drains {
                service["deployments"] = json!([]);
            }
        } else if let Some(rollout) = pages.rollouts.get(&arn) {
            rollout.show(&mut service, now);
        }
    });
    add_defaults(&mut service);
    task_definitions::omit_empty(&mut service);
    service
}

/// What AWS fills in where nothing was asked for.
fn add_defaults(service: &mut Value) {
    let defaults = [
        ("maximumPercent", json!(200)),
        ("minimumHealthyPercent", json!(100)),
        ("deploymentCircuitBreaker", json!({ "enable": false, "rollback": false })),
    ];
    if service["schedulingStrategy"] != "DAEMON" {
        for (field, value) in defaults {
            let configured = &mut service["deploymentConfiguration"][field];
            if configured.is_null() {
                *configured = value;
            }
        }
    }
    let network = &mut service["networkConfiguration"];
    if network["awsvpcConfiguration"].is_null() {
        *network = Value::Null;
    } else if network["awsvpcConfiguration"]["assignPublicIp"].is_null() {
        network["awsvpcConfiguration"]["assignPublicIp"] = "DISABLED".into();
    }
    if service["launchType"] == "FARGATE" && service["platformVersion"].as_str().is_none_or(str::is_empty) {
        service["platformVersion"] = "LATEST".into();
        service["platformFamily"] = "Linux".into();
    }
}

/// Whether an attribute is to become another than it is shown, defaults aside.
fn differs(field: &str, wanted: &Value, shown: &Value) -> bool {
    let mut wanted = json!({ field: wanted, "launchType": shown["launchType"] });
    add_defaults(&mut wanted);
    let is_nothing = |value: &Value| value.is_null() || *value == json!([]) || value == "";
    wanted[field] != shown[field] && !(is_nothing(&wanted[field]) && is_nothing(&shown[field]))
}

fn arn_of(service: &Value) -> String {
    service["serviceArn"].as_str().unwrap_or_default().to_owned()
}

fn primary_of(service: &Value) -> Option<&str> {
    let mut deployments = service["deployments"].as_array()?.iter();
    deployments.find(|deployment| deployment["status"] == "PRIMARY")?["id"].as_str()
}

#[expect(clippy::cast_possible_truncation, reason = "a day at most")]
fn milliseconds(seconds: f64) -> i64 {
    (seconds * 1000.0) as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_anyway_is_no_change() {
        let network = |public: Option<&str>| {
            let mut network = json!({ "awsvpcConfiguration": { "subnets": ["s-1"] } });
            if let Some(public) = public {
                network["awsvpcConfiguration"]["assignPublicIp"] = public.into();
            }
            network
        };
        let mut shown = json!({ "launchType": "FARGATE", "networkConfiguration": network(None) });
        add_defaults(&mut shown);
        assert!(!differs("networkConfiguration", &network(None), &shown));
        assert!(!differs("networkConfiguration", &network(Some("DISABLED")), &shown));
        assert!(differs("networkConfiguration", &network(Some("ENABLED")), &shown));
        assert!(!differs("loadBalancers", &json!([]), &shown));
        assert!(!differs("platformVersion", &json!("LATEST"), &shown));
        assert!(differs("platformVersion", &json!("1.3.0"), &shown));
    }
}
