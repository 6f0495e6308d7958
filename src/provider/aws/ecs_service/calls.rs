//! The calls of `aws_ecs_service`; waiting for its rollouts is in `waiting`.
//!
//! Invariant: a change is done when ECS calls the rollout that it started completed; what ECS took back has failed.

use std::collections::BTreeMap;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::{Map, Value as Json, json};

use super::attributes::{MEMBERS, attributes};
use super::rollout::{self, Started};
use super::waiting::{Patience, describe_one, settle_rollout, status, subject, wait_for_rollout, wait_until_gone};
use crate::kind::Mode;
use crate::provider::aws::canonical::differences;
use crate::provider::aws::clients::Clients;
use crate::provider::aws::ecs_cluster::calls::set_tags;
use crate::provider::aws::ecs_cluster::rules::cluster_name;
use crate::provider::aws::exchange::{Answer, exchange};
use crate::provider::aws::failure::Failure;
use crate::provider::aws::shared::{
    Calls, Found, Work, compare, exists_already, refuse_sealed, settled, tags_for, tags_from_json, tags_json,
};
use crate::provider::aws::{period, tags, wire};
use crate::value::{Object, Value};
use crate::world::{ErrorClass, Query, Settlement};

/// How many services ECS describes at once.
const BATCH: usize = 10;

/// The calls.
pub(in crate::provider::aws) struct Services;

#[async_trait]
impl Calls for Services {
    async fn read(&self, clients: &Clients, queries: &[&Query]) -> Vec<Result<Option<Found>, Failure>> {
        let mut by_cluster: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for query in queries {
            if let Some((cluster, name)) = key(&query.object) {
                by_cluster.entry(cluster).or_default().push(name.to_owned());
            }
        }
        for names in by_cluster.values_mut() {
            names.sort();
            names.dedup();
        }
        let batches =
            by_cluster.iter().flat_map(|(cluster, names)| names.chunks(BATCH).map(move |batch| (*cluster, batch)));
        let asked =
            batches.map(|(cluster, names)| async move { (cluster, names, describe(clients, cluster, names).await) });
        let answers = join_all(asked).await;
        let find = |query: &&Query| {
            let Some((cluster, name)) = key(&query.object) else { return Ok(None) };
            let of_batch =
                answers.iter().find(|(of, names, _)| *of == cluster && names.iter().any(|other| other == name));
            match of_batch {
                Some((_, _, Ok(services))) => {
                    Ok(services.iter().find(|json| is_named(json, name)).and_then(|json| read(json, &query.object)))
                }
                Some((_, _, Err(failure))) => Err(failure.clone()),
                None => Ok(None),
            }
        };
        queries.iter().map(find).collect()
    }

    async fn create(&self, work: &Work<'_>, after: &Object) -> Result<Object, Failure> {
        refuse_sealed(work, after)?;
        let (cluster, name) = key(after).unwrap_or_default();
        let patience = Patience::starting_now(period::limit(after, "create"));
        let started = match existing(work, cluster, name, &patience).await? {
            Some(service) if is_ours(work, &service) => {
                rollout::started(&service).map(|started| Started { scales_only: false, ..started })
            }
            Some(_) => {
                return Err(exists_already(work, "ecs:CreateService", &subject(cluster, name), "ServiceAlreadyExists"));
            }
            None => rollout::started(&send_create(work, cluster, name, after).await?),
        };
        let service = finish(work, after, cluster, name, started, &patience).await?;
        found(work, &service, after)
    }

    async fn update(&self, work: &Work<'_>, before: &Object, after: &Object) -> Result<Object, Failure> {
        refuse_sealed(work, after)?;
        let (cluster, name) = key(after).unwrap_or_default();
        let patience = Patience::starting_now(period::limit(after, "update"));
        let arn = before.get("arn").and_then(Value::as_str).unwrap_or_default();
        set_tags(work, &subject(cluster, name), arn, before, after).await?;
        let body = update_body(work, before, after);
        let started = match body.is_empty() {
            true => None,
            false => rollout::started(&send_update(work, cluster, name, body).await.map_err(|failure| {
                // Tags may have been changed before it.
                if tags::of(before) == tags::of(after) { failure } else { failure.after_an_effect() }
            })?),
        };
        let service = finish(work, after, cluster, name, started, &patience).await?;
        found(work, &service, after)
    }

    async fn delete(&self, work: &Work<'_>, before: &Object) -> Result<(), Failure> {
        let (cluster, name) = key(before).unwrap_or_default();
        let patience = Patience::starting_now(period::limit(before, "delete"));
        let ecs = &work.clients.ecs;
        let send = |exchange| ecs.delete_service().customize().interceptor(exchange).send();
        // Forced, it scales to nothing by itself.
        let body = json!({"cluster": cluster, "service": name, "force": true});
        match exchange(work.clients, "ecs:DeleteService", &subject(cluster, name), &body, send).await {
            Ok(_) => {}
            Err(failure) if failure.is(&["ServiceNotFoundException", "ClusterNotFoundException"]) => return Ok(()),
            // It is on its way out already.
            Err(failure) if failure.is(&["ServiceNotActiveException"]) => {}
            Err(failure) => return Err(failure),
        }
        wait_until_gone(work, cluster, name, &patience).await.map_err(Failure::after_an_effect)
    }

    async fn settle_create(&self, work: &Work<'_>, after: &Object) -> Result<Settlement, Failure> {
        let (cluster, name) = key(after).unwrap_or_default();
        let Some(answer) = describe_one(work.clients, cluster, name).await? else { return Ok(Settlement::NotDone) };
        let Some(made) = read(&answer.body, after).filter(|_| is_ours(work, &answer.body)) else {
            return Ok(Settlement::NotDone);
        };
        match settled(work.kind, after, made.object) {
            Settlement::Done(object) => settle_rollout(work, after, "create", answer, object).await,
            other => Ok(other),
        }
    }

    async fn settle_update(&self, work: &Work<'_>, before: &Object, after: &Object) -> Result<Settlement, Failure> {
        let (cluster, name) = key(after).unwrap_or_default();
        let Some(answer) = describe_one(work.clients, cluster, name).await? else {
            return Ok(Settlement::Doubt("it is gone, although it was to be changed".to_owned()));
        };
        let Some(now) = read(&answer.body, after) else {
            return Ok(Settlement::Doubt("it is being removed, although it was to be changed".to_owned()));
        };
        match compare(work.kind, before, after, now.object) {
            Settlement::Done(_) if let Some(name) = unseen(work, before, after) => {
                Ok(Settlement::Doubt(format!("ECS does not show whether the change of `{name}` has reached it")))
            }
            Settlement::Done(object) => settle_rollout(work, after, "update", answer, object).await,
            other => Ok(other),
        }
    }

    async fn settle_delete(&self, work: &Work<'_>, before: &Object) -> Result<Settlement, Failure> {
        let (cluster, name) = key(before).unwrap_or_default();
        match describe_one(work.clients, cluster, name).await? {
            None => Ok(Settlement::Done(Object::new())),
            Some(answer) if status(&answer.body) == "DRAINING" => {
                let patience = Patience::settling(period::limit(before, "delete"));
                match wait_until_gone(work, cluster, name, &patience).await {
                    Ok(()) => Ok(Settlement::Done(Object::new())),
                    Err(failure) if failure.error.class == ErrorClass::Pending => {
                        Ok(Settlement::GoesOn(Object::new(), failure.error.cause))
                    }
                    Err(failure) => Err(failure),
                }
            }
            Some(_) => Ok(Settlement::NotDone),
        }
    }
}

/// Cluster and name, when both are known.
fn key(object: &Object) -> Option<(&str, &str)> {
    let name = object.get("name")?.as_str()?;
    match object.get("cluster").filter(|cluster| !cluster.is_null()) {
        None => Some(("default", name)),
        Some(cluster) => Some((cluster_name(cluster.as_str()?), name)),
    }
}

fn is_named(service: &Json, name: &str) -> bool {
    service.get("serviceName").and_then(Json::as_str) == Some(name)
}

fn is_ours(work: &Work<'_>, service: &Json) -> bool {
    tags_from_json(service.get("tags")).get(tags::TOKEN) == Some(&work.effect.token)
}

async fn describe(clients: &Clients, cluster: &str, names: &[String]) -> Result<Vec<Json>, Failure> {
    let body = json!({"cluster": cluster, "services": names, "include": ["TAGS"]});
    let send = |exchange| clients.ecs.describe_services().customize().interceptor(exchange).send();
    let what = subject(cluster, &names.join(", "));
    match exchange(clients, "ecs:DescribeServices", &what, &body, send).await {
        Ok(answer) => Ok(answer.body.get("services").and_then(Json::as_array).cloned().unwrap_or_default()),
        // In a cluster that is not there, no service is.
        Err(failure) if failure.is(&["ClusterNotFoundException"]) => Ok(Vec::new()),
        Err(failure) => Err(failure),
    }
}

/// The service of an answer, unless it is gone or going.
fn read(service: &Json, known: &Object) -> Option<Found> {
    if status(service) != "ACTIVE" {
        return None;
    }
    let mut object = wire::answer(&attributes(), MEMBERS, service);
    let (tags, token) = tags::split(&tags_from_json(service.get("tags")));
    let arn = service.get("serviceArn").and_then(Json::as_str).unwrap_or_default();
    object.insert("tags".to_owned(), tags);
    object.insert("arn".to_owned(), arn.into());
    object.insert("id".to_owned(), arn.into());
    // Service Connect lies in the deployment, with defaults filled in: it is write-only.
    object.remove("service_connect_configuration");
    if object.get("scheduling_strategy").and_then(Value::as_str) == Some("DAEMON") {
        // A daemon has as many tasks as there are instances, and percentages of its own.
        for name in ["desired_count", "deployment_maximum_percent", "deployment_minimum_healthy_percent"] {
            object.insert(name.to_owned(), known.get(name).cloned().unwrap_or_else(Value::null));
        }
    }
    keep_family(&mut object, known);
    Some(Found { object, token })
}

/// A service that asked for a family without a revision got the newest one, and has what it asked for.
fn keep_family(object: &mut Object, known: &Object) {
    let given = known.get("task_definition").and_then(Value::as_str).filter(|given| !given.contains(':'));
    let seen = object.get("task_definition").and_then(Value::as_str);
    if let (Some(given), Some(seen)) = (given, seen)
        && seen.rsplit('/').next().and_then(|short| short.split(':').next()) == Some(given)
    {
        let given = Value::from(given);
        object.insert("task_definition".to_owned(), given);
    }
}

fn found(work: &Work<'_>, service: &Json, after: &Object) -> Result<Object, Failure> {
    read(service, after).map(|found| found.object).ok_or_else(|| {
        let tried = work.clients.tried("ecs:DescribeServices", &work.effect.address.to_string());
        let cause = format!("the service is {}", status(service));
        Failure::refused(tried, cause, "somebody else removed it; plan again").after_an_effect()
    })
}

/// The service that is there under this name; one that is on its way out is waited for.
async fn existing(work: &Work<'_>, cluster: &str, name: &str, patience: &Patience) -> Result<Option<Json>, Failure> {
    let there = describe_one(work.clients, cluster, name).await?.map(|answer| answer.body);
    if there.as_ref().is_some_and(|service| status(service) == "DRAINING") {
        wait_until_gone(work, cluster, name, patience).await?;
        return Ok(None);
    }
    Ok(there)
}

fn is_daemon(object: &Object) -> bool {
    object.get("scheduling_strategy").and_then(Value::as_str) == Some("DAEMON")
}

/// Whether an attribute is sent: a daemon takes neither a number of tasks nor the percentages of replicas.
fn is_sent(object: &Object, name: &str) -> bool {
    let number = object.get(name).and_then(Value::as_i64);
    match name {
        "name" | "cluster" | "iam_role" => false,
        "desired_count" => !is_daemon(object),
        "deployment_minimum_healthy_percent" => !(is_daemon(object) && number == Some(100)),
        "deployment_maximum_percent" => !(is_daemon(object) && number == Some(200)),
        _ => true,
    }
}

async fn send_create(work: &Work<'_>, cluster: &str, name: &str, after: &Object) -> Result<Json, Failure> {
    // What a record holds only because ECS answered so (a controller `ECS`, a grace period of 0) is not sent.
    let says = |attribute: &str| {
        after.get(attribute).is_some_and(|value| !work.kind.rules.normalise(attribute, &value.reveal()).is_null())
    };
    let wanted = |attribute: &str| is_sent(after, attribute) && says(attribute);
    let mut body = wire::request(&attributes(), MEMBERS, after, &wanted);
    body.insert("cluster".to_owned(), cluster.into());
    body.insert("serviceName".to_owned(), name.into());
    body.insert("clientToken".to_owned(), work.effect.token.as_str().into());
    body.insert("tags".to_owned(), tags_json(&tags_for(work.effect, after)));
    // The service-linked role is ECS's own choice, and may not be asked for.
    let role = after.get("iam_role").and_then(Value::as_str).filter(|role| !role.contains(":role/aws-service-role/"));
    if let Some(role) = role {
        body.insert("role".to_owned(), role.into());
    }
    if !is_daemon(after) {
        body.entry("desiredCount").or_insert(json!(0));
    }
    let ecs = &work.clients.ecs;
    let send = |exchange| ecs.create_service().customize().interceptor(exchange).send();
    let sent = exchange(work.clients, "ecs:CreateService", &subject(cluster, name), &Json::Object(body), send).await;
    match sent {
        Ok(answer) => Ok(answer.body.get("service").cloned().unwrap_or_default()),
        Err(failure) => made_nevertheless(work, cluster, name).await.ok_or(failure),
    }
}

/// The service that an earlier try of this very call made, when its answer was lost and a later try was refused.
async fn made_nevertheless(work: &Work<'_>, cluster: &str, name: &str) -> Option<Json> {
    let there = describe_one(work.clients, cluster, name).await.ok()??;
    is_ours(work, &there.body).then_some(there.body)
}

async fn send_update(work: &Work<'_>, cluster: &str, name: &str, mut body: Map<String, Json>) -> Result<Json, Failure> {
    body.insert("cluster".to_owned(), cluster.into());
    body.insert("service".to_owned(), name.into());
    let ecs = &work.clients.ecs;
    let send = |exchange| ecs.update_service().customize().interceptor(exchange).send();
    let answer =
        exchange(work.clients, "ecs:UpdateService", &subject(cluster, name), &Json::Object(body), send).await?;
    Ok(answer.body.get("service").cloned().unwrap_or_default())
}

/// What differs, and nothing else: sending what is the same would roll out for nothing.
fn update_body(work: &Work<'_>, before: &Object, after: &Object) -> Map<String, Json> {
    let all = attributes();
    let normalise = |name: &str, value: &Value| work.kind.rules.normalise(name, value);
    let silent = |name: &str| {
        let free = work.kind.attribute(name).is_some_and(|one| one.mode == Mode::OptionalComputed);
        free && after.get(name).is_none_or(Value::is_null)
    };
    let changed: Vec<&str> =
        differences(&all, &normalise, before, after).filter(|name| is_sent(after, name) && !silent(name)).collect();
    let of_deployment = |name: &str| {
        MEMBERS.iter().any(|member| member.ours == name && member.theirs.starts_with("deploymentConfiguration."))
    };
    // ECS takes the deployment configuration as a whole.
    let deployment = changed.iter().any(|name| of_deployment(name));
    let wanted = |name: &str| changed.contains(&name) || (deployment && of_deployment(name) && is_sent(after, name));
    let mut body = wire::request(&all, MEMBERS, after, &wanted);
    for member in MEMBERS.iter().filter(|member| wanted(member.ours)) {
        let sent = wire::look(&Json::Object(body.clone()), member.theirs).is_some();
        if let Some(nothing) = cleared(member.ours).filter(|_| !sent) {
            wire::place(&mut body, member.theirs, nothing);
        }
    }
    let is_on = |name: &str| after.get(name).and_then(Value::as_bool) == Some(true);
    let again = changed.contains(&"triggers")
        || changed.contains(&"capacity_provider_strategy")
        || (is_on("force_new_deployment") && (!body.is_empty() || changed.contains(&"force_new_deployment")));
    if again {
        body.insert("forceNewDeployment".to_owned(), true.into());
    }
    body
}

/// What has changed of what ECS does not show, unless something changed in the same call that it does show.
fn unseen(work: &Work<'_>, before: &Object, after: &Object) -> Option<&'static str> {
    const UNSEEN: [&str; 3] = ["service_connect_configuration", "triggers", "force_new_deployment"];
    let all = attributes();
    let normalise = |name: &str, value: &Value| work.kind.rules.normalise(name, value);
    let changed: Vec<&'static str> = differences(&all, &normalise, before, after).collect();
    let is_seen = |name: &&str| {
        // Tags go in a call of their own.
        *name != "tags" && work.kind.attribute(name).is_some_and(|one| !one.write_only && one.mode != Mode::Computed)
    };
    if changed.iter().any(is_seen) {
        return None;
    }
    changed.into_iter().find(|name| UNSEEN.contains(name) && !update_body(work, before, after).is_empty())
}

/// How an attribute is taken away that was there.
fn cleared(attribute: &str) -> Option<Json> {
    match attribute {
        "desired_count" | "health_check_grace_period_seconds" => Some(json!(0)),
        "load_balancer"
        | "service_registries"
        | "ordered_placement_strategy"
        | "placement_constraints"
        | "capacity_provider_strategy" => Some(json!([])),
        "propagate_tags" => Some(json!("NONE")),
        "deployment_circuit_breaker" => Some(json!({"enable": false, "rollback": false})),
        "alarms" => Some(json!({"alarmNames": [], "enable": false, "rollback": false})),
        "service_connect_configuration" => Some(json!({"enabled": false})),
        _ => None,
    }
}

/// Waits for the rollout, when there is one and the spec wants it waited for, and gives the service as it is then.
async fn finish(
    work: &Work<'_>,
    after: &Object,
    cluster: &str,
    name: &str,
    started: Option<Started>,
    patience: &Patience,
) -> Result<Json, Failure> {
    let waits = after.get("wait_for_steady_state").and_then(Value::as_bool) != Some(false);
    if let Some(started) = started.filter(|_| waits) {
        return wait_for_rollout(work, cluster, name, &started, patience).await.map_err(Failure::after_an_effect);
    }
    let now = describe_one(work.clients, cluster, name).await.map_err(Failure::after_an_effect)?;
    now.map(|Answer { body, .. }| body).ok_or_else(|| {
        let tried = work.clients.tried("ecs:DescribeServices", &subject(cluster, name));
        Failure::refused(tried, "the service is gone", "somebody else removed it; plan again").after_an_effect()
    })
}
