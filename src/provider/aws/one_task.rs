//! One task that is run by itself: begun once, found again, looked at, ended. Asks ECS, and lets it run a task.
//!
//! Invariant: a token begins one task, however often and by whomever it is sent; nothing is begun once the lease is over.

use serde_json::{Map, Value as Json, json};

use super::carrier::Aws;
use super::clients::Clients;
use super::exchange::exchange;
use super::failure::Failure;
use super::shared::Silence;
use super::watch;
use crate::world::{Connection, ErrorClass, Fence, WorldError};

/// What is to be run.
pub struct Order<'a> {
    /// The cluster.
    pub cluster: &'a str,
    /// The same for the same task.
    pub token: &'a str,
    /// The lease.
    pub fence: &'a Fence,
    /// The request, but for cluster and tokens.
    pub request: Map<String, Json>,
}

/// The ARN of the task of a token: that which was begun already, or a new one.
///
/// # Errors
/// When ECS cannot be asked, or does not begin it.
pub async fn find_or_run(aws: &Aws, connection: &Connection, order: &Order<'_>) -> Result<String, WorldError> {
    let clients = aws.clients(connection).await?;
    if let Some(arn) = find(&clients, order.cluster, order.token).await? {
        return Ok(arn);
    }
    let (begun, _) = watch::over(order.fence, &Silence, run(&clients, order)).await;
    Ok(begun?)
}

/// Tasks of a token that run, else such as have stopped. Where ECS does not want to say that of stopped ones, the token
/// alone keeps a second one from being begun.
async fn find(clients: &Clients, cluster: &str, token: &str) -> Result<Option<String>, Failure> {
    for status in ["RUNNING", "STOPPED"] {
        let body = json!({"cluster": cluster, "startedBy": token, "desiredStatus": status});
        let send = |exchange| clients.ecs.list_tasks().customize().interceptor(exchange).send();
        let answer = match exchange(clients, "ecs:ListTasks", token, &body, send).await {
            Ok(answer) => answer.body,
            Err(failure) if failure.is(&["InvalidParameterException"]) => continue,
            Err(failure) => return Err(failure),
        };
        if let Some(arn) = answer.get("taskArns").and_then(|arns| arns.get(0)).and_then(Json::as_str) {
            return Ok(Some(arn.to_owned()));
        }
    }
    Ok(None)
}

async fn run(clients: &Clients, order: &Order<'_>) -> Result<String, Failure> {
    let mut body = order.request.clone();
    body.insert("cluster".to_owned(), order.cluster.into());
    body.insert("clientToken".to_owned(), order.token.into());
    body.insert("startedBy".to_owned(), order.token.into());
    let subject = body.get("taskDefinition").and_then(Json::as_str).unwrap_or_default().to_owned();
    let body = Json::Object(body);
    let send = |exchange| clients.ecs.run_task().customize().interceptor(exchange).send();
    let answer = exchange(clients, "ecs:RunTask", &subject, &body, send).await?.body;
    let text = |list: &str, member: &str| {
        let first = answer.get(list).and_then(|list| list.get(0)).and_then(|first| first.get(member));
        first.and_then(Json::as_str).map(str::to_owned)
    };
    text("tasks", "taskArn").ok_or_else(|| {
        let reason = text("failures", "reason").unwrap_or_else(|| "no reason is told".to_owned());
        let tried = clients.tried("ecs:RunTask", &subject);
        Failure::refused(tried, format!("no task was begun: {reason}"), "see that the cluster has room for it")
    })
}

/// The task, as ECS describes it; nothing when ECS does not know it any more.
///
/// # Errors
/// When ECS cannot be asked.
pub async fn look(aws: &Aws, connection: &Connection, cluster: &str, arn: &str) -> Result<Option<Json>, WorldError> {
    let clients = aws.clients(connection).await?;
    let body = json!({"cluster": cluster, "tasks": [arn]});
    let send = |exchange| clients.ecs.describe_tasks().customize().interceptor(exchange).send();
    let answer = exchange(&clients, "ecs:DescribeTasks", arn, &body, send).await?;
    Ok(answer.body.get("tasks").and_then(|tasks| tasks.get(0)).cloned())
}

/// The containers of a task definition.
///
/// # Errors
/// When ECS cannot be asked.
pub async fn containers(aws: &Aws, connection: &Connection, definition: &str) -> Result<Vec<Json>, WorldError> {
    let clients = aws.clients(connection).await?;
    let body = json!({"taskDefinition": definition});
    let send = |exchange| clients.ecs.describe_task_definition().customize().interceptor(exchange).send();
    let answer = exchange(&clients, "ecs:DescribeTaskDefinition", definition, &body, send).await?;
    let containers = answer.body.get("taskDefinition").and_then(|definition| definition.get("containerDefinitions"));
    Ok(containers.and_then(Json::as_array).cloned().unwrap_or_default())
}

/// Ends the running task of a token, if there is one; gives whether there was.
///
/// # Errors
/// When ECS cannot be asked.
pub async fn stop(aws: &Aws, connection: &Connection, order: &Order<'_>, why: &str) -> Result<bool, WorldError> {
    let clients = aws.clients(connection).await?;
    let Some(arn) = find(&clients, order.cluster, order.token).await? else { return Ok(false) };
    let is_over = |task: &Json| task.get("lastStatus").and_then(Json::as_str) == Some("STOPPED");
    let task = look(aws, connection, order.cluster, &arn).await?;
    if task.as_ref().is_none_or(is_over) {
        return Ok(false);
    }
    let body = json!({"cluster": order.cluster, "task": arn, "reason": why});
    let stopping = async {
        let send = |exchange| clients.ecs.stop_task().customize().interceptor(exchange).send();
        exchange(&clients, "ecs:StopTask", &arn, &body, send).await
    };
    let (stopped, _) = watch::over(order.fence, &Silence, stopping).await;
    match stopped.map_err(WorldError::from) {
        Err(error) if error.class != ErrorClass::Refused => return Err(error),
        // It has ended by itself meanwhile.
        Ok(_) | Err(_) => {}
    }
    while look(aws, connection, order.cluster, &arn).await?.is_some_and(|task| !is_over(&task)) {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    Ok(true)
}
