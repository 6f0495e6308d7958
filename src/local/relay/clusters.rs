//! Clusters: what AWS refuses of them, and goes on to show of deleted ones. An edge.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::Relay;
use super::call::Call;
use super::refusal::{Refusal, json_response};

/// The name of the cluster that a call means.
pub(super) fn name_of(call: &Call) -> String {
    let reference = call.text("cluster").filter(|reference| !reference.is_empty()).unwrap_or("default");
    reference.rsplit('/').next().unwrap_or(reference).to_owned()
}

/// The cluster that a call means, when it is ACTIVE.
pub(super) async fn active(relay: &Relay, call: &Call) -> Result<Value, Refusal> {
    let body = Map::from_iter([("clusters".to_owned(), json!([name_of(call)]))]);
    let answer = relay.upstream.ask(call, "DescribeClusters", body).await?;
    let cluster = answer["clusters"].as_array().and_then(|clusters| clusters.first());
    cluster.filter(|cluster| cluster["status"] == "ACTIVE").cloned().ok_or_else(Refusal::no_cluster)
}

/// CreateCluster.
pub(super) async fn create(relay: &Relay, call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
    let _gate = relay.gate.lock().await;
    let answer = relay.upstream.ask(call, "CreateCluster", call.body.clone()).await?;
    if let Some(arn) = answer["cluster"]["clusterArn"].as_str()
        && relay.book.read(|pages| pages.inactive_clusters.contains_key(arn))
    {
        relay.book.change(|pages| pages.inactive_clusters.remove(arn));
    }
    Ok(json_response(StatusCode::OK, &answer))
}

/// DeleteCluster: refused while something lives in it. The caller holds the gate and has ended what was due.
pub(super) async fn delete(relay: &Relay, call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
    let cluster = active(relay, call).await?;
    let arn = cluster["clusterArn"].as_str().unwrap_or_default().to_owned();
    let only = Map::from_iter([("cluster".to_owned(), Value::from(arn.clone()))]);
    let services = relay.upstream.ask(call, "ListServices", only.clone()).await?;
    // arn:…:cluster/NAME beside arn:…:service/NAME/SERVICE
    let prefix = format!("{}/", arn.replacen(":cluster/", ":service/", 1));
    let now = relay.now();
    let drains = relay
        .book
        .read(|pages| pages.draining.iter().any(|(service, until)| service.starts_with(&prefix) && now < *until));
    if drains || services["serviceArns"].as_array().is_some_and(|services| !services.is_empty()) {
        let message = "The Cluster cannot be deleted while Services are active.";
        return Err(Refusal::new("ClusterContainsServicesException", message));
    }
    let tasks = relay.upstream.ask(call, "ListTasks", only.clone()).await?;
    if tasks["taskArns"].as_array().is_some_and(|tasks| !tasks.is_empty()) {
        let message = "The Cluster cannot be deleted while Tasks are active.";
        return Err(Refusal::new("ClusterContainsTasksException", message));
    }
    let answer = relay.upstream.ask(call, "DeleteCluster", only).await?;
    relay.book.change(|pages| pages.inactive_clusters.insert(arn, answer["cluster"].clone()));
    Ok(json_response(StatusCode::OK, &answer))
}

/// DescribeClusters: a deleted one is still described, as INACTIVE.
pub(super) async fn describe(relay: &Relay, call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
    let mut answer = relay.upstream.ask(call, "DescribeClusters", call.body.clone()).await?;
    let failures = answer["failures"].as_array().cloned().unwrap_or_default();
    let (inactive, missing): (Vec<_>, Vec<_>) = relay.book.read(|pages| {
        failures
            .into_iter()
            .map(|failure| {
                failure["arn"].as_str().and_then(|arn| pages.inactive_clusters.get(arn)).cloned().ok_or(failure)
            })
            .partition(Result::is_ok)
    });
    if let Some(clusters) = answer["clusters"].as_array_mut() {
        clusters.extend(inactive.into_iter().flatten());
    }
    answer["failures"] = missing.into_iter().filter_map(Result::err).collect();
    Ok(json_response(StatusCode::OK, &answer))
}
