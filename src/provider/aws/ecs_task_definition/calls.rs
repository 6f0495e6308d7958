//! The calls of `aws_ecs_task_definition`.
//!
//! Invariant: a registration is sent once; what became of one whose answer was lost is told by its token tag.

use std::time::Duration;

use async_trait::async_trait;
use aws_config::retry::RetryConfig;
use futures_util::future::join_all;
use serde_json::{Value as Json, json};
use tokio::time::sleep;

use super::containers;
use super::rules::{MEMBERS, attributes, short_reference};
use crate::provider::aws::clients::Clients;
use crate::provider::aws::ecs_cluster::calls::set_tags;
use crate::provider::aws::exchange::exchange;
use crate::provider::aws::failure::Failure;
use crate::provider::aws::shared::{
    Calls, Found, Work, contains_sealed, refuse_sealed, settled, tags_for, tags_from_json, tags_json,
};
use crate::provider::aws::{tags, wire};
use crate::value::{Object, Value};
use crate::world::{ErrorClass, Query, Settlement};

/// How many of the newest revisions are looked through for a token.
const NEWEST: usize = 20;

/// The calls.
pub(in crate::provider::aws) struct TaskDefinitions;

#[async_trait]
impl Calls for TaskDefinitions {
    async fn read(&self, clients: &Clients, queries: &[&Query]) -> Vec<Result<Option<Found>, Failure>> {
        join_all(queries.iter().map(|query| async move {
            // Without a recorded ARN there is no telling which revision is meant.
            match query.object.get("arn").and_then(Value::as_str) {
                Some(arn) => Ok(active(describe(clients, arn).await?, &query.object)),
                None => Ok(None),
            }
        }))
        .await
    }

    async fn recallable(&self, clients: &Clients, earlier: &Object) -> Result<Option<String>, Failure> {
        let arn = text(earlier, "arn");
        if !earlier.get("container_definitions").is_some_and(contains_sealed) {
            return Ok(None);
        }
        let described = describe(clients, arn).await?;
        let kept = described.is_some_and(|json| wire::look(&json, "taskDefinition.containerDefinitions").is_some());
        Ok((!kept).then(|| format!("ECS does not keep {} any more", short_reference(arn))))
    }

    async fn create(&self, work: &Work<'_>, after: &Object) -> Result<Object, Failure> {
        let after = &recall(work, after).await?;
        refuse_sealed(work, after)?;
        let family = text(after, "family");
        let definitions = after.get("container_definitions").map(Value::reveal);
        let definitions = definitions.as_ref().and_then(Value::as_str).unwrap_or_default();
        let definitions: Json = serde_json::from_str(definitions).map_err(|_| {
            let tried = work.clients.tried("ecs:RegisterTaskDefinition", family);
            Failure::refused(tried, "the container definitions are not JSON", "use `jsonencode([…])`")
        })?;
        let mut body = wire::request(&attributes(), MEMBERS, after, &|_| true);
        body.insert("containerDefinitions".to_owned(), definitions);
        body.insert("tags".to_owned(), tags_json(&tags_for(work.effect, after)));
        let sent = register(work, family, &Json::Object(body)).await;
        let answer = sent.map_err(|failure| failure.without_secrets_of(after))?;
        let found = active(Some(answer), after).map(|found| found.object);
        found.ok_or_else(|| {
            let tried = work.clients.tried("ecs:RegisterTaskDefinition", family);
            Failure::refused(tried, "the answer holds no active revision", "run again").after_an_effect()
        })
    }

    async fn update(&self, work: &Work<'_>, before: &Object, after: &Object) -> Result<Object, Failure> {
        // Only tags (and what is ours alone) can change; all else is a new revision.
        let arn = text(before, "arn");
        set_tags(work, short_reference(arn), arn, before, after).await?;
        let described = describe(work.clients, arn).await.map_err(Failure::after_an_effect)?;
        active(described, after).map(|found| found.object).ok_or_else(|| {
            let tried = work.clients.tried("ecs:DescribeTaskDefinition", short_reference(arn));
            Failure::refused(tried, "the revision is not active any more", "plan again").after_an_effect()
        })
    }

    async fn delete(&self, work: &Work<'_>, before: &Object) -> Result<(), Failure> {
        let arn = text(before, "arn");
        let ecs = &work.clients.ecs;
        let send = |exchange| ecs.deregister_task_definition().customize().interceptor(exchange).send();
        let body = json!({"taskDefinition": arn});
        match exchange(work.clients, "ecs:DeregisterTaskDefinition", short_reference(arn), &body, send).await {
            Ok(_) => Ok(()),
            // It may be gone, or inactive already.
            Err(failure) if failure.is(&["ClientException", "InvalidParameterException"]) => {
                match active(describe(work.clients, arn).await?, before) {
                    None => Ok(()),
                    Some(_) => Err(failure),
                }
            }
            Err(failure) => Err(failure),
        }
    }

    async fn settle_create(&self, work: &Work<'_>, after: &Object) -> Result<Settlement, Failure> {
        for arn in newest(work, text(after, "family")).await? {
            let Some(found) = active(describe(work.clients, &arn).await?, after) else { continue };
            if found.token.as_deref() == Some(work.effect.token.as_str()) {
                return Ok(settled(work.kind, after, found.object));
            }
        }
        Ok(Settlement::NotDone)
    }
}

fn text<'a>(object: &'a Object, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Sends a registration, again only when it was turned away for being one too many: a second try after a lost answer
/// would make a second revision.
async fn register(work: &Work<'_>, family: &str, body: &Json) -> Result<Json, Failure> {
    let mut pause = Duration::from_millis(300);
    for _ in 1..8 {
        let failure = match register_once(work, family, body).await {
            Ok(answer) => return Ok(answer),
            Err(failure) => failure,
        };
        if !(failure.error.class == ErrorClass::Transient && is_throttled(&failure)) {
            return Err(failure);
        }
        sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(10));
    }
    register_once(work, family, body).await
}

async fn register_once(work: &Work<'_>, family: &str, body: &Json) -> Result<Json, Failure> {
    let once = aws_sdk_ecs::Config::builder().retry_config(RetryConfig::disabled());
    let ecs = &work.clients.ecs;
    let send = |exchange| ecs.register_task_definition().customize().config_override(once).interceptor(exchange).send();
    Ok(exchange(work.clients, "ecs:RegisterTaskDefinition", family, body, send).await?.body)
}

fn is_throttled(failure: &Failure) -> bool {
    failure.code.as_deref().is_some_and(|code| code.contains("Throttl") || code.contains("TooManyRequests"))
}

/// Brings containers that are withheld back from the revision that had them: ECS keeps inactive ones, too.
async fn recall(work: &Work<'_>, after: &Object) -> Result<Object, Failure> {
    let mut after = after.clone();
    let withheld = after.get("container_definitions").is_some_and(contains_sealed);
    if withheld && let Some(arn) = after.get("arn").and_then(Value::as_str) {
        let described = describe(work.clients, arn).await?;
        if let Some(definitions) =
            described.as_ref().and_then(|json| wire::look(json, "taskDefinition.containerDefinitions"))
        {
            let text = Value::from(definitions.to_string()).sensitive();
            after.insert("container_definitions".to_owned(), text);
        }
    }
    Ok(after)
}

async fn describe(clients: &Clients, reference: &str) -> Result<Option<Json>, Failure> {
    let send = |exchange| clients.ecs.describe_task_definition().customize().interceptor(exchange).send();
    let body = json!({"taskDefinition": reference, "include": ["TAGS"]});
    match exchange(clients, "ecs:DescribeTaskDefinition", short_reference(reference), &body, send).await {
        Ok(answer) => Ok(Some(answer.body)),
        Err(failure)
            if failure.is(&["ClientException"])
                && failure.error.cause.contains("Unable to describe task definition") =>
        {
            Ok(None)
        }
        Err(failure) => Err(failure),
    }
}

/// The revision of an answer, when it can still be used; its containers in the words of what is known of it.
fn active(answer: Option<Json>, known: &Object) -> Option<Found> {
    let answer = answer?;
    let definition = answer.get("taskDefinition")?;
    if definition.get("status").and_then(Json::as_str) != Some("ACTIVE") {
        return None;
    }
    let mut object = wire::answer(&attributes(), MEMBERS, definition);
    let arn = definition.get("taskDefinitionArn").and_then(Json::as_str).unwrap_or_default();
    let (tags, token) = tags::split(&tags_from_json(answer.get("tags")));
    object.insert("container_definitions".to_owned(), containers_of(definition, known));
    object.insert("tags".to_owned(), tags);
    object.insert("arn".to_owned(), arn.into());
    let family_arn = arn.rsplit_once(':').map_or(arn, |(family, _)| family);
    object.insert("arn_without_revision".to_owned(), family_arn.into());
    object.insert("revision".to_owned(), definition.get("revision").and_then(Json::as_i64).unwrap_or_default().into());
    object.insert("id".to_owned(), definition.get("family").and_then(Json::as_str).unwrap_or_default().into());
    Some(Found { object, token })
}

fn containers_of(definition: &Json, known: &Object) -> Value {
    let seen = definition.get("containerDefinitions").map(Json::to_string).unwrap_or_default();
    let mode = definition.get("networkMode").and_then(Json::as_str);
    let given = known.get("container_definitions").map(Value::reveal);
    match given.as_ref().and_then(Value::as_str) {
        // Host ports that follow from the network mode are no difference, which only shows with the mode at hand.
        Some(given) if containers::mean_the_same(given, &seen, mode) => Value::from(given),
        _ => Value::from(seen),
    }
}

/// The newest active revisions of a family, newest first.
async fn newest(work: &Work<'_>, family: &str) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    let mut token = Json::Null;
    // The prefix also fits longer names, so a few pages may hold none of ours.
    for _ in 0..10 {
        let mut body = json!({"familyPrefix": family, "sort": "DESC", "status": "ACTIVE", "maxResults": 100});
        if !token.is_null() {
            body["nextToken"] = token;
        }
        let ecs = &work.clients.ecs;
        let send = |exchange| ecs.list_task_definitions().customize().interceptor(exchange).send();
        let answer = exchange(work.clients, "ecs:ListTaskDefinitions", family, &body, send).await?.body;
        let arns = answer.get("taskDefinitionArns").and_then(Json::as_array).into_iter().flatten();
        let ours = arns
            .filter_map(Json::as_str)
            .filter(|arn| short_reference(arn).rsplit_once(':').is_some_and(|(name, _)| name == family));
        found.extend(ours.map(str::to_owned));
        token = answer.get("nextToken").cloned().unwrap_or_default();
        if token.is_null() || found.len() >= NEWEST {
            break;
        }
    }
    found.truncate(NEWEST);
    Ok(found)
}
