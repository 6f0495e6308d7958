//! Tasks that are run by themselves (`RunTask`): they start, run and end, though no container does. An edge.
//!
//! Invariant: a task that has ended here has ended at the emulator too before anybody is told.

use http_body_util::Full;
use hyper::body::Bytes;
use hyper::{Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::Relay;
use super::call::Call;
use super::refusal::{Refusal, json_response};
use super::{clusters, task_definitions};
use crate::digest::Digest;

/// A task that was run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Task {
    /// Its cluster's ARN.
    cluster: String,
    /// When it was asked for, in milliseconds.
    started: i64,
    /// How long it takes.
    seconds: f64,
    /// Its image cannot be pulled.
    is_broken: bool,
    /// With what its containers end.
    #[serde(default)]
    exit_code: i64,
    /// The emulator knows that it ended.
    has_ended: bool,
}

impl Task {
    fn status(&self, now: i64) -> &'static str {
        let elapsed = std::time::Duration::from_millis(u64::try_from(now - self.started).unwrap_or(0)).as_secs_f64();
        let part = if self.seconds > 0.0 { elapsed / self.seconds } else { f64::INFINITY };
        match part {
            part if part < 0.2 => "PROVISIONING",
            part if part < 0.5 => "PENDING",
            _ if self.is_broken => "STOPPED",
            part if part < 1.0 => "RUNNING",
            _ => "STOPPED",
        }
    }

    fn reason(&self) -> (&'static str, &'static str) {
        match self.is_broken {
            true => ("TaskFailedToStart", "CannotPullContainerError: the image cannot be pulled"),
            false => ("EssentialContainerExited", "Essential container in task exited"),
        }
    }

    /// Shows a task as AWS would at this moment.
    fn show(&self, task: &mut Value, now: i64) {
        let status = self.status(now);
        if task["lastStatus"] == "STOPPED" && !self.has_ended {
            // Somebody stopped it.
            return;
        }
        task["lastStatus"] = status.into();
        for container in task["containers"].as_array_mut().into_iter().flatten() {
            container["lastStatus"] = if status == "PROVISIONING" { "PENDING" } else { status }.into();
            match (status, self.is_broken, container) {
                ("STOPPED", true, container) => container["reason"] = self.reason().1.into(),
                ("STOPPED", false, container) => container["exitCode"] = self.exit_code.into(),
                _ => {}
            }
        }
        if status == "STOPPED" {
            let (code, reason) = self.reason();
            task["stopCode"] = code.into();
            task["stoppedReason"] = reason.into();
            task["desiredStatus"] = "STOPPED".into();
        }
    }
}

/// RunTask and StartTask.
pub(super) async fn run(relay: &Relay, call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
    let _gate = relay.gate.lock().await;
    clusters::active(relay, call).await?;
    let reference = call.text("taskDefinition").unwrap_or_default();
    let definition = task_definitions::usable(relay, call, reference).await?;
    let mut body = call.body.clone();
    task_definitions::check_launch(&body, &definition, &Value::Null)?;
    body.insert("taskDefinition".to_owned(), definition["taskDefinitionArn"].clone());
    let token = body.remove("clientToken").and_then(|token| token.as_str().map(str::to_owned));
    let token = token.map(|token| format!("RunTask {} {token}", call.region));
    let parameters = Digest::of_json(&body);
    let known = token.as_ref().and_then(|token| relay.book.read(|pages| pages.known(token)));
    if let Some((known, arn)) = known {
        return run_before(relay, call, &arn, known == parameters).await;
    }
    let mut answer = relay.upstream.ask(call, &call.operation, body).await?;
    let now = relay.now();
    let is_broken = task_definitions::is_broken(&definition);
    let exit_code = task_definitions::exit_code(&definition);
    relay.book.change(|pages| {
        for task in answer["tasks"].as_array_mut().into_iter().flatten() {
            let text = |field: &str| task[field].as_str().unwrap_or_default().to_owned();
            let seconds = task_definitions::seconds(&definition).unwrap_or(pages.rollout_seconds);
            let (arn, cluster) = (text("taskArn"), text("clusterArn"));
            let played = Task { cluster, started: now, seconds, is_broken, exit_code, has_ended: false };
            played.show(task, now);
            if let Some(token) = &token {
                pages.remember(token, parameters, &arn);
            }
            pages.tasks.insert(arn, played);
        }
    });
    Ok(json_response(StatusCode::OK, &answer))
}

/// The same token again: the same task, and no other one.
async fn run_before(relay: &Relay, call: &Call, arn: &str, is_same: bool) -> Result<Response<Full<Bytes>>, Refusal> {
    if !is_same {
        return Err(Refusal::new(
            "ConflictException",
            "The RunTask request could not be processed due to conflicts: the clientToken was used with other parameters.",
        ));
    }
    let body = Map::from_iter([
        ("cluster".to_owned(), call.body.get("cluster").cloned().unwrap_or_else(|| json!("default"))),
        ("tasks".to_owned(), json!([arn])),
    ]);
    let mut answer = relay.upstream.ask(call, "DescribeTasks", body).await?;
    let now = relay.now();
    relay.book.read(|pages| {
        for task in answer["tasks"].as_array_mut().into_iter().flatten() {
            if let Some(played) = task["taskArn"].as_str().and_then(|arn| pages.tasks.get(arn)) {
                played.show(task, now);
            }
        }
    });
    Ok(json_response(StatusCode::OK, &answer))
}

/// DescribeTasks, each as AWS would show it now; ListTasks, without those that have ended.
pub(super) async fn look(relay: &Relay, call: &Call) -> Result<Response<Full<Bytes>>, Refusal> {
    let _gate = relay.gate.lock().await;
    end_those_due(relay, call).await?;
    let mut answer = relay.upstream.ask(call, &call.operation, call.body.clone()).await?;
    let now = relay.now();
    relay.book.read(|pages| {
        for task in answer["tasks"].as_array_mut().into_iter().flatten() {
            let played = task["taskArn"].as_str().and_then(|arn| pages.tasks.get(arn));
            if let Some(played) = played {
                played.show(task, now);
            }
        }
    });
    Ok(json_response(StatusCode::OK, &answer))
}

/// Lets the emulator stop those tasks of the caller's region that have ended. The caller holds the gate.
pub(super) async fn end_those_due(relay: &Relay, call: &Call) -> Result<(), Refusal> {
    let now = relay.now();
    let region = format!(":ecs:{}:", call.region);
    let due: Vec<(String, Task)> = relay.book.read(|pages| {
        let is_due = |arn: &str, task: &Task| !task.has_ended && arn.contains(&region) && task.status(now) == "STOPPED";
        pages
            .tasks
            .iter()
            .filter(|(arn, task)| is_due(arn, task))
            .map(|(arn, task)| (arn.clone(), task.clone()))
            .collect()
    });
    for (arn, task) in due {
        let body = Map::from_iter([
            ("cluster".to_owned(), json!(task.cluster)),
            ("task".to_owned(), json!(arn)),
            ("reason".to_owned(), json!(task.reason().1)),
        ]);
        match relay.upstream.ask(call, "StopTask", body).await {
            Ok(_) => relay.book.change(|pages| pages.tasks.get_mut(&arn).map(|task| task.has_ended = true)),
            // Its cluster may be gone, and it with it.
            Err(refusal) if refusal.status == StatusCode::BAD_REQUEST => {
                relay.book.change(|pages| pages.tasks.remove(&arn).map(drop))
            }
            Err(refusal) => return Err(refusal),
        };
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_runs_and_ends() {
        let task = Task {
            cluster: String::new(),
            started: 0,
            seconds: 10.0,
            is_broken: false,
            exit_code: 3,
            has_ended: false,
        };
        let at = |task: &Task| [0, 3_000, 6_000, 10_000].map(|now| task.status(now));
        assert_eq!(at(&task), ["PROVISIONING", "PENDING", "RUNNING", "STOPPED"]);
        let mut ended = json!({ "lastStatus": "RUNNING", "containers": [{ "name": "web" }] });
        task.show(&mut ended, 10_000);
        assert_eq!(ended["containers"][0]["exitCode"], 3);
        let broken = Task { is_broken: true, ..task };
        assert_eq!(at(&broken), ["PROVISIONING", "PENDING", "STOPPED", "STOPPED"]);
        let mut shown = json!({ "lastStatus": "RUNNING", "containers": [{ "name": "web" }] });
        broken.show(&mut shown, 6_000);
        assert_eq!(
            (&shown["stopCode"], &shown["containers"][0]["exitCode"]),
            (&json!("TaskFailedToStart"), &Value::Null)
        );
    }
}
