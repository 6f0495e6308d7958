//! `ecs`: a service is steady, and its tasks do not restart. Asks AWS.
//!
//! Invariant: a service is judged by its deployments, not by how many tasks run alone; why tasks stopped is told.

use async_trait::async_trait;
use serde_json::Value as Json;

use super::{Asks, excerpt};
use crate::kind::{Attribute, CheckKind, Reaches};
use crate::value::Type;
use crate::world::{Probe, Seen};

/// How many reasons of stopped tasks are told.
const REASONS: usize = 3;

/// The kind.
#[derive(Default)]
pub struct Ecs {
    #[cfg(feature = "aws")]
    aws: crate::provider::aws::carrier::Aws,
}

#[async_trait]
impl Asks for Ecs {
    fn kind(&self) -> CheckKind {
        CheckKind {
            name: "ecs",
            summary: "A service is steady: one deployment, completed, with as many tasks as wanted; none of its tasks has stopped since it is asked.",
            attributes: vec![
                Attribute::required("cluster", Type::String, "The cluster: its name or its ARN."),
                Attribute::required("service", Type::String, "The service's name."),
            ],
            reaches: Reaches::Provider("aws"),
            once: false,
            compares: None,
            rights: &["ecs:DescribeServices", "ecs:ListTasks", "ecs:DescribeTasks"],
            mistakes: |_| Vec::new(),
        }
    }

    #[cfg(feature = "aws")]
    async fn ask(&self, probe: &Probe) -> Seen {
        use crate::provider::aws::steady;
        use crate::world::ErrorClass;
        let Some(connection) = &probe.connection else {
            return Seen::hopeless("it is not known how AWS is reached");
        };
        let (cluster, service) = (super::text(probe, "cluster"), super::text(probe, "service"));
        let (cluster, service) = (cluster.unwrap_or_default(), service.unwrap_or_default());
        match steady::look(&self.aws, connection, &cluster, &service).await {
            Ok(sighting) => judge(&service, sighting.service.as_ref(), &sighting.stopped, probe.since),
            Err(error) if matches!(error.class, ErrorClass::Denied | ErrorClass::Expired) => {
                Seen::hopeless(error.to_string())
            }
            Err(error) => Seen::fails(error.to_string()),
        }
    }

    #[cfg(not(feature = "aws"))]
    async fn ask(&self, probe: &Probe) -> Seen {
        // What it says is judged in every build, so that tests of the core read it.
        judge("", None, &[], probe.since);
        Seen::hopeless("this build asks no AWS; use one with the feature `aws`")
    }
}

/// What ECS says of a service and its stopped tasks, in words.
fn judge(name: &str, service: Option<&Json>, stopped: &[Json], since: jiff::Timestamp) -> Seen {
    let Some(service) = service.filter(|service| text(service, "status") == "ACTIVE") else {
        return Seen::fails(format!("there is no active service {name}"));
    };
    let deployments: Vec<&Json> = service.get("deployments").and_then(Json::as_array).into_iter().flatten().collect();
    let primary = deployments.iter().find(|deployment| text(deployment, "status") == "PRIMARY");
    let restarted: Vec<&Json> = stopped.iter().filter(|task| is_restart(task, primary.copied(), since)).collect();
    if !restarted.is_empty() {
        let reasons: Vec<String> = restarted.iter().take(REASONS).map(|task| reason(task)).collect();
        let (count, reasons) = (restarted.len(), reasons.join("; "));
        return Seen::hopeless(format!("{name}: {count} of its tasks stopped meanwhile: {reasons}"));
    }
    let (running, desired) = (number(service, "runningCount"), number(service, "desiredCount"));
    let pending = number(service, "pendingCount");
    let rollout = primary.map_or("", |primary| text(primary, "rolloutState"));
    let tasks = format!("{running} of {desired} tasks run");
    let seen = match rollout {
        "FAILED" => Seen::fails(format!("{name}: its rollout failed; {tasks}{}", last_reasons(stopped))),
        _ if deployments.len() != 1 => Seen::fails(format!(
            "{name}: {} deployments are under way; {tasks}{}",
            deployments.len(),
            last_reasons(stopped)
        )),
        "COMPLETED" | "" if running == desired && pending == 0 => {
            Seen::holds(format!("{name} is steady: {tasks}, one deployment"))
        }
        _ => Seen::fails(format!("{name}: {tasks}, {pending} pending{}", last_reasons(stopped))),
    };
    seen.fact("running", running).fact("desired", desired)
}

/// A task of the current deployment that stopped since it is asked, and not because fewer were wanted.
fn is_restart(task: &Json, primary: Option<&Json>, since: jiff::Timestamp) -> bool {
    let at = task.get("stoppedAt").and_then(Json::as_f64);
    let began = since.as_millisecond() as f64 / 1_000.0;
    let is_current = primary.is_some_and(|primary| {
        text(task, "startedBy") == text(primary, "id")
            || (!text(task, "taskDefinitionArn").is_empty()
                && text(task, "taskDefinitionArn") == text(primary, "taskDefinition"))
    });
    is_current && at.is_some_and(|at| at >= began) && !text(task, "stoppedReason").starts_with("Scaling activity")
}

fn reason(task: &Json) -> String {
    let containers = task.get("containers").and_then(Json::as_array).into_iter().flatten();
    let mut parts = vec![excerpt(text(task, "stoppedReason"))];
    for container in containers {
        let exit = container.get("exitCode").and_then(Json::as_i64).map(|code| format!("exit code {code}"));
        let why = Some(excerpt(text(container, "reason"))).filter(|why| !why.is_empty());
        let told: Vec<String> = exit.into_iter().chain(why).collect();
        if !told.is_empty() {
            parts.push(format!("{}: {}", text(container, "name"), told.join(", ")));
        }
    }
    parts.retain(|part| !part.is_empty());
    if parts.is_empty() { "no reason is told".to_owned() } else { parts.join(", ") }
}

/// Why the tasks that stopped last did.
fn last_reasons(stopped: &[Json]) -> String {
    let reasons: Vec<String> = stopped.iter().take(REASONS).map(reason).collect();
    if reasons.is_empty() { String::new() } else { format!("; tasks stopped: {}", reasons.join("; ")) }
}

fn text<'a>(json: &'a Json, member: &str) -> &'a str {
    json.get(member).and_then(Json::as_str).unwrap_or_default()
}

fn number(json: &Json, member: &str) -> i64 {
    json.get(member).and_then(Json::as_i64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::world::Reply;

    fn service(running: i64, rollout: &str, others: usize) -> Json {
        let mut deployments = vec![json!({"id": "d1", "status": "PRIMARY", "rolloutState": rollout})];
        deployments.extend((0..others).map(|at| json!({"id": format!("o{at}"), "status": "ACTIVE"})));
        json!({"status": "ACTIVE", "runningCount": running, "desiredCount": 2, "pendingCount": 0,
               "deployments": deployments})
    }

    fn task(by: &str, at: f64, why: &str) -> Json {
        json!({"startedBy": by, "stoppedAt": at, "stoppedReason": why,
               "containers": [{"name": "web", "exitCode": 137, "reason": "OutOfMemoryError"}]})
    }

    #[test]
    fn a_service_is_steady_with_one_completed_deployment_and_no_restarts() {
        let since = jiff::Timestamp::from_second(1_000).expect("a time");
        let seen = |service: &Json, stopped: &[Json]| judge("web", Some(service), stopped, since);
        let good = service(2, "COMPLETED", 0);
        assert_eq!(seen(&good, &[]).words, "web is steady: 2 of 2 tasks run, one deployment");
        assert_eq!(seen(&good, &[]).reply, Reply::Holds);
        assert_eq!(seen(&service(1, "COMPLETED", 0), &[]).words, "web: 1 of 2 tasks run, 0 pending");
        assert_eq!(seen(&service(2, "IN_PROGRESS", 0), &[]).reply, Reply::Fails);
        assert_eq!(seen(&service(2, "COMPLETED", 1), &[]).words, "web: 2 deployments are under way; 2 of 2 tasks run");
        assert_eq!(judge("web", None, &[], since).words, "there is no active service web");
        // Those before, of others, and those that were not wanted any more do not count.
        let harmless = [
            task("d1", 999.0, "Essential container in task exited"),
            task("d0", 1_001.0, "Essential container in task exited"),
            task("d1", 1_001.0, "Scaling activity initiated by (deployment d1)"),
        ];
        assert_eq!(seen(&good, &harmless).reply, Reply::Holds);
        let restarted = seen(&good, &[task("d1", 1_001.0, "Essential container in task exited")]);
        assert_eq!(restarted.reply, Reply::Hopeless);
        assert_eq!(
            restarted.words,
            "web: 1 of its tasks stopped meanwhile: Essential container in task exited, web: exit code 137, OutOfMemoryError"
        );
        let failed = seen(&service(0, "FAILED", 0), &harmless[..1]);
        assert!(
            failed.words.contains("its rollout failed; 0 of 2 tasks run; tasks stopped: Essential"),
            "{}",
            failed.words
        );
    }
}
