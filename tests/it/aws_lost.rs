//! A lost answer of every kind and change is settled by asking, but for what the reference says cannot be asked.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use switchback::kind::By;
use switchback::value::{Object, Type, Value};
use switchback::world::{Effect, Settlement, Trace};

use crate::aws_endpoint::{Bench, Endpoint, Reply, block, create, delete, desired, tags, unique, update, with_kind};

/// What gets lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lost {
    /// The call never arrives.
    Call,
    /// The call arrives, its answer does not.
    Answer,
}

/// Changes something through an endpoint that loses the first of these operations, and settles it.
async fn settled(effect: &Effect, operation: &'static str, lost: Lost) -> Settlement {
    let first = Arc::new(AtomicBool::new(true));
    let endpoint =
        Endpoint::start(move |call| match (call.operation == operation && first.swap(false, Ordering::SeqCst), lost) {
            (false, _) => Reply::Forward,
            (true, Lost::Call) => Reply::HangUp,
            (true, Lost::Answer) => Reply::ForwardAndHangUp,
        })
        .await;
    let bench = Bench::at(&endpoint.url, &[("max_retries", 0_i64.into())]);
    let outcome = bench.carry_out(effect).await;
    assert_eq!(endpoint.counts().get(operation), Some(&1), "{operation} {lost:?}: {:?}", endpoint.counts());
    // A creation may look by itself whether it was made nevertheless.
    if let Err(error) = outcome {
        assert_eq!(error.trace, Trace::Unknown, "{operation} {lost:?}: {error}");
    }
    bench.settle(effect).await
}

/// Loses each change of a kind, once before and once after it had its effect.
async fn loses(kind: &str, operations: [&'static str; 3], first: &Object, second: &Object) {
    let [creating, changing, removing] = operations;
    let creation = create(kind, first);
    assert_eq!(settled(&creation, creating, Lost::Call).await, Settlement::NotDone, "{kind}");
    let Settlement::Done(made) = settled(&creation, creating, Lost::Answer).await else { panic!("{kind} is made") };
    let change = update(kind, &made, second);
    assert_eq!(settled(&change, changing, Lost::Call).await, Settlement::NotDone, "{kind}");
    let answer = settled(&change, changing, Lost::Answer).await;
    let Settlement::Done(changed) = answer else { panic!("{kind} is changed: {answer:?}") };
    let removal = delete(kind, &changed);
    assert_eq!(settled(&removal, removing, Lost::Call).await, Settlement::NotDone, "{kind}");
    assert_eq!(settled(&removal, removing, Lost::Answer).await, Settlement::Done(Object::new()), "{kind}");
    with_kind(kind, |kind| {
        assert_eq!((kind.asked.create.by, kind.asked.create.except), (By::Tag, None), "{}", kind.name);
        assert_eq!(kind.asked.update.by, By::Comparison, "{}", kind.name);
        assert_eq!((kind.asked.delete.by, kind.asked.delete.except), (By::Name, None), "{}", kind.name);
    });
}

#[tokio::test]
async fn log_groups_are_asked() {
    let kind = "aws_cloudwatch_log_group";
    let name = Value::from(format!("/{}", unique("lost")));
    let first = desired(kind, &[("name", name.clone())]);
    let second = desired(kind, &[("name", name), ("retention_in_days", 7_i64.into())]);
    loses(kind, ["CreateLogGroup", "PutRetentionPolicy", "DeleteLogGroup"], &first, &second).await;
}

#[tokio::test]
async fn parameters_are_asked() {
    let kind = "aws_ssm_parameter";
    let name = Value::from(format!("/{}", unique("lost")));
    let given = |value: &str| [("name", name.clone()), ("type", "String".into()), ("value", value.into())];
    let (first, second) = (desired(kind, &given("one")), desired(kind, &given("two")));
    loses(kind, ["PutParameter", "PutParameter", "DeleteParameter"], &first, &second).await;
}

#[tokio::test]
async fn the_tags_of_a_parameter_are_asked_although_they_are_never_read_otherwise() {
    let kind = "aws_ssm_parameter";
    let given = [("name", format!("/{}", unique("lost")).into()), ("type", "String".into()), ("value", "one".into())];
    let made = Bench::at_stack().create(kind, &desired(kind, &given)).await;
    let tagged = |value: &str| {
        let mut object = made.clone();
        object.insert("tags".to_owned(), tags(&[("team", "a")]));
        object.insert("value".to_owned(), value.into());
        object
    };
    let change = update(kind, &made, &tagged("one"));
    assert_eq!(settled(&change, "AddTagsToResource", Lost::Call).await, Settlement::NotDone);
    assert!(matches!(settled(&change, "AddTagsToResource", Lost::Answer).await, Settlement::Done(_)));
    // Tags go first: with the put lost, only they were changed.
    let both = update(kind, &made, &tagged("two"));
    let answer = settled(&both, "PutParameter", Lost::Call).await;
    assert!(matches!(&answer, Settlement::Stands(_, why) if why.contains("tags")), "{answer:?}");
    assert!(matches!(settled(&both, "PutParameter", Lost::Answer).await, Settlement::Done(_)));
    Bench::at_stack().carry_out(&delete(kind, &made)).await.expect("it is removed");
}

#[tokio::test]
async fn clusters_are_asked() {
    let kind = "aws_ecs_cluster";
    let name = Value::from(unique("lost"));
    let insights = block(&[("name", "containerInsights".into()), ("value", "enabled".into())]);
    let first = desired(kind, &[("name", name.clone())]);
    let second = desired(kind, &[("name", name), ("setting", insights)]);
    loses(kind, ["CreateCluster", "UpdateCluster", "DeleteCluster"], &first, &second).await;
}

fn definition(family: &str, team: &str) -> Object {
    let containers = r#"[{"name": "web", "image": "shop:1"}]"#;
    let given =
        [("family", family.into()), ("container_definitions", containers.into()), ("tags", tags(&[("team", team)]))];
    desired("aws_ecs_task_definition", &given)
}

#[tokio::test]
async fn task_definitions_are_asked() {
    let family = unique("lost");
    let operations = ["RegisterTaskDefinition", "TagResource", "DeregisterTaskDefinition"];
    loses("aws_ecs_task_definition", operations, &definition(&family, "a"), &definition(&family, "b")).await;
}

#[tokio::test]
async fn services_are_asked_but_for_what_ecs_does_not_show() {
    let kind = "aws_ecs_service";
    let bench = Bench::at_stack();
    let name = Value::from(unique("lost"));
    let cluster = bench.create("aws_ecs_cluster", &desired("aws_ecs_cluster", &[("name", name.clone())])).await;
    let revision = bench.create("aws_ecs_task_definition", &definition(&unique("lost"), "a")).await;
    let given = |count: i64| {
        [
            ("name", name.clone()),
            ("cluster", cluster["arn"].clone()),
            ("task_definition", revision["arn"].clone()),
            ("desired_count", count.into()),
        ]
    };
    let (first, second) = (desired(kind, &given(1)), desired(kind, &given(2)));
    loses(kind, ["CreateService", "UpdateService", "DeleteService"], &first, &second).await;

    let made = bench.create(kind, &first).await;
    let mut again = made.clone();
    again.insert("triggers".to_owned(), Value::map(Type::String, [("release", Value::from("2"))]));
    let answer = settled(&update(kind, &made, &again), "UpdateService", Lost::Answer).await;
    assert!(matches!(&answer, Settlement::Doubt(why) if why.contains("triggers")), "{answer:?}");
    let except = with_kind(kind, |kind| kind.asked.update.except).expect("the table says so");
    assert!(except.contains("triggers"), "{except}");
    // With anything else in the same call, that tells.
    again.insert("desired_count".to_owned(), 2_i64.into());
    let answer = settled(&update(kind, &made, &again), "UpdateService", Lost::Answer).await;
    assert!(matches!(&answer, Settlement::Done(_)), "{answer:?}");
    for (kind, object) in [(kind, &made), ("aws_ecs_task_definition", &revision), ("aws_ecs_cluster", &cluster)] {
        bench.carry_out(&delete(kind, object)).await.expect("it is removed");
    }
}
