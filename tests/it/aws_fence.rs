//! The lease is asked before each attempt that changes something, and no attempt outlives it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use serde_json::json;
use switchback::value::{Object, Value};
use switchback::world::{Clock, Effect, ErrorClass, Fence, Trace};

use crate::aws_endpoint::{Bench, Endpoint, Reply, create, delete, desired, unique, update};

const KIND: &str = "aws_cloudwatch_log_group";

/// The machine's own time.
struct Machine(Instant);

impl Clock for Machine {
    fn now(&self) -> jiff::Timestamp {
        jiff::Timestamp::UNIX_EPOCH
    }

    fn uptime(&self) -> Duration {
        self.0.elapsed()
    }
}

fn lease(length: Duration) -> Fence {
    let clock = Arc::new(Machine(Instant::now()));
    Fence::new("chain", 1, "the test", Duration::ZERO, length, clock)
}

fn under(fence: &Fence, effect: Effect) -> Effect {
    Effect { fence: fence.clone(), ..effect }
}

fn group(days: i64) -> Object {
    desired(KIND, &[("name", format!("/{}", unique("fence")).into()), ("retention_in_days", days.into())])
}

#[tokio::test]
async fn nothing_is_sent_when_the_lease_is_over() {
    let endpoint = Endpoint::start(|_| Reply::Forward).await;
    let bench = Bench::at(&endpoint.url, &[]);
    let fence = lease(Duration::from_secs(60));
    fence.close();
    let error = bench.carry_out(&under(&fence, create(KIND, &group(7)))).await.expect_err("the lease is over");
    assert_eq!((error.error.class, error.trace), (ErrorClass::Fenced, Trace::Nothing), "{error}");
    assert!(error.error.tried.starts_with("logs:CreateLogGroup /fence-"), "{error}");
    assert!(error.error.help.as_deref().is_some_and(|help| help.contains("status")), "{error:?}");
    assert!(endpoint.counts().is_empty() && bench.called().is_empty(), "{:?}", endpoint.counts());
    let cluster = desired("aws_ecs_cluster", &[("name", unique("fence").into())]);
    let error = bench.carry_out(&under(&fence, create("aws_ecs_cluster", &cluster))).await.expect_err("it is over");
    assert_eq!((error.error.class, error.trace), (ErrorClass::Fenced, Trace::Nothing), "reads leave no trace: {error}");
    assert_eq!(endpoint.counts().keys().collect::<Vec<_>>(), ["DescribeClusters"]);
}

#[tokio::test]
async fn each_operation_that_changes_something_is_noted_and_none_is_sent_after_the_lease() {
    let fence = lease(Duration::from_secs(60));
    let lost = fence.clone();
    let endpoint = Endpoint::start(move |call| {
        // Reads come between: the answer itself is still heard.
        if call.operation == "DescribeClusters" {
            lost.close();
        }
        Reply::Forward
    })
    .await;
    let bench = Bench::at(&endpoint.url, &[]);
    let name = Value::from(unique("fence"));
    let made = Bench::at_stack().create("aws_ecs_cluster", &desired("aws_ecs_cluster", &[("name", name)])).await;
    // Tags go first, then the settings.
    let mut after = made.clone();
    after.insert("tags".to_owned(), crate::aws_endpoint::tags(&[("team", "a")]));
    let block = crate::aws_endpoint::block(&[("name", "containerInsights".into()), ("value", "enabled".into())]);
    after.insert("setting".to_owned(), block);
    let change = under(&fence, update("aws_ecs_cluster", &made, &after));
    bench.carry_out(&change).await.expect("the lease holds: nothing is read before the last call is sent");
    assert_eq!(bench.called(), ["ecs:TagResource", "ecs:UpdateCluster"]);
    let error = bench.carry_out(&change).await.expect_err("the lease was lost when it was read back");
    assert_eq!((error.error.class, error.trace), (ErrorClass::Fenced, Trace::Nothing), "{error}");
    assert_eq!(endpoint.counts()["TagResource"], 1);
    Bench::at_stack().carry_out(&delete("aws_ecs_cluster", &made)).await.expect("it is removed");
}

/// An endpoint that fails each first try, and loses the lease meanwhile.
async fn failing(fence: &Fence, operation: &'static str) -> Endpoint {
    let lost = fence.clone();
    Endpoint::start(move |call| match call.operation == operation {
        true => {
            lost.close();
            Reply::Json(500, json!({"__type": "InternalServerError", "message": "as scripted"}))
        }
        false => Reply::Forward,
    })
    .await
}

#[tokio::test]
async fn a_try_that_the_sdk_makes_by_itself_is_fenced_as_well() {
    let fence = lease(Duration::from_secs(60));
    let endpoint = failing(&fence, "CreateLogGroup").await;
    let bench = Bench::at(&endpoint.url, &[]);
    let error = bench.carry_out(&under(&fence, create(KIND, &group(7)))).await.expect_err("the lease was lost");
    assert_eq!((error.error.class, error.trace), (ErrorClass::Fenced, Trace::Unknown), "one try was sent: {error}");
    assert_eq!((endpoint.counts()["CreateLogGroup"], bench.called()), (1, vec!["logs:CreateLogGroup".to_owned()]));
}

#[tokio::test]
async fn what_was_sent_before_has_to_be_settled() {
    let fence = lease(Duration::from_secs(60));
    let endpoint = failing(&fence, "PutRetentionPolicy").await;
    let bench = Bench::at(&endpoint.url, &[]);
    let wanted = group(7);
    let error = bench.carry_out(&under(&fence, create(KIND, &wanted))).await.expect_err("the lease was lost");
    assert_eq!((error.error.class, error.trace), (ErrorClass::Fenced, Trace::Unknown), "{error}");
    assert_eq!(endpoint.counts()["PutRetentionPolicy"], 1);
    assert_eq!(bench.called(), ["logs:CreateLogGroup", "logs:PutRetentionPolicy"]);
    Bench::at_stack().carry_out(&delete(KIND, &wanted)).await.expect("it is removed");
}

#[tokio::test]
async fn a_request_that_could_arrive_after_the_lease_is_not_sent() {
    let endpoint = Endpoint::start(|_| Reply::Forward).await;
    let bench = Bench::at(&endpoint.url, &[]);
    let fence = lease(Duration::from_secs(3));
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    let error = bench.carry_out(&under(&fence, create(KIND, &group(7)))).await.expect_err("a second would not do");
    assert_eq!((error.error.class, error.trace), (ErrorClass::Fenced, Trace::Nothing), "{error}");
    assert!(error.error.cause.contains("may take 1000 ms to arrive"), "{error}");
    assert!(endpoint.counts().is_empty());
}

#[tokio::test]
async fn an_attempt_is_given_up_when_the_lease_ends_under_it() {
    let waiting: Arc<OnceLock<Fence>> = Arc::default();
    let seen = waiting.clone();
    let endpoint = Endpoint::start(move |_| {
        seen.get().expect("it is set before anything is sent").close();
        Reply::Forward
    })
    .await;
    let fence = lease(Duration::from_secs(60));
    waiting.set(fence.clone()).expect("it is set once");
    let bench = Bench::at(&endpoint.url, &[]);
    let wanted = group(0);
    let error = bench.carry_out(&under(&fence, create(KIND, &wanted))).await.expect_err("the lease is over");
    assert_eq!((error.error.class, error.trace), (ErrorClass::Fenced, Trace::Unknown), "it was sent: {error}");
    Bench::at_stack().carry_out(&delete(KIND, &wanted)).await.expect("it is removed");
}

#[tokio::test]
async fn an_endpoint_that_hangs_fails_within_a_third_of_the_lease_and_says_so_meanwhile() {
    let tries = Arc::new(AtomicUsize::new(0));
    let count = tries.clone();
    let endpoint = Endpoint::start(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Reply::Silence
    })
    .await;
    let bench = Bench::at(&endpoint.url, &[]);
    let begun = Instant::now();
    let effect = under(&lease(Duration::from_secs(18)), create(KIND, &group(7)));
    let error = bench.carry_out(&effect).await.expect_err("nobody answers");
    let took = begun.elapsed();
    assert!(took > Duration::from_millis(5_900) && took < Duration::from_secs(9), "{took:?}");
    assert_eq!((error.error.class, error.trace), (ErrorClass::Unreachable, Trace::Unknown), "{error}");
    assert!(error.error.cause.contains("no answer within 6.0 s"), "{error}");
    assert!(error.error.help.as_deref().is_some_and(|help| help.contains("endpoint")), "{error:?}");
    assert_eq!(tries.load(Ordering::SeqCst), 1, "what hangs would hang again");
    let lines = bench.lines();
    assert!(
        lines.len() == 1 && lines[0].contains("logs:CreateLogGroup") && lines[0].contains("no answer"),
        "{lines:?}"
    );
}

#[tokio::test]
async fn an_endpoint_that_is_no_url_is_what_the_help_is_about() {
    for endpoint in ["nonsense", "127.0.0.1:4566", "http://", "http://a b", "ftp://host"] {
        let bench = Bench::at(endpoint, &[]);
        let error = bench.check().await.expect_err("it is no URL");
        assert!(error.cause.contains(endpoint) && error.tried.contains("endpoint"), "{error}");
        let help = error.help.expect("it can be mended");
        assert!(help.contains("http://") && !help.contains("credential"), "{help}");
    }
    // A name that does not resolve is nobody's credentials either.
    let bench = Bench::at("http://no-such-host.invalid:4566", &[("max_retries", 0_i64.into())]);
    let error = bench.check().await.expect_err("there is no such host");
    assert_eq!(error.class, ErrorClass::Unreachable, "{error}");
    assert!(error.help.as_deref().is_some_and(|help| help.contains("`endpoint`")), "{error:?}");
}
