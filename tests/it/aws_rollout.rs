//! Rollouts that no emulator plays: slow ones, failed ones, and those that the circuit breaker takes back.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value as Json, json};
use switchback::value::{Object, Value};
use switchback::world::{ErrorClass, Settlement, Trace};

use crate::aws_endpoint::{Bench, Call, Endpoint, Reply, block, create, desired, update};

const KIND: &str = "aws_ecs_service";

fn wanted(revision: u32, limit: &str) -> Object {
    desired(
        KIND,
        &[
            ("name", "web".into()),
            ("cluster", "shop".into()),
            ("task_definition", format!("web:{revision}").into()),
            ("desired_count", 2_i64.into()),
            ("timeouts", block(&[("create", limit.into()), ("update", limit.into()), ("delete", limit.into())])),
        ],
    )
}

/// As it is recorded.
fn recorded(revision: u32) -> Object {
    let mut object = wanted(revision, "10s");
    object.insert("arn".to_owned(), "arn:aws:ecs:r:1:service/shop/web".into());
    object
}

/// Seconds since 1970, as ECS gives times.
fn now() -> f64 {
    #[expect(clippy::disallowed_methods, reason = "the endpoint plays a service, which has a clock")]
    let now = jiff::Timestamp::now();
    now.as_duration().as_secs_f64()
}

fn deployment(id: &str, status: &str, state: &str, revision: u32) -> Json {
    json!({"id": id, "status": status, "rolloutState": state, "createdAt": now() - 10.0, "desiredCount": 2,
        "runningCount": 1, "pendingCount": 1, "failedTasks": 3, "rolloutStateReason": format!("reason of {id}"),
        "taskDefinition": format!("arn:aws:ecs:r:1:task-definition/web:{revision}")})
}

/// A service with all its tasks running, whatever its deployments say.
fn service(revision: u32, deployments: &[Json]) -> Json {
    json!({"serviceArn": "arn:aws:ecs:r:1:service/shop/web", "serviceName": "web", "status": "ACTIVE",
        "clusterArn": "arn:aws:ecs:r:1:cluster/shop", "desiredCount": 2, "runningCount": 2, "pendingCount": 0,
        "taskDefinition": format!("arn:aws:ecs:r:1:task-definition/web:{revision}"),
        "schedulingStrategy": "REPLICA", "enableExecuteCommand": false, "enableECSManagedTags": false,
        "deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 200},
        "deployments": deployments, "events": [
            {"id": "1", "createdAt": now(), "message": "(service web) was unable to start tasks: exit code 1"}]})
}

/// An endpoint whose service is, look by look, in the next of these states, and stays in the last. A creation finds
/// nothing at its first look, and leaves its tags on the service.
async fn played(answer: Json, looks: Vec<Json>) -> (Endpoint, Arc<AtomicUsize>) {
    let look = Arc::new(AtomicUsize::new(0));
    let (counter, tags) = (look.clone(), Mutex::new(Json::Null));
    let endpoint = Endpoint::start(move |call: &Call| match call.operation.as_str() {
        "CreateService" | "UpdateService" => {
            *tags.lock().expect("nothing panics here") = call.body["tags"].clone();
            Reply::Json(200, json!({"service": answer}))
        }
        "DescribeServices" => {
            let mut service = looks[counter.fetch_add(1, Ordering::SeqCst).min(looks.len() - 1)].clone();
            if service.is_null() {
                return Reply::Json(200, json!({"services": [], "failures": []}));
            }
            service["tags"] = tags.lock().expect("nothing panics here").clone();
            Reply::Json(200, json!({"services": [service], "failures": []}))
        }
        other => Reply::Json(400, json!({"__type": "UnexpectedCall", "message": other})),
    })
    .await;
    (endpoint, look)
}

fn slow() -> Json {
    service(2, &[deployment("new", "PRIMARY", "IN_PROGRESS", 2), deployment("old", "ACTIVE", "COMPLETED", 1)])
}

fn good() -> Json {
    service(2, &[deployment("new", "PRIMARY", "COMPLETED", 2)])
}

#[tokio::test]
async fn a_slow_rollout_is_waited_for_and_told_about() {
    let (endpoint, looks) = played(slow(), vec![slow(), slow(), slow(), good()]).await;
    let bench = Bench::at(&endpoint.url, &[]);
    let changed = bench.carry_out(&update(KIND, &recorded(1), &wanted(2, "10s"))).await.expect("it completes");
    assert_eq!(changed["task_definition"], "web:2".into());
    assert!(looks.load(Ordering::SeqCst) >= 4, "it looked until it was completed");
    assert_eq!(bench.lines(), ["rollout of web:2: 1 of 2 tasks running, 1 pending, 3 failed"], "each line once");
}

#[tokio::test]
async fn a_failed_rollout_is_a_failed_step_although_all_tasks_run() {
    let failed = service(2, &[deployment("new", "PRIMARY", "FAILED", 2)]);
    let (endpoint, _) = played(slow(), vec![slow(), failed]).await;
    let bench = Bench::at(&endpoint.url, &[]);
    let change = update(KIND, &recorded(1), &wanted(2, "10s"));
    let error = bench.carry_out(&change).await.expect_err("the rollout failed");
    assert_eq!((error.trace, error.error.class), (Trace::Unknown, ErrorClass::Refused), "the update happened");
    for part in ["rollout of web:2 failed", "reason of new", "exit code 1"] {
        assert!(error.error.cause.contains(part), "{error}");
    }
    let Settlement::Stands(there, why) = bench.settle(&change).await else { panic!("the service is as planned") };
    assert_eq!(there["task_definition"], "web:2".into());
    assert!(why.contains("reason of new"), "{why}");
}

#[tokio::test]
async fn what_the_breaker_took_back_is_failed_and_settles_as_not_done() {
    let back = service(1, &[deployment("back", "PRIMARY", "COMPLETED", 1), deployment("new", "ACTIVE", "FAILED", 2)]);
    let (endpoint, _) = played(slow(), vec![slow(), back]).await;
    let bench = Bench::at(&endpoint.url, &[]);
    let change = update(KIND, &recorded(1), &wanted(2, "10s"));
    let error = bench.carry_out(&change).await.expect_err("the breaker took it back");
    assert!(error.error.cause.contains("web:1 is rolled out instead"), "{error}");
    assert_eq!(error.trace, Trace::Unknown);
    assert_eq!(bench.settle(&change).await, Settlement::NotDone);
}

#[tokio::test]
async fn a_failed_first_rollout_leaves_a_service_that_stands() {
    let first = service(1, &[deployment("first", "PRIMARY", "IN_PROGRESS", 1)]);
    let failed = service(1, &[deployment("first", "PRIMARY", "FAILED", 1)]);
    let (endpoint, _) = played(first.clone(), vec![Json::Null, first, failed]).await;
    let bench = Bench::at(&endpoint.url, &[]);
    let creation = create(KIND, &wanted(1, "10s"));
    let error = bench.carry_out(&creation).await.expect_err("the rollout failed");
    assert_eq!(error.trace, Trace::Unknown);
    assert!(matches!(bench.settle(&creation).await, Settlement::Stands(there, _) if there["arn"].as_str().is_some()));
    assert_eq!(bench.settle(&create(KIND, &wanted(1, "10s"))).await, Settlement::NotDone, "it is another effect's");
}

#[tokio::test]
async fn a_rollout_that_does_not_end_in_time_says_what_was_seen() {
    let (endpoint, _) = played(slow(), vec![slow()]).await;
    let bench = Bench::at(&endpoint.url, &[]);
    let change = update(KIND, &recorded(1), &wanted(2, "1s"));
    let waited = tokio::time::timeout(std::time::Duration::from_secs(20), bench.carry_out(&change)).await;
    let error = waited.expect("every wait has an end").expect_err("it takes too long");
    for part in ["not done within 1 s", "1 of 2 tasks running", "exit code 1"] {
        assert!(error.error.cause.contains(part), "{error}");
    }
    assert_eq!(
        (error.trace, error.error.class),
        (Trace::Unknown, ErrorClass::Pending),
        "it is waited for, it has not failed"
    );
    assert!(matches!(bench.settle(&change).await, Settlement::GoesOn(_, why) if why.contains("not done within 1 s")));
}

#[tokio::test]
async fn settling_waits_for_a_rollout_that_goes_on() {
    let (endpoint, _) = played(slow(), vec![slow(), slow(), good()]).await;
    let bench = Bench::at(&endpoint.url, &[]);
    let change = update(KIND, &recorded(1), &wanted(2, "10s"));
    assert!(
        matches!(bench.settle(&change).await, Settlement::Done(there) if there["task_definition"] == "web:2".into())
    );
}

#[tokio::test]
async fn a_change_that_need_not_be_waited_for_is_not() {
    let (endpoint, looks) = played(slow(), vec![slow()]).await;
    let bench = Bench::at(&endpoint.url, &[]);
    let mut after = wanted(2, "10s");
    after.insert("wait_for_steady_state".to_owned(), false.into());
    bench.carry_out(&update(KIND, &recorded(1), &after)).await.expect("it is not waited for");
    assert_eq!(looks.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn only_what_differs_is_sent_and_what_is_taken_away_is_cleared() {
    let bodies = Arc::new(Mutex::new(Vec::new()));
    let seen = bodies.clone();
    let endpoint = Endpoint::start(move |call: &Call| {
        if call.operation == "UpdateService" {
            seen.lock().expect("nothing panics here").push(call.body.clone());
        }
        match call.operation.as_str() {
            "UpdateService" => Reply::Json(200, json!({"service": good()})),
            _ => Reply::Json(200, json!({"services": [good()], "failures": []})),
        }
    })
    .await;
    let bench = Bench::at(&endpoint.url, &[]);
    let mut before = recorded(2);
    before.insert("health_check_grace_period_seconds".to_owned(), 30_i64.into());
    before.insert(
        "load_balancer".to_owned(),
        block(&[("container_name", "web".into()), ("container_port", 80_i64.into()), ("elb_name", "lb".into())]),
    );
    let mut after = recorded(2);
    after.insert("deployment_maximum_percent".to_owned(), 150_i64.into());
    bench.carry_out(&update(KIND, &before, &after)).await.expect("it is changed");
    let mut same = after.clone();
    same.insert("wait_for_steady_state".to_owned(), Value::from(false));
    bench.carry_out(&update(KIND, &after, &same)).await.expect("nothing of it is ECS's");
    let expected = json!({"cluster": "shop", "service": "web", "healthCheckGracePeriodSeconds": 0, "loadBalancers": [],
        "deploymentConfiguration": {"minimumHealthyPercent": 100, "maximumPercent": 150,
            "deploymentCircuitBreaker": {"enable": false, "rollback": false},
            "alarms": {"alarmNames": [], "enable": false, "rollback": false}}});
    assert_eq!(*bodies.lock().expect("nothing panics here"), [expected]);
}
