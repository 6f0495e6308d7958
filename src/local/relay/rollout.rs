//! A rollout as it is played: phases by elapsed time, where the emulator has instant success. Pure.
//!
//! Invariant: while a deployment is not `COMPLETED` the service may well have as many running tasks as it wants; only
//! the rollout state tells.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// New tasks begin to run at this part of the time …
const FIRST_TASK: f64 = 0.15;
/// … and all of them do at this one; then old ones drain.
const LAST_TASK: f64 = 0.85;
/// What the breaker says.
const TASKS_FAILED: &str = "ECS deployment circuit breaker: tasks failed to start.";

/// A rollout under way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Rollout {
    /// The service's name.
    pub service: String,
    /// The emulator's deployment that is being rolled out.
    pub deployment: String,
    /// When it began, in milliseconds.
    pub started: i64,
    /// How long it takes.
    pub seconds: f64,
    /// For how many seconds after it the tasks that it replaces still run.
    #[serde(default)]
    pub drain: f64,
    /// How it ends.
    pub fate: Fate,
    /// What happens when it fails.
    pub breaker: Breaker,
    /// The deployments that it replaces, as they were last shown.
    pub before: Vec<Value>,
    /// Why it was begun, when it was not by a person.
    pub reason: Option<String>,
}

/// How a rollout ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Fate {
    /// Well.
    Completes,
    /// Its tasks do not start.
    Fails,
    /// It is none: only the number of tasks changes, from this many.
    Scales(i64),
}

/// The deployment circuit breaker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Breaker {
    /// None: a deployment that fails goes on trying for ever.
    Off,
    /// The deployment becomes `FAILED`.
    Stops,
    /// The deployment becomes `FAILED` and the service goes back.
    RollsBack {
        /// To this revision …
        to: String,
        /// … of this deployment.
        deployment: String,
    },
}

/// What has to be done about a rollout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Due {
    /// Nothing.
    Nothing,
    /// It is over and can be forgotten.
    Forget,
    /// The service has to be taken back.
    TakeBack {
        /// To this revision …
        to: String,
        /// … of this deployment.
        deployment: String,
    },
}

impl Rollout {
    /// Elapsed time as part of the whole.
    fn part(&self, now: i64) -> f64 {
        let elapsed = std::time::Duration::from_millis(u64::try_from(now - self.started).unwrap_or(0)).as_secs_f64();
        if self.seconds > 0.0 { elapsed / self.seconds } else { f64::INFINITY }
    }

    /// Whether the replaced tasks still run, although the new ones do.
    fn drains(&self, now: i64) -> bool {
        let elapsed = std::time::Duration::from_millis(u64::try_from(now - self.started).unwrap_or(0)).as_secs_f64();
        self.fate == Fate::Completes && elapsed < self.seconds + self.drain
    }

    /// Whether a failure can still be ordered.
    pub(super) fn can_fail(&self, now: i64) -> bool {
        self.fate == Fate::Completes && self.part(now) < 1.0 && self.reason.is_none()
    }

    /// Orders the failure.
    pub(super) fn fail(&mut self) {
        self.fate = Fate::Fails;
    }

    /// What is due. A failed deployment stays listed for a while after the service was taken back.
    pub(super) fn due(&self, now: i64) -> Due {
        let part = self.part(now);
        let lingers = self.before.iter().any(is_failed) && part < 2.0 && self.seconds > 0.0;
        match (&self.fate, &self.breaker) {
            _ if part < 1.0 || self.drains(now) => Due::Nothing,
            (Fate::Completes | Fate::Scales(_), _) if lingers => Due::Nothing,
            (Fate::Completes | Fate::Scales(_), _) => Due::Forget,
            (Fate::Fails, Breaker::RollsBack { to, deployment }) => {
                Due::TakeBack { to: to.clone(), deployment: deployment.clone() }
            }
            (Fate::Fails, Breaker::Off | Breaker::Stops) => Due::Nothing,
        }
    }

    /// Shows the service as AWS would at this moment. It is the emulator's view before.
    pub(super) fn show(&self, service: &mut Value, now: i64) {
        let part = self.part(now);
        let desired = service["desiredCount"].as_i64().unwrap_or(0);
        // The last of the old ones runs until the end, and through the drain that was ordered.
        let stopped =
            |running: i64| if self.drain > 0.0 { 0 } else { share(running, (part - LAST_TASK) / (1.0 - LAST_TASK)) };
        let drains = self.drains(now);
        let Some(primary) = find_primary(service, &self.deployment) else { return };
        if let Fate::Scales(from) = self.fate {
            let running = from + share(desired - from, part);
            set_counts(primary, desired, running, (desired - running).max(0));
            sum_up(service);
            return;
        }
        let fails = self.fate == Fate::Fails;
        let running = if fails { 0 } else { share(desired, (part - FIRST_TASK) / (LAST_TASK - FIRST_TASK)) };
        let is_over = part >= 1.0;
        let gave_up = fails && is_over && self.breaker != Breaker::Off;
        let pending = if part < 0.1 || gave_up { 0 } else { desired - running };
        set_counts(primary, desired, running, pending);
        let id = &self.deployment;
        let (state, reason) = match (gave_up, fails || !is_over) {
            (true, _) => ("FAILED", TASKS_FAILED.to_owned()),
            (false, true) => {
                ("IN_PROGRESS", self.reason.clone().unwrap_or_else(|| format!("ECS deployment {id} in progress.")))
            }
            (false, false) => ("COMPLETED", format!("ECS deployment {id} completed.")),
        };
        primary["rolloutState"] = state.into();
        primary["rolloutStateReason"] = reason.into();
        primary["failedTasks"] = if fails { share_of_threshold(desired, part).into() } else { 0.into() };
        let mut shown = vec![primary.clone()];
        for before in &self.before {
            let mut before = before.clone();
            let was = before["runningCount"].as_i64().unwrap_or(0);
            match (is_failed(&before), fails) {
                (true, _) | (false, true) => {}
                // What has no task any more is no longer listed.
                (false, false) if is_over && !drains => continue,
                (false, false) => before["runningCount"] = (was - stopped(was)).into(),
            }
            shown.push(before);
        }
        service["deployments"] = Value::Array(shown);
        if gave_up {
            add_event(service, id);
        }
        sum_up(service);
    }
}

/// The deployments of a service as they go on beside a new one.
pub(super) fn replaced(service: &Value) -> Vec<Value> {
    let deployments = service["deployments"].as_array().into_iter().flatten();
    deployments
        .filter(|deployment| !is_failed(deployment))
        .map(|deployment| {
            let mut deployment = deployment.clone();
            deployment["status"] = "ACTIVE".into();
            deployment["pendingCount"] = 0.into();
            deployment
        })
        .collect()
}

/// What the breaker of a service does when the deployment that follows the shown ones fails.
pub(super) fn breaker_of(service: &Value, before: &[Value]) -> Breaker {
    let breaker = &service["deploymentConfiguration"]["deploymentCircuitBreaker"];
    let completed = before.iter().find(|deployment| deployment["rolloutState"] == "COMPLETED");
    match (breaker["enable"] == true, breaker["rollback"] == true, completed) {
        (false, _, _) => Breaker::Off,
        (true, true, Some(completed)) => Breaker::RollsBack {
            to: completed["taskDefinition"].as_str().unwrap_or_default().to_owned(),
            deployment: completed["id"].as_str().unwrap_or_default().to_owned(),
        },
        (true, _, _) => Breaker::Stops,
    }
}

/// The failed deployment as it stays listed after the service was taken back.
pub(super) fn as_failed(deployment: &Value) -> Value {
    let mut failed = deployment.clone();
    failed["status"] = "ACTIVE".into();
    failed["rolloutState"] = "FAILED".into();
    failed["rolloutStateReason"] = TASKS_FAILED.into();
    set_counts(&mut failed, 0, 0, 0);
    failed
}

fn is_failed(deployment: &Value) -> bool {
    deployment["rolloutState"] == "FAILED"
}

fn find_primary<'a>(service: &'a mut Value, id: &str) -> Option<&'a mut Value> {
    service["deployments"].as_array_mut()?.iter_mut().find(|deployment| deployment["id"] == id)
}

fn set_counts(deployment: &mut Value, desired: i64, running: i64, pending: i64) {
    deployment["desiredCount"] = desired.into();
    deployment["runningCount"] = running.into();
    deployment["pendingCount"] = pending.into();
}

fn sum_up(service: &mut Value) {
    for field in ["runningCount", "pendingCount"] {
        let all = service["deployments"].as_array().into_iter().flatten();
        let sum: i64 = all.filter_map(|deployment| deployment[field].as_i64()).sum();
        service[field] = sum.into();
    }
}

fn add_event(service: &mut Value, deployment: &str) {
    let name = service["serviceName"].as_str().unwrap_or_default();
    let message = format!("(service {name}) (deployment {deployment}) deployment failed: tasks failed to start.");
    let event = json!({ "id": format!("failed-{deployment}"), "message": message,
                        "createdAt": service["deployments"][0]["updatedAt"] });
    match service["events"].as_array_mut() {
        Some(events) => events.insert(0, event),
        None => service["events"] = json!([event]),
    }
}

/// The whole part of a share of a number; shares below 0 and above 1 are cut.
#[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, reason = "numbers of tasks are small")]
fn share(number: i64, part: f64) -> i64 {
    (number as f64 * part.clamp(0.0, 1.0)) as i64
}

/// How many tasks have failed: the breaker gives up at half of the wanted ones, at least 3 and at most 200.
fn share_of_threshold(desired: i64, part: f64) -> i64 {
    let threshold = ((desired + 1) / 2).clamp(3, 200);
    share(threshold * 4, part / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn deployment(id: &str, revision: &str, state: &str, running: i64) -> Value {
        json!({ "id": id, "status": "PRIMARY", "taskDefinition": revision, "desiredCount": 4, "runningCount": running,
                "pendingCount": 0, "rolloutState": state })
    }

    fn service() -> Value {
        json!({ "serviceName": "web", "desiredCount": 4, "runningCount": 4,
                "deployments": [deployment("new", "web:2", "COMPLETED", 4)] })
    }

    fn rollout(fate: Fate, breaker: Breaker) -> Rollout {
        let before = replaced(&json!({ "deployments": [deployment("old", "web:1", "COMPLETED", 4)] }));
        Rollout {
            service: "web".to_owned(),
            deployment: "new".to_owned(),
            started: 0,
            seconds: 10.0,
            drain: 0.0,
            fate,
            breaker,
            before,
            reason: None,
        }
    }

    fn shown(rollout: &Rollout, milliseconds: i64) -> Value {
        let mut service = service();
        rollout.show(&mut service, milliseconds);
        service
    }

    #[test]
    fn climbs_and_completes() {
        let rollout = rollout(Fate::Completes, Breaker::Off);
        let line = |milliseconds| {
            let service = shown(&rollout, milliseconds);
            let each = |field: &str| -> Vec<Value> {
                service["deployments"].as_array().unwrap().iter().map(|deployment| deployment[field].clone()).collect()
            };
            json!([
                each("rolloutState"),
                each("status"),
                each("runningCount"),
                service["runningCount"],
                service["pendingCount"]
            ])
        };
        let both = json!(["PRIMARY", "ACTIVE"]);
        let states = json!(["IN_PROGRESS", "COMPLETED"]);
        assert_eq!(line(0), json!([states, both, [0, 4], 4, 0]));
        assert_eq!(line(5_000), json!([states, both, [2, 4], 6, 2]));
        assert_eq!(line(9_000), json!([states, both, [4, 3], 7, 0]));
        assert_eq!(line(10_000), json!([["COMPLETED"], ["PRIMARY"], [4], 4, 0]));
        assert_eq!((rollout.due(9_999), rollout.due(10_000)), (Due::Nothing, Due::Forget));
    }

    #[test]
    fn replaced_tasks_drain_as_long_as_that_is_ordered() {
        let rollout = Rollout { drain: 5.0, ..rollout(Fate::Completes, Breaker::Off) };
        let counts = |milliseconds| {
            let service = shown(&rollout, milliseconds);
            let all = service["deployments"].as_array().unwrap();
            all.iter().map(|one| (one["rolloutState"].clone(), one["runningCount"].clone())).collect::<Vec<_>>()
        };
        let one = |state: &str, running: i64| (json!(state), json!(running));
        assert_eq!(counts(9_900), [one("IN_PROGRESS", 4), one("COMPLETED", 4)]);
        assert_eq!(counts(14_999), [one("COMPLETED", 4), one("COMPLETED", 4)]);
        assert_eq!(counts(15_000), [one("COMPLETED", 4)]);
        assert_eq!((rollout.due(14_999), rollout.due(15_000)), (Due::Nothing, Due::Forget));
        let fails = Rollout { fate: Fate::Fails, breaker: Breaker::Stops, ..rollout };
        assert!(!fails.drains(10_000), "what failed replaced nothing");
    }

    #[test]
    fn without_a_breaker_it_fails_for_ever() {
        let rollout = rollout(Fate::Fails, Breaker::Off);
        let service = shown(&rollout, 100_000);
        assert_eq!(service["deployments"][0]["rolloutState"], "IN_PROGRESS");
        assert_eq!(service["runningCount"], 4, "the old tasks go on");
        assert_eq!(rollout.due(100_000), Due::Nothing);
    }

    #[test]
    fn a_breaker_stops_or_takes_back() {
        let stops = rollout(Fate::Fails, Breaker::Stops);
        assert_eq!(shown(&stops, 5_000)["deployments"][0]["rolloutState"], "IN_PROGRESS");
        let failed = shown(&stops, 10_000);
        assert_eq!(failed["deployments"][0]["rolloutState"], "FAILED");
        assert_eq!(failed["deployments"][0]["rolloutStateReason"], TASKS_FAILED);
        assert_eq!(failed["deployments"][1]["runningCount"], 4);
        assert!(failed["events"][0]["message"].as_str().unwrap().contains("deployment failed"));
        let configured =
            json!({ "deploymentConfiguration": { "deploymentCircuitBreaker": { "enable": true, "rollback": true } } });
        let breaker = breaker_of(&configured, &stops.before);
        let back = Due::TakeBack { to: "web:1".to_owned(), deployment: "old".to_owned() };
        assert_eq!(rollout(Fate::Fails, breaker).due(10_000), back);
        assert_eq!(breaker_of(&configured, &[]), Breaker::Stops, "nothing to go back to");
    }

    #[test]
    fn a_failed_deployment_lingers_beside_the_one_that_took_it_back() {
        let mut back = rollout(Fate::Completes, Breaker::Off);
        back.before = vec![as_failed(&deployment("broken", "web:3", "IN_PROGRESS", 0))];
        let service = shown(&back, 15_000);
        assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
        assert_eq!(service["deployments"][1]["rolloutState"], "FAILED");
        assert_eq!((back.due(15_000), back.due(20_000)), (Due::Nothing, Due::Forget));
    }

    #[test]
    fn scaling_is_no_rollout() {
        let scales = rollout(Fate::Scales(0), Breaker::Off);
        let service = shown(&scales, 5_000);
        assert_eq!(service["deployments"][0]["rolloutState"], "COMPLETED");
        assert_eq!((&service["runningCount"], &service["pendingCount"]), (&json!(2), &json!(2)));
    }
}
