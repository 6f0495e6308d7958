//! The calls of `aws_ecs_cluster`.
//!
//! Invariant: AWS answers a second creation under the same name with the existing cluster, so it is looked for first.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use serde_json::{Map, Value as Json, json};
use tokio::time::{Instant, sleep};

use super::rules::{MEMBERS, attributes, cluster_name};
use crate::provider::aws::canonical::differences;
use crate::provider::aws::clients::Clients;
use crate::provider::aws::exchange::exchange;
use crate::provider::aws::failure::Failure;
use crate::provider::aws::shared::{
    Calls, Found, Work, exists_already, read_made, read_one, refuse_sealed, tags_for, tags_from_json, tags_json,
};
use crate::provider::aws::{tags, wire};
use crate::value::{Object, Value};
use crate::world::Query;

/// How many clusters ECS describes at once.
const BATCH: usize = 100;
/// How long stopping tasks may hold up a removal.
const DRAINING: Duration = Duration::from_secs(300);

/// The calls.
pub(in crate::provider::aws) struct Clusters;

#[async_trait]
impl Calls for Clusters {
    async fn read(&self, clients: &Clients, queries: &[&Query]) -> Vec<Result<Option<Found>, Failure>> {
        let batches = join_all(queries.chunks(BATCH).map(|batch| describe(clients, batch))).await;
        batches.into_iter().flatten().collect()
    }

    async fn create(&self, work: &Work<'_>, after: &Object) -> Result<Object, Failure> {
        refuse_sealed(work, after)?;
        let name = after.get("name").and_then(Value::as_str).unwrap_or_default();
        match read_one(self, work, after).await? {
            Some(found) if found.token.as_deref() == Some(work.effect.token.as_str()) => return Ok(found.object),
            Some(_) => return Err(exists_already(work, "ecs:CreateCluster", name, "ClusterAlreadyExists")),
            None => {}
        }
        let mut body = wire::request(&attributes(), MEMBERS, after, &|_| true);
        body.insert("clusterName".to_owned(), name.into());
        body.insert("tags".to_owned(), tags_json(&tags_for(work.effect, after)));
        let ecs = &work.clients.ecs;
        let send = |exchange| ecs.create_cluster().customize().interceptor(exchange).send();
        exchange(work.clients, "ecs:CreateCluster", name, &Json::Object(body), send).await?;
        read_made(self, work, after).await
    }

    async fn update(&self, work: &Work<'_>, before: &Object, after: &Object) -> Result<Object, Failure> {
        refuse_sealed(work, after)?;
        let name = after.get("name").and_then(Value::as_str).unwrap_or_default();
        let ecs = &work.clients.ecs;
        change_tags(work, name, before, after).await?;
        let normalise = |name: &str, value: &Value| work.kind.rules.normalise(name, value);
        let attributes = attributes();
        let changed: Vec<_> = differences(&attributes, &normalise, before, after).collect();
        let mut body = wire::request(&attributes, MEMBERS, after, &|name| changed.contains(&name));
        for (attribute, member, cleared) in [
            ("configuration", "configuration", json!({})),
            ("service_connect_defaults", "serviceConnectDefaults", json!({"namespace": ""})),
        ] {
            if changed.contains(&attribute) {
                body.entry(member).or_insert(cleared);
            }
        }
        if !body.is_empty() {
            body.insert("cluster".to_owned(), name.into());
            let send = |exchange| ecs.update_cluster().customize().interceptor(exchange).send();
            let sent = exchange(work.clients, "ecs:UpdateCluster", name, &Json::Object(body), send).await;
            sent.map_err(Failure::after_an_effect)?;
        }
        read_made(self, work, after).await
    }

    async fn delete(&self, work: &Work<'_>, before: &Object) -> Result<(), Failure> {
        let name = before.get("name").and_then(Value::as_str).unwrap_or_default();
        let deadline = Instant::now() + DRAINING;
        let body = json!({"cluster": name});
        loop {
            let ecs = &work.clients.ecs;
            let send = |exchange| ecs.delete_cluster().customize().interceptor(exchange).send();
            let Err(failure) = exchange(work.clients, "ecs:DeleteCluster", name, &body, send).await else {
                return Ok(());
            };
            // Tasks of a service that has just gone are stopping still.
            let passing = failure.is(&["ClusterContainsTasksException", "UpdateInProgressException"]);
            if failure.is(&["ClusterNotFoundException"]) {
                return Ok(());
            } else if !passing {
                return Err(failure);
            } else if Instant::now() >= deadline {
                let help = "its tasks are stopping still; look again with `switchback resume`";
                return Err(Failure::pending(failure.error.tried, failure.error.cause, help));
            }
            work.progress.say(&format!("cluster {name}: waiting for its last tasks to stop"));
            sleep(Duration::from_secs(2)).await;
        }
    }
}

async fn describe(clients: &Clients, queries: &[&Query]) -> Vec<Result<Option<Found>, Failure>> {
    let name_of = |query: &Query| query.object.get("name").and_then(Value::as_str).map(str::to_owned);
    let mut names: Vec<String> = queries.iter().filter_map(|query| name_of(query)).collect();
    names.sort();
    names.dedup();
    if names.is_empty() {
        return queries.iter().map(|_| Ok(None)).collect();
    }
    let body = json!({"clusters": names, "include": ["SETTINGS", "CONFIGURATIONS", "TAGS"]});
    let send = |exchange| clients.ecs.describe_clusters().customize().interceptor(exchange).send();
    let answer = exchange(clients, "ecs:DescribeClusters", &names.join(", "), &body, send).await;
    let answer = match answer {
        Ok(answer) => answer.body,
        Err(failure) => return queries.iter().map(|_| Err(failure.clone())).collect(),
    };
    let clusters = answer.get("clusters").and_then(Json::as_array).cloned().unwrap_or_default();
    let found = queries.iter().map(|query| {
        let name = name_of(query)?;
        clusters
            .iter()
            .find(|cluster| wire::look(cluster, "clusterName") == Some(&Json::from(name.as_str())))
            .and_then(read)
    });
    found.map(Ok).collect()
}

fn read(cluster: &Json) -> Option<Found> {
    let text = |member: &str| cluster.get(member).and_then(Json::as_str).unwrap_or_default();
    if ["INACTIVE", "DEPROVISIONING"].contains(&text("status")) {
        return None;
    }
    let mut object = wire::answer(&attributes(), MEMBERS, cluster);
    let (tags, token) = tags::split(&tags_from_json(cluster.get("tags")));
    object.insert("name".to_owned(), cluster_name(text("clusterName")).into());
    object.insert("tags".to_owned(), tags);
    object.insert("arn".to_owned(), text("clusterArn").into());
    object.insert("id".to_owned(), text("clusterArn").into());
    Some(Found { object, token })
}

async fn change_tags(work: &Work<'_>, name: &str, before: &Object, after: &Object) -> Result<(), Failure> {
    let arn = before.get("arn").and_then(Value::as_str).unwrap_or_default();
    set_tags(work, name, arn, before, after).await
}

/// Changes the tags of a thing of ECS.
pub(in crate::provider::aws) async fn set_tags(
    work: &Work<'_>,
    name: &str,
    arn: &str,
    before: &Object,
    after: &Object,
) -> Result<(), Failure> {
    let (set, removed) = tags::change(&tags::of(before), &tags::of(after));
    let ecs = &work.clients.ecs;
    let mut body = Map::from_iter([("resourceArn".to_owned(), Json::from(arn))]);
    if !set.is_empty() {
        body.insert("tags".to_owned(), tags_json(&set));
        let send = |exchange| ecs.tag_resource().customize().interceptor(exchange).send();
        exchange(work.clients, "ecs:TagResource", name, &Json::Object(body.clone()), send).await?;
    }
    if !removed.is_empty() {
        body.remove("tags");
        body.insert("tagKeys".to_owned(), removed.into());
        let send = |exchange| ecs.untag_resource().customize().interceptor(exchange).send();
        let sent = exchange(work.clients, "ecs:UntagResource", name, &Json::Object(body), send).await;
        sent.map_err(Failure::after_an_effect)?;
    }
    Ok(())
}
