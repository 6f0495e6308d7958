//! The relay plays rollouts: phases, failures, the circuit breaker, draining.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::stack::{Stack, shared, unique};

fn network() -> Value {
    json!({ "awsvpcConfiguration": { "subnets": ["subnet-1"] } })
}

/// Registers a revision and gives its ARN.
pub(super) fn register(stack: &Stack, family: &str, image: &str) -> String {
    let (status, answer) = stack.call(
        "ecs",
        "RegisterTaskDefinition",
        &json!({
            "family": family, "requiresCompatibilities": ["FARGATE"], "networkMode": "awsvpc",
            "cpu": "256", "memory": "512", "containerDefinitions": [{ "name": "web", "image": image }],
        }),
    );
    assert_eq!(status, 200, "{answer}");
    answer["taskDefinition"]["taskDefinitionArn"].as_str().unwrap().to_owned()
}

/// Makes a cluster and a service of one name, of two tasks.
pub(super) fn make_service(stack: &Stack, name: &str, image: &str, more: &Value) -> Value {
    let revision = register(stack, name, image);
    assert_eq!(stack.call("ecs", "CreateCluster", &json!({ "clusterName": name })).0, 200);
    let mut body = json!({ "cluster": name, "serviceName": name, "taskDefinition": revision, "desiredCount": 2,
                           "launchType": "FARGATE", "networkConfiguration": network() });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let (status, answer) = stack.call("ecs", "CreateService", &body);
    assert_eq!(status, 200, "{answer}");
    answer["service"].clone()
}

pub(super) fn look(stack: &Stack, name: &str) -> Value {
    let (status, answer) = stack.call("ecs", "DescribeServices", &json!({ "cluster": name, "services": [name] }));
    assert_eq!(status, 200, "{answer}");
    answer["services"][0].clone()
}

fn primary(service: &Value) -> &Value {
    let deployments = service["deployments"].as_array().unwrap();
    deployments.iter().find(|deployment| deployment["status"] == "PRIMARY").unwrap()
}

fn state(service: &Value) -> &str {
    primary(service)["rolloutState"].as_str().unwrap()
}

/// Every view on the way to one that is as wanted.
pub(super) fn watch(stack: &Stack, name: &str, wanted: impl Fn(&Value) -> bool) -> Vec<Value> {
    let start = Instant::now();
    let mut seen = Vec::new();
    loop {
        let service = look(stack, name);
        seen.push(service.clone());
        if wanted(&service) {
            return seen;
        }
        assert!(start.elapsed() < Duration::from_secs(180), "not within 3 min: {service}");
        std::thread::sleep(Duration::from_millis(40));
    }
}

fn update(stack: &Stack, name: &str, change: &Value) -> Value {
    let mut body = json!({ "cluster": name, "service": name });
    body.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    let (status, answer) = stack.call("ecs", "UpdateService", &body);
    assert_eq!(status, 200, "{answer}");
    answer["service"].clone()
}

fn breaker(rollback: bool) -> Value {
    let breaker = json!({ "enable": true, "rollback": rollback });
    json!({ "deploymentConfiguration": { "deploymentCircuitBreaker": breaker } })
}

/// How often a rollout is looked at before its phases count as never shown: on a machine that stands still for as long
/// as a phase takes, nobody can see it.
const LOOKS: usize = 8;

#[test]
fn a_rollout_goes_through_its_phases() {
    let stack = shared();
    let is_whole = |seen: &[Value]| {
        let running: Vec<i64> = seen.iter().map(|service| service["runningCount"].as_i64().unwrap()).collect();
        assert!(running.is_sorted() && running.last() == Some(&2), "it climbs: {running:?}");
        let full = seen.iter().any(|service| service["runningCount"] == 2 && state(service) == "IN_PROGRESS");
        running.contains(&1) && seen.iter().any(|service| service["pendingCount"] != 0) && full
    };
    let name = (0..LOOKS).map(|_| unique("phases")).find(|name| {
        let made = make_service(stack, name, "web:1", &json!({}));
        assert_eq!((state(&made), &made["runningCount"]), ("IN_PROGRESS", &json!(0)));
        is_whole(&watch(stack, name, |service| state(service) == "COMPLETED"))
    });
    let name = &name.expect("one after the other starts, and all of them run before the rollout is over");

    let second = register(stack, name, "web:2");
    let updated = update(stack, name, &json!({ "taskDefinition": second }));
    assert_eq!(updated["deployments"].as_array().unwrap().len(), 2);
    assert_eq!((state(&updated), primary(&updated)["taskDefinition"].as_str()), ("IN_PROGRESS", Some(&*second)));
    assert_eq!((&updated["runningCount"], &updated["deployments"][1]["status"]), (&json!(2), &json!("ACTIVE")));
    let done = watch(stack, name, |service| state(service) == "COMPLETED").pop().unwrap();
    assert_eq!(done["deployments"].as_array().unwrap().len(), 1);

    let unchanged = update(stack, name, &json!({ "networkConfiguration": network() }));
    assert_eq!(state(&unchanged), "COMPLETED", "what is the same starts nothing");
    let other = json!({ "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-2"] } } });
    assert_eq!(state(&update(stack, name, &other)), "IN_PROGRESS", "another network is another deployment");
    watch(stack, name, |service| state(service) == "COMPLETED");
    let scaled = update(stack, name, &json!({ "desiredCount": 4, "propagateTags": "SERVICE" }));
    assert_eq!((state(&scaled), &scaled["runningCount"]), ("COMPLETED", &json!(2)));
    let scaled = watch(stack, name, |service| service["runningCount"] == 4).pop().unwrap();
    assert_eq!(scaled["propagateTags"], "SERVICE", "what the emulator drops is kept");
}

#[test]
fn the_breaker_takes_a_broken_revision_back() {
    let stack = shared();
    let is_told = (0..LOOKS).any(|_| {
        let name = &unique("breaker");
        make_service(stack, name, "web:1", &breaker(true));
        let good = watch(stack, name, |service| state(service) == "COMPLETED").pop().unwrap();
        let broken = register(stack, name, "web:broken-1");
        update(stack, name, &json!({ "taskDefinition": broken }));
        let seen = watch(stack, name, |service| {
            state(service) == "COMPLETED" && service["deployments"].as_array().unwrap().len() == 1
        });
        assert!(seen.iter().all(|service| service["runningCount"].as_i64().unwrap() >= 2), "old tasks go on");
        assert_eq!(seen.last().unwrap()["taskDefinition"], good["taskDefinition"]);
        assert_ne!(primary(seen.last().unwrap())["id"], primary(&good)["id"]);
        let failed = seen.iter().find_map(|service| {
            let deployments = service["deployments"].as_array().unwrap();
            deployments.iter().find(|deployment| deployment["rolloutState"] == "FAILED").cloned()
        });
        if let Some(failed) = &failed {
            assert_eq!(failed["taskDefinition"].as_str(), Some(&*broken));
            assert_eq!(failed["rolloutStateReason"], "ECS deployment circuit breaker: tasks failed to start.");
        }
        let says_why = |service: &Value| {
            primary(service)["rolloutStateReason"].as_str().unwrap().contains("rolling back to deploymentId")
        };
        let counted = seen.iter().any(|service| primary(service)["failedTasks"].as_i64() > Some(0));
        counted && failed.is_some() && seen.iter().any(says_why)
    });
    assert!(is_told, "failed tasks are counted, the failed deployment is listed for a while, the way back says why");
}

#[test]
fn without_rollback_it_stays_failed_and_without_a_breaker_it_goes_on_trying() {
    let stack = shared();
    let name = &unique("stops");
    make_service(stack, name, "web:1", &breaker(false));
    watch(stack, name, |service| state(service) == "COMPLETED");
    stack.order(&json!({ "fail": name }));
    let second = register(stack, name, "web:2");
    update(stack, name, &json!({ "taskDefinition": second }));
    let failed = watch(stack, name, |service| state(service) == "FAILED").pop().unwrap();
    assert_eq!(failed["taskDefinition"].as_str(), Some(&*second));
    assert_eq!(failed["deployments"][1]["runningCount"], 2, "{failed}");
    let third = register(stack, name, "web:3");
    update(stack, name, &json!({ "taskDefinition": third }));
    watch(stack, name, |service| state(service) == "COMPLETED");

    let name = &unique("tries");
    make_service(stack, name, "web:broken", &json!({}));
    std::thread::sleep(Duration::from_millis(1500));
    let tries = look(stack, name);
    assert_eq!((state(&tries), &tries["runningCount"]), ("IN_PROGRESS", &json!(0)));
    assert!(primary(&tries)["failedTasks"].as_i64() > Some(2), "{tries}");
}

#[test]
fn a_rollout_under_way_can_be_made_to_fail() {
    let stack = shared();
    let name = &unique("ordered");
    make_service(stack, name, "web:1", &breaker(true));
    stack.order(&json!({ "fail": name }));
    watch(stack, name, |service| state(service) == "FAILED");
    assert_eq!(stack.raw("PUT", "/_switchback/rollout", &[], "{\"seconds\": -1}").0, 404);
    let wrong = "{\"drain\": {\"service\": \"web\", \"seconds\": -1}}";
    assert_eq!(stack.raw("PUT", "/_switchback/rollout", &[], wrong).0, 404);
}

#[test]
fn a_deleted_service_drains() {
    let stack = shared();
    let name = &unique("drains");
    make_service(stack, name, "web:1", &json!({}));
    watch(stack, name, |service| state(service) == "COMPLETED");
    let delete =
        |force: bool| stack.call("ecs", "DeleteService", &json!({ "cluster": name, "service": name, "force": force }));
    let (status, refused) = delete(false);
    assert_eq!((status, refused["__type"].as_str()), (400, Some("InvalidParameterException")), "{refused}");
    let (status, answer) = delete(true);
    assert_eq!((status, &answer["service"]["status"]), (200, &json!("DRAINING")));
    let (_, busy) = stack.call("ecs", "DeleteCluster", &json!({ "cluster": name }));
    assert_eq!(busy["__type"], "ClusterContainsServicesException");
    watch(stack, name, |service| service["status"] == "INACTIVE");
    assert_eq!(delete(true).1["__type"], "ServiceNotFoundException");
    assert_eq!(stack.call("ecs", "DeleteCluster", &json!({ "cluster": name })).0, 200);
    let (_, clusters) = stack.call("ecs", "DescribeClusters", &json!({ "clusters": [name, "never-was"] }));
    assert_eq!(clusters["clusters"][0]["status"], "INACTIVE", "{clusters}");
    assert_eq!(clusters["failures"].as_array().unwrap().len(), 1);
    assert_eq!(stack.call("ecs", "CreateCluster", &json!({ "clusterName": name })).0, 200);
    let (_, clusters) = stack.call("ecs", "DescribeClusters", &json!({ "clusters": [name] }));
    assert_eq!(clusters["clusters"][0]["status"], "ACTIVE");
}

#[test]
fn a_task_starts_runs_and_ends() {
    let stack = shared();
    let name = &unique("task");
    assert_eq!(stack.call("ecs", "CreateCluster", &json!({ "clusterName": name })).0, 200);
    for (image, code) in [("job:1", "EssentialContainerExited"), ("job:broken", "TaskFailedToStart")] {
        let revision = register(stack, name, image);
        let run = json!({ "cluster": name, "taskDefinition": revision, "launchType": "FARGATE",
                          "networkConfiguration": network() });
        let (status, answer) = stack.call("ecs", "RunTask", &run);
        assert_eq!((status, &answer["tasks"][0]["lastStatus"]), (200, &json!("PROVISIONING")), "{answer}");
        let arn = &answer["tasks"][0]["taskArn"];
        let (_, busy) = stack.call("ecs", "DeleteCluster", &json!({ "cluster": name }));
        assert_eq!(busy["__type"], "ClusterContainsTasksException");
        let task =
            || stack.call("ecs", "DescribeTasks", &json!({ "cluster": name, "tasks": [arn] })).1["tasks"][0].clone();
        super::wait_until("the task ends", || task()["lastStatus"] == "STOPPED");
        assert_eq!(task()["stopCode"], code);
        let (_, listed) = stack.call("ecs", "ListTasks", &json!({ "cluster": name }));
        assert_eq!(listed["taskArns"], json!([]));
    }
    assert_eq!(stack.call("ecs", "DeleteCluster", &json!({ "cluster": name })).0, 200);
}

#[test]
fn nobody_gets_a_glimpse_of_instant_success() {
    let stack = shared();
    let name = &unique("glimpse");
    make_service(stack, name, "web:1", &json!({}));
    let revisions: Vec<String> = (2..8).map(|number| register(stack, name, &format!("web:{number}"))).collect();
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let first_seen = std::thread::scope(|scope| {
        let watchers: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let mut seen = std::collections::BTreeMap::new();
                    while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                        let service = look(stack, name);
                        let revision = service["taskDefinition"].as_str().unwrap().to_owned();
                        seen.entry(revision).or_insert_with(|| state(&service).to_owned());
                    }
                    seen
                })
            })
            .collect();
        for revision in &revisions {
            update(stack, name, &json!({ "taskDefinition": revision }));
            std::thread::sleep(Duration::from_millis(100));
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        watchers.into_iter().flat_map(|watcher| watcher.join().unwrap()).collect::<Vec<_>>()
    });
    let instant: Vec<_> = first_seen.iter().filter(|(_, state)| state != "IN_PROGRESS").collect();
    assert!(first_seen.len() > revisions.len() && instant.is_empty(), "{instant:?} of {}", first_seen.len());
}
