//! Waiting for a service: for a rollout, or until it is gone.
//!
//! Invariant: every wait has an end, and when it comes to it, it says what it saw.

use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::time::{Instant, sleep};

use super::rollout::{self, Rollout, Started};
use crate::provider::aws::clients::Clients;
use crate::provider::aws::exchange::{Answer, exchange};
use crate::provider::aws::failure::Failure;
use crate::provider::aws::period;
use crate::provider::aws::shared::Work;
use crate::value::{Object, Value};
use crate::world::{ErrorClass, Settlement};

/// The first pause between two looks, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

/// The longest wait while settling: who wants to take a bad rollout back must not have to sit it out.
const SETTLING: Duration = Duration::from_secs(60);

/// How long is waited.
pub(super) struct Patience {
    until: Instant,
    /// What is said when it is over.
    over: String,
}

impl Patience {
    /// From now on.
    pub(super) fn starting_now(limit: Duration) -> Self {
        Self { until: Instant::now() + limit, over: format!("not done within {} s", limit.as_secs()) }
    }

    /// While settling.
    pub(super) fn settling(limit: Duration) -> Self {
        Self::starting_now(limit.min(SETTLING))
    }

    fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }
}

/// What a call is about.
pub(super) fn subject(cluster: &str, name: &str) -> String {
    format!("{cluster}/{name}")
}

/// `ACTIVE`, `DRAINING` or `INACTIVE`.
pub(super) fn status(service: &Json) -> &str {
    service.get("status").and_then(Json::as_str).unwrap_or_default()
}

/// Describes one service, whatever its state; one that was removed is not there.
pub(super) async fn describe_one(clients: &Clients, cluster: &str, name: &str) -> Result<Option<Answer>, Failure> {
    let body = json!({"cluster": cluster, "services": [name], "include": ["TAGS"]});
    let send = |exchange| clients.ecs.describe_services().customize().interceptor(exchange).send();
    let mut answer = match exchange(clients, "ecs:DescribeServices", &subject(cluster, name), &body, send).await {
        Ok(answer) => answer,
        Err(failure) if failure.is(&["ClusterNotFoundException"]) => return Ok(None),
        Err(failure) => return Err(failure),
    };
    let services = answer.body.get_mut("services").and_then(Json::as_array_mut).map(std::mem::take);
    let there = services.into_iter().flatten().find(|service| status(service) != "INACTIVE");
    Ok(there.map(|body| Answer { body }))
}

/// Waits for a rollout; gives the service when ECS calls it completed.
pub(super) async fn wait_for_rollout(
    work: &Work<'_>,
    cluster: &str,
    name: &str,
    started: &Started,
    patience: &Patience,
) -> Result<Json, Failure> {
    let mut pause = PAUSES.0;
    let mut said = String::new();
    let tried = || work.clients.tried("ecs: waiting for the rollout of", &subject(cluster, name));
    loop {
        let Some(answer) = describe_one(work.clients, cluster, name).await? else {
            let help = "somebody else removed it; plan again";
            return Err(Failure::refused(tried(), "the service is gone", help));
        };
        let line = match rollout::judge(&answer.body, started) {
            Rollout::Completed => return Ok(answer.body),
            Rollout::Failed(why) => {
                let help = "see why the tasks stop (their log group, `aws ecs describe-tasks`); if the cause lies outside of \
                            this change, mend it and `switchback resume`, else take the change back with `switchback \
                            rollback`";
                return Err(Failure::refused(tried(), why, help));
            }
            Rollout::Running(line) => line,
        };
        if patience.is_over() {
            let cause = unfinished(&line, &answer.body, &patience.over);
            let help = "it goes on in ECS; look again with `switchback resume`, or give it longer with `timeouts`";
            return Err(Failure::pending(tried(), cause, help));
        }
        if line != said {
            work.progress.say(&line);
            said = line;
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(PAUSES.1);
    }
}

fn unfinished(line: &str, service: &Json, over: &str) -> String {
    format!("{over}; {line}{}", rollout::events(service, None))
}

/// Waits until a service that is being removed is gone.
pub(super) async fn wait_until_gone(
    work: &Work<'_>,
    cluster: &str,
    name: &str,
    patience: &Patience,
) -> Result<(), Failure> {
    let mut pause = PAUSES.0;
    let mut said = -1;
    while let Some(answer) = describe_one(work.clients, cluster, name).await? {
        let running = answer.body.get("runningCount").and_then(Json::as_i64).unwrap_or_default();
        if patience.is_over() {
            let tried = work.clients.tried("ecs: waiting for the removal of", &subject(cluster, name));
            let line = format!("{}, {running} tasks still run", status(&answer.body));
            let cause = unfinished(&line, &answer.body, &patience.over);
            return Err(Failure::pending(tried, cause, "it goes on in ECS; look again with `switchback resume`"));
        }
        if running != said {
            work.progress.say(&format!("removal of {}: {running} tasks still run", subject(cluster, name)));
            said = running;
        }
        sleep(pause).await;
        pause = (pause * 3 / 2).min(PAUSES.1);
    }
    Ok(())
}

/// The settlement of a change that is in the service as planned: its rollout has the last word. It is waited for, but
/// for a minute at most; asked again later, it may be completed.
pub(super) async fn settle_rollout(
    work: &Work<'_>,
    after: &Object,
    part: &str,
    answer: Answer,
    object: Object,
) -> Result<Settlement, Failure> {
    let waits = after.get("wait_for_steady_state").and_then(Value::as_bool) != Some(false);
    let Some(started) = rollout::started(&answer.body).filter(|_| waits) else {
        return Ok(Settlement::Done(object));
    };
    let patience = Patience::settling(period::limit(after, part));
    let service = |member: &str| answer.body.get(member).and_then(Json::as_str).unwrap_or_default().to_owned();
    let (cluster, name) = (service("clusterArn"), service("serviceName"));
    let cluster = crate::provider::aws::ecs_cluster::rules::cluster_name(&cluster);
    match wait_for_rollout(work, cluster, &name, &started, &patience).await {
        Ok(_) => Ok(Settlement::Done(object)),
        // The rollout failed: the service is there as planned, but it is not good.
        Err(failure) if failure.code.is_none() && failure.error.class == ErrorClass::Refused => {
            Ok(Settlement::Stands(object, failure.error.cause))
        }
        Err(failure) if failure.error.class == ErrorClass::Pending => {
            Ok(Settlement::GoesOn(object, failure.error.cause))
        }
        Err(failure) => Err(failure),
    }
}
