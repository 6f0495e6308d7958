//! What a description of a service says about a rollout. Pure.
//!
//! Invariant: a rollout is judged by the state of the deployment that the change started, never by how many of its tasks
//! run: after a circuit breaker has gone back, as many run as before.

use serde_json::Value as Json;

/// How a rollout stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rollout {
    /// ECS calls it completed, and nothing else runs any more.
    Completed,
    /// It goes on; how far it is, in one line.
    Running(String),
    /// ECS gave it up, or another one took its place; why.
    Failed(String),
}

/// The deployment that a change started: the primary one of the answer to it.
pub fn started(service: &Json) -> Option<Started> {
    let primary = primary(service)?;
    Some(Started {
        deployment: text(primary, "id").to_owned(),
        // A change of the number of tasks alone starts no deployment: the completed one is scaled.
        scales_only: text(primary, "rolloutState") == "COMPLETED",
    })
}

/// What to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Started {
    /// The id of the deployment.
    pub deployment: String,
    /// Whether it was completed when the change was answered, so that only the number of tasks is waited for.
    pub scales_only: bool,
}

/// How it stands with a deployment.
pub fn judge(service: &Json, started: &Started) -> Rollout {
    let Some(ours) = deployments(service).find(|deployment| text(deployment, "id") == started.deployment) else {
        return Rollout::Failed(displaced(service, &started.deployment, ""));
    };
    let reason = text(ours, "rolloutStateReason");
    match (text(ours, "status"), text(ours, "rolloutState")) {
        (_, "FAILED") => Rollout::Failed(failed(service, ours)),
        ("PRIMARY", "COMPLETED") if !started.scales_only || is_steady(service) => match others(service, ours) {
            0 => Rollout::Completed,
            count => Rollout::Running(format!("{}; {count} of earlier revisions still run", progress(ours))),
        },
        // Deployments of other controllers have no state of their own.
        ("PRIMARY", "") if is_steady(service) => Rollout::Completed,
        ("PRIMARY", _) => Rollout::Running(progress(ours)),
        _ => Rollout::Failed(displaced(service, &started.deployment, reason)),
    }
}

fn deployments(service: &Json) -> impl Iterator<Item = &Json> {
    service.get("deployments").and_then(Json::as_array).into_iter().flatten()
}

fn primary(service: &Json) -> Option<&Json> {
    deployments(service).find(|deployment| text(deployment, "status") == "PRIMARY")
}

/// How many tasks run that are not of this deployment. While they drain they still use what the next step may take away.
fn others(service: &Json, ours: &Json) -> i64 {
    let others = deployments(service).filter(|deployment| text(deployment, "id") != text(ours, "id"));
    others.map(|deployment| number(deployment, "runningCount")).sum()
}

fn text<'a>(json: &'a Json, member: &str) -> &'a str {
    json.get(member).and_then(Json::as_str).unwrap_or_default()
}

fn number(json: &Json, member: &str) -> i64 {
    json.get(member).and_then(Json::as_i64).unwrap_or_default()
}

fn is_steady(service: &Json) -> bool {
    number(service, "runningCount") >= number(service, "desiredCount") && number(service, "pendingCount") == 0
}

fn revision(deployment: &Json) -> &str {
    let reference = text(deployment, "taskDefinition");
    reference.rsplit('/').next().unwrap_or(reference)
}

fn progress(deployment: &Json) -> String {
    let failed = match number(deployment, "failedTasks") {
        0 => String::new(),
        count => format!(", {count} failed"),
    };
    format!(
        "rollout of {}: {} of {} tasks running, {} pending{failed}",
        revision(deployment),
        number(deployment, "runningCount"),
        number(deployment, "desiredCount"),
        number(deployment, "pendingCount"),
    )
}

fn failed(service: &Json, ours: &Json) -> String {
    let mut text_of = format!("the rollout of {} failed", revision(ours));
    if !text(ours, "rolloutStateReason").is_empty() {
        text_of += &format!(": {}", text(ours, "rolloutStateReason"));
    }
    if let Some(other) = primary(service).filter(|primary| text(primary, "id") != text(ours, "id")) {
        text_of += &format!("; {} is rolled out instead", revision(other));
    }
    text_of + &events(service, Some(ours))
}

fn displaced(service: &Json, deployment: &str, reason: &str) -> String {
    let other = primary(service);
    let instead = other.map_or("nothing", revision);
    let reasons: Vec<&str> = [reason, other.map_or("", |other| text(other, "rolloutStateReason"))]
        .into_iter()
        .filter(|text| !text.is_empty())
        .collect();
    let why = if reasons.is_empty() { String::new() } else { format!(": {}", reasons.join("; ")) };
    format!(
        "another rollout took the place of {deployment}, {instead} is rolled out instead{why}{}",
        events(service, other)
    )
}

/// What ECS says of every rollout, whether it goes well or not: no cause of anything.
const ORDINARY: [&str; 7] = [
    "has begun draining connections",
    "has reached a steady state",
    " registered ",
    " deregistered ",
    "has started ",
    "has stopped ",
    " deployment completed",
];

/// The last words of a service, those since a deployment began, without what is said of every rollout.
pub fn events(service: &Json, since: Option<&Json>) -> String {
    let seconds = |json: &Json| json.get("createdAt").and_then(Json::as_f64);
    let begun = since.and_then(seconds).unwrap_or_default() - 1.0;
    let all = service.get("events").and_then(Json::as_array).into_iter().flatten();
    let is_cause = |event: &&Json| !ORDINARY.iter().any(|words| text(event, "message").contains(words));
    let recent = all.filter(|event| seconds(event).is_none_or(|time| time >= begun)).filter(is_cause).take(5);
    let mut lines: Vec<String> = recent.map(|event| format!("\n  {}", text(event, "message"))).collect();
    lines.dedup();
    lines.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployment(id: &str, status: &str, state: &str, revision: u32) -> Json {
        json!({"id": id, "status": status, "rolloutState": state, "createdAt": 100.0, "desiredCount": 2,
               "runningCount": 1, "pendingCount": 1, "rolloutStateReason": format!("why {id}"),
               "taskDefinition": format!("arn:aws:ecs:r:1:task-definition/web:{revision}")})
    }

    fn service(deployments: &[Json]) -> Json {
        json!({"desiredCount": 2, "runningCount": 2, "pendingCount": 0, "deployments": deployments, "events": [
            {"createdAt": 121.0, "message": "(service web) has begun draining connections on 1 tasks."},
            {"createdAt": 120.0, "message": "unable to place a task"}, {"createdAt": 10.0, "message": "old news"}]})
    }

    fn waiting(id: &str) -> Started {
        Started { deployment: id.to_owned(), scales_only: false }
    }

    #[test]
    fn what_the_breaker_took_back_failed_although_all_tasks_run() {
        let taken_back = service(&[deployment("b", "PRIMARY", "COMPLETED", 1), deployment("a", "ACTIVE", "FAILED", 2)]);
        let Rollout::Failed(why) = judge(&taken_back, &waiting("a")) else { panic!("it failed") };
        assert!(why.contains("web:2") && why.contains("why a") && why.contains("web:1 is rolled out instead"), "{why}");
        assert!(why.contains("unable to place a task") && !why.contains("old news"), "{why}");
        assert!(!why.contains("draining"), "what is said of every rollout is no cause: {why}");
        let gone = service(&[deployment("b", "PRIMARY", "COMPLETED", 1)]);
        assert!(matches!(judge(&gone, &waiting("a")), Rollout::Failed(why) if why.contains("why b")));
        let displaced =
            service(&[deployment("b", "PRIMARY", "IN_PROGRESS", 1), deployment("a", "ACTIVE", "IN_PROGRESS", 2)]);
        assert!(matches!(judge(&displaced, &waiting("a")), Rollout::Failed(_)));
    }

    #[test]
    fn a_rollout_is_over_when_ecs_says_so_and_nothing_else_runs() {
        let running =
            service(&[deployment("a", "PRIMARY", "IN_PROGRESS", 2), deployment("b", "ACTIVE", "COMPLETED", 1)]);
        let line = "rollout of web:2: 1 of 2 tasks running, 1 pending";
        assert_eq!(judge(&running, &waiting("a")), Rollout::Running(line.to_owned()));
        let drains = service(&[deployment("a", "PRIMARY", "COMPLETED", 2), deployment("b", "ACTIVE", "COMPLETED", 1)]);
        let line = format!("{line}; 1 of earlier revisions still run");
        assert_eq!(judge(&drains, &waiting("a")), Rollout::Running(line));
        let done = service(&[deployment("a", "PRIMARY", "COMPLETED", 2)]);
        assert_eq!(judge(&done, &waiting("a")), Rollout::Completed);
    }

    #[test]
    fn a_change_of_the_number_of_tasks_waits_for_the_tasks() {
        let mut scaling = service(&[deployment("a", "PRIMARY", "COMPLETED", 2)]);
        let scaled = started(&scaling).expect("there is a primary deployment");
        assert!(scaled.scales_only);
        scaling["runningCount"] = json!(1);
        assert!(matches!(judge(&scaling, &scaled), Rollout::Running(_)));
        scaling["runningCount"] = json!(2);
        assert_eq!(judge(&scaling, &scaled), Rollout::Completed);
        // Whoever looks at a rollout only when it is completed waits for what drains as well.
        let drains = service(&[deployment("a", "PRIMARY", "COMPLETED", 2), deployment("b", "ACTIVE", "COMPLETED", 1)]);
        assert!(matches!(judge(&drains, &scaled), Rollout::Running(_)));
    }
}
