//! Errors of AWS: each says what was tried, what came back and what to do, and whether anything may have happened.

use serde_json::json;
use switchback::value::{Type, Value};
use switchback::world::{ErrorClass, Settlement, Trace};

use crate::aws_endpoint::{Bench, Endpoint, Reply, create, delete, desired, unique, update};

const KIND: &str = "aws_cloudwatch_log_group";

fn group(name: &str) -> switchback::value::Object {
    desired(KIND, &[("name", name.into())])
}

#[tokio::test]
async fn the_account_is_checked() {
    let account = "000000000000";
    let allowed = |accounts: &[&str]| {
        let endpoint = crate::stack::shared().aws_endpoint();
        Bench::at(endpoint, &[("allowed_account_ids", Value::strings(accounts))])
    };
    let facts = allowed(&[account]).check().await.expect("it is the right account");
    assert_eq!((&facts["account"], &facts["region"]), (&account.into(), &"eu-west-1".into()));
    let error = allowed(&["123456789012"]).check().await.expect_err("it is another account");
    assert_eq!(error.class, ErrorClass::Denied);
    assert!(error.cause.contains(account) && error.cause.contains("123456789012"), "{error}");
    let recorded = Bench::at(crate::stack::shared().aws_endpoint(), &[("account", "123456789012".into())]);
    assert_eq!(recorded.check().await.expect_err("another one was recorded").class, ErrorClass::Denied);
}

#[tokio::test]
async fn nothing_is_asked_or_done_in_an_account_that_is_not_allowed() {
    let endpoint = Endpoint::start(|_| Reply::Forward).await;
    let bench = Bench::at(&endpoint.url, &[("allowed_account_ids", Value::strings(["123456789012"]))]);
    let wanted = group(&format!("/{}", unique("elsewhere")));
    let seen = bench.observe_all(KIND, std::slice::from_ref(&wanted)).await;
    let error = seen[0].as_ref().expect_err("it is another account");
    assert!(error.class == ErrorClass::Denied && error.cause.contains("000000000000"), "{error}");
    let error = bench.carry_out(&create(KIND, &wanted)).await.expect_err("it is another account");
    assert_eq!((error.error.class, error.trace), (ErrorClass::Denied, Trace::Nothing), "{error}");
    let counts = endpoint.counts();
    assert!(counts.keys().all(|operation| operation.contains("GetCallerIdentity")), "{counts:?}");
}

#[tokio::test]
async fn an_endpoint_that_is_down_is_named_and_nothing_happened() {
    // A port that was just given back answers to nobody.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    let url = format!("http://{}", listener.local_addr().expect("it is bound"));
    drop(listener);
    let bench = Bench::at(&url, &[("max_retries", 1_i64.into())]);
    let error = bench.check().await.expect_err("nobody answers");
    assert_eq!(error.class, ErrorClass::Unreachable);
    assert!(error.tried.contains("sts:GetCallerIdentity") && error.tried.contains(&url), "{error}");
    assert!(error.help.is_some());
    let error = bench.carry_out(&create(KIND, &group("/x"))).await.expect_err("nobody answers");
    assert_eq!((error.error.class, error.trace), (ErrorClass::Unreachable, Trace::Nothing), "{error}");
    let observed = bench.observe_all(KIND, &[group("/x"), group("/y")]).await;
    assert!(observed.iter().all(Result::is_err), "what cannot be asked is not absent");
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_asking() {
    let endpoint = Endpoint::start(|call| match call.operation.as_str() {
        "CreateLogGroup" | "PutRetentionPolicy" | "DeleteLogGroup" => Reply::ForwardAndHangUp,
        _ => Reply::Forward,
    })
    .await;
    let bench = Bench::at(&endpoint.url, &[("max_retries", 0_i64.into())]);
    let first = group(&format!("/{}", unique("logs")));
    let creation = create(KIND, &first);
    let error = bench.carry_out(&creation).await.expect_err("nobody heard the answer");
    assert_eq!((error.error.class, error.trace), (ErrorClass::Unreachable, Trace::Unknown), "{error}");
    let Settlement::Done(made) = bench.settle(&creation).await else { panic!("it was made") };
    let mut second = made.clone();
    second.insert("retention_in_days".to_owned(), 7_i64.into());
    let change = update(KIND, &made, &second);
    assert_eq!(bench.carry_out(&change).await.expect_err("nobody heard the answer").trace, Trace::Unknown);
    assert_eq!(bench.settle(&change).await, Settlement::Done(second.clone()));
    let removal = delete(KIND, &second);
    assert_eq!(bench.carry_out(&removal).await.expect_err("nobody heard the answer").trace, Trace::Unknown);
    assert_eq!(bench.settle(&removal).await, Settlement::Done(switchback::value::Object::new()));
}

#[tokio::test]
async fn a_creation_whose_answer_is_lost_is_tried_again_and_made_once() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let name = Value::from(unique("again"));
    let parameter = [("name", name.clone()), ("type", "String".into()), ("value", "x".into())];
    let containers = Value::from(r#"[{"name": "web", "image": "shop:1"}]"#);
    let definition = [("family", name.clone()), ("container_definitions", containers)];
    let definition =
        Bench::at_stack().create("aws_ecs_task_definition", &desired("aws_ecs_task_definition", &definition)).await;
    let service = [
        ("name", name.clone()),
        ("cluster", name.clone()),
        ("task_definition", definition["arn"].clone()),
        ("desired_count", 1_i64.into()),
    ];
    let mut made = Vec::new();
    for (kind, operation, given) in [
        (KIND, "CreateLogGroup", &[("name", name.clone())][..]),
        ("aws_ssm_parameter", "PutParameter", &parameter[..]),
        ("aws_ecs_cluster", "CreateCluster", &[("name", name.clone())][..]),
        ("aws_ecs_service", "CreateService", &service[..]),
    ] {
        let tries = AtomicUsize::new(0);
        let endpoint = Endpoint::start(move |call| {
            let is_first = call.operation == operation && tries.fetch_add(1, Ordering::SeqCst) == 0;
            if is_first { Reply::ForwardAndHangUp } else { Reply::Forward }
        })
        .await;
        let bench = Bench::at(&endpoint.url, &[]);
        let creation = create(kind, &desired(kind, given));
        let object = bench.carry_out(&creation).await.unwrap_or_else(|error| panic!("{kind}: {error}"));
        assert_eq!(endpoint.counts()[operation], 2, "{kind}");
        assert_eq!(bench.settle(&creation).await, Settlement::Done(object.clone()), "{kind}");
        made.push((kind, object));
    }
    made.insert(3, ("aws_ecs_task_definition", definition));
    for (kind, object) in made.iter().rev() {
        Bench::at_stack().carry_out(&delete(kind, object)).await.expect("it is removed");
    }
}

#[tokio::test]
async fn a_lost_registration_is_neither_repeated_nor_forgotten() {
    let endpoint = Endpoint::start(|call| match call.operation.as_str() {
        "RegisterTaskDefinition" => Reply::ForwardAndHangUp,
        _ => Reply::Forward,
    })
    .await;
    let bench = Bench::at(&endpoint.url, &[]);
    let kind = "aws_ecs_task_definition";
    let containers = r#"[{"name": "web", "image": "shop:1"}]"#;
    let wanted = desired(kind, &[("family", unique("lost").into()), ("container_definitions", containers.into())]);
    let registration = create(kind, &wanted);
    assert_eq!(bench.carry_out(&registration).await.expect_err("nobody heard the answer").trace, Trace::Unknown);
    assert_eq!(endpoint.counts()["RegisterTaskDefinition"], 1, "a second try would make a second revision");
    let Settlement::Done(made) = bench.settle(&registration).await else { panic!("it was registered") };
    assert_eq!(made["revision"].as_i64(), Some(1));
    assert_eq!(bench.settle(&create(kind, &wanted)).await, Settlement::NotDone, "another effect's is not ours");
    bench.carry_out(&delete(kind, &made)).await.expect("it is removed");
}

#[tokio::test]
async fn a_creation_that_broke_in_the_middle_stands_and_is_finished_by_the_same_effect() {
    let endpoint = Endpoint::start(|call| match call.operation.as_str() {
        "PutRetentionPolicy" => Reply::HangUp,
        _ => Reply::Forward,
    })
    .await;
    let broken = Bench::at(&endpoint.url, &[("max_retries", 0_i64.into())]);
    let name = format!("/{}", unique("logs"));
    let wanted = desired(KIND, &[("name", name.into()), ("retention_in_days", 7_i64.into())]);
    let creation = create(KIND, &wanted);
    assert_eq!(broken.carry_out(&creation).await.expect_err("it broke").trace, Trace::Unknown);
    let Settlement::Stands(there, why) = broken.settle(&creation).await else { panic!("only a part was made") };
    assert!(why.contains("retention_in_days"), "{why}");
    assert_eq!(there["retention_in_days"].as_i64(), Some(0));
    let bench = Bench::at_stack();
    let made = bench.carry_out(&creation).await.expect("the same effect goes on");
    assert_eq!(made["retention_in_days"].as_i64(), Some(7));
    bench.carry_out(&delete(KIND, &made)).await.expect("it is removed");
}

#[tokio::test]
async fn refusals_have_their_class() {
    for (code, status, class, trace) in [
        ("ExpiredTokenException", 400, ErrorClass::Expired, Trace::Nothing),
        ("AccessDeniedException", 400, ErrorClass::Denied, Trace::Nothing),
        ("UnrecognizedClientException", 400, ErrorClass::Denied, Trace::Nothing),
        ("InvalidParameterException", 400, ErrorClass::Refused, Trace::Nothing),
        ("ThrottlingException", 400, ErrorClass::Transient, Trace::Unknown),
        ("ServiceUnavailableException", 503, ErrorClass::Transient, Trace::Unknown),
    ] {
        let endpoint =
            Endpoint::start(move |_| Reply::Json(status, json!({"__type": code, "message": "as scripted"}))).await;
        let bench = Bench::at(&endpoint.url, &[("max_retries", 0_i64.into())]);
        let error = bench.carry_out(&create(KIND, &group("/x"))).await.expect_err("it is refused");
        assert_eq!((error.error.class, error.trace), (class, trace), "{code}: {error}");
        assert!(error.error.cause.contains(code) && error.error.cause.contains("as scripted"), "{error}");
        assert!(error.error.cause.contains("request-1"), "the request can be found again: {error}");
        assert!(error.error.tried.starts_with("logs:CreateLogGroup /x at http://"), "{error}");
    }
}

#[tokio::test]
async fn throttled_calls_are_tried_again() {
    let left = std::sync::atomic::AtomicUsize::new(2);
    let endpoint = Endpoint::start(move |call| {
        let throttled = call.operation == "RegisterTaskDefinition"
            && left.fetch_update(Relaxed, Relaxed, |left| left.checked_sub(1)).is_ok();
        match throttled {
            true => Reply::Json(400, json!({"__type": "ThrottlingException", "message": "Rate exceeded"})),
            false => Reply::Forward,
        }
    })
    .await;
    use std::sync::atomic::Ordering::Relaxed;
    let bench = Bench::at(&endpoint.url, &[]);
    let kind = "aws_ecs_task_definition";
    let containers = Value::from(r#"[{"name": "web", "image": "shop:1"}]"#);
    let wanted = desired(kind, &[("family", unique("busy").into()), ("container_definitions", containers)]);
    let made = bench.create(kind, &wanted).await;
    assert_eq!((made["revision"].as_i64(), endpoint.counts()["RegisterTaskDefinition"]), (Some(1), 3));
    bench.carry_out(&delete(kind, &made)).await.expect("it is removed");
}

#[tokio::test]
async fn half_of_the_credentials_are_none() {
    let settings = [("secret_key", Value::null()), ("allowed_account_ids", Value::list(Type::String, vec![]))];
    let bench = Bench::at(crate::stack::shared().aws_endpoint(), &settings);
    let error = bench.check().await.expect_err("the secret is missing");
    assert_eq!(error.class, ErrorClass::Denied);
    assert!(error.cause.contains("secret_key"), "{error}");
}
