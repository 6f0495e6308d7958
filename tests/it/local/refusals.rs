//! The relay refuses what AWS refuses, stands nonsense, and keeps names only.

use serde_json::{Value, json};

use super::rollouts::{make_service, register};
use crate::stack::{Stack, read, shared, unique};

/// The error's name; the call must be refused with a status of 400.
fn refused(stack: &Stack, service: &str, operation: &str, body: &Value) -> String {
    let (status, answer) = stack.call(service, operation, body);
    assert_eq!(status, 400, "{operation} {body}: {answer}");
    assert!(answer["message"].as_str().is_some_and(|message| !message.is_empty()), "{answer}");
    answer["__type"].as_str().unwrap().to_owned()
}

#[test]
fn an_inactive_revision_is_never_used_again() {
    let stack = shared();
    let name = &unique("inactive");
    make_service(stack, name, "web:1", &json!({}));
    let old = register(stack, name, "web:2");
    let (status, _) = stack.call("ecs", "DeregisterTaskDefinition", &json!({ "taskDefinition": old }));
    assert_eq!(status, 200);
    let using = json!({ "cluster": name, "service": name, "taskDefinition": old });
    assert_eq!(refused(stack, "ecs", "UpdateService", &using), "ClientException");
    let running = json!({ "cluster": name, "taskDefinition": old, "launchType": "FARGATE" });
    assert_eq!(refused(stack, "ecs", "RunTask", &running), "ClientException");
    let creating = json!({ "cluster": name, "serviceName": "other", "taskDefinition": format!("{name}:2") });
    assert_eq!(refused(stack, "ecs", "CreateService", &creating), "ClientException");
    let missing = json!({ "cluster": name, "service": name, "taskDefinition": "never-was:1" });
    assert_eq!(refused(stack, "ecs", "UpdateService", &missing), "ClientException");
    let (_, seen) = stack.call("ecs", "DescribeTaskDefinition", &json!({ "taskDefinition": old }));
    assert_eq!(seen["taskDefinition"]["status"], "INACTIVE", "but it can be looked at");
    let (_, newest) = stack.call("ecs", "DescribeTaskDefinition", &json!({ "taskDefinition": name }));
    assert_eq!(newest["taskDefinition"]["revision"], 1, "a family stands for its newest ACTIVE revision");
    assert!(newest["taskDefinition"].get("executionRoleArn").is_none(), "what is empty is omitted");
}

#[test]
fn clusters_and_services_must_be_there() {
    let stack = shared();
    let name = &unique("there");
    let revision = register(stack, name, "web:1");
    let service = json!({ "cluster": name, "serviceName": name, "taskDefinition": revision });
    assert_eq!(refused(stack, "ecs", "CreateService", &service), "ClusterNotFoundException");
    assert_eq!(refused(stack, "ecs", "DeleteCluster", &json!({ "cluster": name })), "ClusterNotFoundException");
    let made = make_service(stack, name, "web:1", &json!({}));
    assert_eq!(made["status"], "ACTIVE");
    assert_eq!(refused(stack, "ecs", "DeleteCluster", &json!({ "cluster": name })), "ClusterContainsServicesException");
    let other = json!({ "cluster": name, "service": "other", "desiredCount": 1 });
    assert_eq!(refused(stack, "ecs", "UpdateService", &other), "ServiceNotFoundException");
    let gone = json!({ "cluster": name, "service": name, "force": true });
    assert_eq!(stack.call("ecs", "DeleteService", &gone).0, 200);
    let late = json!({ "cluster": name, "service": name, "desiredCount": 1 });
    assert_eq!(refused(stack, "ecs", "UpdateService", &late), "ServiceNotActiveException");
}

#[test]
fn a_token_gives_the_same_service_again() {
    let stack = shared();
    let name = &unique("token");
    let made = make_service(stack, name, "web:1", &json!({ "clientToken": name }));
    let mut body = json!({ "cluster": name, "serviceName": name, "taskDefinition": made["taskDefinition"],
                           "desiredCount": 2, "launchType": "FARGATE", "clientToken": name,
                           "networkConfiguration": { "awsvpcConfiguration": { "subnets": ["subnet-1"] } } });
    let (status, again) = stack.call("ecs", "CreateService", &body);
    assert_eq!((status, &again["service"]["serviceArn"]), (200, &made["serviceArn"]), "{again}");
    body["desiredCount"] = json!(3);
    assert_eq!(refused(stack, "ecs", "CreateService", &body), "InvalidParameterException");
    body["desiredCount"] = json!(2);
    body["clientToken"] = json!("another");
    assert_eq!(refused(stack, "ecs", "CreateService", &body), "InvalidParameterException");
}

#[test]
fn fargate_needs_a_size_a_network_and_a_compatible_revision() {
    let stack = shared();
    let name = &unique("fargate");
    let odd = json!({ "family": name, "requiresCompatibilities": ["FARGATE"], "cpu": "256", "memory": "8192",
                      "containerDefinitions": [{ "name": "web", "image": "web:1" }] });
    assert_eq!(refused(stack, "ecs", "RegisterTaskDefinition", &odd), "ClientException");
    let made = make_service(stack, name, "web:1", &json!({}));
    let bare = json!({ "cluster": name, "serviceName": "bare", "taskDefinition": made["taskDefinition"],
                       "launchType": "FARGATE" });
    assert_eq!(refused(stack, "ecs", "CreateService", &bare), "InvalidParameterException");
    let on_hosts = json!({ "family": format!("{name}-hosts"),
                           "containerDefinitions": [{ "name": "web", "image": "web:1", "memory": 128 }] });
    let (status, hosts) = stack.call("ecs", "RegisterTaskDefinition", &on_hosts);
    assert_eq!(status, 200, "{hosts}");
    let wrong = json!({ "cluster": name, "serviceName": "hosts", "launchType": "FARGATE",
                        "taskDefinition": hosts["taskDefinition"]["taskDefinitionArn"] });
    assert_eq!(refused(stack, "ecs", "CreateService", &wrong), "InvalidParameterException");
}

#[test]
fn parameters_and_log_groups() {
    let stack = shared();
    let name = &format!("/{}", unique("parameter"));
    let put = json!({ "Name": name, "Value": "v", "Type": "String" });
    assert_eq!(stack.call("ssm", "PutParameter", &put).0, 200);
    assert_eq!(refused(stack, "ssm", "PutParameter", &put), "ParameterAlreadyExists");
    let odd = json!({ "Name": format!("{name}/x"), "Value": "v", "Type": "Secret" });
    assert_eq!(refused(stack, "ssm", "PutParameter", &odd), "ValidationException");
    let many: Vec<String> = (0..11).map(|index| format!("{name}/{index}")).collect();
    assert_eq!(refused(stack, "ssm", "GetParameters", &json!({ "Names": many })), "ValidationException");
    assert_eq!(refused(stack, "ssm", "GetParameter", &json!({ "Name": "/never/was" })), "ParameterNotFound");
    let group = json!({ "logGroupName": name });
    assert_eq!(stack.call("logs", "CreateLogGroup", &group).0, 200);
    assert_eq!(refused(stack, "logs", "CreateLogGroup", &group), "ResourceAlreadyExistsException");
    assert_eq!(
        refused(stack, "logs", "CreateLogGroup", &json!({ "logGroupName": "a b" })),
        "InvalidParameterException"
    );
    let days = json!({ "logGroupName": name, "retentionInDays": 2 });
    assert_eq!(refused(stack, "logs", "PutRetentionPolicy", &days), "InvalidParameterException");
}

#[test]
fn calls_are_counted_and_logged_without_values() {
    let stack = shared();
    let name = &format!("/{}", unique("counted"));
    let value = "hunter2-is-no-password";
    for overwrite in [false, true] {
        let put = json!({ "Name": name, "Value": value, "Type": "SecureString", "Overwrite": overwrite });
        assert_eq!(stack.call("ssm", "PutParameter", &put).0, 200);
    }
    stack.call("ssm", "GetParameters", &json!({ "Names": [name], "WithDecryption": true }));
    stack.call("ssm", "PutParameter", &json!({ "Name": name, "Value": value, "Type": "String" }));
    let calls = stack.calls(name);
    assert_eq!(calls["operations"], json!({ "ssm.PutParameter": 3, "ssm.GetParameters": 1 }));
    assert_eq!((&calls["refused"], &calls["total"]), (&json!({ "ssm.PutParameter": 1 }), &json!(4)));
    let (_, log) = stack.raw("GET", &format!("/_switchback/log?containing={name}"), &[], "");
    let log: Value = serde_json::from_str(&log).unwrap();
    assert_eq!(
        (&log[0]["operation"], &log[0]["names"]["Name"], &log[0]["status"]),
        (&json!("PutParameter"), &json!(name), &json!(200))
    );
    let folder = stack.facts().data_folder.join("relay");
    for file in std::fs::read_dir(&folder).unwrap() {
        let text = read(&file.unwrap().path());
        assert!(!text.contains(value), "a value was kept");
    }
    assert!(read(&folder.join("calls.jsonl")).contains(name.as_str()), "but the name was");
}

#[test]
fn a_call_can_be_held_up_on_either_side() {
    let stack = shared();
    let name = &format!("/{}", unique("held"));
    for (side, is_made) in [("before", false), ("after", true)] {
        let name = &format!("{name}/{side}");
        stack.delay(&json!({ "operation": "ssm.PutParameter", "containing": name, side: 600 }));
        let body = json!({ "Name": name, "Value": "v", "Type": "String" }).to_string();
        let mut client = stack.send("POST", "/", &[("x-amz-target", "AmazonSSM.PutParameter")], &body);
        super::wait_until("it is held", || stack.delayed("ssm.PutParameter", name) == 1);
        client.set_read_timeout(Some(std::time::Duration::from_millis(50))).unwrap();
        assert!(std::io::Read::read(&mut client, &mut [0]).is_err(), "nothing is answered");
        drop(client);
        super::wait_until("it is noticed", || stack.delayed("ssm.PutParameter", name) == 0);
        let (status, answer) = stack.call("ssm", "GetParameter", &json!({ "Name": name }));
        assert_eq!(status == 200, is_made, "{side}: {answer}");
    }
    let (status, _) = stack.raw("PUT", "/_switchback/delays", &[], "{\"operation\": \"x\", \"until\": 5}");
    assert_eq!(status, 404);
}

#[test]
fn nonsense_is_answered_and_survived() {
    let stack = shared();
    let target = |operation: &'static str| [("x-amz-target", operation)];
    for body in ["", "{", "[]", "null", "\u{0}", "{\"cluster\":{}}", "{\"services\":[1]}", "{\"services\":\"x\"}"] {
        for operation in ["AmazonEC2ContainerServiceV20141113.DescribeServices", "AmazonSSM.GetParameters", "x.y", "."]
        {
            let (status, answer) = stack.raw("POST", "/", &target(operation), body);
            assert!((400..=501).contains(&status), "{operation} {body}: {status} {answer}");
        }
    }
    for path in ["/_switchback/", "/_switchback/nothing", "/_switchback/calls?containing=%zz%"] {
        let (status, answer) = stack.raw("GET", path, &[], "");
        assert!(serde_json::from_str::<Value>(&answer).is_ok(), "{path}: {status} {answer}");
    }
    for body in ["", "[]", "{}", "{\"seconds\":\"x\"}"] {
        assert_eq!(stack.raw("PUT", "/_switchback/rollout", &[], body).0, 404, "{body}");
    }
    assert_eq!(stack.raw("GET", "/_switchback/health", &[], "").0, 200);
}

#[test]
fn eight_clients_at_once() {
    let stack = shared();
    let name = &unique("eight");
    make_service(stack, name, "web:1", &json!({}));
    std::thread::scope(|scope| {
        for client in 0..8 {
            scope.spawn(move || {
                for round in 0..10 {
                    let parameter = format!("/{name}/{client}/{round}");
                    let put = json!({ "Name": parameter, "Value": "v", "Type": "String" });
                    assert_eq!(stack.call("ssm", "PutParameter", &put).0, 200);
                    let look = json!({ "cluster": name, "services": [name] });
                    assert_eq!(stack.call("ecs", "DescribeServices", &look).0, 200);
                    let change = json!({ "cluster": name, "service": name, "desiredCount": client });
                    assert_eq!(stack.call("ecs", "UpdateService", &change).0, 200);
                }
            });
        }
    });
    let calls = stack.calls(name);
    assert_eq!(calls["operations"]["ssm.PutParameter"], 80);
    assert_eq!(calls["operations"]["ecs.UpdateService"], 80);
    assert_eq!(calls["refused"], json!({}));
}

#[test]
fn the_aws_cli_sees_the_same_endpoint() {
    let stack = shared();
    let name = &format!("/{}", unique("cli"));
    stack.aws(&["ssm", "put-parameter", "--name", name, "--value", "v", "--type", "String"]);
    let seen = stack.aws(&["ssm", "get-parameters", "--names", name]);
    assert_eq!(seen["Parameters"][0]["Value"], "v");
    let identity = stack.aws(&["sts", "get-caller-identity"]);
    assert_eq!(identity["Account"], "000000000000");
    let bucket = &unique("bucket").replace('_', "-");
    stack.aws(&[
        "s3api",
        "create-bucket",
        "--bucket",
        bucket,
        "--create-bucket-configuration",
        "LocationConstraint=eu-central-1",
    ]);
    let put = ["s3api", "put-object", "--bucket", bucket, "--key", "k", "--body", file!(), "--if-none-match", "*"];
    stack.aws(&put);
    let head = stack.aws(&["s3api", "head-object", "--bucket", bucket, "--key", "k"]);
    assert_eq!(head["ContentLength"].as_u64(), Some(std::fs::metadata(file!()).unwrap().len()));
    assert!(stack.try_aws(&put).unwrap_err().contains("PreconditionFailed"), "only if there is none");
    let refused = stack.try_aws(&["ecs", "delete-cluster", "--cluster", "never-was"]).unwrap_err();
    assert!(refused.contains("ClusterNotFoundException"), "the client understands the refusal: {refused}");
}

/// Of any service: what a test orders is what its client meets, and as often.
#[test]
fn faults_are_met_as_they_were_ordered() {
    let stack = shared();
    let name = format!("/{}/word", unique("faults"));
    let put = |value: &str| {
        let body = json!({ "Name": name, "Value": value, "Type": "String", "Overwrite": true });
        stack.call("ssm", "PutParameter", &body)
    };
    let value = || stack.call("ssm", "GetParameter", &json!({ "Name": name })).1["Parameter"]["Value"].clone();
    let order = |order: Value| {
        let mut whole = json!({ "operation": "ssm.PutParameter", "containing": name });
        whole.as_object_mut().unwrap().extend(order.as_object().unwrap().clone());
        stack.fault(&whole);
    };
    assert_eq!(put("first").0, 200);

    order(json!({ "answer": 400, "skip": 1, "times": 2 }));
    assert_eq!(put("second").0, 200, "it is let through");
    for _ in 0..2 {
        let (status, answer) = put("third");
        assert_eq!((status, &answer["__type"]), (400, &json!("ThrottlingException")));
    }
    assert_eq!(value(), "second", "what was refused is not carried out");
    assert_eq!((put("fourth").0, stack.faults_left(&name)), (200, 0));

    order(json!({ "answer": "success-then-500", "code": "InternalServerError" }));
    assert_eq!(put("fifth").0, 500);
    assert_eq!(value(), "fifth", "it is carried out all the same");

    for (answer, kept) in [("drop", "fifth"), ("success-then-drop", "sixth")] {
        order(json!({ "answer": answer }));
        let body = json!({ "Name": name, "Value": "sixth", "Type": "String", "Overwrite": true }).to_string();
        let mut heard = Vec::new();
        let headers = [("x-amz-target", "AmazonSSM.PutParameter"), ("content-type", "application/x-amz-json-1.1")];
        let _ = std::io::Read::read_to_end(&mut stack.send("POST", "/", &headers, &body), &mut heard);
        assert!(heard.is_empty(), "{answer}: {}", String::from_utf8_lossy(&heard));
        assert_eq!(value(), kept, "{answer}");
    }

    order(json!({ "answer": 503, "times": 9 }));
    stack.heal(&name);
    assert_eq!(put("seventh").0, 200, "orders can be taken back");
    for wrong in [json!({ "operation": "ssm.PutParameter", "answer": 200 }), json!({ "answer": 500 }), json!([])] {
        assert_eq!(stack.raw("PUT", "/_switchback/faults", &[], &wrong.to_string()).0, 404, "{wrong}");
    }
}
