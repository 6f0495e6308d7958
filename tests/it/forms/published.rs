//! The published schema of a review is what reviews are like: no field is missing from it, and none is in vain.

use serde_json::{Value, json};
use switchback::migration::certificate::Verdict;
use switchback::review::Review;
use switchback::review::grounds::Grounds;
use switchback::step::{ChangeSet, StepId};

use super::{hostile, validator};
use crate::infrastructure;
use crate::postgres_project::Bench;

fn schema() -> Value {
    serde_json::from_str(include_str!("../../../docs/review.schema.json")).unwrap()
}

#[track_caller]
fn fits(review: &Value) {
    let mistakes = validator::mistakes(&schema(), review);
    assert_eq!(mistakes, Vec::<String>::new(), "{review:#}");
}

fn shown(change_set: &ChangeSet, grounds: &Grounds) -> Value {
    serde_json::to_value(Review::proved(change_set, grounds)).unwrap()
}

#[test]
fn every_review_of_the_examples_fits() {
    let mut count = 0;
    for change_set in infrastructure::examples() {
        fits(&shown(&change_set, &Grounds::default()));
        count += 1;
    }
    assert!(count > 30, "{count}");
}

/// Grounds with everything that there can be.
fn full() -> (ChangeSet, Grounds) {
    let (change_set, mut grounds) = hostile();
    let observation = json!({
        "statement": 1, "line": 2, "excerpt": "alter table t", "locks": {"public.t": "access_exclusive"},
        "rewrites": ["public.t"], "scans": ["public.t"], "builds": {"public.t": ["i"]}, "outside": true,
    });
    let certificate = grounds.evidence.0.values_mut().next().unwrap().get_mut(&1).unwrap();
    certificate.forth = vec![serde_json::from_value(observation.clone()).unwrap()];
    certificate.undone = vec!["t.a".to_owned()];
    (certificate.derived, certificate.group) = (Some("drop table t".to_owned()), Some("mail".to_owned()));
    let cost = json!({
        "seconds": 1.5, "blocked_writes": 1.0, "blocked_reads": 0.5, "disk_bytes": 7, "wal_bytes": 8, "lag_seconds": 0.1,
        "statements": [{"statement": 1, "seconds": 1.5, "because": ["1.2 GB"], "blocked": [
            {"relation": "public.t", "lock": "share", "seconds": 1.5, "readers": 3.0, "writers": 4.0}]}],
        "unknown": ["traffic"],
    });
    grounds.risks.0.insert(
        StepId(1),
        serde_json::from_value(json!({
            "forth": cost, "back": {}, "measured_on": "15.18",
            "exceeded": [{"budget": "max_wal", "step": 1, "way": "forth", "value": 8.0, "limit": 7.0, "class": "dba"}],
        }))
        .unwrap(),
    );
    grounds.signing = serde_json::from_value(json!({
        "needed": [{"class": "dba", "part": "database", "digest": "abc", "why": "it rewrites", "by": ["eva"], "count": 1,
            "given": [{"by": "eva", "at": "2026-11-21T10:00:00Z", "until": "2026-11-22T10:00:00Z", "void": "expired"}]}],
        "refused": [{"by": "eva", "at": "2026-11-21T10:00:00Z", "part": "database", "reason": "not now"}],
        "changes_of_rules": ["- eva"], "rules": "as last applied", "line": "switchback approve p.plan.json",
    }))
    .unwrap();
    grounds.targets = serde_json::from_value(json!({
        "database.app": {
            "at": "2026-11-21T10:00:00Z",
            "facts": {
                "server": "15.18", "sizes": {"public.t": {"rows": 3, "bytes": 4}},
                "measures": {"public.t": {"heap_bytes": 4, "toast_bytes": 0, "rows": 3, "all_columns": true,
                    "columns": {"a": {"bytes": 4, "varies": true}}, "indexes": {"public.i": {"bytes": 8, "method": "btree"}},
                    "traffic": {"reads_per_second": 1.0, "writes_per_second": 2.0, "since": "reset", "seconds": 60.0}}},
                "settings": {"max_wal_bytes": 1, "maintenance_bytes": 2, "shared_buffers_bytes": 3, "maintenance_workers": 4,
                    "wal_level": "replica", "synchronous_standby_names": "s", "full_page_writes": true},
                "waiting": [{"process": 1, "seconds": 2.5, "waits_for": [2], "query": "x"}],
                "long": [{"process": 2, "user": "u", "application": "a", "seconds": 3.5, "query": "y"}],
                "replicas": [{"name": "r", "lag_bytes": 5, "lag_seconds": 0.5}],
            },
            "foretold": {"1": {"forth": [observation], "back": [], "unknown": [{"way": "back", "statement": 2, "why": "no rule"}]}},
        },
        "database.other": {"at": "2026-11-21T10:00:00Z", "unreadable": "permission denied"},
    }))
    .unwrap();
    promoted((change_set, grounds))
}

/// The same, bringing a release.
fn promoted((mut change_set, mut grounds): (ChangeSet, Grounds)) -> (ChangeSet, Grounds) {
    let digest = "a".repeat(64);
    let release = json!({
        "format": 1, "project": "shop", "environment": "dev", "spec_digest": digest, "files": {},
        "images": [{"address": "a.b", "container": "web", "image": "shop/web:1.0.0"}],
    });
    change_set.release = serde_json::from_value(json!({
        "id": digest, "from": {"environment": "dev", "ledger": "file:/l", "run": 3, "tag": "v1", "expedited": "haste"},
    }))
    .unwrap();
    grounds.promotion = serde_json::from_value(json!({
        "parcel": {"release": release, "texts": {}}, "verified": "2026-11-21T10:00:00Z", "gates": {},
        "verdicts": [{"open": false, "words": "soak"}], "except": ["count 2 instead of 1"], "gaps": ["config.web lacks A"],
    }))
    .unwrap();
    (change_set, grounds)
}

#[test]
fn a_review_with_everything_that_there_can_be_fits() {
    let (change_set, mut grounds) = full();
    fits(&shown(&change_set, &grounds));
    let text = |text: &str| vec![text.to_owned()];
    let direction = switchback::migration::Direction::Down;
    for verdict in [
        Verdict::Exact,
        Verdict::Reordered { difference: text("a") },
        Verdict::Otherwise { difference: text("a") },
        Verdict::LosesData { what: text("a") },
        Verdict::Fails { direction, error: "a".to_owned() },
        Verdict::NoWayBack { why: "a".to_owned() },
    ] {
        grounds.evidence.0.values_mut().next().unwrap().get_mut(&1).unwrap().verdict = verdict;
        fits(&shown(&change_set, &grounds));
    }
    for operation in [json!("destroy"), json!({"rollback": {"to": 3}}), json!({"edit": "import"})] {
        let mut text = serde_json::to_value(&change_set).unwrap();
        text["operation"] = operation;
        fits(&shown(&serde_json::from_value(text).unwrap(), &grounds));
    }
}

/// Every path into a document, indices left out.
fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(object) => {
            found.push(at.to_owned());
            object.iter().for_each(|(name, value)| {
                paths(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), found);
            });
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(place, one)| paths(one, &format!("{at}/{place}"), found));
        }
        _ => {}
    }
}

#[test]
fn a_field_that_the_schema_does_not_know_is_noticed_wherever_it_stands() {
    let (change_set, grounds) = full();
    let review = shown(&change_set, &grounds);
    let mut found = Vec::new();
    paths(&review, "", &mut found);
    // Names of relations are free.
    let is_free = |path: &String| ["/locks", "/builds", "/sizes"].iter().any(|end| path.ends_with(end));
    let closed: Vec<String> = found.into_iter().filter(|path| !is_free(path)).collect();
    assert!(closed.len() > 25, "{closed:?}");
    for path in closed {
        let mut wrong = review.clone();
        let place = wrong.pointer_mut(&path).unwrap().as_object_mut().unwrap();
        place.insert("a_new_field".to_owned(), json!(1));
        assert!(!validator::mistakes(&schema(), &wrong).is_empty(), "{path}");
    }
}

#[test]
fn what_the_program_prints_fits() {
    let files = [
        ("V1__a.sql", "create table a (b int)"),
        ("V1__a.down.sql", "drop table a"),
        ("V2__c.sql", "alter table a add c text"),
        ("V2__c.down.sql", "alter table a drop c"),
    ];
    let bench = Bench::new("published", &files);
    let json = |words: &str| -> Value {
        let output = bench.command(words).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let review = json("plan dev --as json");
    fits(&review);
    assert_eq!(review["steps"][1]["certificate"]["verdict"]["verdict"], "exact");
    let sarif = json("plan dev --as sarif");
    assert_eq!(sarif["version"], "2.1.0");
    bench.expect(0, "apply dev --auto-approve");
    fits(&json("show dev --as json"));
    fits(&json("plan dev --destroy --json"));
    bench.expect(0, "plan dev --as junit");
    let said = bench.expect(3, "plan dev --as text --database database.app");
    assert!(said.contains("no script is asked for"), "{said}");
}
