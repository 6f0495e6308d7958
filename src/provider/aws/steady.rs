//! Whether a service is steady: what ECS says of it, and of its tasks that have stopped. Asks AWS.
//!
//! Invariant: nothing is changed.

use serde_json::{Value as Json, json};

use super::carrier::Aws;
use super::clients::Clients;
use super::exchange::exchange;
use super::failure::Failure;
use crate::world::{Connection, WorldError};

/// The most stopped tasks that are looked at.
const MOST_STOPPED: usize = 20;

/// A service, and its tasks that have stopped, as ECS describes them.
pub struct Sighting {
    /// The service, if it is there.
    pub service: Option<Json>,
    /// The tasks.
    pub stopped: Vec<Json>,
}

/// Looks at a service.
///
/// # Errors
/// When ECS cannot be asked.
pub async fn look(aws: &Aws, connection: &Connection, cluster: &str, name: &str) -> Result<Sighting, WorldError> {
    let clients = aws.clients(connection).await?;
    let service = service(&clients, cluster, name).await?;
    let stopped = match &service {
        Some(_) => stopped(&clients, cluster, name).await?,
        None => Vec::new(),
    };
    Ok(Sighting { service, stopped })
}

async fn service(clients: &Clients, cluster: &str, name: &str) -> Result<Option<Json>, Failure> {
    let body = json!({"cluster": cluster, "services": [name]});
    let send = |exchange| clients.ecs.describe_services().customize().interceptor(exchange).send();
    let answer = match exchange(clients, "ecs:DescribeServices", name, &body, send).await {
        Ok(answer) => answer,
        Err(failure) if failure.is(&["ClusterNotFoundException"]) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    Ok(list(&answer.body, "services").first().cloned())
}

async fn stopped(clients: &Clients, cluster: &str, name: &str) -> Result<Vec<Json>, Failure> {
    let body = json!({"cluster": cluster, "serviceName": name, "desiredStatus": "STOPPED", "maxResults": MOST_STOPPED});
    let send = |exchange| clients.ecs.list_tasks().customize().interceptor(exchange).send();
    let answer = exchange(clients, "ecs:ListTasks", name, &body, send).await?;
    let arns = list(&answer.body, "taskArns");
    if arns.is_empty() {
        return Ok(Vec::new());
    }
    let body = json!({"cluster": cluster, "tasks": arns});
    let send = |exchange| clients.ecs.describe_tasks().customize().interceptor(exchange).send();
    Ok(list(&exchange(clients, "ecs:DescribeTasks", name, &body, send).await?.body, "tasks"))
}

fn list(body: &Json, member: &str) -> Vec<Json> {
    body.get(member).and_then(Json::as_array).cloned().unwrap_or_default()
}
