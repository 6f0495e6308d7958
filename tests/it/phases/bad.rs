//! Orders in which something that runs would meet a schema that it does not work with: each is refused, and the refusal
//! names the service, its range, the migration and the mend.

use switchback::diagnostic::Diagnostics;
use switchback::step::{Beside, ChangeSet};

use super::*;

/// What runs, what is applied; the services and the folder of the plan; what the refusal says.
type Bad = (&'static str, &'static str, &'static str, &'static str, &'static [&'static str]);

const FORWARD: [Bad; 10] = [
    // The new revision needs what the old one does not work with.
    (
        "web:1@10-10",
        "10",
        "web:2@11-",
        "10 11",
        &[
            "no order of migrations and rollouts suits all that runs",
            "V11__m11 has to be run before `aws_ecs_service.web` is rolled out, which will work with V11 and later",
            "V11__m11 may be run only after the revision of `aws_ecs_service.web` is gone that works with V10 alone",
            "split V11__m11",
        ],
    ),
    // A service that nobody rolls out runs on.
    (
        "web:1@10-11",
        "10",
        "web:1@10-11",
        "10 11 12",
        &[
            "something that runs would meet a schema",
            "`aws_ecs_service.web` works with V10 to V11 and goes on running; V12__m12 brings `database.app` to V12",
            "leave V12__m12 to a later one",
        ],
    ),
    // The plan ends with more than the new revision works with.
    (
        "web:1@10-12",
        "10",
        "web:2@10-11",
        "10 11 12",
        &["the planned revision of `aws_ecs_service.web` works with V10 to V11", "ends with V12", "leave V12__m12"],
    ),
    // The folder ends before what the new revision needs.
    (
        "web:1@10-",
        "10",
        "web:2@12-",
        "10 11",
        &["works with V12 and later, and `database.app` ends with V11", "add V12 to the folder"],
    ),
    // What takes away stands before what adds, in one plan with the rollout.
    (
        "web:1",
        "10",
        "web:2",
        "10 11c 12e",
        &[
            "V12__m12 is `phase expand`: run before `aws_ecs_service.web` is rolled out",
            "V11__m11 is `phase contract`: run after the rollout of `aws_ecs_service.web`",
            "apply in two plans: first up to below V11__m11",
        ],
    ),
    // The new revision needs what is called contract.
    (
        "web:1@10-",
        "10",
        "web:2@11-",
        "10 11c",
        &["V11__m11 has to be run before", "V11__m11 is `phase contract`", "what a rollout needs is `phase expand`"],
    ),
    // The rollout is not waited for, so nobody knows when the old revision is gone.
    (
        "web:1@10-11",
        "10",
        "web:2@11-12!",
        "10 11 12",
        &[
            "`wait_for_steady_state` is false",
            "works with V10 to V11 and may still run; V12__m12 brings `database.app` to V12",
            "apply V12__m12 in a later plan",
        ],
    ),
    // The same by its phase.
    ("web:1", "10", "web:2!", "10 11c", &["`wait_for_steady_state` is false", "V11__m11 brings", "in a later plan"]),
    // Two services, one after the other: the first needs what the second, still old, does not work with.
    (
        "api:1@10-11 web:1@10-10>api",
        "10",
        "api:2@11-11 web:2@10-11>api",
        "10 11",
        &[
            "V11__m11 has to be run before `aws_ecs_service.api`",
            "only after the revision of `aws_ecs_service.web` is gone that works with V10 alone",
            "`aws_ecs_service.web` comes after `aws_ecs_service.api`",
        ],
    ),
    // The way there has an order, the way back would have none.
    (
        "api:1@10-10 web:1@10-11>api",
        "10",
        "api:2@10-11 web:2@11-11>api",
        "10 11",
        &[
            "the way back would have no order that suits all that runs",
            "on the way back, too, `aws_ecs_service.web` comes after `aws_ecs_service.api`",
        ],
    ),
];

#[track_caller]
pub(super) fn is_refused(refused: &(ChangeSet, Diagnostics), parts: &[&str]) {
    assert!(refused.0.steps.is_empty(), "there is no order: {:?}", refused.0.steps);
    is_told(refused, parts);
}

#[track_caller]
pub(super) fn is_told((_, mistakes): &(ChangeSet, Diagnostics), parts: &[&str]) {
    assert!(mistakes.has_errors(), "nothing is refused");
    let said: Vec<String> = mistakes
        .0
        .iter()
        .map(|one| {
            let (detail, help) = (one.detail.clone().unwrap_or_default(), one.help.clone().unwrap_or_default());
            format!("{}\n{detail}\n{help}", one.summary)
        })
        .collect();
    let is_said = said.iter().any(|text| parts.iter().all(|part| text.contains(part)));
    assert!(is_said, "{parts:#?}\n--- is not said by:\n{}", said.join("\n---\n"));
}

#[test]
fn bad_orders_are_refused_with_their_reason() {
    for (services, applied, wanted, folder, parts) in FORWARD {
        is_refused(&forward(&things(services, applied, &[]), wanted, folder), parts);
    }
}

#[test]
fn a_way_back_without_an_order_is_refused() {
    let then = things("web:1@10-10", "10", &[]);
    let now = things("web:2@11-", "10 11", &[]);
    let parts = [
        "V11__m11 has to be taken back before `aws_ecs_service.web` is rolled out, which will work with V10 alone",
        "V11__m11 may be taken back only after the revision of `aws_ecs_service.web` is gone that works with V11",
        "go forward instead",
    ];
    for depth in [Depth::AsNeeded, Depth::WithSchema] {
        is_refused(&back(&now, &then, depth), &parts);
    }
}

#[test]
fn what_is_not_targeted_runs_on() {
    let now = things("web:1@10-10", "10", &[]);
    let refused = targeted(&now, "web:2@10-11", "10 11", &[database()]);
    is_refused(&refused, &["`aws_ecs_service.web` works with V10 alone and goes on running; V11__m11"]);
    let whole = forward(&now, "web:2@10-11", "10 11");
    assert_eq!(order(whole), "web V11<web", "with the service there is one");
}

#[test]
fn a_rollout_that_failed_leaves_its_predecessor_running() {
    let mut now = things("web:2@11-12", "10 11", &[]);
    let web = now.resources.get_mut(&service("web")).unwrap();
    let range = SchemaRange { at_least: 10, at_most: Some(11) };
    web.beside.push(Beside { object: Object::new(), needs_schema: [(database(), range)].into() });
    let refused = forward(&now, "web:2@11-12", "10 11 12");
    is_refused(&refused, &["an earlier revision of `aws_ecs_service.web` works with V10 to V11", "V12__m12"]);
    // A new rollout ends both.
    assert_eq!(order(forward(&now, "web:3@11-12", "10 11 12")), "web V12<web");
}

#[test]
fn a_range_that_the_schema_has_left_is_refused() {
    let now = things("web:1@10-11", "10 11", &[11]);
    let refused = forward(&now, "web:1@10-10", "10");
    is_refused(
        &refused,
        &["`aws_ecs_service.web` works with V10 alone, and `database.app` ends with V11", "--with-schema"],
    );
}

/// An order is never better for a plan of many services: it takes time in proportion.
#[test]
fn many_services_cost_in_proportion() {
    let words = |revision: u32, range: &str| {
        let one = |number: u32| format!("s{number}:{revision}@{range}");
        (0..1_000).map(one).collect::<Vec<_>>().join(" ")
    };
    let (change_set, mistakes) = forward(&things(&words(1, "10-11"), "10", &[]), &words(2, "11-12"), "10 11 12");
    assert!(mistakes.0.is_empty(), "{mistakes:?}");
    let waits: usize = change_set.steps.iter().map(|step| step.after.len()).sum();
    assert_eq!((change_set.steps.len(), waits), (1_002, 2_001), "each waits once, and is waited for once");
}
