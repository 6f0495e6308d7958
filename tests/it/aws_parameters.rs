//! SSM parameters: how many calls many of them take, and how secrets are recalled.

use serde_json::{Value as Json, json};
use switchback::value::{Object, Sealed, Value};
use switchback::world::{ErrorClass, Settlement, Trace};

use crate::aws_endpoint::{Bench, Call, Endpoint, Reply, create, delete, desired, unique, update};

const KIND: &str = "aws_ssm_parameter";

fn parameter(name: &str, ty: &str, value: &str) -> Object {
    desired(KIND, &[("name", name.into()), ("type", ty.into()), ("value", value.into())])
}

/// How ledgers have it: the value withheld.
fn sealed(object: &Object) -> Object {
    let mut object = object.clone();
    object.insert("value".to_owned(), Value::sealed(Sealed { digest: None }));
    object
}

/// A store that has every parameter that it is asked for.
fn full_store(call: &Call) -> Reply {
    let names = |json: &Json| json.as_array().cloned().unwrap_or_default();
    match call.operation.as_str() {
        "GetParameters" => {
            let parameter = |name: &Json| {
                json!({"Name": name, "Type": "String", "Value": "v", "Version": 1, "DataType": "text",
                    "LastModifiedDate": 1_700_000_000.5, "ARN": "arn:aws:ssm:r:1:parameter"})
            };
            let found: Vec<Json> = names(&call.body["Names"]).iter().map(parameter).collect();
            assert!(found.len() <= 10, "SSM refuses more than ten names");
            Reply::Json(200, json!({"Parameters": found, "InvalidParameters": []}))
        }
        "DescribeParameters" => {
            let asked = names(&call.body["ParameterFilters"][0]["Values"]);
            assert!(asked.len() <= 50, "SSM refuses more than fifty values of a filter");
            let description = |name: &Json| json!({"Name": name, "Type": "String", "Tier": "Standard", "Version": 1});
            let found: Vec<Json> = asked.iter().map(description).collect();
            Reply::Json(200, json!({"Parameters": found}))
        }
        _ => Reply::HangUp,
    }
}

#[tokio::test]
async fn a_thousand_parameters_take_a_hundred_calls() {
    let endpoint = Endpoint::start(full_store).await;
    let bench = Bench::at(&endpoint.url, &[]);
    let wanted: Vec<Object> =
        (0..1000).map(|index| parameter(&format!("/many/p{index:04}"), "String", &format!("v{index}"))).collect();
    let found = bench.observe_all(KIND, &wanted).await;
    assert_eq!(endpoint.counts().values().sum::<usize>(), 120, "nothing is recorded yet");
    let records: Vec<Object> = found.into_iter().map(|answer| answer.expect("read").expect("there")).collect();
    let again = bench.observe_all(KIND, &records).await;
    assert_eq!(endpoint.counts().values().sum::<usize>(), 220, "each is as recorded");
    for (record, answer) in records.iter().zip(again) {
        assert_eq!(answer.expect("read").as_ref(), Some(record));
    }
}

#[tokio::test]
async fn what_was_put_by_hand_is_seen_with_its_description() {
    let bench = Bench::at_stack();
    let name = format!("/{}/level", unique("shop"));
    let made = bench.create(KIND, &parameter(&name, "String", "info")).await;
    // By hand: another effect's put, of which the record knows nothing.
    let mut other = made.clone();
    other.insert("description".to_owned(), "by hand".into());
    bench.carry_out(&update(KIND, &made, &other)).await.expect("it is put");
    let observed = bench.observe(KIND, &made).await.expect("it is there");
    assert_eq!(observed["description"], "by hand".into());
    assert_eq!(observed["version"].as_i64(), Some(2));
    bench.carry_out(&delete(KIND, &made)).await.expect("it is removed");
}

#[tokio::test]
async fn a_withheld_value_comes_back_from_its_version() {
    let bench = Bench::at_stack();
    let name = format!("/{}/password", unique("shop"));
    let first = bench.create(KIND, &parameter(&name, "SecureString", "hunter2")).await;
    let second = parameter(&name, "SecureString", "hunter3");
    let second = bench.carry_out(&update(KIND, &first, &second)).await.expect("it is changed");
    let back = update(KIND, &sealed(&second), &sealed(&first));
    assert_eq!(bench.settle(&back).await, Settlement::NotDone);
    let restored = bench.carry_out(&back).await.expect("the version is still there");
    assert_eq!(restored["value"].reveal(), "hunter2".into());
    assert!(restored["value"].is_sensitive());
    assert!(matches!(bench.settle(&back).await, Settlement::Done(object) if object["version"].as_i64() == Some(3)));
    bench.carry_out(&delete(KIND, &restored)).await.expect("it is removed");
}

#[tokio::test]
async fn a_version_that_is_not_kept_is_an_error_and_nothing_changes() {
    let bench = Bench::at_stack();
    let name = format!("/{}/password", unique("shop"));
    let made = bench.create(KIND, &parameter(&name, "SecureString", "hunter2")).await;
    let mut lost = sealed(&made);
    lost.insert("version".to_owned(), 77_i64.into());
    let error = bench.carry_out(&update(KIND, &made, &lost)).await.expect_err("there is no version 77");
    assert_eq!((error.trace, error.error.class), (Trace::Nothing, ErrorClass::Refused));
    assert!(error.error.cause.contains("version 77"), "{error}");
    assert_eq!(bench.observe(KIND, &made).await, Some(made.clone()));
    let why = bench.recallable(KIND, &lost).await.expect("it cannot be had again");
    assert!(why.contains("does not keep version 77"), "{why}");
    assert_eq!(bench.recallable(KIND, &sealed(&made)).await, None, "its own version is there");
    assert_eq!(bench.recallable(KIND, &made).await, None, "nothing is withheld");
    bench.carry_out(&delete(KIND, &made)).await.expect("it is removed");
    assert!(bench.recallable(KIND, &sealed(&made)).await.is_some(), "SSM forgets what is deleted");
    let again = bench.create(KIND, &parameter(&name, "SecureString", "another")).await;
    let why = bench.recallable(KIND, &sealed(&made)).await.expect("its version 1 is another one");
    assert!(why.contains("made again"), "{why}");
    let error = bench.carry_out(&update(KIND, &again, &sealed(&made))).await.expect_err("and is not put back");
    assert!(error.trace == Trace::Nothing && error.error.cause.contains("made again"), "{error}");
    bench.carry_out(&delete(KIND, &again)).await.expect("it is removed");
    let gone = bench.carry_out(&create(KIND, &sealed(&made))).await.expect_err("a deleted one has no versions");
    assert_eq!(gone.trace, Trace::Nothing);
    assert!(gone.error.cause.contains("kept nowhere"), "{gone}");
}

#[tokio::test]
async fn errors_never_quote_a_secret() {
    let endpoint = Endpoint::start(|call| match call.operation.as_str() {
        "PutParameter" => Reply::Json(
            400,
            serde_json::json!({"__type": "ValidationException",
                "message": format!("Value '{}' at 'value' failed", call.body["Value"].as_str().unwrap_or_default())}),
        ),
        _ => Reply::Forward,
    })
    .await;
    let bench = Bench::at(&endpoint.url, &[]);
    let wanted = parameter(&format!("/{}/password", unique("shop")), "SecureString", "hunter2");
    let error = bench.carry_out(&create(KIND, &wanted)).await.expect_err("it is refused");
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("ValidationException") && !shown.contains("hunter2"), "{shown}");
    // One that is recalled is not in the effect, and is not quoted either.
    let first = Bench::at_stack().create(KIND, &wanted).await;
    let back = update(KIND, &sealed(&first), &sealed(&first));
    let error = bench.carry_out(&back).await.expect_err("it is refused");
    let shown = format!("{error} {error:?}");
    assert!(shown.contains("ValidationException") && !shown.contains("hunter2"), "{shown}");
    Bench::at_stack().carry_out(&delete(KIND, &first)).await.expect("it is removed");
}
