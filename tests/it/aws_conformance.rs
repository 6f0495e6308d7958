//! What every AWS kind does alike, on a real endpoint through the real SDK.

use switchback::kind::Mode;
use switchback::value::{Object, Value};
use switchback::world::{ErrorClass, Settlement, Trace};

use crate::aws_endpoint::{Bench, block, create, delete, desired, tags, unique, update, with_kind};

/// Asserts that the world has what is wanted: planning again would find nothing to do.
fn assert_as_wanted(kind: &str, wanted: &Object, found: &Object) {
    with_kind(kind, |kind| {
        for attribute in &kind.attributes {
            let form = |object: &Object| {
                let value = object.get(attribute.name).map_or_else(Value::null, Value::reveal);
                let form = kind.rules.normalise(attribute.name, &value);
                if form.is_null() { Value::null() } else { form }
            };
            let silent = attribute.mode == Mode::OptionalComputed && form(wanted).is_null();
            if attribute.mode != Mode::Computed && !silent && !attribute.volatile {
                assert_eq!(form(wanted), form(found), "{}.{}", kind.name, attribute.name);
            }
            if attribute.mode == Mode::Computed {
                assert!(found.get(attribute.name).is_some_and(|value| !value.is_null()), "no {}", attribute.name);
            }
        }
        for name in kind.secret_attributes(found) {
            assert!(found[name].is_null() || found[name].is_sensitive(), "{name} is not marked");
        }
    });
    let shown = format!("{found:?}");
    assert!(!shown.contains("switchback:"), "our own tags are shown: {shown}");
}

/// A creation, its repetition, and its settlement. Gives the thing as it is recorded.
async fn creates(bench: &Bench, kind: &str, first: &Object) -> Object {
    let creation = create(kind, first);
    assert_eq!(bench.observe(kind, first).await, None);
    assert_eq!(bench.settle(&creation).await, Settlement::NotDone);
    let made = bench.carry_out(&creation).await.expect("it is created");
    assert_as_wanted(kind, first, &made);
    assert_eq!(bench.settle(&creation).await, Settlement::Done(made.clone()));
    let observed = bench.observe(kind, &made).await.expect("it is there");
    assert_eq!(observed, made, "what is observed is what was recorded");
    made
}

/// What exists is made only once: again by the same effect, never by another.
async fn refuses_to_make_it_twice(bench: &Bench, kind: &str, first: &Object) -> Object {
    let creation = create(kind, first);
    let made = bench.carry_out(&creation).await.expect("it is created");
    let again = bench.carry_out(&creation).await.expect("the same effect finds what it made");
    assert_eq!(again, made);
    let other = create(kind, first);
    let refused = bench.carry_out(&other).await.expect_err("another effect did not make it");
    assert_eq!((refused.trace, refused.error.class), (Trace::Nothing, ErrorClass::Refused), "{refused}");
    assert!(refused.error.cause.contains("exists already"), "{refused}");
    assert!(refused.error.help.as_deref().is_some_and(|help| help.contains("import")), "{refused:?}");
    assert_eq!(bench.settle(&other).await, Settlement::NotDone);
    made
}

/// A change, there and back, with its settlements.
async fn changes(bench: &Bench, kind: &str, made: &Object, second: &Object) {
    let forward = update(kind, made, second);
    assert_eq!(bench.settle(&forward).await, Settlement::NotDone);
    let changed = bench.carry_out(&forward).await.expect("it is changed");
    assert_as_wanted(kind, second, &changed);
    assert_eq!(bench.settle(&forward).await, Settlement::Done(changed.clone()));
    assert_eq!(bench.observe(kind, &changed).await, Some(changed.clone()));
    let back = update(kind, &changed, made);
    let restored = bench.carry_out(&back).await.expect("it is changed back");
    assert_as_wanted(kind, made, &restored);
}

/// A removal, its repetition, and its settlement.
async fn removes(bench: &Bench, kind: &str, made: &Object) {
    let removal = delete(kind, made);
    assert_eq!(bench.settle(&removal).await, Settlement::NotDone);
    assert_eq!(bench.carry_out(&removal).await.expect("it is removed"), Object::new());
    assert_eq!(bench.settle(&removal).await, Settlement::Done(Object::new()));
    assert_eq!(bench.observe(kind, made).await, None);
    assert_eq!(bench.carry_out(&removal).await.expect("what is gone is removed"), Object::new());
}

/// All of it, for a kind without revisions.
async fn conforms(kind: &str, first: &Object, second: &Object) {
    let bench = Bench::at_stack();
    let made = creates(&bench, kind, first).await;
    changes(&bench, kind, &made, second).await;
    removes(&bench, kind, &made).await;
    let made = refuses_to_make_it_twice(&bench, kind, first).await;
    removes(&bench, kind, &made).await;
}

#[tokio::test]
async fn clusters_conform() {
    let kind = "aws_ecs_cluster";
    let name = Value::from(unique("cluster"));
    let insights = |value: &str| block(&[("name", "containerInsights".into()), ("value", value.into())]);
    let first = desired(kind, &[("name", name.clone()), ("tags", tags(&[("team", "a"), ("old", "x")]))]);
    let second = desired(kind, &[("name", name), ("setting", insights("enabled")), ("tags", tags(&[("team", "b")]))]);
    conforms(kind, &first, &second).await;
}

#[tokio::test]
async fn log_groups_conform() {
    let kind = "aws_cloudwatch_log_group";
    let name = Value::from(format!("/{}", unique("logs")));
    let first = desired(kind, &[("name", name.clone()), ("retention_in_days", 7_i64.into())]);
    let second =
        desired(kind, &[("name", name), ("retention_in_days", 30_i64.into()), ("tags", tags(&[("team", "b")]))]);
    conforms(kind, &first, &second).await;
}

#[tokio::test]
async fn a_log_group_for_ever_conforms() {
    let kind = "aws_cloudwatch_log_group";
    let name = Value::from(format!("/{}", unique("logs")));
    let first = desired(kind, &[("name", name.clone()), ("tags", tags(&[("team", "a")]))]);
    let second = desired(kind, &[("name", name), ("retention_in_days", 1_i64.into())]);
    conforms(kind, &first, &second).await;
}

#[tokio::test]
async fn open_parameters_conform() {
    let kind = "aws_ssm_parameter";
    let name = Value::from(format!("/{}/level", unique("shop")));
    let common = [("name", name), ("type", Value::from("String"))];
    let first =
        desired(kind, &[&common[..], &[("value", "info".into()), ("description", "How loud.".into())]].concat());
    let second = desired(
        kind,
        &[&common[..], &[("value", "debug".into()), ("allowed_pattern", ".*".into()), ("tags", tags(&[("a", "b")]))]]
            .concat(),
    );
    conforms(kind, &first, &second).await;
}

#[tokio::test]
async fn secret_parameters_conform() {
    let kind = "aws_ssm_parameter";
    let name = Value::from(format!("/{}/password", unique("shop")));
    let common = [("name", name), ("type", Value::from("SecureString")), ("tags", tags(&[("team", "a")]))];
    let first = desired(kind, &[&common[..], &[("value", "hunter2".into())]].concat());
    let second = desired(kind, &[&common[..], &[("value", "hunter3".into())]].concat());
    conforms(kind, &first, &second).await;
}

#[tokio::test]
async fn secrets_conform() {
    let kind = "aws_secretsmanager_secret";
    let name = [("name", Value::from(format!("{}/password", unique("shop"))))];
    let first =
        desired(kind, &[&name[..], &[("secret_string", "hunter2".into()), ("description", "A.".into())]].concat());
    let tagged = [("secret_string", "hunter3".into()), ("tags", tags(&[("team", "a")]))];
    let second = desired(kind, &[&name[..], &tagged].concat());
    conforms(kind, &first, &second).await;
}

#[tokio::test]
async fn generated_secrets_conform() {
    let kind = "aws_secretsmanager_secret";
    let name = Value::from(format!("{}/key", unique("shop")));
    let generated = |rotation: &str| {
        let block = block(&[("length", 24_i64.into()), ("characters", "hex".into())]);
        desired(kind, &[("name", name.clone()), ("generated", block), ("rotation", rotation.into())])
    };
    conforms(kind, &generated("1"), &generated("2")).await;
}

const CONTAINERS: &str = r#"[{"name": "web", "image": "shop:1", "portMappings": [{"containerPort": 80}],
    "environment": [{"name": "LEVEL", "value": "info"}], "logConfiguration": {"logDriver": "awslogs",
    "options": {"awslogs-group": "/shop", "awslogs-region": "eu-west-1", "awslogs-stream-prefix": "web"}}}]"#;

fn task_definition(family: &str, image: &str) -> Object {
    desired(
        "aws_ecs_task_definition",
        &[
            ("family", family.into()),
            ("container_definitions", CONTAINERS.replace("shop:1", image).into()),
            ("cpu", ".25 vCPU".into()),
            ("memory", "512".into()),
            ("network_mode", "awsvpc".into()),
            ("requires_compatibilities", Value::set(switchback::value::Type::String, vec!["FARGATE".into()])),
            ("execution_role_arn", "arn:aws:iam::000000000000:role/exec".into()),
            ("volume", block(&[("name", "scratch".into())])),
            (
                "runtime_platform",
                block(&[("operating_system_family", "LINUX".into()), ("cpu_architecture", "ARM64".into())]),
            ),
            ("ephemeral_storage", block(&[("size_in_gib", 30_i64.into())])),
            ("tags", tags(&[("team", "a")])),
        ],
    )
}

#[tokio::test]
async fn task_definitions_conform_and_keep_earlier_revisions() {
    let kind = "aws_ecs_task_definition";
    let bench = Bench::at_stack();
    let family = unique("shop");
    let first = creates(&bench, kind, &task_definition(&family, "shop:1")).await;
    let second = creates(&bench, kind, &task_definition(&family, "shop:2")).await;
    assert_eq!((first["revision"].as_i64(), second["revision"].as_i64()), (Some(1), Some(2)));
    assert_eq!(bench.observe(kind, &first).await, Some(first.clone()), "the earlier revision stays usable");
    let mut tagged = second.clone();
    tagged.insert("tags".to_owned(), tags(&[("team", "b")]));
    changes(&bench, kind, &second, &tagged).await;
    removes(&bench, kind, &second).await;
    assert_eq!(bench.observe(kind, &first).await, Some(first.clone()), "the earlier revision is current again");
    removes(&bench, kind, &first).await;
}

#[tokio::test]
async fn a_kept_revision_is_left_where_it_is() {
    let kind = "aws_ecs_task_definition";
    let bench = Bench::at_stack();
    let mut wanted = task_definition(&unique("shop"), "shop:1");
    wanted.insert("skip_destroy".to_owned(), true.into());
    let made = bench.create(kind, &wanted).await;
    bench.carry_out(&delete(kind, &made)).await.expect("it is left");
    assert_eq!(bench.observe(kind, &made).await, Some(made.clone()));
    bench.carry_out(&delete(kind, &task_definition_of(&made))).await.expect("it is removed");
}

fn task_definition_of(made: &Object) -> Object {
    let mut made = made.clone();
    made.insert("skip_destroy".to_owned(), false.into());
    made
}

#[tokio::test]
async fn services_conform() {
    let bench = Bench::at_stack();
    let cluster = unique("cluster");
    let cluster = bench.create("aws_ecs_cluster", &desired("aws_ecs_cluster", &[("name", cluster.into())])).await;
    let family = unique("web");
    let one = bench.create("aws_ecs_task_definition", &task_definition(&family, "shop:1")).await;
    let two = bench.create("aws_ecs_task_definition", &task_definition(&family, "shop:2")).await;
    let network = |subnet: &str| {
        let subnets = Value::set(switchback::value::Type::String, vec![subnet.into()]);
        block(&[("subnets", subnets), ("assign_public_ip", true.into())])
    };
    let common = [
        ("name", Value::from(unique("web"))),
        ("cluster", cluster["arn"].clone()),
        ("launch_type", "FARGATE".into()),
        ("health_check_grace_period_seconds", 30_i64.into()),
        ("enable_execute_command", true.into()),
    ];
    let first = desired(
        "aws_ecs_service",
        &[
            &common[..],
            &[
                ("task_definition", one["arn"].clone()),
                ("desired_count", 1_i64.into()),
                ("network_configuration", network("subnet-1")),
                ("tags", tags(&[("team", "a"), ("old", "x")])),
            ],
        ]
        .concat(),
    );
    let breaker = block(&[("enable", true.into()), ("rollback", true.into())]);
    let second = desired(
        "aws_ecs_service",
        &[
            &common[..],
            &[
                ("task_definition", format!("{family}:2").into()),
                ("desired_count", 2_i64.into()),
                ("network_configuration", network("subnet-2")),
                ("deployment_circuit_breaker", breaker),
                ("deployment_maximum_percent", 150_i64.into()),
                ("tags", tags(&[("team", "b")])),
            ],
        ]
        .concat(),
    );
    conforms("aws_ecs_service", &first, &second).await;
    for revision in [&one, &two] {
        removes(&bench, "aws_ecs_task_definition", revision).await;
    }
    removes(&bench, "aws_ecs_cluster", &cluster).await;
}
